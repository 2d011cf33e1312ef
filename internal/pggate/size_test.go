package pggate_test

import (
	"bufio"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// heap returns the memory that the process holds for its heap and stacks.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A result of millions of rows streams, and what the gate holds of it stays
// small, however slowly the client reads.
func TestABigResultStreams(t *testing.T) {
	rows := 1_000_000
	if os.Getenv("PARAVENT_LONG") != "" {
		rows = 10_000_000
	}
	d := open(t, shop(t, "15"), nil)
	w := wired(t, d.dsn("&options=-cparavent.task%3DT-1%20-cjit%3Doff"))
	before, most := heap(), int64(0)
	if _, err := w.Write(encode(t, prepared("", "select n, repeat('x', 40) from generate_series(1, $1::int) n", 23), bindOf(rows), execAll, syncNow)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(w, 1<<16)
	got := 0
	begun := time.Now()
	for next := 0; ; {
		kind, err := r.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		head, err := r.Peek(4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Discard(int(uint32(head[0])<<24 | uint32(head[1])<<16 | uint32(head[2])<<8 | uint32(head[3]))); err != nil {
			t.Fatal(err)
		}
		if kind == 'D' {
			got++
		}
		if kind == 'Z' {
			break
		}
		if got >= next {
			next += rows / 5
			most = max(most, heap()-before)
		}
	}
	if got != rows || most > 64<<20 {
		t.Errorf("%d rows, %d bytes held", got, most)
	}
	t.Logf("%d rows in %v, at most %d KiB held", got, time.Since(begun), most>>10)
}

// An idle connection costs little.
func TestIdleConnectionsAreSmall(t *testing.T) {
	n := 150
	pg := testenv.Postgres(t, "15", "max_connections=1100", "shared_buffers=32MB")
	if os.Getenv("PARAVENT_LONG") != "" {
		n = 1000
	}
	pg.Shop(t)
	pg.Exec(t, `CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`)
	d := open(t, pg, func(c *pggate.Config) { c.MaxSessions = 1100 })
	var conns []net.Conn
	before := heap()
	for range n {
		w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
		if _, err := w.Write(encode(t, prepared("s1", "select name from customers where id = $1", 20), syncNow)); err != nil {
			t.Fatal(err)
		}
		w.until(t, 1)
		if _, err := w.Write(encode(t, q("select * from customers; select repeat('x', 100000)"))); err != nil {
			t.Fatal(err)
		}
		w.until(t, 1)
		conns = append(conns, w.Conn)
	}
	each := (heap() - before) / int64(n)
	t.Logf("%d bytes for each of %d connections, the test's own end included", each, len(conns))
	if each > 64<<10 && !underRace {
		t.Errorf("%d bytes for each of %d idle connections", each, len(conns))
	}
}
