package lookup_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

// said is what Ann, customer c1, would say on the telephone.
var said = lookup.Said{Fields: map[string]string{"email": "ann@example.org", "date_of_birth": "1980-05-06"}, Purpose: "account", Door: lookup.DoorAPI}

// guess is a statement that fits nobody.
func guess(i int) lookup.Said {
	return lookup.Said{Fields: map[string]string{"email": fmt.Sprintf("guess%d@example.org", i), "date_of_birth": "1980-05-06"}, Purpose: "account"}
}

// wrongSecond names Ann's address and a wrong birthday.
func wrongSecond(i int) lookup.Said {
	return lookup.Said{Fields: map[string]string{"email": "ann@example.org", "date_of_birth": fmt.Sprintf("1980-05-%02d", 7+i)}, Purpose: "account"}
}

// call puts a call in progress into the telephone system.
func (s *stage) call(t *testing.T, id access.ContactID, e access.EmployeeID, c access.CustomerID) {
	t.Helper()
	s.Save(t, &access.Contacted{Contact: access.Contact{ID: id, Customer: c, At: s.Clock.Now().Add(-time.Minute), Channel: "call", Direction: "in", Employee: e}})
}

func TestACallerIsFoundByWhatHeSaysAndHisTaskCanBeWorked(t *testing.T) {
	s := newStage(t)
	s.call(t, "k1", "e1", "")
	f, err := s.service.FindCaller(t.Context(), s.agent, said)
	if err != nil {
		t.Fatal(err)
	}
	if f.SelfMade || f.Request != "" || f.Task != "call-k1" || f.Said["email"] != "ann@example.org" {
		t.Errorf("found: %+v", f)
	}
	records := s.journal.all(t)
	if len(records) != 2 || records[0].Kind != ledger.KindIntent || records[0].Lookup.Customer != "" ||
		records[1].Lookup.Customer != "c1" || records[1].Lookup.Action != access.ActionSearch || records[1].Lookup.Outcome != access.OutcomeShown {
		t.Errorf("records: %+v", records)
	}
	for _, r := range s.journal.records {
		if strings.Contains(string(r.Employee.Plain)+string(r.Customer.Plain), "ann@example.org") {
			t.Error("a record holds what the caller said")
		}
	}
	d, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: f.Task})
	if err != nil || d.Grant.Customer != "c1" {
		t.Errorf("look up the caller: %v", err)
	}
	again, err := s.service.FindCaller(t.Context(), s.agent, said)
	if err != nil || again.Task != f.Task {
		t.Errorf("the same caller again: %+v, %v", again, err)
	}
}

func TestOneCallOpensOneTaskForOneCustomer(t *testing.T) {
	s := newStage(t)
	s.call(t, "k1", "e1", "")
	if _, err := s.service.FindCaller(t.Context(), s.agent, said); err != nil {
		t.Fatal(err)
	}
	bob := lookup.Said{Fields: map[string]string{"email": "bob@example.org", "date_of_birth": "1990-07-08"}, Purpose: "account"}
	f, err := s.service.FindCaller(t.Context(), s.agent, bob)
	if err != nil || !f.SelfMade {
		t.Errorf("a second customer in the same call: %+v, %v", f, err)
	}
}

