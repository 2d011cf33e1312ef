package pggate_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// wire is a connection on which a test writes and reads bytes.
type wire struct{ net.Conn }

// wired connects with pgconn and takes the connection over.
func wired(t testing.TB, dsn string) *wire {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	h, err := c.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Conn.Close() })
	return &wire{h.Conn}
}

func encode(t testing.TB, all ...pgproto3.FrontendMessage) (b []byte) {
	t.Helper()
	for _, m := range all {
		var err error
		if b, err = m.Encode(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func q(sql string) pgproto3.FrontendMessage { return &pgproto3.Query{String: sql} }

// next reads one whole message.
func (w *wire) next() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(w, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(b, head[:])
	_, err := io.ReadFull(w, b[5:])
	return b, err
}

// until reads whole messages up to the n-th ReadyForQuery.
func (w *wire) until(t testing.TB, n int, about ...string) []byte {
	t.Helper()
	var all []byte
	_ = w.SetReadDeadline(time.Now().Add(20 * time.Second))
	for n > 0 {
		m, err := w.next()
		if err != nil {
			t.Fatalf("%s: read: %v after %q", about, err, tail(all))
		}
		all = append(all, m...)
		if m[0] == 'Z' {
			n--
		}
	}
	return all
}

func tail(b []byte) []byte { return b[max(0, len(b)-400):] }

// silent fails where anything comes within a while.
func (w *wire) silent(t testing.TB, why string) {
	t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	var b [1]byte
	if n, err := w.Read(b[:]); n > 0 || err == nil {
		t.Fatalf("%s: a byte (%q) was passed on", why, b)
	} else if e := (net.Error)(nil); !errors.As(err, &e) || !e.Timeout() {
		t.Fatalf("%s: %v", why, err)
	}
}

// kinds returns the types of the messages in b.
func kinds(b []byte) string {
	var out []byte
	for len(b) >= 5 {
		out = append(out, b[0])
		b = b[1+binary.BigEndian.Uint32(b[1:]):]
	}
	return string(out)
}

type script struct {
	name  string
	steps [][]pgproto3.FrontendMessage // each ends with one ReadyForQuery per Query and Sync
}

func prepared(name, sql string, oids ...uint32) pgproto3.FrontendMessage {
	return &pgproto3.Parse{Name: name, Query: sql, ParameterOIDs: oids}
}

// everyday is what clients do all day.
func everyday() []script {
	sync := &pgproto3.Sync{}
	run := &pgproto3.Execute{}
	one := func(m ...pgproto3.FrontendMessage) [][]pgproto3.FrontendMessage {
		return [][]pgproto3.FrontendMessage{m}
	}
	var scripts []script
	for _, sql := range []string{
		"", " ;; ", "select 1", "select 1; select 2; select 'x' as \"Ö\"", "select null, true, '', 1.50::numeric, 'NaN'::numeric, 1e300::float8, '-Infinity'::float4",
		"select '{1,2,NULL}'::int[], '{{a,b},{c,d}}'::text[], '\\xdeadbeef'::bytea, '{\"a\":[1,2]}'::jsonb, 'a=>b'::text",
		"select date '2026-02-28', timestamptz '2026-02-28 12:00+02', interval '1 year -3 days', time '24:00', 'infinity'::timestamp",
		"select 123456789012345678901234567890.123456789::numeric, 9223372036854775807, (-32768)::int2, '$1,234.56'::money",
		"select * from customers order by id", "select * from orders, order_items where orders.id = order_id order by 1,7", "table articles",
		"select 1/0", "select * from nowhere", "selec 1", "select 1; select 1/0; select 2", "select 'a' where false",
		"begin; select 1; select 1/0", "select 2", "rollback", "begin", "select 1/0", "select 1", "savepoint x", "commit",
		"begin isolation level serializable read only", "select count(*) from customers", "insert into articles values (1)", "rollback",
		"begin", "savepoint a", "select 1/0", "rollback to a", "select 5", "release a", "commit", "commit", "rollback",
		"do $$ begin raise notice 'a notice %', 1; raise warning using message='w', detail='d', hint='h', errcode='01234'; end $$",
		"set datestyle = 'German'; select date '2026-02-28'; reset datestyle", "set client_encoding = 'latin1'; select 'ä'; reset client_encoding", "set timezone = 'Asia/Tokyo'", "select now() > '2000-01-01'", "reset timezone",
		"set work_mem = '1kB'", "show work_mem", "set local work_mem = '1MB'", "show all_the_things", "select current_setting('application_name'), set_config('application_name', 'mine', false)",
		"begin; declare c cursor for select * from articles order by id; fetch 3 from c; move 2 in c; fetch backward 1 from c; close c; commit",
		"declare h cursor with hold for select * from generate_series(1,5)", "fetch 2 from h", "fetch all from h", "close h", "fetch 1 from h",
		"copy articles to stdout", "copy (select * from orders order by id) to stdout with (format csv, header)", "copy (select 1, null, 'x\ty') to stdout (format binary)", "copy (select 1/(id-3) from articles order by id) to stdout", "copy nowhere to stdout",
		"prepare p as select $1::int * 2", "execute p(21)", "execute p('x')", "deallocate p", "execute p", "explain (costs off) select * from articles where id = 3",
		"begin; insert into articles values (1000, 'new', 5) returning *; update articles set price_cents = 6 where id = 1000; delete from articles where id = 1000; rollback", "insert into articles values (1, 'twice', 1)",
		"select generate_series(1, 20000), repeat('x', 50)", "select repeat('y', 200000)", "select repeat(md5(n::text), 3000) from generate_series(1, 20) n", "select pg_sleep(0.01)", "show paravent.task", "vacuum articles", "begin; vacuum articles", "rollback",
		"create temp table tt (a int); insert into tt values (1),(2); select count(*) from tt; drop table tt", "select '" + strings.Repeat("z", 100_000) + "'", "select order_total(101)", "select /* a */ 1 -- b\n", "select $tag$ ; $tag$; select E'\\'; '",
		"values (1,'a'),(2,'b')", "with x as (select 1 as a) select * from x", "select xmin is null from articles limit 1", "discard all", "reset all", "lock table articles in access share mode",
	} {
		scripts = append(scripts, script{"simple: " + sql[:min(len(sql), 60)], one(q(sql))})
	}
	bind := func(args ...string) *pgproto3.Bind {
		b := &pgproto3.Bind{}
		for _, a := range args {
			b.Parameters = append(b.Parameters, []byte(a))
		}
		return b
	}
	binary1 := bind("42")
	binary1.ResultFormatCodes = []int16{1}
	scripts = append(scripts,
		script{"extended", one(prepared("", "select $1::int, name from customers where id = $1"), bind("42"), &pgproto3.Describe{ObjectType: 'P'}, run, sync)},
		script{"extended binary", one(prepared("", "select * from customers where id = $1", 20), binary1, &pgproto3.Describe{ObjectType: 'P'}, run, sync)},
		script{"named and again", [][]pgproto3.FrontendMessage{{prepared("s1", "select $1::text || 'x'"), &pgproto3.Describe{ObjectType: 'S', Name: "s1"}, sync},
			{&pgproto3.Bind{PreparedStatement: "s1", Parameters: [][]byte{[]byte("a")}}, run, sync}, {&pgproto3.Bind{PreparedStatement: "s1", Parameters: [][]byte{nil}}, run, sync},
			{prepared("s1", "select 2"), sync}, {&pgproto3.Bind{PreparedStatement: "s1", Parameters: [][]byte{[]byte("b")}}, run, sync},
			{&pgproto3.Close{ObjectType: 'S', Name: "s1"}, sync}, {&pgproto3.Bind{PreparedStatement: "s1"}, run, sync}}},
		script{"portal in pieces", one(q("begin"), prepared("", "select * from generate_series(1,7)"), &pgproto3.Bind{DestinationPortal: "pp"}, &pgproto3.Execute{Portal: "pp", MaxRows: 3}, &pgproto3.Execute{Portal: "pp", MaxRows: 3}, sync,
			&pgproto3.Execute{Portal: "pp", MaxRows: 3}, &pgproto3.Execute{Portal: "pp"}, &pgproto3.Close{ObjectType: 'P', Name: "pp"}, sync, q("commit"))},
		script{"a pipeline", one(prepared("", "select 1"), bind(), run, prepared("", "select 2"), bind(), run, sync, prepared("", "select 3"), bind(), run, sync, q("select 4"), q("select 5"))},
		script{"a pipeline with errors", one(prepared("", "select 1"), bind(), run, prepared("", "select 1/0"), bind(), run, prepared("", "select 3"), bind(), run, sync, q("select 4"), prepared("", "nonsense"), bind(), run, &pgproto3.Close{ObjectType: 'S', Name: "x"}, sync, q("select 5"))},
		script{"an error while binding", one(prepared("", "select $1::int"), bind("x"), run, sync)},
		script{"an error while planning", one(prepared("", "select 1/(2-2) from articles"), bind(), run, sync)},
		script{"nothing to run", one(prepared("", ""), bind(), &pgproto3.Describe{ObjectType: 'P'}, run, sync)},
		script{"several in one parse", one(prepared("", "select 1; select 2"), bind(), run, sync)},
		script{"copy, extended", one(prepared("", "copy articles to stdout"), bind(), run, sync)},
		script{"begin, extended", one(prepared("", "begin"), bind(), run, sync, prepared("", "select 1/0"), bind(), run, sync, prepared("", "select 1"), bind(), run, sync, prepared("", "rollback"), bind(), run, sync)},
		script{"flush", one(prepared("", "select 1"), &pgproto3.Flush{}, bind(), &pgproto3.Flush{}, run, &pgproto3.Flush{}, sync, sync)},
		script{"an implicit transaction", one(prepared("", "insert into articles values (2000,'x',1)"), bind(), run, prepared("", "select 1/0"), bind(), run, sync, q("select count(*) from articles where id = 2000"))},
		script{"a large parameter", one(prepared("", "select length($1::text)"), bind(strings.Repeat("p", 300_000)), run, sync)},
		script{"sync alone", one(sync, sync)},
		script{"a query while skipping", one(prepared("", "nonsense"), q("select 1"), sync, q("select 2"))},
		script{"deallocate and prepare again", one(prepared("d1", "select 1"), sync, q("deallocate d1"), prepared("d1", "select 2"), &pgproto3.Bind{PreparedStatement: "d1"}, run, sync, q("deallocate all"))},
		script{"messages out of place", one(&pgproto3.CopyData{Data: []byte("x")}, &pgproto3.CopyDone{}, &pgproto3.CopyFail{Message: "x"}, q("select 1"))},
	)
	return scripts
}

func readies(step []pgproto3.FrontendMessage) (n int) {
	for _, m := range step {
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
			n++
		}
	}
	return n
}

// What clients do all day gives the same bytes through the gate, with and
// without a task, and in pieces of any size.
func TestTheSameBytesComeThroughTheGateAsDirectly(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			pg := shop(t, version)
			d := open(t, pg, func(c *pggate.Config) { c.Loops = long() })
			byGoroutines := open(t, pg, nil)
			direct := wired(t, pg.DSN("reader"))
			gated := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
			goroutines := wired(t, byGoroutines.dsn("&options=-cparavent.task%3DT-1"))
			pieces := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
			for _, sc := range everyday() {
				for i, step := range sc.steps {
					n := readies(step)
					if sc.name == "a query while skipping" {
						n--
					}
					b := encode(t, step...)
					var want []byte
					for _, w := range []*wire{direct, gated, goroutines, pieces} {
						if w == pieces && len(b) < 5000 {
							for j := range b {
								_, _ = w.Write(b[j : j+1])
							}
						} else if _, err := w.Write(b); err != nil {
							t.Fatal(err)
						}
						got := w.until(t, n, sc.name, fmt.Sprint(w == direct, w == gated))
						if w == direct {
							want = got
						} else if strings.Contains(sc.name, "show paravent") {
							continue
						} else if !bytes.Equal(got, want) {
							at := 0
							for at < min(len(got), len(want)) && got[at] == want[at] {
								at++
							}
							t.Errorf("%s, step %d: differs from byte %d of %d/%d\n got %q\nwant %q", sc.name, i, at, len(got), len(want), got[at:min(len(got), at+300)], want[at:min(len(want), at+300)])
						}
					}
				}
			}
		})
	}
}

var (
	execAll = &pgproto3.Execute{}
	syncNow = &pgproto3.Sync{}
)

func bindOf(args ...any) *pgproto3.Bind {
	b := &pgproto3.Bind{}
	for _, a := range args {
		b.Parameters = append(b.Parameters, []byte(fmt.Sprint(a)))
	}
	return b
}
