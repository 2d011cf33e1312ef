package protect_test

import (
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// G1, G2: rows of the grant's customer, categories of the grant, the rest
// masked, in the types of the table itself.
func TestAGrantShowsItsCustomerAndItsCategoriesOnly(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s := w.open(t, false)
		for _, table := range []string{"customers", "orders", "order_items", "payments", "deliveries"} {
			if got := one(t, s.Conn, "SELECT count(*) FROM "+table); got != "0" {
				t.Errorf("without a grant %s has %s rows", table, got)
			}
		}
		g := everything()
		s.hold(t, g)
		// Of 15 items, those without a department or with a sensitive one are hidden.
		for table, want := range map[string]string{"customers": "1", "orders": "5", "order_items": "10", "payments": "5", "deliveries": "5", "articles": "50"} {
			if got := one(t, s.Conn, "SELECT count(*) FROM "+table); got != want {
				t.Errorf("all categories: %s has %s rows, want %s", table, got, want)
			}
		}
		if got, want := one(t, s.Conn, "SELECT name, date_of_birth, email, phone, postcode FROM customers"), "Customer 42|1972-12-31|c42@example.org|+49 40 5550042|20042"; got != want {
			t.Errorf("whole %q, want %q", got, want)
		}
		if got, want := one(t, s.Conn, "SELECT DISTINCT iban FROM payments WHERE order_id = 4201"), "•••4201"; got != want {
			t.Errorf("always masked %q, want %q", got, want)
		}
		g.Sensitive = []string{"Pharmacy", "lingerie"}
		s.hold(t, g)
		if got := one(t, s.Conn, "SELECT count(*) FROM order_items"); got == "10" || got == "15" {
			t.Errorf("with two kinds of sensitive goods %s items; want more than 10 and not those that say nothing", got)
		}
		g.Categories = []access.Category{"orders"}
		s.hold(t, g)
		if got, want := one(t, s.Conn, "SELECT id, name, date_of_birth, email, phone, street, postcode, city, created_on FROM customers"), "||1972-01-01|c•••@example.org|•••0042||||2020-01-01 00:00:00+00"; got != want {
			t.Errorf("masked %q, want %q", got, want)
		}
		if err := w.binder.Release(t.Context(), s.PgConn().PID()); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s.Conn, "SELECT * FROM orders"); len(got) != 0 {
			t.Errorf("after the release %v", got)
		}
	})
}

func TestReachAndOrderNarrowWhatAGrantShows(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s := w.open(t, false)
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for _, c := range []struct {
			name          string
			reach         access.Reach
			order         access.OrderID
			days          int
			orders, items string
		}{
			{"all", access.ReachAll, "", 0, "5", "10"},
			{"all of one order", access.ReachAll, "4202", 0, "1", "2"},
			{"the task's order", access.ReachRecord, "4202", 0, "1", "2"},
			{"the task has no order", access.ReachRecord, "", 0, "0", "0"},
			{"somebody else's order", access.ReachRecord, "4301", 0, "0", "0"},
			{"an order that is no number", access.ReachRecord, "4202 ", 0, "0", "0"},
			{"a number written otherwise", access.ReachAll, "04202", 0, "0", "0"},
			{"the last 90 days", access.ReachRecent, "", 90, "2", "4"},
			{"the last day", access.ReachRecent, "", 1, "0", "0"},
		} {
			g := everything()
			g.Reach, g.Order, g.Since, g.Recent = c.reach, c.order, now, time.Duration(c.days)*24*time.Hour
			s.hold(t, g)
			if got := one(t, s.Conn, "SELECT count(*) FROM orders"); got != c.orders {
				t.Errorf("%s: %s orders, want %s", c.name, got, c.orders)
			}
			if got := one(t, s.Conn, "SELECT count(*) FROM order_items"); got != c.items {
				t.Errorf("%s: %s items, want %s", c.name, got, c.items)
			}
			if got := one(t, s.Conn, "SELECT count(*) FROM customers"); got != "1" {
				t.Errorf("%s: %s customers, want 1", c.name, got)
			}
		}
		g := everything()
		for _, id := range []access.CustomerID{"042", "42 ", "4200000000000000000000", "x", "43; --"} {
			g.Customer = id
			s.hold(t, g)
			if got := one(t, s.Conn, "SELECT count(*) FROM customers"); got != "0" {
				t.Errorf("customer %q shows %s rows", id, got)
			}
		}
	})
}

// The script may be run again, also after the policy's tables changed, and a
// second plan has nothing more to take from anybody.
func TestApplyingAgainChangesNothing(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		before := catalog(t, w.pg)
		w.apply(t)
		if after := catalog(t, w.pg); !slices.Equal(before, after) {
			t.Errorf("applying again changed %v", differences(before, after))
		}
		conn := w.pg.Connect(t, testenv.ShopDBA)
		gaps, err := protect.Check(t.Context(), conn, w.policy, "shop")
		if err != nil || len(gaps) > 0 {
			t.Errorf("gaps %+v, %v", gaps, err)
		}
	})
}
