package pggate_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"paravent/internal/pggate"
)

// hold blocks records until it is opened, then gives err to each.
type hold struct {
	open chan struct{}
	err  error
	only string // statements whose text holds this; the others pass
}

func newHold(only string, err error) *hold {
	return &hold{open: make(chan struct{}), err: err, only: only}
}

func (h *hold) intent(s *pggate.Statement) error {
	if !strings.Contains(s.Text, h.only) {
		return nil
	}
	<-h.open
	return h.err
}

var errDisk = errors.New("the disk is full")

// G3: whatever PostgreSQL sends (rows, errors, notices, changed settings), and
// in whatever protocol, nothing comes through before the intent is durable.
func TestNothingIsPassedOnBeforeItsIntentIsDurable(t *testing.T) {
	pg := shop(t, "15")
	t.Run("loop", func(t *testing.T) { nothingBefore(t, open(t, pg, looped(t))) })
	t.Run("goroutines", func(t *testing.T) { nothingBefore(t, open(t, pg, func(c *pggate.Config) { c.Loops = false })) })
}

func nothingBefore(t *testing.T, d *door) {
	w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
	extended := func(sql string, more ...pgproto3.FrontendMessage) []pgproto3.FrontendMessage {
		return append([]pgproto3.FrontendMessage{prepared("", sql), &pgproto3.Bind{}}, more...)
	}
	for name, c := range map[string]struct {
		send  []pgproto3.FrontendMessage
		quiet bool   // not even ParseComplete may come, because it is the statement itself
		want  string // kinds of the whole answer
	}{
		"rows":               {[]pgproto3.FrontendMessage{q("select name from customers where id = 42")}, true, "TDCZ"},
		"an error":           {[]pgproto3.FrontendMessage{q("select name::int from customers where id = 42")}, true, "TEZ"},
		"a changed setting":  {[]pgproto3.FrontendMessage{q("select set_config('application_name', name, false) from customers where id = 42")}, true, "TDCSZ"},
		"copy":               {[]pgproto3.FrontendMessage{q("copy (select name from customers where id = 42) to stdout")}, true, "HdcCZ"},
		"extended":           {extended("select name from customers where id = 42", &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}), false, "12TDCZ"},
		"bound and flushed":  {extended("select name::int from customers where id = 42", &pgproto3.Flush{}, &pgproto3.Sync{}), false, "12Z"},
		"an error in a plan": {extended("select 1/(id-id) from customers where id = 42", &pgproto3.Execute{}, &pgproto3.Sync{}), false, "12EZ"},
		"many rows":          {[]pgproto3.FrontendMessage{q("select repeat('x', 100) from generate_series(1, 5000)")}, true, "T" + strings.Repeat("D", 5000) + "CZ"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHold("", nil)
			d.book.set(h.intent, nil)
			defer d.book.set(nil, nil)
			if _, err := w.Write(encode(t, c.send...)); err != nil {
				t.Fatal(err)
			}
			var before []byte
			if !c.quiet { // ParseComplete tells nothing of a row
				m, err := w.next()
				if err != nil || m[0] != '1' {
					t.Fatalf("%q, %v", m, err)
				}
				before = m
			}
			w.silent(t, "before the intent is durable")
			close(h.open)
			if got := kinds(append(before, w.until(t, 1)...)); got != c.want {
				t.Errorf("then: %s", got[:min(len(got), 50)])
			}
		})
	}
}

// G3: the end of an answer waits for the outcome.
func TestCommandCompleteWaitsForTheOutcome(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
	for _, send := range [][]pgproto3.FrontendMessage{
		{q("select 1")}, {q("select 1/0")},
		{prepared("", "select 1"), &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}},
		{prepared("", "select generate_series(1,5)"), &pgproto3.Bind{}, &pgproto3.Execute{MaxRows: 2}, &pgproto3.Sync{}},
	} {
		gate := make(chan struct{})
		d.book.set(nil, func(pggate.Ended) error { <-gate; return nil })
		if _, err := w.Write(encode(t, send...)); err != nil {
			t.Fatal(err)
		}
		w.silentExcept(t, "12TD")
		close(gate)
		w.until(t, 1)
		d.book.set(nil, nil)
	}
}

// silentExcept reads what may come and fails on anything else.
func (w *wire) silentExcept(t testing.TB, may string) {
	t.Helper()
	for {
		_ = w.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		m, err := w.next()
		if err != nil {
			return
		}
		if !strings.ContainsRune(may, rune(m[0])) {
			t.Fatalf("%q was passed on", m)
		}
	}
}

