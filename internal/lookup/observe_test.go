package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

// Records returns what is recorded.
func (j *journal) Records(_ context.Context, from uint64) iter.Seq2[ledger.Record, error] {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.records[min(int(from), len(j.records)):])
	return func(yield func(ledger.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Size returns how many are.
func (j *journal) Size() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.records))
}

// forgetful is Sightings that crash before the note is made.
type forgetful struct {
	lookup.Sightings
	crash bool
}

func (f *forgetful) EndSightings(ctx context.Context, ids []string) error {
	if f.crash {
		f.crash = false
		return errors.New("the lights went out")
	}
	return f.Sightings.EndSightings(ctx, ids)
}

// watch is a stage with an observer and a connector.
type watch struct {
	*stage
	observer  *lookup.Observer
	sightings *forgetful
	connector identity.Who
}

func newWatch(t *testing.T) *watch {
	w := &watch{stage: newStage(t)}
	w.sightings = &forgetful{Sightings: w.Store}
	w.connector = w.Who(t, access.Employee{ID: "k1", Role: access.RoleConnector})
	var err error
	w.observer, err = lookup.NewObserver(lookup.ObserverConfig{
		Lookups: w.service, Journal: w.journal, Sightings: w.sightings, Logins: w.Store,
		Gate: []string{"paravent_reader"}, Allowed: []string{"shop_app"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// sighting is the n-th read of customers by that role.
func sighting(n int, reader string) lookup.Sighting {
	return lookup.Sighting{
		ID: fmt.Sprintf("%032x%032x", n, n), At: testenv.Start.Add(-time.Minute), Reader: reader, Database: "shop", Program: "psql", Host: "10.0.0.7",
		Session: "abc.1", Command: "SELECT", Relations: []string{"public.orders", "public.customers", "public.other"}, Statement: "select * from customers where id = ?",
	}
}

func (w *watch) observe(t *testing.T, batch ...lookup.Sighting) lookup.Counted {
	t.Helper()
	n, err := w.observer.Observe(t.Context(), w.connector, batch)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAReadPastParaventIsRecordedOnce(t *testing.T) {
	w := newWatch(t)
	login := w.agent.Login()
	batch := []lookup.Sighting{sighting(1, "dba"), sighting(2, login), sighting(3, "shop_app"), sighting(4, "paravent_reader"), sighting(1, "dba")}
	batch = append(batch, lookup.Sighting{ID: fmt.Sprintf("%064x", 5), Reader: "dba", Relations: []string{"public.other"}})
	if n := w.observe(t, batch...); n != (lookup.Counted{Recorded: 2, Known: 1, Passed: 3}) {
		t.Errorf("got %+v", n)
	}
	all := w.journal.all(t)
	if len(all) != 2 {
		t.Fatalf("%d records", len(all))
	}
	d := all[0]
	if d.Kind != ledger.KindObserved || d.Lookup.Outcome != access.OutcomeOffPath || d.Lookup.Employee != "db:dba" || d.Lookup.Customer != "" || d.Reader != "dba" ||
		!slices.Equal(d.Relations, []string{"public.customers", "public.orders"}) || !slices.Equal(d.Lookup.Categories, []access.Category{"contact", "identity", "orders"}) ||
		d.Statement != "select * from customers where id = ?" || !d.Ends || d.Act != "" {
		t.Errorf("recorded as %+v", d)
	}
	if d := all[1]; d.Lookup.Employee != "e1" || d.Role != access.RoleAgent || d.Reader != login {
		t.Errorf("of an employee's own login: %+v", d)
	}
	if n := w.observe(t, batch...); n.Recorded != 0 || n.Known != 3 || len(w.journal.all(t)) != 2 {
		t.Errorf("a second time: %+v", n)
	}
	if plain := string(w.journal.records[0].Employee.Plain); !strings.Contains(plain, `"by":"k1"`) || !strings.Contains(plain, `"host":"10.0.0.7"`) {
		t.Errorf("recorded as %s", plain)
	}
}

// The fault table of a batch: it fails, it fails but is there, its note is lost.
// Sent again, everything is recorded once.
func TestACrashRecordsNoReadTwiceAndLosesNone(t *testing.T) {
	for name, broken := range map[string]func(*watch){
		"not recorded": func(w *watch) { w.journal.failing(errors.New("disk full")) },
		"recorded, and it said not": func(w *watch) {
			w.journal.fail = func(ledger.Entry) (bool, error) { return true, errors.New("sync failed") }
		},
		"recorded, and the note lost": func(w *watch) { w.sightings.crash = true },
	} {
		w := newWatch(t)
		broken(w)
		batch := []lookup.Sighting{sighting(1, "dba"), sighting(2, "dba"), sighting(3, "dba")}
		if _, err := w.observer.Observe(t.Context(), w.connector, batch); err == nil {
			t.Errorf("%s: no error", name)
		}
		w.journal.failing(nil)
		w.observe(t, append(batch, sighting(4, "dba"))...)
		ids := map[access.LookupID]int{}
		for _, d := range w.journal.all(t) {
			ids[d.Lookup.ID]++
		}
		if len(ids) != 4 || len(w.journal.all(t)) != 4 {
			t.Errorf("%s: recorded %v", name, ids)
		}
	}
}

// Attacks: somebody else reports reads, to drown the real ones or to blame a
// colleague; a client leaves literals in; a log holds what doesn't print.
func TestOnlyAConnectorReportsReadsAndNoLiteralComesIn(t *testing.T) {
	w := newWatch(t)
	for _, who := range []identity.Who{w.agent, w.lead, w.officer, w.program, w.Admin()} {
		_, err := w.observer.Observe(t.Context(), who, []lookup.Sighting{sighting(1, "dba")})
		wantCode(t, string(who.Employee().Role), err, access.Denied)
		if d := w.journal.last(t); d.Act != "observe_refused" || d.Lookup.Employee != who.Employee().ID {
			t.Errorf("recorded as %+v", d)
		}
		_, err = w.observer.Watched(who)
		wantCode(t, "what is watched", err, access.Denied)
	}
	_, err := w.observer.Observe(t.Context(), identity.Who{}, nil)
	wantCode(t, "nobody", err, access.Unauthenticated)

	s := sighting(7, "dba\x00\x1b[2J"+strings.Repeat("x", 500))
	s.Statement = "select * from customers where name = '" + canary + "' -- " + canary
	s.At = time.Time{}
	s.Program = "a\nb\xff"
	w.observe(t, s)
	d := w.journal.last(t)
	if d.Statement != "select * from customers where name = ?" || strings.ContainsAny(d.Reader, "\x00\x1b") || len(d.Reader) > 128 || !d.Lookup.At.Equal(testenv.Start) {
		t.Errorf("recorded as %+v", d)
	}
	w.silent(t, nil)
	for _, bad := range []lookup.Sighting{{}, {ID: "x", Reader: "dba"}, {ID: fmt.Sprintf("%064X", 0xabc), Reader: "dba"}, {ID: fmt.Sprintf("%064x", 1)}} {
		_, err := w.observer.Observe(t.Context(), w.connector, []lookup.Sighting{bad})
		wantCode(t, "malformed", err, access.Invalid)
	}
	_, err = w.observer.Observe(t.Context(), w.connector, make([]lookup.Sighting, 1001))
	wantCode(t, "too many", err, access.Invalid)
	got, err := w.observer.Watched(w.connector)
	if err != nil || !slices.Contains(got.Relations, "public.customers") || !slices.Equal(got.Passed, []string{"paravent_reader", "shop_app"}) {
		t.Errorf("watched: %+v, %v", got, err)
	}
}
