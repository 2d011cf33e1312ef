package lookup_test

import (
	"context"
	"errors"
	"testing"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// The attack: have a look at a notable customer agreed to, before the tie that
// everybody but the second person knows of is declared. His yes was to what he
// had read; for the tie another must be asked, and he reads of it.
func TestAYesDoesNotCoverATieThatWasDeclaredAfterIt(t *testing.T) {
	s := newStage(t)
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: s.Store, Tasks: s.Tasks, People: s.Store, Policy: s.policy, Recorder: s.service, Clock: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func() (access.RequestID, error) {
		_, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "famous"})
		var waits *lookup.Pending
		errors.As(err, &waits)
		if waits == nil {
			return "", err
		}
		return waits.Request, err
	}
	agree := func(id access.RequestID) {
		t.Helper()
		if err := approvals.Decide(t.Context(), s.lead, id, true, ""); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := look()
	agree(first)
	if _, err := look(); err != nil {
		t.Fatalf("agreed to, but: %v", err)
	}
	s.Save(t, &access.Related{Relation: access.Relation{Employee: "e1", Customer: "star", Kind: access.RelationFormerPartner}})
	second, err := look()
	if access.CodeOf(err) != access.Denied || second == "" || second == first {
		t.Fatalf("with a tie declared after the yes: request %q, %v", second, err)
	}
	r, err := s.Store.Request(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, why := range r.Why {
		read[why.ID] = true
	}
	if !read["relation"] || !read["notable"] {
		t.Errorf("the second person reads only %+v", r.Why)
	}
	s.Clock.Advance(1)
	agree(second)
	if _, err := look(); err != nil {
		t.Errorf("agreed to with the tie in sight, but: %v", err)
	}
}

// The attack: many tries to find a caller at once, hung up before their turn
// comes, so that they leave no trace.
func TestATryThatNeverGotItsTurnIsRecorded(t *testing.T) {
	s := newStage(t)
	end, err := s.service.TakeTurn(t.Context(), "e1")
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := s.service.FindCaller(ctx, s.agent, guess(1)); access.CodeOf(err) != access.Unavailable || s.shop.finds != 0 {
		t.Errorf("without a turn: %v after %d searches", err, s.shop.finds)
	}
	r := s.journal.last(t)
	if r.Kind != ledger.KindRefusal || r.Lookup.Employee != "e1" || r.Lookup.Action != access.ActionSearch {
		t.Errorf("recorded: %+v", r)
	}
}
