package protect_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/protect"
	"paravent/internal/source"
	"paravent/internal/testenv"
)

// textShop is a shop in which every value is a text, as it can stand in both kinds
// of database. Customer Ü7 isn't ü7; orders 11 and 12 are of one moment.
const textShop = `
INSERT INTO customers VALUES
  ('C1','Ann Archer','1980-05-06','ann@example.org','+49 40 123456789','Street 1','20 095','Hamburg','2019-01-02T03:04:05Z'),
  ('Ü7','Uwe','1990-12-31','Uwe@Example.org ','(040) 99887766','Street 2','20095','Hamburg',NULL),
  ('ü7','Ute','1990-12-31','ute@example.org','040-5','Street 3','20095','Bonn','yesterday'),
  ('C4','Dora','1971-01-01','dora@example.org','040 1234567890','Street 4','20095','Bonn','2020-01-01');
INSERT INTO orders VALUES ('11','C1','2026-01-05T10:00:00Z','paid',100), ('12','C1','2026-01-05T10:00:00Z','sent',200), ('13','C1',NULL,'open',300),
  ('9','C1','2026-02-01T00:00:00Z','open',400), ('21','Ü7','2026-01-01T00:00:00Z','paid',500), ('31','ü7','2026-01-01T00:00:00Z','paid',600);
INSERT INTO order_items VALUES ('i1','11','Book','books',1,10), ('i2','11','Pill',' Pharmacy',1,20), ('i3','12','Vest','',1,30), ('i4','9','Lamp','home',2,40), ('i5','21','Book','books',1,50);
INSERT INTO payments VALUES ('p1','11','card','DE00123456789','4111111111111111',100,'2026-01-05T10:01:00Z'), ('p2','9','iban','short',NULL,400,NULL);
INSERT INTO deliveries VALUES ('d1','11','Ann','Street 1','20095','Hamburg','post','T1','2026-01-07T00:00:00Z');
`

// both opens one shop as a SQLite file and as a protected PostgreSQL.
func both(t *testing.T, version string) (*source.SQLite, *protect.Source) {
	t.Helper()
	p := shopPolicy(t)
	plain, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), textShop); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	lite, err := source.Open(t.Context(), "shop", path, plain, source.WithLimits(9, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lite.Close() })
	tables, err := os.ReadFile("../source/shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	pg := testenv.Postgres(t, version)
	pg.Exec(t, "CREATE ROLE dba SUPERUSER LOGIN;"+strings.ReplaceAll(string(tables), " WITHOUT ROWID", "")+textShop+"CREATE TABLE articles (id int)")
	w := &world{pg: pg, policy: p}
	w.apply(t)
	return lite, w.source(t, pg, protect.SourceConfig{Rows: 9})
}

// source opens the server's own reading of a protected database.
func (w *world) source(t *testing.T, pg *testenv.PG, c protect.SourceConfig) *protect.Source {
	t.Helper()
	var err error
	if c.Gate, err = pgxpool.ParseConfig(pg.DSN(protect.Gate)); err != nil {
		t.Fatal(err)
	}
	if c.Reader, err = pgxpool.ParseConfig(pg.DSN(protect.Employees)); err != nil {
		t.Fatal(err)
	}
	c.Clock = time.Now
	s, err := protect.OpenSource(t.Context(), "shop", w.policy, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The same shop shows the same, whichever kind of database it is in.
func TestAProtectedPostgreSQLReadsAsSQLiteDoes(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			lite, pg := both(t, version)
			for _, customer := range []access.CustomerID{"C1", "Ü7", "ü7", "C4", "nobody"} {
				for _, categories := range [][]access.Category{{"identity"}, {"contact", "delivery", "identity", "orders"}, {"contact", "delivery", "identity", "order_items", "orders", "payment"}} {
					for _, reach := range []access.Reach{access.ReachAll, access.ReachRecent, access.ReachRecord} {
						for _, order := range []access.OrderID{"", "11", "21"} {
							g := everything()
							g.Customer, g.Categories, g.Reach, g.Order = customer, categories, reach, order
							g.Since, g.Recent = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), 27*24*time.Hour
							same(t, fmt.Sprintf("%s %v %s %s", customer, categories, reach, order), lite, pg, g)
						}
					}
				}
			}
			for _, c := range []struct {
				order access.OrderID
				of    access.CustomerID
			}{{"11", "C1"}, {"11", "Ü7"}, {"21", "Ü7"}, {"21", "ü7"}, {"none", "C1"}, {"", "C1"}} {
				want, err1 := lite.OrderOf(t.Context(), c.order, c.of)
				got, err2 := pg.OrderOf(t.Context(), c.order, c.of)
				if got != want || err1 != nil || err2 != nil {
					t.Errorf("%s is %s's: got %t %v, want %t %v", c.order, c.of, got, err2, want, err1)
				}
			}
			for _, said := range []map[string]string{
				{"order": "11", "postcode": "20095"}, {"order": "21", "postcode": "20-0 95"}, {"email": " UWE@example.ORG", "date_of_birth": "31.12.1990"},
				{"email": "uwe@example.org", "date_of_birth": "1990-12-30"}, {"phone": "0049 40 123456789", "postcode": "20095"}, {"phone": "99887766", "postcode": "1"},
				{"order": "none", "postcode": "20095"}, {"email": "ann@example.org", "date_of_birth": "1980-05-06", "phone": "123456789"}, {"postcode": "20095"}, {"name": "Ann"}, {"email": "' OR true --", "date_of_birth": "1980-05-06"}, {"phone": "1234567", "postcode": "20095", "order": "11"},
			} {
				want, err1 := lite.Find(t.Context(), said)
				got, err2 := pg.Find(t.Context(), said)
				if fmt.Sprint(got) != fmt.Sprint(want) || access.CodeOf(err1) != access.CodeOf(err2) {
					t.Errorf("%v finds %v (%v), want %v (%v)", said, got, err2, want, err1)
				}
			}
		})
	}
}

