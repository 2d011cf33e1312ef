package investigate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// busy keeps a server at work until ctx ends: look-ups that are refused, that are
// shown at once or late, acts about customers, and erasures of them.
func (a *archive) busy(ctx context.Context, t *testing.T) (done func() (erased int)) {
	t.Helper()
	var all sync.WaitGroup
	customers := 0
	var mu sync.Mutex
	customer := func(i int) access.CustomerID { return access.CustomerID(fmt.Sprintf("busy-%03d", i)) }
	pick := func() access.CustomerID {
		mu.Lock()
		defer mu.Unlock()
		return customer(max(customers-rand.IntN(12), 0))
	}
	check := func(err error) {
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	all.Go(func() { // customers come to be known
		for ctx.Err() == nil {
			mu.Lock()
			customers++
			c := customer(customers)
			mu.Unlock()
			check(a.store.SaveFacts(ctx, []access.Event{&access.CustomerKnown{Customer: access.Customer{ID: c}}}))
			time.Sleep(40 * time.Millisecond)
		}
	})
	for worker := range 3 {
		all.Go(func() { // shown, at once or late
			for i := 0; ctx.Err() == nil; i++ {
				c, id, e := pick(), fmt.Sprintf("b%d-%d", worker, i), fmt.Sprint("e", 1+worker)
				r, err := a.ledger.Append(ctx, ledger.Entry{Kind: ledger.KindIntent,
					Employee: part("employee:"+e, fmt.Sprintf(`{"id":%q,"employee":%q,"action":"view","task":"t-%s","door":"api","role":"agent"}`, id, e, c)),
					Customer: part("customer:"+string(c), fmt.Sprintf(`{"id":%q,"customer":%q,"categories":["identity"],"looker":"p","role":"agent"}`, id, c))})
				check(err)
				time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
				if i%9 == 8 {
					continue // no outcome comes
				}
				_, err = a.ledger.Append(ctx, ledger.Entry{Kind: ledger.KindOutcome, Outcome: "shown", Of: r.Number + 1,
					Employee: part("employee:"+e, fmt.Sprintf(`{"id":%q,"employee":%q,"rows":3}`, id, e)),
					Customer: part("customer:"+string(c), fmt.Sprintf(`{"id":%q,"customer":%q,"rows":3}`, id, c))})
				check(err)
			}
		})
	}
	all.Go(func() { // refused
		for ctx.Err() == nil {
			if _, err := a.lookups.Look(ctx, a.agent, lookup.Request{Door: "api", Task: "none", Customer: pick(), Action: access.ActionView}); access.CodeOf(err) == access.Internal {
				check(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	all.Go(func() { // watched
		for ctx.Err() == nil {
			c := pick()
			_, err := a.lookups.Act(ctx, a.lead, lookup.Act{Name: "who_looked", Customer: c, About: "of " + string(c)})
			check(err)
			time.Sleep(7 * time.Millisecond)
		}
	})
	erased := 0
	all.Go(func() { // forgotten
		for ctx.Err() == nil {
			time.Sleep(150 * time.Millisecond)
			// Not one who was met for the first time just now: whose key is made and
			// destroyed while one verification reads the journal is named once.
			mu.Lock()
			c := customer(max(customers-4-rand.IntN(8), 0))
			mu.Unlock()
			check(a.forget(ctx, a.officer, a.second, c, erased))
			erased++
		}
	})
	all.Go(func() { // time passes thirty times as fast
		for ctx.Err() == nil {
			a.Clock.Advance(300 * time.Millisecond)
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() int { all.Wait(); return erased }
}

// forget carries out an erasure as if two people had wanted it, whatever holds it.
func (a *archive) forget(ctx context.Context, asker, by identity.Who, c access.CustomerID, n int) error {
	now := a.Clock.Now()
	r := investigate.Request{ID: access.RequestID(fmt.Sprint("forget-", n)), Kind: investigate.KindErasure, Asker: asker.Employee().ID, Customer: c,
		At: now, Until: now.AddDate(1, 0, 0), State: investigate.Waiting}
	r, err := a.store.SaveRequest(ctx, r)
	if err == nil {
		err = a.store.DecideRequest(ctx, r.ID, investigate.Confirmed, by.Employee().ID, now, "")
	}
	if err == nil {
		err = a.erasures.CarryOut(ctx, r)
	}
	return err
}

// An auditor holds the index against the journal again and again while look-ups,
// outcomes, acts and erasures go on: what is honest is never named.
func TestABusyServersIndexIsNeverNamedWrongly(t *testing.T) {
	lasts := 6 * time.Second
	a := newArchive(t)
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	done := a.busy(ctx, t)
	rounds, rows := 0, 0
	for ctx.Err() == nil {
		r := a.compare(t)
		if r.Count != 0 {
			first := r.Problems
			r = a.compare(t)
			r.Count = len(slices.DeleteFunc(r.Problems, func(p investigate.IndexProblem) bool { return !slices.Contains(first, p) }))
		}
		if r.Count != 0 {
			t.Errorf("round %d: %d rows compared, %d problems: %v; notes %v, unknown %v", rounds, r.Rows, r.Count, r.Problems, r.Notes, r.Unknown)
		}
		rounds, rows = rounds+1, r.Rows
	}
	erased := done()
	if rounds < 3 || erased < 3 {
		t.Errorf("%d rounds, %d erasures: the test shows little", rounds, erased)
	}
	a.caughtUp(t)
	asWritten(t, a.compare(t))
	a.close(t)
	r := a.compare(t)
	asWritten(t, r)
	t.Logf("%d rounds, %d erasures, %d rows while busy, %d at rest", rounds, erased, rows, r.Rows)
}
