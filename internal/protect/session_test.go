package protect_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"paravent/internal/access"
	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// A grant ends by the clock, also inside a transaction that began before.
func TestAGrantEndsInsideAnOpenTransaction(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		for _, standby := range []bool{false, true} {
			s := w.open(t, standby)
			g := everything()
			g.Until = time.Now().Add(1500 * time.Millisecond)
			s.hold(t, g)
			s.do(t, "BEGIN ISOLATION LEVEL REPEATABLE READ")
			if got := one(t, s.Conn, "SELECT count(*) FROM orders"); got != "5" {
				t.Errorf("before its end %s orders", got)
			}
			time.Sleep(1600 * time.Millisecond)
			if got := one(t, s.Conn, "SELECT count(*) FROM orders"); got != "0" {
				t.Errorf("standby %t: after its end %s orders", standby, got)
			}
			s.do(t, "COMMIT")
		}
	})
}

// A prepared plan shows the grant of the moment at which it runs. A cursor keeps
// the moment at which it was opened and shows what its own grant did, no more; the
// gateway drops the session when a grant is taken away.
func TestPlansAndCursorsAcrossGrants(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s := w.open(t, false)
		s.hold(t, everything())
		s.do(t, "PREPARE p AS SELECT id FROM customers")
		s.do(t, "SET plan_cache_mode = force_generic_plan")
		for range 7 {
			if got := all(t, s.Conn, "EXECUTE p"); !slices.Equal(got, []string{"42"}) {
				t.Fatalf("prepared: %v", got)
			}
		}
		s.do(t, "BEGIN")
		s.do(t, "DECLARE unread CURSOR FOR SELECT id FROM orders")
		s.do(t, "DECLARE begun CURSOR FOR SELECT id FROM orders")
		if got := all(t, s.Conn, "FETCH 1 FROM begun"); len(got) != 1 {
			t.Fatalf("cursor: %v", got)
		}
		if err := w.binder.Release(t.Context(), s.PgConn().PID()); err != nil {
			t.Fatal(err)
		}
		if got := all(t, s.Conn, "EXECUTE p"); len(got) != 0 {
			t.Errorf("the prepared plan outlives its grant: %v", got)
		}
		for _, id := range append(all(t, s.Conn, "FETCH ALL FROM begun"), all(t, s.Conn, "FETCH ALL FROM unread")...) {
			if !strings.HasPrefix(id, "42") {
				t.Errorf("a cursor shows %s", id)
			}
		}
		s.do(t, "COMMIT")
		g := everything()
		g.Customer = "7"
		s.do(t, "SELECT paravent.hello()")
		s.hold(t, g)
		if got := all(t, s.Conn, "EXECUTE p"); !slices.Equal(got, []string{"7"}) {
			t.Errorf("under the next grant the prepared plan shows %v", got)
		}
	})
}

// A grant stays with the backend that it was bound to: neither a process id
// that is used again, nor a number of somebody else's, finds it.
func TestAGrantIsNotFoundByAnotherSession(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		w.open(t, false).hold(t, everything())
		fresh := w.pg.Connect(t, protect.Employees)
		// As if this process id had been another session's a moment ago.
		w.pg.Exec(t, fmt.Sprintf("UPDATE paravent.bound SET pid = %d WHERE customer = '42'", fresh.PgConn().PID()))
		if got, err := texts(t.Context(), fresh, "SELECT id FROM paravent_shop.customers"); err == nil && len(got) > 0 {
			t.Errorf("before hello %v", got)
		}
		if _, err := fresh.Exec(t.Context(), "SELECT paravent.hello()"); err != nil {
			t.Fatal(err)
		}
		if got := all(t, fresh, "SELECT id FROM paravent_shop.customers"); len(got) != 0 {
			t.Errorf("a reused process id shows %v", got)
		}
		// Nobody binds to a session that isn't an employee's, or is none.
		for _, pid := range []uint32{w.pg.Connect(t, testenv.ShopApp).PgConn().PID(), 1} {
			err := w.binder.Bind(t.Context(), pid, everything())
			if access.CodeOf(err) != access.NotFound {
				t.Errorf("bound to process %d: %v", pid, err)
			}
		}
	})
}