func TestACallOfSomebodyElseIsNoCallOfHers(t *testing.T) {
	s := newStage(t)
	s.call(t, "k1", "e1", "c2") // the telephone system knows the number
	s.call(t, "k2", "e2", "")   // a colleague's
	f, err := s.service.FindCaller(t.Context(), s.agent, said)
	if err != nil || !f.SelfMade {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestWithoutACallATaskShowsNothingUntilAColleagueConfirms(t *testing.T) {
	s := newStage(t)
	f, err := s.service.FindCaller(t.Context(), s.agent, said)
	if err != nil || !f.SelfMade || f.Request == "" {
		t.Fatalf("got %+v, %v", f, err)
	}
	_, err = s.service.Look(t.Context(), s.agent, lookup.Request{Task: f.Task})
	if access.CodeOf(err) != access.Denied || s.shop.reads != 0 {
		t.Errorf("before it is confirmed: %v after %d reads", err, s.shop.reads)
	}
	for range 20 { // asking again makes no second task and no second request
		if again, err := s.service.FindCaller(t.Context(), s.agent, said); err != nil || again.Task != f.Task || again.Request != f.Request {
			t.Fatalf("again: %+v, %v", again, err)
		}
	}
	waiting, err := s.Store.Requests(t.Context(), investigate.Filter{})
	if err != nil || len(waiting) != 1 || waiting[0].Kind != lookup.ApproveTask {
		t.Fatalf("waiting: %+v, %v", waiting, err)
	}
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: s.Store, Tasks: s.Tasks, People: s.Store, Policy: s.policy, Recorder: s.service, Clock: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := approvals.Decide(t.Context(), s.agent, f.Request, true, ""); access.CodeOf(err) != access.Denied {
		t.Errorf("he confirmed his own task: %v", err)
	}
	if err := approvals.Decide(t.Context(), s.lead, f.Request, true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: f.Task}); err != nil {
		t.Errorf("after it is confirmed: %v", err)
	}
}

func TestFiveMissesLockTheFindingUntilALeadLiftsItOrTimePasses(t *testing.T) {
	s := newStage(t)
	s.call(t, "k1", "e1", "")
	for i := range 5 {
		if _, err := s.service.FindCaller(t.Context(), s.agent, guess(i)); access.CodeOf(err) != access.NotFound {
			t.Fatalf("guess %d: %v", i, err)
		}
		s.Clock.Advance(time.Second)
	}
	locked := func(when string, want bool) {
		t.Helper()
		_, err := s.service.FindCaller(t.Context(), s.agent, said)
		if got := access.CodeOf(err) == access.Denied; got != want {
			t.Errorf("%s: locked %v, want %v (%v)", when, got, want, err)
		}
	}
	locked("after five misses", true)
	if s.shop.finds != 5 {
		t.Errorf("%d searches, want 5", s.shop.finds)
	}
	if r := s.journal.last(t); !slices.Contains(r.Reasons, "finding_locked") {
		t.Errorf("the locked try isn't recorded: %+v", r)
	}
	if _, err := s.service.FindCaller(t.Context(), s.colleague, said); err != nil {
		t.Errorf("a colleague is locked, too: %v", err)
	}
	for who, w := range map[string]func() error{
		"himself":     func() error { return s.service.LiftLock(t.Context(), s.agent, "e1") },
		"a colleague": func() error { return s.service.LiftLock(t.Context(), s.colleague, "e1") },
		"the officer": func() error { return s.service.LiftLock(t.Context(), s.officer, "e1") },
	} {
		if err := w(); access.CodeOf(err) != access.Denied {
			t.Errorf("%s lifted the lock: %v", who, err)
		}
	}
	if err := s.service.LiftLock(t.Context(), s.lead, "e1"); err != nil {
		t.Fatal(err)
	}
	if r := s.journal.last(t); r.Act != "lift_lock" || r.Whom != "e1" || r.Lookup.Employee != "l1" {
		t.Errorf("lifting isn't recorded: %+v", r)
	}
	s.Clock.Advance(time.Second)
	for i := range 5 {
		if _, err := s.service.FindCaller(t.Context(), s.agent, guess(i)); access.CodeOf(err) != access.NotFound {
			t.Fatalf("guess %d after lifting: %v", i, err)
		}
	}
	s.Clock.Advance(9 * time.Minute)
	locked("nine minutes after the lock", true)
	s.Clock.Advance(2 * time.Minute)
	locked("eleven minutes after the lock", false)
}

// The attack: a hundred tries at once, so that each counts the misses before
// any of the others has missed.
func TestAHundredTriesAtOnceGetNoFurtherThanFive(t *testing.T) {
	s := newStage(t)
	s.call(t, "k1", "e1", "")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := s.service.FindCaller(t.Context(), s.agent, guess(i)); err == nil {
				t.Errorf("guess %d found somebody", i)
			}
		})
	}
	wg.Wait()
	if s.shop.finds != 5 {
		t.Errorf("%d searches, want 5", s.shop.finds)
	}
	tries := map[access.LookupID]bool{}
	for _, r := range s.journal.all(t) {
		tries[r.Lookup.ID] = true
	}
	if len(tries) != 100 {
		t.Errorf("%d tries are recorded, want 100", len(tries))
	}
	if n := s.service.Turns(); n != 0 {
		t.Errorf("%d turns are still held", n)
	}
}

