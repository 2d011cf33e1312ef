package lookup_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/task"
)

// AppendAll records entries one by one, as long as none fails.
func (j *journal) AppendAll(ctx context.Context, entries []ledger.Entry) ([]ledger.Receipt, error) {
	var out []ledger.Receipt
	for _, e := range entries {
		r, err := j.Append(ctx, e)
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

// door returns the way of statements over a journal, running.
func (s *stage) door(t testing.TB, j lookup.Recorder) *lookup.Statements {
	t.Helper()
	return s.doorOf(t, lookup.StatementsConfig{Lookups: s.service, Journal: j, Proofs: s.Identity})
}

func (s *stage) doorOf(t testing.TB, c lookup.StatementsConfig) *lookup.Statements {
	t.Helper()
	d, err := lookup.NewStatements(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d
}

// wantCode fails the test where the error isn't of that code, "" for none.
func wantCode(t *testing.T, what string, err error, want access.Code) {
	t.Helper()
	if got := access.CodeOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

// failing makes the journal fail with this error, nil for not at all.
func (j *journal) failing(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = nil
	if err != nil {
		j.fail = func(ledger.Entry) (bool, error) { return false, err }
	}
}

// unreachable is Tasks that can be out of reach.
type unreachable struct {
	lookup.Tasks
	down atomic.Bool
}

func (u *unreachable) Standing(ctx context.Context, e access.Employee, id access.TaskID) (task.Standing, error) {
	if u.down.Load() {
		return task.Standing{}, errBroken
	}
	return u.Tasks.Standing(ctx, e, id)
}

// lapsing is Qualifications that lapse.
type lapsing struct {
	lookup.Qualifications
	lapsed atomic.Bool
}

func (l *lapsing) Qualification(ctx context.Context, e access.EmployeeID, at time.Time) (policy.Qualification, error) {
	if e == "e1" && l.lapsed.Load() {
		return policy.Qualification{Missing: []string{"training"}}, nil
	}
	return l.Qualifications.Qualification(ctx, e, at)
}