// The token of a standby is worth nothing altered, forged, expired, in another
// session, or longer than a minute.
func TestATokenIsBoundToItsSessionAndItsMinute(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s, other := w.open(t, true), w.open(t, true)
		token := func(hello string, g access.Grant, at time.Time) string {
			text, err := w.binder.Token(hello, g, at)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		now := time.Now()
		good := token(s.hello, everything(), now)
		ended := everything()
		ended.Until = now.Add(-time.Second)
		parts := strings.Split(s.hello, "/")
		for _, c := range []struct{ name, token, rows string }{
			{"the session's own", good, "1"},
			{"another session's", token(other.hello, everything(), now), "0"},
			{"the same process id, begun at another time", token(parts[0]+"/1/"+parts[2], everything(), now), "0"},
			{"another system's", token(parts[0]+"/"+parts[1]+"/1", everything(), now), "0"},
			{"a minute old", token(s.hello, everything(), now.Add(-61*time.Second)), "0"},
			{"from the future", token(s.hello, everything(), now.Add(30*time.Second)), "0"},
			{"of a grant that ended", token(s.hello, ended, now), "0"},
			{"another customer under the old MAC", strings.Replace(good, `"customer":"42"`, `"customer":"43"`, 1), "0"},
			{"later under the old MAC", strings.Replace(good, `"expires":1`, `"expires":2`, 1), "0"},
			{"a MAC of zeros", strings.Repeat("0", 64) + good[64:], "0"},
			{"no MAC", good[65:], "0"},
			{"cut", good[:len(good)-1], "0"},
			{"nothing", "", "0"},
			{"no JSON", strings.Repeat("a", 64) + ".{", "0"},
			{"huge", good + strings.Repeat(" ", 70000), "0"},
		} {
			s.do(t, "SELECT set_config('paravent.token', $1, false)", c.token)
			if got := one(t, s.Conn, "SELECT count(*) FROM customers"); got != c.rows {
				t.Errorf("%s: %s rows, want %s", c.name, got, c.rows)
			}
		}
		s.do(t, "SELECT set_config('paravent.token', $1, false)", good)
		s.do(t, "RESET ALL")
		if got := one(t, s.Conn, "SELECT count(*) FROM paravent_shop.customers"); got != "0" {
			t.Errorf("after RESET ALL %s rows", got)
		}
		// A token shows nothing on the primary.
		p := w.open(t, false)
		p.do(t, "SELECT set_config('paravent.token', $1, false)", token(p.hello, everything(), now))
		if got := one(t, p.Conn, "SELECT count(*) FROM customers"); got != "0" {
			t.Errorf("on the primary a token shows %s rows", got)
		}
	})
}

// Whether a customer exists makes no difference in time. The bound is generous,
// for machines are busy; what is looked for is the reading of her rows, and the
// medians of many.
func TestTimeTellsNothingOfWhoExists(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s := w.open(t, false).hold(t, everything())
		var ratio float64
		for range 5 {
			var took [2][]time.Duration
			for range 150 {
				for i, id := range []int{4301, 9901} {
					begun := time.Now()
					if got := all(t, s.Conn, "SELECT status FROM orders WHERE id = $1", id); len(got) > 0 {
						t.Fatalf("shown: %v", got)
					}
					took[i] = append(took[i], time.Since(begun))
				}
			}
			slices.Sort(took[0])
			slices.Sort(took[1])
			ratio = float64(took[0][75]) / float64(took[1][75])
			if ratio > 0.67 && ratio < 1.5 {
				return
			}
		}
		t.Errorf("an order that exists takes %.2f times as long as one that doesn't", ratio)
	})
}