// The attack: colleagues share the guessing of one customer's second
// identifier, each staying below his own five.
func TestGuessesAtOneCustomerAreCountedOverAllEmployees(t *testing.T) {
	s := newStage(t)
	var miss string
	for i := range 10 {
		who := s.agent
		if i%2 == 1 {
			who = s.colleague
		}
		if i == 8 { // the leads are in it
			if err := s.service.LiftLock(t.Context(), s.lead, "e1"); err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(time.Second)
		}
		_, err := s.service.FindCaller(t.Context(), who, wrongSecond(i))
		if access.CodeOf(err) != access.NotFound {
			t.Fatalf("guess %d: %v", i, err)
		}
		miss = answer(err)
	}
	s.Clock.Advance(time.Second)
	third := s.Who(t, access.Employee{ID: "e3", Role: access.RoleAgent})
	s.Qualified(t, "e3")
	_, err := s.service.FindCaller(t.Context(), third, said) // right, at last
	if got := answer(err); got != miss {
		t.Errorf("a customer who was guessed at too often: got %q, want the answer of a miss %q", got, miss)
	}
	if r := s.journal.last(t); !slices.Contains(r.Reasons, "customer_tried_too_often") || r.Lookup.Customer != "c1" || r.Lookup.Outcome != access.OutcomeMissed {
		t.Errorf("record: %+v", r)
	}
	s.Clock.Advance(11 * time.Minute)
	if _, err := s.service.FindCaller(t.Context(), third, said); err != nil {
		t.Errorf("ten minutes later: %v", err)
	}
}

func TestAMissTellsNothingApart(t *testing.T) {
	s := newStage(t)
	_, nobody := s.service.FindCaller(t.Context(), s.agent, guess(1))
	_, half := s.service.FindCaller(t.Context(), s.agent, wrongSecond(1))
	if answer(nobody) != answer(half) {
		t.Errorf("nobody: %q, wrong second identifier: %q", answer(nobody), answer(half))
	}
	for _, r := range s.journal.records {
		if r.Customer.Person != "" {
			t.Errorf("a miss made a part for %s", r.Customer.Person)
		}
	}
}

func TestWhoMayNotFindCallersIsRefusedAndRecorded(t *testing.T) {
	s := newStage(t)
	s.Qualified(t, "p1")
	unqualified := s.Who(t, access.Employee{ID: "e4", Role: access.RoleAgent})
	for name, try := range map[string]func() error{
		"a role that works no tasks": func() error { _, err := s.service.FindCaller(t.Context(), s.officer, said); return err },
		"somebody not qualified":     func() error { _, err := s.service.FindCaller(t.Context(), unqualified, said); return err },
		"a purpose of others": func() error {
			_, err := s.service.FindCaller(t.Context(), s.agent, lookup.Said{Fields: said.Fields, Purpose: "legal_hold"})
			return err
		},
		"a purpose that doesn't exist": func() error {
			_, err := s.service.FindCaller(t.Context(), s.agent, lookup.Said{Fields: said.Fields, Purpose: "curiosity"})
			return err
		},
		"a name alone": func() error {
			_, err := s.service.FindCaller(t.Context(), s.agent, lookup.Said{Fields: map[string]string{"name": "Ann Archer"}, Purpose: "account"})
			return err
		},
		"one identifier alone": func() error {
			_, err := s.service.FindCaller(t.Context(), s.agent, lookup.Said{Fields: map[string]string{"email": "ann@example.org"}, Purpose: "account"})
			return err
		},
		"an empty second one": func() error {
			_, err := s.service.FindCaller(t.Context(), s.agent, lookup.Said{Fields: map[string]string{"email": "ann@example.org", "date_of_birth": " "}, Purpose: "account"})
			return err
		},
	} {
		before := len(s.journal.records)
		if err := try(); err == nil {
			t.Errorf("%s found somebody", name)
		}
		if got := len(s.journal.records) - before; got != 1 || s.journal.last(t).Kind != ledger.KindRefusal {
			t.Errorf("%s: %d records", name, got)
		}
	}
	if s.shop.finds != 0 {
		t.Errorf("%d searches", s.shop.finds)
	}
}