// A record that can't be made is a clean error, nothing of the answer is shown,
// and the connection goes on, the transaction as PostgreSQL would leave it.
func TestWhatCannotBeRecordedIsAnErrorAndNothingElse(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
	ask := func(n int, all ...pgproto3.FrontendMessage) []byte {
		t.Helper()
		if _, err := w.Write(encode(t, all...)); err != nil {
			t.Fatal(err)
		}
		return w.until(t, n)
	}
	exec := func(sql string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{prepared("", sql), &pgproto3.Bind{}, &pgproto3.Execute{}}
	}
	all := func(parts ...[]pgproto3.FrontendMessage) (out []pgproto3.FrontendMessage) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	sync := []pgproto3.FrontendMessage{&pgproto3.Sync{}}
	failIntent := func(s *pggate.Statement) error {
		if strings.Contains(s.Text, "customers") {
			time.Sleep(20 * time.Millisecond)
			return errDisk
		}
		return nil
	}
	failOutcome := func(pggate.Ended) error { return errDisk }
	for _, c := range []struct {
		name    string
		intent  func(*pggate.Statement) error
		outcome func(pggate.Ended) error
		n       int
		send    []pgproto3.FrontendMessage
		want    string
		tx      byte
	}{
		{"an intent, simple", failIntent, nil, 1, []pgproto3.FrontendMessage{q("select name from customers where id = 42")}, "EZ", 'I'},
		{"an outcome, simple", nil, failOutcome, 1, []pgproto3.FrontendMessage{q("select 1")}, "TDEZ", 'I'},
		{"an intent, extended", failIntent, nil, 1, all(exec("select name from customers where id = 42"), sync), "1EZ", 'I'},
		{"the second of a pipeline", failIntent, nil, 1, all(exec("select 1"), exec("select name from customers where id = 42"), exec("select 3"), sync), "12DC1EZ", 'I'},
		{"the second of a text", failIntent, nil, 1, []pgproto3.FrontendMessage{q("select 1; select name from customers where id = 42; select 3")}, "TDCEZ", 'I'},
		{"a write", failIntent, nil, 1, []pgproto3.FrontendMessage{q("update customers set name = 'changed' where id = 42")}, "EZ", 'I'},
		{"a write, extended", failIntent, nil, 1, all(exec("update customers set name = 'changed' where id = 42"), sync), "1EZ", 'I'},
		{"a write behind a read that fails", failIntent, nil, 1, all(exec("select name from customers where id = 42"), exec("update articles set title = 'changed' where id = 1"), sync), "1EZ", 'I'},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.book.set(c.intent, c.outcome)
			got := ask(c.n, c.send...)
			d.book.set(nil, nil)
			if k := kinds(got); k != c.want || !bytes.Contains(got, []byte("C58030")) || got[len(got)-1] != c.tx {
				t.Errorf("got %s %q", k, tail(got))
			}
			if bytes.Contains(got, []byte("Customer 42")) {
				t.Error("the value came through")
			}
			if got := kinds(ask(1, q("select count(*) from customers where name = 'changed'"))); got != "TDCZ" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
	t.Run("inside a transaction", func(t *testing.T) {
		ask(1, q("begin"))
		d.book.set(failIntent, nil)
		got := ask(1, q("select name from customers where id = 42"))
		d.book.set(nil, nil)
		if got[len(got)-1] != 'E' {
			t.Errorf("status %c", got[len(got)-1])
		}
		if got := ask(1, q("select 1")); !bytes.Contains(got, []byte("C25P02")) {
			t.Errorf("the transaction goes on: %q", got)
		}
		if got := ask(1, q("commit")); !bytes.Contains(got, []byte("ROLLBACK")) {
			t.Errorf("commit: %q", got)
		}
	})
	got := ask(1, q("select (select count(*) from customers where name = 'changed') + (select count(*) from articles where title = 'changed')"))
	if !bytes.Contains(got, []byte("\x010C")) {
		t.Errorf("something was changed without a record: %q", got)
	}
}

// A storm of statements of all kinds under a recorder that fails now and then:
// whatever comes through had its intent first.
func TestEveryAnswerHasItsIntentUnderARecorderThatFailsNowAndThen(t *testing.T) {
	pg := shop(t, "15")
	t.Run("loop", func(t *testing.T) { storm(t, open(t, pg, looped(t))) })
	t.Run("goroutines", func(t *testing.T) { storm(t, open(t, pg, func(c *pggate.Config) { c.Loops = false })) })
}

func storm(t *testing.T, d *door) {
	var mu sync.Mutex
	n := 0
	d.book.set(func(*pggate.Statement) error {
		mu.Lock()
		n++
		k := n
		mu.Unlock()
		time.Sleep(time.Duration(k%4) * 300 * time.Microsecond)
		if k%7 == 0 {
			return errDisk
		}
		return nil
	}, func(pggate.Ended) error {
		mu.Lock()
		n++
		k := n
		mu.Unlock()
		time.Sleep(time.Duration(k%3) * 300 * time.Microsecond)
		if k%11 == 0 {
			return errDisk
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 8 {
		w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
		wg.Go(func() {
			for i := range 60 {
				send := []pgproto3.FrontendMessage{q("begin"), q("select name from customers where id = 42"), prepared("", "select generate_series(1,300)"), &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}, q("rollback")}
				if i%3 == 0 {
					send = []pgproto3.FrontendMessage{q("select 1; select 2; select 1/0"), q("rollback"), prepared("", "select 1"), &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}}
				}
				if _, err := w.Write(encode(t, send...)); err != nil {
					t.Error(err)
					return
				}
				_ = w.SetReadDeadline(time.Now().Add(20 * time.Second))
				for left := readies(send); left > 0; {
					m, err := w.next()
					if err != nil {
						t.Errorf("round %d: %v", i, err)
						return
					}
					if m[0] == 'Z' {
						left--
					}
				}
			}
		})
	}
	wg.Wait()
}
