package investigate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// tape is a Journal of records that were written before.
type tape struct {
	mu      sync.Mutex
	records []ledger.Record
	grew    chan struct{}
}

func newTape() *tape { return &tape{grew: make(chan struct{})} }

func (j *tape) Records(_ context.Context, from uint64) iter.Seq2[ledger.Record, error] {
	j.mu.Lock()
	all := j.records[min(from, uint64(len(j.records))):]
	j.mu.Unlock()
	return func(yield func(ledger.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (j *tape) Size() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.records))
}

func (j *tape) Wait(ctx context.Context, size uint64) error {
	for j.Size() <= size {
		j.mu.Lock()
		grew := j.grew
		j.mu.Unlock()
		select {
		case <-grew:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// add records an entry at a time, and returns its number.
func (j *tape) add(e ledger.Entry, at time.Time) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, ledger.Record{
		Frame:    ledger.Frame{Position: uint64(len(j.records)), Kind: e.Kind, Outcome: e.Outcome, Of: e.Of, Time: at},
		Customer: ledger.Opened{Person: e.Customer.Person, Plain: e.Customer.Plain},
		Employee: ledger.Opened{Person: e.Employee.Person, Plain: e.Employee.Plain},
		Number:   uint64(len(j.records)),
	})
	close(j.grew)
	j.grew = make(chan struct{})
	return uint64(len(j.records) - 1)
}

// observe records a look-up that was made elsewhere.
func (j *tape) observe(t testing.TB, l access.Lookup) {
	t.Helper()
	e, err := lookup.Observed(l, access.Employee{ID: l.Employee}, "", "p-"+string(l.Employee))
	if err != nil {
		t.Fatal(err)
	}
	j.add(e, l.At)
}

func part(person, plain string) ledger.Part { return ledger.Part{Person: person, Plain: []byte(plain)} }

// intent records a look-up that was begun, and returns its number.
func (j *tape) intent(id string, at time.Time) uint64 {
	return j.add(ledger.Entry{
		Kind:     ledger.KindIntent,
		Employee: part("employee:e1", fmt.Sprintf(`{"id":%q,"employee":"e1","action":"view","task":"t1","door":"api"}`, id)),
		Customer: part("customer:c1", fmt.Sprintf(`{"id":%q,"customer":"c1","categories":["identity"],"looker":"p-e1"}`, id)),
	}, at)
}

// outcome records how it ended.
func (j *tape) outcome(id string, of uint64, at time.Time) {
	j.add(ledger.Entry{
		Kind: ledger.KindOutcome, Outcome: "shown", Of: of + 1,
		Employee: part("employee:e1", fmt.Sprintf(`{"id":%q,"employee":"e1","rows":3}`, id)),
	}, at)
}

// faulty is an Index that fails at chosen calls, before or after it saved.
type faulty struct {
	*store.Store
	calls int
	fail  func(call int) (before, after bool)
}

var errFaulty = errors.New("failed on purpose")

func (f *faulty) run(save func() error) error {
	f.calls++
	before, after := false, false
	if f.fail != nil {
		before, after = f.fail(f.calls)
	}
	if before {
		return errFaulty
	}
	if err := save(); err != nil {
		return err
	}
	if after {
		return errFaulty
	}
	return nil
}

func (f *faulty) SaveIndexed(ctx context.Context, rows []investigate.Indexed) error {
	return f.run(func() error { return f.Store.SaveIndexed(ctx, rows) })
}

func (f *faulty) SaveCheckpoint(ctx context.Context, c investigate.Checkpoint, findings, samples []detect.Finding) error {
	return f.run(func() error { return f.Store.SaveCheckpoint(ctx, c, findings, samples) })
}

func follower(t testing.TB, env *testenv.Env, j investigate.Journal, index investigate.Index) *investigate.Follower {
	t.Helper()
	f, err := investigate.NewFollower(investigate.FollowerConfig{
		Journal: j, Facts: env.Store, Index: index, Detect: detect.Options{HoldFor: time.Minute}, Clock: env.Clock.Now,
		Needs: []access.PurposeNeeds{{Purpose: "refund", Categories: []access.Category{"identity"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustStep(t *testing.T, f *investigate.Follower) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = f.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALookUpBecomesOneRowWithItsOutcome(t *testing.T) {
	env, j := testenv.New(t), newTape()
	f := follower(t, env, j, env.Store)
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := env.Clock.Now()
	first := j.intent("l1", at)
	mustStep(t, f)
	row := func() investigate.Indexed {
		t.Helper()
		rows, err := env.Store.LookupsAt(t.Context(), "c1", 10)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows[0]
	}
	if got := row(); got.Lookup.Outcome != access.OutcomeUnknown || got.Lookup.Employee != "e1" || got.Pseudonym != "p-e1" {
		t.Errorf("before its outcome: %+v", got)
	}
	j.outcome("l1", first, at.Add(time.Millisecond))
	mustStep(t, f)
	if got := row(); got.Lookup.Outcome != access.OutcomeShown || got.Rows != 3 || got.Number != first {
		t.Errorf("with its outcome: %+v", got)
	}
	env.Clock.Advance(5 * time.Second)
	mustStep(t, f)
	if n := f.Tally().Lookups; n != 1 {
		t.Errorf("the engine was fed %d look-ups, want 1", n)
	}
	if records, behind := f.Lag(); records != 0 || behind != 0 {
		t.Errorf("lag: %d records, %v", records, behind)
	}
}

func TestAnIntentWithoutOutcomeCountsAsTheWholeGrant(t *testing.T) {
	env, j := testenv.New(t), newTape()
	f := follower(t, env, j, env.Store)
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.intent("l1", env.Clock.Now())
	mustStep(t, f)
	env.Clock.Advance(59 * time.Second)
	mustStep(t, f)
	if n := f.Tally().Lookups; n != 0 {
		t.Errorf("judged while its outcome may still come: %d", n)
	}
	env.Clock.Advance(10 * time.Second)
	mustStep(t, f)
	env.Clock.Advance(10 * time.Second)
	mustStep(t, f)
	if n := f.Tally().Lookups; n != 1 {
		t.Errorf("fed %d look-ups, want 1", n)
	}
}

// history is a few days on which e1 looks at his former partner's account
// again and again, among honest look-ups.
func history(t testing.TB, env *testenv.Env, j *tape) {
	t.Helper()
	start := env.Clock.Now().Add(-5 * 24 * time.Hour)
	facts := []access.Event{
		&access.EmployeeKnown{Employee: access.Employee{ID: "e1", Team: "blue", Role: access.RoleAgent}},
		&access.EmployeeKnown{Employee: access.Employee{ID: "e2", Team: "blue", Role: access.RoleAgent}},
		&access.CustomerKnown{Customer: access.Customer{ID: "ex"}},
		&access.Related{Relation: access.Relation{Employee: "e1", Customer: "ex", Kind: access.RelationFormerPartner}},
	}
	for day := range 5 {
		for i := range 40 {
			at := start.Add(time.Duration(day)*24*time.Hour + time.Duration(i)*10*time.Minute)
			c, k := access.CustomerID(fmt.Sprintf("c%d", i)), access.TaskID(fmt.Sprintf("t%d-%d", day, i))
			facts = append(facts,
				&access.CustomerKnown{Customer: access.Customer{ID: c}},
				&access.TaskOpened{Task: access.Task{ID: k, Customer: c, Purpose: "refund", OpenedAt: at.Add(-time.Hour), OpenedBy: access.ByCustomer}},
				&access.Assigned{Assignment: access.Assignment{Task: k, Employee: "e2", Since: at.Add(-time.Hour), By: access.BySystem}},
			)
			j.observe(t, access.Lookup{ID: access.LookupID(fmt.Sprintf("h%d-%d", day, i)), At: at, Employee: "e2", Customer: c, Action: access.ActionView, Task: k, Categories: []access.Category{"identity"}})
			if i%10 == 0 {
				j.observe(t, access.Lookup{ID: access.LookupID(fmt.Sprintf("s%d-%d", day, i)), At: at.Add(time.Minute), Employee: "e1", Customer: "ex",
					Action: access.ActionView, Categories: []access.Category{"identity", "orders", "order_items", "delivery"}})
			}
		}
	}
	env.Save(t, facts...)
}

// result is what a follower left behind.
type result struct {
	Findings, Samples []detect.Finding
	Rows              []investigate.Indexed
	Tally             detect.Tally
}

func left(t *testing.T, env *testenv.Env, f *investigate.Follower) result {
	t.Helper()
	var r result
	var err error
	if r.Findings, err = env.Store.Findings(t.Context(), false, 1000); err != nil {
		t.Fatal(err)
	}
	if r.Samples, err = env.Store.Findings(t.Context(), true, 1000); err != nil {
		t.Fatal(err)
	}
	for _, e := range []access.EmployeeID{"e1", "e2"} {
		rows, err := env.Store.LookupsBy(t.Context(), e, 1000)
		if err != nil {
			t.Fatal(err)
		}
		r.Rows = append(r.Rows, rows...)
	}
	r.Tally = f.Tally()
	return r
}

// uninterrupted follows the history in one go.
func uninterrupted(t *testing.T) result {
	t.Helper()
	env, j := testenv.New(t), newTape()
	history(t, env, j)
	f := follower(t, env, j, env.Store)
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustStep(t, f)
	env.Clock.Advance(2 * time.Hour)
	mustStep(t, f)
	if err := f.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return left(t, env, f)
}

func TestWhatIsUnexplainedIsRaised(t *testing.T) {
	r := uninterrupted(t)
	if r.Tally.Lookups != 220 || len(r.Rows) != 220 {
		t.Errorf("%d look-ups fed, %d rows; want 220", r.Tally.Lookups, len(r.Rows))
	}
	found := false
	for _, f := range r.Findings {
		found = found || len(f.Customers) == 1 && f.Customers[0] == "ex"
	}
	if !found {
		t.Errorf("the former partner isn't among the findings: %+v", r.Findings)
	}
}

// Each write of the follower fails once, before or after it was done, and the
// follower begins again at its checkpoint: nothing may be lost or doubled.
func TestAFollowerThatStopsAnywhereLosesAndDoublesNothing(t *testing.T) {
	want := uninterrupted(t)
	for call := 1; call <= 4; call++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d fails, persisted %v", call, after), func(t *testing.T) {
				env, j := testenv.New(t), newTape()
				history(t, env, j)
				index := &faulty{Store: env.Store, fail: func(n int) (bool, bool) { return n == call && !after, n == call && after }}
				var f *investigate.Follower
				work := func() error {
					f = follower(t, env, j, index) // as after a crash: nothing in memory is left
					if err := f.Load(t.Context()); err != nil {
						t.Fatal(err)
					}
					for more := true; more; {
						var err error
						if more, err = f.Step(t.Context()); err != nil {
							return err
						}
					}
					return f.Save(t.Context())
				}
				for _, wait := range []time.Duration{0, 2 * time.Hour} {
					env.Clock.Advance(wait)
					for work() != nil {
						continue
					}
				}
				if err := work(); err != nil {
					t.Fatal(err)
				}
				if got := left(t, env, f); !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			})
		}
	}
}

func TestAFactThatComesLaterThanItsTimeWaitsForItsTurnAcrossARestart(t *testing.T) {
	env, j := testenv.New(t), newTape()
	at := env.Clock.Now()
	env.Save(t, &access.TaskOpened{Task: access.Task{ID: "t1", Customer: "c1", Purpose: "refund", OpenedAt: at.Add(time.Hour), OpenedBy: access.ByCustomer}})
	j.observe(t, access.Lookup{ID: "l1", At: at, Employee: "e1", Customer: "c1", Action: access.ActionView})
	for range 3 {
		f := follower(t, env, j, env.Store)
		if err := f.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustStep(t, f)
		if err := f.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		env.Clock.Advance(time.Hour)
	}
	f := follower(t, env, j, env.Store)
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustStep(t, f)
	if n := f.Tally().Lookups; n != 1 {
		t.Errorf("%d look-ups, want 1", n)
	}
}

func TestRunFollowsUntilItIsToldToStop(t *testing.T) {
	env, j := testenv.New(t), newTape()
	f := follower(t, env, j, &faulty{Store: env.Store, fail: func(n int) (bool, bool) { return n == 1, false }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	at := env.Clock.Now()
	j.outcome("l1", j.intent("l1", at), at)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n, _ := f.Lag(); n == 0 {
			if rows, err := env.Store.LookupsAt(t.Context(), "c1", 10); err == nil && len(rows) == 1 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the follower never caught up")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if c, err := env.Store.Checkpoint(t.Context()); err != nil || c.Number != 2 {
		t.Errorf("checkpoint at %d, %v; want 2", c.Number, err)
	}
}