func same(t *testing.T, what string, lite *source.SQLite, pg *protect.Source, g access.Grant) {
	t.Helper()
	want, err := lite.Read(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pg.Read(t.Context(), g)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// Types of all kinds, on the primary and on its standby: the canary's rows never
// come, and a session that was used for one customer shows nothing afterwards.
func TestTheServerReadsOnlyInsideTheGrant(t *testing.T) {
	w := newWorld(t, "15")
	standby := w.pg.Standby(t)
	for name, s := range map[string]*protect.Source{
		"primary": w.source(t, w.pg, protect.SourceConfig{}), "standby": w.source(t, standby, protect.SourceConfig{Standby: true}),
	} {
		result, err := s.Read(t.Context(), everything())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := fmt.Sprintf("%+v", result)
		if len(result.Tables) != 5 || result.Rows != 1+5+10+5+5 || strings.Contains(strings.ToUpper(text), "CANARY") || !strings.Contains(text, "2020-05-06T00:00:00Z") {
			t.Errorf("%s: %s", name, text)
		}
		if rows := result.Tables[1].Rows; rows[0][0] != int64(4201) || rows[4][0] != int64(4205) {
			t.Errorf("%s: orders come as %v", name, rows)
		}
		g := everything()
		g.Until = time.Now().Add(-time.Second)
		if result, err := s.Read(t.Context(), g); err == nil {
			t.Errorf("%s: an ended grant reads %+v", name, result)
		}
	}
	s := w.source(t, w.pg, protect.SourceConfig{})
	for range 2 { // protect is applied anew under the server
		w.apply(t)
		if result, err := s.Read(t.Context(), everything()); err != nil || result.Rows != 26 {
			t.Errorf("after it was applied again: %+v, %v", result, err)
		}
	}
	var left int
	if err := w.pg.Connect(t, testenv.ShopDBA).QueryRow(t.Context(), "SELECT count(*) FROM paravent.bound WHERE grant_id IS NOT NULL").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d grants are still bound: %v", left, err)
	}
}

// Only paravent_gate may find a caller, and only with what the policy asks for.
func TestNobodyBrowsesByTheFunctionsOfTheServer(t *testing.T) {
	w := newWorld(t, "15")
	for _, call := range []string{"SELECT * FROM paravent.shop_find('{email,date_of_birth}', '{canary@leaked.example,1966-06-06}')", "SELECT paravent.shop_order_of('4301', '43')"} {
		for _, role := range []string{protect.Employees, testenv.ShopApp, testenv.ShopBI} {
			if _, err := w.pg.Connect(t, role).Exec(t.Context(), call); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("%s: %s: %v", role, call, err)
			}
		}
	}
	gate := w.pg.Connect(t, protect.Gate)
	for _, args := range []string{"'{}', '{}'", "'{postcode}', '{20042}'", "'{email,date_of_birth}', '{c1@example.org}'", "'{email,date_of_birth}', '{c1@example.org,NULL}'",
		"'{email,email,date_of_birth}', '{a,b,c}'", "'{email,date_of_birth,name}', '{a,b,c}'", "NULL, NULL", "'{order,postcode}', '{4201,\"\"}'"} {
		rows, err := gate.Query(t.Context(), "SELECT * FROM paravent.shop_find("+args+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			continue
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n > 0 {
			t.Errorf("shop_find(%s) finds %d", args, n)
		}
	}
	var who string
	if err := gate.QueryRow(t.Context(), "SELECT who FROM paravent.shop_find('{order,postcode}', '{4201,20042}') WHERE fits_all").Scan(&who); err != nil || who != "42" {
		t.Errorf("found %q, %v", who, err)
	}
}
