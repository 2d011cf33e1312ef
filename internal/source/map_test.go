package source_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// mapped returns a policy whose only source has these tables.
func mapped(tb testing.TB, tables string) *policy.Policy {
	tb.Helper()
	yaml := `version: 1
roles: {agent: works}
categories:
  known: {title: Known, fideslang: [user]}
  other: {title: Other, fideslang: [user]}
purposes:
  help: {title: Help, categories: [known], reach: all, grant: 1h, who: [agent]}
second_person: {who: [agent], waits: 1h, holds: 1h}
sources:
  shop:
    tables:
` + tables
	p, err := policy.Load("policy.yaml", []byte(yaml), "default.cedar", []byte(`@id("all") @says("all") permit (principal, action, resource);`))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// database makes a database of its own for one test.
func database(tb testing.TB, statements ...string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "own.db")
	exec(tb, path, statements...)
	return path
}

func openOwn(tb testing.TB, path string, p *policy.Policy) *source.SQLite {
	tb.Helper()
	s, err := source.Open(context.Background(), "shop", path, p, source.WithPseudonymKey([]byte("0123456789abcdef0123456789abcdef")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func known(c access.CustomerID) access.Grant {
	return access.Grant{Customer: c, Reach: access.ReachAll, Categories: []access.Category{"known"}, Since: now}
}

// G2, attack: the database compares without case, or turns "017" into a number;
// whoever has a task about c1 must not see C1, and 17 is not 017.
func TestG2IdsAreComparedByteByByte(t *testing.T) {
	p := mapped(t, `
      people: {customer: id, columns: {id: known, name: known}}
      numbers: {customer: customer, order: number, columns: {number: known}}
      lines: {customer: "number -> numbers.number", order: number, columns: {text: known}}
`)
	s := openOwn(t, database(t,
		`CREATE TABLE people (id TEXT COLLATE NOCASE, name TEXT)`,
		`INSERT INTO people VALUES ('c1', 'Ann'), ('C1', 'Bob')`,
		`CREATE TABLE numbers (customer INTEGER, number TEXT PRIMARY KEY)`,
		`INSERT INTO numbers VALUES (17, 'a1'), (18, 'A1')`,
		`CREATE TABLE lines (number TEXT COLLATE NOCASE, text TEXT)`,
		`INSERT INTO lines VALUES ('a1', 'of seventeen'), ('A1', 'of eighteen')`), p)
	for customer, want := range map[access.CustomerID]string{"c1": "[[c1 Ann]]", "C1": "[[C1 Bob]]"} {
		if got := fmt.Sprint(read(t, s, known(customer)).Tables[0].Rows); got != want {
			t.Errorf("%s sees %s, want %s", customer, got, want)
		}
	}
	for customer, want := range map[access.CustomerID]string{
		"17": "[[a1]] [[of seventeen]]", "18": "[[A1]] [[of eighteen]]", "017": "[] []", "17.0": "[] []", " 17": "[] []", "+17": "[] []"} {
		r := read(t, s, known(customer))
		if got := fmt.Sprint(r.Tables[1].Rows, r.Tables[2].Rows); got != want {
			t.Errorf("%q sees %s, want %s", customer, got, want)
		}
	}
	for order, want := range map[access.OrderID]bool{"a1": true, "A1": false} {
		if got, err := s.OrderOf(context.Background(), order, "17"); err != nil || got != want {
			t.Errorf("order %s of 17: %t, %v", order, got, err)
		}
	}
}

// G2, attack: a path over a column that isn't unique would lead one customer's
// rows to another.
func TestG2APathMustBeUnique(t *testing.T) {
	p := mapped(t, `
      orders: {customer: customer, order: id, columns: {id: known}}
      items: {customer: "order_id -> orders.id", order: order_id, columns: {text: known}}
`)
	items := `CREATE TABLE items (order_id TEXT, text TEXT)`
	for _, c := range []struct {
		name   string
		orders []string
		ok     bool
	}{
		{"nothing keeps it unique", []string{`CREATE TABLE orders (id TEXT, customer TEXT)`}, false},
		{"a primary key", []string{`CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT)`}, true},
		{"the row's own number", []string{`CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)`}, true},
		{"a unique index", []string{`CREATE TABLE orders (id TEXT, customer TEXT)`, `CREATE UNIQUE INDEX u ON orders (id)`}, true},
		{"a key of two columns", []string{`CREATE TABLE orders (id TEXT, customer TEXT, PRIMARY KEY (id, customer))`}, false},
		{"a unique index over two columns", []string{`CREATE TABLE orders (id TEXT, customer TEXT, UNIQUE (id, customer))`}, false},
		{"a unique index over some rows", []string{`CREATE TABLE orders (id TEXT, customer TEXT)`, `CREATE UNIQUE INDEX u ON orders (id) WHERE customer = 'c1'`}, false},
		{"an index that isn't unique", []string{`CREATE TABLE orders (id TEXT, customer TEXT)`, `CREATE INDEX u ON orders (id)`}, false},
		{"a unique index over another column", []string{`CREATE TABLE orders (id TEXT, customer TEXT UNIQUE)`}, false},
		{"a view", []string{`CREATE TABLE o (id TEXT PRIMARY KEY, customer TEXT)`, `CREATE VIEW orders AS SELECT * FROM o`}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := source.Open(context.Background(), "shop", database(t, append(c.orders, items)...), p)
			if err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			var problems policy.Problems
			if (err == nil) != c.ok || !c.ok && (!errors.As(err, &problems) || !strings.Contains(err.Error(), "doesn't keep unique")) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// G2, attack: rows whose path leads nowhere, or to a row without a customer, are
// nobody's.
func TestG2APathThatEndsNowhereShowsNothing(t *testing.T) {
	p := mapped(t, `
      orders: {customer: customer, order: id, columns: {id: known}}
      parcels: {customer: "order_id -> orders.id", order: order_id, columns: {id: known}}
      scans: {customer: "parcel -> parcels.id", order: order_id, columns: {text: known}}
`)
	s := openOwn(t, database(t,
		`CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT)`, `INSERT INTO orders VALUES ('o1', 'c1'), ('o2', 'c2'), ('o3', NULL), ('o4', '')`,
		`CREATE TABLE parcels (id TEXT PRIMARY KEY, order_id TEXT)`, `INSERT INTO parcels VALUES ('p1', 'o1'), ('p2', 'o2'), ('p3', 'o3'), ('p4', NULL), ('p9', 'o9')`,
		`CREATE TABLE scans (parcel TEXT, order_id TEXT, text TEXT)`,
		`INSERT INTO scans VALUES ('p1', 'o1', 'mine'), ('p2', 'o1', 'of c2 over the parcel'), ('p3', 'o3', 'of nobody'), (NULL, 'o1', 'of nothing')`), p)
	r := read(t, s, known("c1"))
	if got := fmt.Sprint(r.Tables[1].Rows, r.Tables[2].Rows); got != "[[p1]] [[mine]]" {
		t.Errorf("got %s", got)
	}
	if r := read(t, s, known("NULL")); r.Rows != 0 {
		t.Errorf("got %v", r.Tables)
	}
}

// G2, attack: the key compares without case, the rows that point to it don't.
func TestG2APathIsFollowedByteByByte(t *testing.T) {
	p := mapped(t, `
      orders: {customer: customer, order: id, columns: {id: known}}
      items: {customer: "order_id -> orders.id", order: order_id, columns: {text: known}}
`)
	s := openOwn(t, database(t,
		`CREATE TABLE orders (id TEXT COLLATE NOCASE PRIMARY KEY, customer TEXT)`, `INSERT INTO orders VALUES ('o1', 'c1')`,
		`CREATE TABLE items (order_id TEXT, text TEXT)`, `INSERT INTO items VALUES ('o1', 'hers'), ('O1', 'not hers')`), p)
	if got := fmt.Sprint(read(t, s, known("c1")).Tables[1].Rows); got != "[[hers]]" {
		t.Errorf("got %s", got)
	}
}

// G2: a value that isn't granted is not even read. Reading this one fails.
func TestG2AValueThatIsNotGrantedIsNotRead(t *testing.T) {
	statements := []string{`CREATE TABLE t (c TEXT, k TEXT, bad TEXT)`, `INSERT INTO t VALUES ('c', 'k', 'no json')`, `CREATE VIEW v AS SELECT c, k, json(bad) AS trap FROM t`}
	for _, mask := range []string{"null", "redacted"} {
		p := mapped(t, "\n      v: {customer: c, columns: {k: known, trap: {category: other, mask: "+mask+"}}}\n")
		s := openOwn(t, database(t, statements...), p)
		if r := read(t, s, known("c")); r.Rows != 1 {
			t.Errorf("got %v", r)
		}
		g := known("c")
		g.Categories = append(g.Categories, "other")
		if _, err := s.Read(context.Background(), g); err == nil {
			t.Error("the trap doesn't work")
		}
	}
}

// An order that two customers have is nobody's: which of them is meant can't be
// told.
func TestAnOrderOfTwoCustomersIsNobodys(t *testing.T) {
	p := mapped(t, "\n      orders: {customer: customer, order: id, columns: {id: known}}\n")
	s := openOwn(t, database(t, `CREATE TABLE orders (id TEXT, customer TEXT)`, `INSERT INTO orders VALUES ('o1', 'c1'), ('o1', 'c2'), ('o2', 'c1'), ('o2', 'c1'), ('o3', 'c1'), ('o3', NULL)`), p)
	for order, want := range map[access.OrderID]bool{"o1": false, "o2": true, "o3": false} {
		if got, err := s.OrderOf(context.Background(), order, "c1"); err != nil || got != want {
			t.Errorf("%s: got %t, %v", order, got, err)
		}
	}
}

func TestValuesOfEveryTypeAreReadAndMasked(t *testing.T) {
	p := mapped(t, `
      v:
        customer: c
        columns:
          k: known
          plain: known
          nothing: {category: other}
          red: {category: other, mask: redacted}
          mail: {category: other, mask: email}
          four: {category: other, mask: last4}
          year: {category: other, mask: year}
          pseudo: {category: other, mask: pseudonym}
`)
	path := database(t, `CREATE TABLE v (c TEXT, k INTEGER, plain DATETIME, "nothing", red, mail, four, year DATE, pseudo)`,
		`INSERT INTO v VALUES
		('c', 1, NULL, 'x', 'x', NULL, NULL, NULL, NULL),
		('c', 2, 42, 'x', NULL, 'no mail', 'short', 'no year', 'same'),
		('c', 3, 1.5, 'x', 'x', 'ünal@example.org', '1234567890', '1999-12-31T23:30:00-05:00', 'same'),
		('c', 4, '2026-01-02 03:04:05', 'x', 'x', '@example.org', 1234567890, '2020-01-02', 'other'),
		('c', 5, x'00ff', 'x', 'x', x'00ff', x'00ff', 1000000000, x'00ff'),
		('c', 6, 'true', 'x', 'x', 'a@b@c.org', '        12345678', '2021-05-06 01:02:03', '')`)
	s := openOwn(t, path, p)
	r := read(t, s, known("c"))
	pseudonym := fmt.Sprint(r.Tables[0].Rows[1][7])
	want := []string{
		"[1 <nil> <nil> [redacted] <nil> <nil> <nil> <nil>]",
		"[2 42 <nil> [redacted] [redacted] ••• [redacted] " + pseudonym + "]",
		"[3 1.5 <nil> [redacted] ü•••@example.org •••7890 2000 " + pseudonym + "]",
		"[4 2026-01-02 03:04:05 <nil> [redacted] [redacted] •••7890 2020 ",
		"[5 [0 255] <nil> [redacted] [redacted] [redacted] 2001 ",
		"[6 true <nil> [redacted] a•••@c.org •••5678 2021 ",
	}
	for i, row := range r.Tables[0].Rows {
		if got := fmt.Sprint(row); !strings.HasPrefix(got, want[i]) {
			t.Errorf("got %s, want %s", got, want[i])
		}
	}
	if !strings.HasPrefix(pseudonym, "p-") || len(pseudonym) != 18 {
		t.Errorf("the pseudonym is %q", pseudonym)
	}
	again := openOwn(t, path, p)
	if got := fmt.Sprint(read(t, again, known("c")).Tables[0].Rows[1][7]); got != pseudonym {
		t.Errorf("with the same key it is %s, before %s", got, pseudonym)
	}
	other, err := source.Open(context.Background(), "shop", path, p)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if got := fmt.Sprint(read(t, other, known("c")).Tables[0].Rows[1][7]); got == pseudonym {
		t.Error("without the key it is the same")
	}
}

func TestTimesThatCannotBeReadAreBeyondReachRecent(t *testing.T) {
	p := mapped(t, `
      m: {customer: c, time: at, columns: {k: known}}
`)
	s := openOwn(t, database(t, `CREATE TABLE m (c TEXT, k TEXT, at)`,
		fmt.Sprintf(`INSERT INTO m VALUES ('c', 'text', '2026-03-01T00:00:00Z'), ('c', 'offset', '2026-03-02T01:00:00+02:00'), ('c', 'blank', '2026-03-01 23:00:00'),
		('c', 'day', '2026-03-02'), ('c', 'seconds', %d), ('c', 'old', '2020-01-01T00:00:00Z'), ('c', 'none', NULL), ('c', 'words', 'yesterday'), ('c', 'far', %d)`,
			now.Add(-time.Hour).Unix(), math.MinInt32)), p)
	g := known("c")
	g.Reach, g.Recent = access.ReachRecent, 7*24*time.Hour
	got := map[string]bool{}
	for _, row := range read(t, s, g).Tables[0].Rows {
		got[fmt.Sprint(row[0])] = true
	}
	for _, k := range []string{"text", "offset", "blank", "day", "seconds"} {
		if !got[k] {
			t.Errorf("%s is missing", k)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("shown: %v", got)
	}
	g.Reach = access.ReachRecord // a history without orders is beyond reach record
	if r := read(t, s, g); r.Rows != 0 {
		t.Errorf("reach record shows %v", r.Tables)
	}
}

func TestOpenNamesWhatDoesNotFit(t *testing.T) {
	yaml := strings.NewReplacer("          tracking: delivery", "          traking: delivery", "        time: placed_at", "        time: placed_on",
		"          column: department", "          column: dept", "      payments:\n", "      payment:\n").Replace(string(policy.DefaultYAML()))
	p, err := policy.Load("policy.yaml", []byte(yaml), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, nil); err != nil {
		t.Fatal(err)
	}
	_, err = source.Open(context.Background(), "shop", path, p)
	var problems policy.Problems
	if !errors.As(err, &problems) || len(problems) != 4 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{`has no column "placed_on" (did you mean "placed_at"?)`, `has no column "dept"`, `has no table "payment" (did you mean "payments"?)`, `has no column "traking" (did you mean "tracking"?)`} {
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("%q is not among\n%v", want, problems)
		}
	}
	for _, problem := range problems {
		if problem.File != "policy.yaml" || problem.Line < 50 {
			t.Errorf("no place: %+v", problem)
		}
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	dir := t.TempDir()
	if s, err := source.Open(context.Background(), "shop", filepath.Join(dir, "none.db"), defaultPolicy(t)); err == nil {
		t.Error("a missing file was opened", s.Close())
	}
	if s, err := source.Open(context.Background(), "shpo", filepath.Join(dir, "none.db"), defaultPolicy(t)); err == nil || !strings.Contains(err.Error(), `did you mean "shop"?`) {
		t.Error("an unknown source was opened", s, err)
	}
}