// What the database can't refuse on a primary the gateway does; each leaves a
// trace that check finds, and none shows anybody's data.
func TestWhatOnlyTheGatewayCanRefuseIsFoundByCheck(t *testing.T) {
	versions(t, true, func(t *testing.T, w *world) {
		s := w.open(t, false).hold(t, everything())
		for _, sql := range []string{"NOTIFY x, 'y'", "LISTEN x", "ALTER ROLE paravent_reader SET search_path = public", "ALTER ROLE paravent_reader SET work_mem = '4GB'"} {
			noLeak(t, s.try(t, sql))
			if h := w.open(t, true).try(t, sql); h.err == nil {
				t.Errorf("on the standby %s isn't refused", sql)
			}
		}
		gaps, err := protect.Check(t.Context(), w.pg.Connect(t, testenv.ShopDBA), w.policy, "shop")
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, g := range gaps {
			found = append(found, g.Object+" "+g.Text)
		}
		for _, want := range []string{"paravent_reader has a setting of its own: search_path", "paravent_reader has a setting of its own: work_mem"} {
			if !slices.Contains(found, want) {
				t.Errorf("check doesn't say %q: %q", want, found)
			}
		}
	})
}

// Fast-path calls, replication, and a cancel with a wrong key are refused by the
// database, too.
func TestTheProtocolsSideDoorsAreShut(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		s := w.open(t, false).hold(t, everything())
		var oids []uint32
		for _, f := range []string{"pg_advisory_lock(bigint)", "lo_creat(integer)", "customer_name(bigint)"} {
			var oid uint32
			if err := w.pg.Connect(t, testenv.Superuser).QueryRow(t.Context(), "SELECT $1::text::regprocedure::oid", f).Scan(&oid); err != nil {
				t.Fatal(err)
			}
			oids = append(oids, oid)
		}
		raw, err := pgconn.Connect(t.Context(), w.pg.DSN(protect.Employees))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close(context.Background())
		front := raw.Frontend()
		for _, oid := range oids {
			front.Send(&pgproto3.FunctionCall{Function: oid, ArgFormatCodes: []uint16{0}, Arguments: [][]byte{[]byte("43")}, ResultFormatCode: 0})
			if err := front.Flush(); err != nil {
				t.Fatal(err)
			}
			refused := false
			for ready := false; !ready; {
				m, err := front.Receive()
				if err != nil {
					t.Fatal(err)
				}
				switch m := m.(type) {
				case *pgproto3.ErrorResponse:
					refused = m.Code == "42501"
				case *pgproto3.ReadyForQuery:
					ready = true
				}
			}
			if !refused {
				t.Errorf("function %d may be called by fast path", oid)
			}
		}
		if conn, err := pgx.Connect(t.Context(), w.pg.DSN(protect.Employees)+"&replication=database"); err == nil {
			_ = conn.Close(t.Context())
			t.Error("a replication connection is let in")
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.Exec(context.Background(), "SELECT pg_sleep(0.6)")
			done <- err
		}()
		time.Sleep(150 * time.Millisecond)
		wrong, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.pg.Port)))
		if err != nil {
			t.Fatal(err)
		}
		defer wrong.Close()
		cancel := binary.BigEndian.AppendUint32(nil, 16)
		for _, word := range []uint32{80877102, s.PgConn().PID(), 0xdeadbeef} {
			cancel = binary.BigEndian.AppendUint32(cancel, word)
		}
		if _, err := wrong.Write(cancel); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("another's statement was ended: %v", err)
		}
	})
}

