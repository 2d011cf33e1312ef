package source_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/source"
)

func read(tb testing.TB, s *source.SQLite, g access.Grant) *source.Result {
	tb.Helper()
	r, err := s.Read(context.Background(), g)
	if err != nil {
		tb.Fatal(err)
	}
	rows := 0
	for _, t := range r.Tables {
		rows += len(t.Rows)
		for _, row := range t.Rows {
			if len(row) != len(t.Columns) {
				tb.Errorf("table %s: a row of %d values for %d columns", t.Name, len(row), len(t.Columns))
			}
		}
	}
	if rows != r.Rows {
		tb.Errorf("%d rows are said, %d are there", r.Rows, rows)
	}
	return r
}

// ids returns the first column of a table's rows.
func ids(r *source.Result, table string) string {
	for _, t := range r.Tables {
		if t.Name == table {
			var out []string
			for _, row := range t.Rows {
				out = append(out, fmt.Sprint(row[0]))
			}
			return strings.Join(out, " ")
		}
	}
	return "left out"
}

// value returns one value of the first row of a table, and whether it's masked.
func value(tb testing.TB, r *source.Result, table, column string) (any, bool) {
	tb.Helper()
	for _, t := range r.Tables {
		i := slices.IndexFunc(t.Columns, func(c source.Column) bool { return c.Name == column })
		if t.Name == table && i >= 0 && len(t.Rows) > 0 {
			return t.Rows[0][i], t.Columns[i].Masked
		}
	}
	tb.Fatalf("%s.%s is not in the result", table, column)
	return nil, false
}

func TestG2ReachAndOrderNarrowTheRows(t *testing.T) {
	s := open(t)
	recent := func(days int) func(*access.Grant) {
		return func(g *access.Grant) { g.Recent = time.Duration(days) * 24 * time.Hour }
	}
	order := func(o access.OrderID) func(*access.Grant) { return func(g *access.Grant) { g.Order = o } }
	all := func(g *access.Grant) { g.Sensitive = []string{"pharmacy", "lingerie", "adult", "religion"} }
	for _, c := range []struct {
		name     string
		customer access.CustomerID
		reach    access.Reach
		with     []func(*access.Grant)
		card     string // rows of customers
		orders   string
		items    string
		payments string
	}{
		{"all", "c1", access.ReachAll, nil, "c1", "o1 o2 o3", "i1 i2", "p1"},
		{"all, with all sensitive goods", "c1", access.ReachAll, []func(*access.Grant){all}, "c1", "o1 o2 o3", "i1 i3 i2 i4", "p1"},
		{"one kind of sensitive goods", "c1", access.ReachAll, []func(*access.Grant){func(g *access.Grant) { g.Sensitive = []string{"religion"} }}, "c1", "o1 o2 o3", "i1 i2 i4", "p1"},
		{"all, of one order", "c1", access.ReachAll, []func(*access.Grant){order("o2")}, "c1", "o2", "i2", ""},
		{"recent", "c1", access.ReachRecent, []func(*access.Grant){recent(30)}, "c1", "o1", "i1", "p1"},
		{"recent, longer", "c1", access.ReachRecent, []func(*access.Grant){recent(90)}, "c1", "o1 o2", "i1 i2", "p1"},
		{"recent without a length shows no order", "c1", access.ReachRecent, nil, "c1", "", "", ""},
		{"recent, of an order that is too old", "c1", access.ReachRecent, []func(*access.Grant){recent(90), order("o3")}, "c1", "", "", ""},
		{"record", "c1", access.ReachRecord, []func(*access.Grant){order("o1")}, "c1", "o1", "i1", "p1"},
		{"record without an order shows no order at all", "c1", access.ReachRecord, nil, "c1", "", "", ""},
		{"record with an order that doesn't exist", "c1", access.ReachRecord, []func(*access.Grant){order("o99")}, "c1", "", "", ""},
		{"attack: another customer's order under reach record", "c1", access.ReachRecord, []func(*access.Grant){order("o4")}, "c1", "", "", ""},
		{"attack: another customer's order under reach all", "c1", access.ReachAll, []func(*access.Grant){order("o4")}, "c1", "", "", ""},
		{"attack: an unknown reach", "c1", "everything", nil, "c1", "", "", ""},
		{"attack: no reach", "c1", "", nil, "c1", "", "", ""},
		{"attack: a customer with a quote in the id sees only herself", `c3' OR '1'='1`, access.ReachAll, nil, `c3' OR '1'='1`, `o"5; --`, "", ""},
		{"attack: an id that would be a condition", `c1' OR 'x'='x`, access.ReachAll, nil, "", "", "", ""},
		{"attack: an order that would be a condition", "c1", access.ReachAll, []func(*access.Grant){order(`o1" OR "1"="1`)}, "c1", "", "", ""},
		{"attack: a pattern", "c%", access.ReachAll, nil, "", "", "", ""},
		{"attack: another case", "C1", access.ReachAll, nil, "", "", "", ""},
		{"attack: a NUL after the id", "c1\x00", access.ReachAll, nil, "", "", "", ""},
		{"attack: a NUL and more", "c1\x00' OR 1=1 --", access.ReachAll, nil, "", "", "", ""},
		{"attack: a letter that looks alike", "с1", access.ReachAll, nil, "", "", "", ""},
		{"attack: text that isn't Unicode", "c1\xff", access.ReachAll, nil, "", "", "", ""},
		{"attack: a blank after the id", "c1 ", access.ReachAll, nil, "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := grant(c.customer, c.reach)
			for _, with := range c.with {
				with(&g)
			}
			r := read(t, s, g)
			for table, want := range map[string]string{"customers": c.card, "orders": c.orders, "order_items": c.items, "payments": c.payments} {
				if got := ids(r, table); got != want {
					t.Errorf("%s: got %q, want %q", table, got, want)
				}
			}
		})
	}
}