func TestEachWriteOfAFindThatFailsFindsNobody(t *testing.T) {
	for _, c := range []struct {
		write string
		kind  ledger.Kind
		finds int
	}{
		{"intent", ledger.KindIntent, 0},
		{"outcome", ledger.KindOutcome, 1},
	} {
		t.Run(c.write, func(t *testing.T) {
			s := newStage(t)
			s.call(t, "k1", "e1", "")
			s.journal.fail = func(e ledger.Entry) (bool, error) {
				if e.Kind == c.kind {
					return false, ledger.ErrUnavailable
				}
				return true, nil
			}
			f, err := s.service.FindCaller(t.Context(), s.agent, said)
			if access.CodeOf(err) != access.Unavailable || f.Task != "" || s.shop.finds != c.finds {
				t.Errorf("got %+v, %v after %d searches", f, err, s.shop.finds)
			}
			if tasks, err := s.Tasks.Mine(t.Context(), s.agent.Employee()); err != nil || slices.ContainsFunc(tasks, func(k access.Task) bool { return k.ID == "call-k1" }) {
				t.Errorf("an unrecorded find left a task: %v", err)
			}
		})
	}
}

func TestASearchThatFailsCountsAsAMiss(t *testing.T) {
	s := newStage(t)
	s.shop.err = errBroken
	for i := range 5 {
		if _, err := s.service.FindCaller(t.Context(), s.agent, guess(i)); access.CodeOf(err) != access.Unavailable {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if n, _, err := s.Store.Tries().Standing(t.Context(), "e1", testenv.Start.Add(-time.Hour)); err != nil || n != 5 {
		t.Errorf("%d misses, %v", n, err)
	}
	s.shop.err = nil
	if _, err := s.service.FindCaller(t.Context(), s.agent, said); access.CodeOf(err) != access.Denied {
		t.Errorf("after five: %v", err)
	}
}

// The attack: between guesses at somebody he searches for a customer whom he
// knows well, himself for one, as a hit makes the misses before no longer
// count. Without a call it does not; with one, only the call's first hit does.
func TestACustomerWhomHeKnowsDoesNotPayForGuesses(t *testing.T) {
	for name, call := range map[string]bool{"without a call": false, "with a call": true} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			if call {
				s.call(t, "k1", "e1", "")
				if _, err := s.service.FindCaller(t.Context(), s.agent, said); err != nil {
					t.Fatal(err)
				}
			}
			misses := 0
			for i := range 12 {
				_, err := s.service.FindCaller(t.Context(), s.agent, guess(i))
				if access.CodeOf(err) == access.Denied {
					break
				}
				misses++
				if _, err := s.service.FindCaller(t.Context(), s.agent, said); err != nil && access.CodeOf(err) != access.Denied {
					t.Fatal(err)
				}
			}
			if misses != 5 {
				t.Errorf("%d guesses were searched for, want 5", misses)
			}
		})
	}
}