// Writes go through a view only to the columns that the purpose names, only in
// rows of the grant, and what the database has against one is told without a
// value.
func TestChangesStayInsideTheGrant(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		w.pg.Exec(t, "ALTER TABLE customers ADD CONSTRAINT nowhere CHECK (city <> 'nowhere')")
		owner := w.pg.Connect(t, testenv.ShopDBA)
		everybody := func() string {
			return one(t, owner, "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM customers AS c WHERE id <> 42") + one(t, owner, "SELECT md5(string_agg(d::text, '' ORDER BY id)) FROM deliveries AS d WHERE order_id / 100 <> 42")
		}
		before := everybody()
		s := w.open(t, false)
		g := everything()
		g.Purpose, g.Categories = "address", []access.Category{"contact", "delivery", "identity"}
		s.hold(t, g)
		s.do(t, "UPDATE customers SET street = 'New street 1', city = city")
		s.do(t, "UPDATE deliveries SET city = 'Elsewhere'")
		if got := one(t, owner, "SELECT street FROM customers WHERE id = 42"); got != "New street 1" {
			t.Errorf("the street is %q", got)
		}
		if got := one(t, owner, "SELECT count(*) FROM deliveries WHERE city = 'Elsewhere'"); got != "5" {
			t.Errorf("%s deliveries changed", got)
		}
		for _, c := range []struct{ name, sql, code string }{
			{"the key", "UPDATE customers SET id = 43", "42501"},
			{"the name", "UPDATE customers SET name = 'x'", "42501"},
			{"the order of a delivery", "UPDATE deliveries SET order_id = 4301", "42501"},
			{"an address, to hear whether somebody has it", "UPDATE customers SET email = 'canary@leaked.example'", "42501"},
			{"what a constraint refuses", "UPDATE customers SET city = 'nowhere'", "23000"},
		} {
			h := s.try(t, c.sql)
			if h.err == nil || h.err.Code != c.code {
				t.Errorf("%s: %v, want %s", c.name, h.err, c.code)
			} else if strings.Contains(h.text(), "note 42") || h.err.Detail != "" {
				t.Errorf("%s: the error tells %+v", c.name, *h.err)
			}
		}
		if h := s.try(t, "UPDATE customers SET city = 'x' WHERE id = 43 RETURNING id"); len(h.rows) > 0 || h.err != nil {
			t.Errorf("another's row: %v %v", h.rows, h.err)
		}
		for name, change := range map[string]func(*access.Grant){
			"another purpose":        func(g *access.Grant) { g.Purpose = "complaint" },
			"a category not granted": func(g *access.Grant) { g.Categories = []access.Category{"identity"} },
			"an unknown purpose":     func(g *access.Grant) { g.Purpose = "none" },
		} {
			other := g
			change(&other)
			s.hold(t, other)
			if h := s.try(t, "UPDATE customers SET street = 'by "+name+"'"); h.err == nil || h.err.Code != "42501" {
				t.Errorf("%s: %v", name, h.err)
			}
		}
		if err := w.binder.Release(t.Context(), s.PgConn().PID()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exec(t.Context(), "UPDATE customers SET street = 'unbound'"); err != nil {
			var pg *pgconn.PgError
			if !errors.As(err, &pg) {
				t.Fatal(err)
			}
		}
		if got := one(t, owner, "SELECT street FROM customers WHERE id = 42"); got != "New street 1" {
			t.Errorf("in the end the street is %q", got)
		}
		if after := everybody(); after != before {
			t.Error("others' rows have changed")
		}
	})
}

// An upgrade of the shop adds a column: nobody sees it, and check says so. Also
// one that takes a mapped column away, or changes its type, shows no more.
func TestAnUpgradeThatAddsAColumnShowsNothing(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		s := w.open(t, false).hold(t, everything())
		before := one(t, s.Conn, "SELECT to_jsonb(customers) FROM customers")
		w.pg.Exec(t, "ALTER TABLE customers ADD COLUMN passport text DEFAULT 'CANARY-PASSPORT'; ALTER TABLE orders DROP COLUMN region; CREATE TABLE wishes (customer_id bigint, wish text); GRANT SELECT ON wishes TO PUBLIC; INSERT INTO wishes VALUES (43, 'CANARY-WISH')")
		if after := one(t, s.Conn, "SELECT to_jsonb(customers) FROM customers"); after != before {
			t.Errorf("shows %s, before %s", after, before)
		}
		if h := s.try(t, "SELECT passport FROM customers"); h.err == nil {
			t.Errorf("the new column is shown: %v", h.rows)
		}
		noLeak(t, s.try(t, "SELECT customers FROM customers"))
		conn := w.pg.Connect(t, testenv.ShopDBA)
		gaps, err := protect.Check(t.Context(), conn, w.policy, "shop")
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, g := range gaps {
			kinds = append(kinds, string(g.Kind)+" "+g.Object)
		}
		if want := []string{"hidden public.customers.passport", "public public.wishes"}; !slices.Equal(kinds, want) {
			t.Errorf("gaps %q, want %q", kinds, want)
		}
		w.apply(t)
		if gaps, err := protect.Check(t.Context(), conn, w.policy, "shop"); err != nil || len(gaps) > 0 {
			t.Errorf("after applying again %+v, %v", gaps, err)
		}
		if h := s.hold(t, everything()).try(t, "SELECT * FROM public.wishes"); h.err == nil {
			t.Errorf("the new table is shown: %v", h.rows)
		}
	})
}