func TestG2OnlyGrantedCategoriesAreShown(t *testing.T) {
	s := open(t)
	g := grant("c1", access.ReachAll)
	g.Categories = []access.Category{"identity"}
	r := read(t, s, g)
	if len(r.Tables) != 1 || r.Tables[0].Name != "customers" {
		t.Errorf("tables without a granted column are shown: %+v", r.Tables)
	}
	for column, want := range map[string]any{"name": "Ann Archer", "date_of_birth": "1980-05-06", "email": "a•••@example.org", "phone": "•••2223", "street": nil, "postcode": nil, "city": nil} {
		got, masked := value(t, r, "customers", column)
		if got != want {
			t.Errorf("%s: got %v, want %v", column, got, want)
		}
		if wantMasked := column != "name" && column != "date_of_birth"; masked != wantMasked {
			t.Errorf("%s: masked is %t", column, masked)
		}
	}
	if all := fmt.Sprint(r); strings.Contains(all, annMail) || strings.Contains(all, "High Street") {
		t.Errorf("a value that isn't granted is in the result: %s", all)
	}

	g.Categories = []access.Category{"contact"}
	if got, masked := value(t, read(t, s, g), "customers", "date_of_birth"); got != "1980" || !masked {
		t.Errorf("the mask year shows %v", got)
	}
	g.Categories = []access.Category{"payment", "orders"}
	r = read(t, s, g)
	if got, masked := value(t, r, "payments", "iban"); got != "•••1111" || !masked || strings.Contains(fmt.Sprint(r), annIBAN) {
		t.Errorf("`always` is not kept: %v", got)
	}
	g.Categories = []access.Category{"horoscope"}
	if r := read(t, s, g); len(r.Tables) != 0 {
		t.Errorf("an unknown category shows %+v", r.Tables)
	}
	g.Categories = nil
	if r := read(t, s, g); len(r.Tables) != 0 {
		t.Errorf("no category shows %+v", r.Tables)
	}
}

func TestG2AGrantWithoutCustomerReadsNothing(t *testing.T) {
	if _, err := open(t).Read(context.Background(), grant("", access.ReachAll)); access.CodeOf(err) != access.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestLimitsCut(t *testing.T) {
	all := read(t, open(t), grant("c1", access.ReachAll))
	if all.Cut {
		t.Fatal("cut without need")
	}
	for _, c := range []struct {
		name   string
		option source.Option
		rows   int
	}{
		{"rows", source.WithLimits(2, 1<<20), 2},
		{"as many rows as there are", source.WithLimits(all.Rows, 1<<20), all.Rows},
		{"bytes", source.WithLimits(100, all.Bytes-1), all.Rows - 1},
		{"as many bytes as there are", source.WithLimits(100, all.Bytes), all.Rows},
		{"none", source.WithLimits(0, 0), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, open(t, c.option), grant("c1", access.ReachAll))
			if r.Rows != c.rows || r.Cut != (c.rows < all.Rows) {
				t.Errorf("got %d rows, cut %t; want %d", r.Rows, r.Cut, c.rows)
			}
		})
	}
}

func TestAReadEndsWithItsContext(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := s.Read(ctx, grant("c1", access.ReachAll)); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("got %v, %v", r, err)
	}
	if _, err := s.OrderOf(ctx, "o1", "c1"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Find(ctx, map[string]string{"order": "o1", "postcode": "AB1 2CD"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// The connections it leaves behind still work.
	for range 20 {
		read(t, s, grant("c1", access.ReachAll))
	}
}

func TestOrderOf(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		name     string
		order    access.OrderID
		customer access.CustomerID
		want     bool
	}{
		{"hers", "o1", "c1", true},
		{"another's", "o4", "c1", false},
		{"nobody's", "o99", "c1", false},
		{"another case", "O1", "c1", false},
		{"quotes", `o"5; --`, `c3' OR '1'='1`, true},
		{"a condition", `o4' OR '1'='1`, "c1", false},
		{"no order", "", "c1", false},
		{"no customer", "o1", "", false},
		{"a NUL", "o1\x00", "c1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.OrderOf(context.Background(), c.order, c.customer)
			if err != nil || got != c.want {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
}

// exec changes the database behind the source's back.
func exec(tb testing.TB, path string, statements ...string) {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	}()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// G2, attack: somebody adds a column, after the policy was written or while the
// server runs. It isn't mapped, so it isn't shown.
func TestG2AColumnAddedLaterStaysHidden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, shop()); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := fmt.Sprint(read(t, s, grant("c1", access.ReachAll)))
	exec(t, path, `ALTER TABLE customers ADD COLUMN diagnosis TEXT`, `UPDATE customers SET diagnosis = 'secret diagnosis'`)
	if after := fmt.Sprint(read(t, s, grant("c1", access.ReachAll))); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
	exec(t, path, `ALTER TABLE customers DROP COLUMN city`)
	if r, err := s.Read(context.Background(), grant("c1", access.ReachAll)); err == nil {
		t.Errorf("a dropped column is read as %v", r.Tables[0])
	}
}

// The source can't write, whatever it is asked.
func TestTheSourceCannotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, shop()); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, statement := range []string{`DELETE FROM customers`, `CREATE TABLE x (a)`, `PRAGMA user_version = 7`} {
		if err := source.Exec(s, statement); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
}

// Many first reads at once, each of other categories, need more connections
// than there are: none may hold one while it waits for another.
func TestManyFirstReadsAtOnceDoNotBlockEachOther(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	all := grant("c1", access.ReachAll).Categories
	errs := make(chan error)
	const reads = 64
	for i := range reads {
		g := grant("c1", access.ReachAll)
		g.Categories = nil
		for j, c := range all {
			if i>>j&1 != 0 || j == 0 {
				g.Categories = append(g.Categories, c)
			}
		}
		go func() {
			_, err := s.Read(ctx, g)
			errs <- err
		}()
	}
	for range reads {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}
