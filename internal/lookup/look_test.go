package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

func TestALookUpIsRecordedBeforeItIsReadAndBeforeItIsShown(t *testing.T) { // G3
	s := newStage(t)
	d, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "mine", Reason: "money back", Door: lookup.DoorAPI})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"intent", "read", "outcome"}; !slices.Equal(s.steps, want) {
		t.Errorf("steps: got %v, want %v", s.steps, want)
	}
	if d.Result.Tables[0].Rows[0][0] != canary {
		t.Error("the disclosure doesn't hold what was read")
	}
	if d.Grant.Employee != "e1" || d.Grant.Customer != "c1" || d.Grant.Session != s.agent.Session() || d.Grant.Order != "o1" || d.Grant.ID == "" {
		t.Errorf("grant: %+v", d.Grant)
	}
	if got := s.shop.grants[0]; !slices.Equal(got.Categories, d.Grant.Categories) || got.Customer != d.Grant.Customer || got.ID != d.Grant.ID {
		t.Errorf("read with %+v, told %+v", got, d.Grant)
	}
	records := s.journal.all(t)
	if len(records) != 2 || records[1].Of != records[0].Number+1 || d.Outcome.Number != records[1].Number {
		t.Fatalf("records: %+v", records)
	}
	intent := records[0].Lookup
	if intent.ID != d.ID || intent.Employee != "e1" || intent.Customer != "c1" || intent.Task != "mine" ||
		intent.Outcome != access.OutcomeUnknown || intent.Reason != "money back" || len(intent.Categories) != 5 {
		t.Errorf("intent: %+v", intent)
	}
	if out := records[1]; out.Lookup.Outcome != access.OutcomeShown || out.Rows != 1 || out.Lookup.ID != d.ID {
		t.Errorf("outcome: %+v", out)
	}
	s.silent(t, nil)
}

// Each edit of a request that is allowed as it stands gets nothing, is recorded
// with its true reason, and tells nothing about a customer (G1, G2, G9).
func TestWhoEditsARequestGetsNothingAndIsRecorded(t *testing.T) {
	const (
		notYours = "denied: No open task of yours is about this customer. / Open one of your own tasks, or find the caller by what he says."
		second   = "denied: A second person must agree before this is shown. / Ask for it and say why you need it; nothing is shown until somebody agrees."
		noOrder  = "denied: This order isn't part of this task. / Leave the order out, or work on a task that is about it."
	)
	s := newStage(t)
	for _, c := range []struct {
		edit    string
		ask     lookup.Request
		answer  string // "" where it concerns himself and reads otherwise
		reason  string
		part    string // the person of the customer part
		pending bool
	}{
		{"another customer", lookup.Request{Task: "mine", Customer: "c2"}, notYours, "task-other-customer", "", false},
		{"a customer that doesn't exist", lookup.Request{Task: "mine", Customer: "c404"}, notYours, "task-other-customer", "", false},
		{"a customer in the public eye", lookup.Request{Task: "mine", Customer: "star"}, notYours, "task-other-customer", "", false},
		{"himself under another's task", lookup.Request{Task: "mine", Customer: "me"}, notYours, "task-other-customer", "", false},
		{"a colleague's task", lookup.Request{Task: "theirs"}, notYours, "task-not-assigned", "customer:c2", false},
		{"a colleague's task and its customer", lookup.Request{Task: "theirs", Customer: "c2"}, notYours, "task-not-assigned", "", false},
		{"a colleague's task and his own customer", lookup.Request{Task: "theirs", Customer: "c1"}, notYours, "task-not-assigned", "", false},
		{"a task that doesn't exist", lookup.Request{Task: "t404"}, notYours, "task-unknown", "", false},
		{"a task that doesn't exist and a customer", lookup.Request{Task: "t404", Customer: "c2"}, notYours, "task-unknown", "", false},
		{"a closed task", lookup.Request{Task: "closed"}, "", "task-closed", "customer:c1", false},
		{"more categories", lookup.Request{Task: "mine", Categories: []access.Category{"identity", "delivery"}}, "", "categories-beyond-purpose", "customer:c1", false},
		{"a category that doesn't exist", lookup.Request{Task: "mine", Categories: []access.Category{"diary"}}, "", "categories-beyond-purpose", "customer:c1", false},
		{"a foreign order", lookup.Request{Task: "mine", Order: "o2"}, noOrder, "order-does-not-fit", "customer:c1", false},
		{"an order that doesn't exist", lookup.Request{Task: "mine", Order: "o404"}, noOrder, "order-does-not-fit", "customer:c1", false},
		{"a customer in the public eye, own task", lookup.Request{Task: "famous"}, second, "notable", "customer:star", true},
		{"oneself, own task", lookup.Request{Task: "myself"}, second, "self", "customer:me", true},
		{"a former partner, own task", lookup.Request{Task: "former"}, second, "relation", "customer:ex", true},
		{"a customer of whom nothing is known, own task", lookup.Request{Task: "stranger"}, second, "customer_not_known", "customer:c9", true},
		{"oneself and a foreign order", lookup.Request{Task: "myself", Order: "o404"}, second, "self", "customer:me", true},
	} {
		t.Run(c.edit, func(t *testing.T) {
			s.reset()
			d, err := s.service.Look(t.Context(), s.agent, c.ask)
			if d != nil || err == nil || s.shop.reads != 0 {
				t.Fatalf("disclosed %v, error %v, %d reads", d, err, s.shop.reads)
			}
			if got := answer(err); c.answer != "" && got != c.answer {
				t.Errorf("answer: got %q, want %q", got, c.answer)
			} else if access.CodeOf(err) != access.Denied || strings.Contains(got, "c2") {
				t.Errorf("answer: %q", got)
			}
			var waits *lookup.Pending
			if got := errors.As(err, &waits); got != c.pending {
				t.Errorf("a second person is asked: got %v, want %v", got, c.pending)
			}
			if n := len(s.journal.records); n != 1 {
				t.Fatalf("%d records, want 1", n)
			}
			r := s.journal.last(t)
			if r.Kind != ledger.KindRefusal || r.Lookup.Employee != "e1" || !slices.Contains(r.Reasons, c.reason) {
				t.Errorf("record: %+v, want reason %s", r, c.reason)
			}
			if c.ask.Customer != "" && r.Lookup.Customer != c.ask.Customer {
				t.Errorf("the record doesn't tell whom he asked for: %+v", r.Lookup)
			}
			if got := s.journal.records[0].Customer.Person; got != c.part {
				t.Errorf("customer part: got %q, want %q", got, c.part)
			}
			s.silent(t, err)
		})
	}
}

func TestAReplayIsANewLookUpWithANewDecision(t *testing.T) {
	s := newStage(t)
	ask := lookup.Request{Task: "mine"}
	first, err := s.service.Look(t.Context(), s.agent, ask)
	if err != nil {
		t.Fatal(err)
	}
	s.Save(t, &access.TaskClosed{Task: "mine", At: s.Clock.Now(), By: "e1"})
	s.Clock.Advance(time.Second)
	if _, err := s.service.Look(t.Context(), s.agent, ask); access.CodeOf(err) != access.Denied {
		t.Errorf("the same request after the task was closed: %v", err)
	}
	if s.shop.reads != 1 || len(s.journal.records) != 3 || s.journal.last(t).Lookup.ID == first.ID {
		t.Errorf("%d reads, %d records", s.shop.reads, len(s.journal.records))
	}
}

func TestATaskOfTheTeamIsEverybodysOfTheTeamAlone(t *testing.T) {
	s := newStage(t)
	if _, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "team"}); err != nil {
		t.Errorf("of the team: %v", err)
	}
	if _, err := s.service.Look(t.Context(), s.colleague, lookup.Request{Task: "team"}); access.CodeOf(err) != access.Denied {
		t.Errorf("of another team: %v", err)
	}
}

func TestWhoIsNotQualifiedLooksAtNobody(t *testing.T) {
	s := newStage(t)
	s.Clock.Advance(370 * 24 * time.Hour)
	_, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "mine"})
	if access.CodeOf(err) != access.Denied || !strings.Contains(answer(err), "training") || s.shop.reads != 0 {
		t.Errorf("got %v after %d reads", err, s.shop.reads)
	}
}

func TestNobodyProvenIsNobody(t *testing.T) {
	s := newStage(t)
	var who identity.Who
	if _, err := s.service.Look(t.Context(), who, lookup.Request{Task: "mine"}); access.CodeOf(err) != access.Unauthenticated {
		t.Errorf("look: %v", err)
	}
	if _, err := s.service.Act(t.Context(), who, lookup.Act{Name: "x"}); access.CodeOf(err) != access.Unauthenticated {
		t.Errorf("act: %v", err)
	}
	if _, err := s.service.Explain(t.Context(), who, "", "mine"); access.CodeOf(err) != access.Unauthenticated {
		t.Errorf("explain: %v", err)
	}
	if _, err := s.service.FindCaller(t.Context(), who, lookup.Said{}); access.CodeOf(err) != access.Unauthenticated {
		t.Errorf("find: %v", err)
	}
	if s.shop.reads+s.shop.finds+len(s.journal.records) != 0 {
		t.Error("something happened for nobody")
	}
}

func TestWhatCannotBeUnderstoodIsRecordedWithoutWhatItSaid(t *testing.T) {
	s := newStage(t)
	long := strings.Repeat("x", 10_000)
	for name, ask := range map[string]lookup.Request{
		"no task":             {},
		"a long task":         {Task: access.TaskID(long)},
		"a line end":          {Task: "mine", Customer: "c1\nforged line"},
		"bytes, not text":     {Task: "mine", Order: "\xff\xfe"},
		"an unknown action":   {Task: "mine", Action: "delete"},
		"a novel":             {Task: "mine", Reason: long},
		"too many categories": {Task: "mine", Categories: make([]access.Category, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			s.reset()
			_, err := s.service.Look(t.Context(), s.agent, ask)
			if access.CodeOf(err) != access.Invalid || s.shop.reads != 0 {
				t.Fatalf("got %v after %d reads", err, s.shop.reads)
			}
			r := s.journal.records[0]
			if len(s.journal.records) != 1 || len(r.Employee.Plain) > 1000 || r.Customer.Person != "" {
				t.Errorf("records: %d, employee part of %d bytes", len(s.journal.records), len(r.Employee.Plain))
			}
			if got := s.journal.last(t); !slices.Contains(got.Reasons, "malformed_request") {
				t.Errorf("record: %+v", got)
			}
		})
	}
}

// One row per write of a look-up and per way in which it fails (G3).
func TestEachWriteOfALookUpThatFailsShowsNothing(t *testing.T) {
	s := newStage(t)
	disk := fmt.Errorf("%w: no space left", ledger.ErrUnavailable)
	for _, c := range []struct {
		write    string
		ask      lookup.Request
		kind     ledger.Kind
		persists bool
		reads    int
		records  int
	}{
		{"intent failed", lookup.Request{Task: "mine"}, ledger.KindIntent, false, 0, 0},
		{"intent failed but persisted", lookup.Request{Task: "mine"}, ledger.KindIntent, true, 0, 1},
		{"outcome failed", lookup.Request{Task: "mine"}, ledger.KindOutcome, false, 1, 1},
		{"outcome failed but persisted", lookup.Request{Task: "mine"}, ledger.KindOutcome, true, 1, 2},
		{"refusal failed", lookup.Request{Task: "theirs"}, ledger.KindRefusal, false, 0, 0},
		{"refusal failed but persisted", lookup.Request{Task: "theirs"}, ledger.KindRefusal, true, 0, 1},
		{"refusal of somebody famous failed", lookup.Request{Task: "famous"}, ledger.KindRefusal, false, 0, 0},
	} {
		t.Run(c.write, func(t *testing.T) {
			s.reset()
			s.journal.fail = func(e ledger.Entry) (bool, error) {
				if e.Kind == c.kind {
					return c.persists, disk
				}
				return true, nil
			}
			d, err := s.service.Look(t.Context(), s.agent, c.ask)
			if d != nil || access.CodeOf(err) != access.Unavailable || !errors.Is(err, ledger.ErrUnavailable) {
				t.Errorf("got %v and %v, want nothing and unavailable", d, err)
			}
			if s.shop.reads != c.reads || len(s.journal.records) != c.records {
				t.Errorf("%d reads and %d records, want %d and %d", s.shop.reads, len(s.journal.records), c.reads, c.records)
			}
			waiting, err := s.Store.Requests(t.Context(), investigate.Filter{})
			if err != nil || len(waiting) != 0 {
				t.Errorf("%d requests of an unrecorded try, %v", len(waiting), err)
			}
			s.silent(t, err)
		})
	}
}

func TestASourceThatFailsIsRecordedAndShowsNothing(t *testing.T) {
	s := newStage(t)
	s.shop.err = errBroken
	d, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "mine"})
	if d != nil || access.CodeOf(err) != access.Unavailable {
		t.Errorf("got %v and %v", d, err)
	}
	if r := s.journal.last(t); r.Kind != ledger.KindOutcome || r.Lookup.Outcome != access.OutcomeFailed {
		t.Errorf("record: %+v", r)
	}
}

func TestAnAskerWhoGoesAwayWhileTheSourceIsReadIsRecordedToTheEnd(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.shop.during, s.shop.err = cancel, context.Canceled
	if _, err := s.service.Look(ctx, s.agent, lookup.Request{Task: "mine"}); err == nil {
		t.Error("something was shown")
	}
	if r := s.journal.last(t); r.Kind != ledger.KindOutcome || r.Lookup.Outcome != access.OutcomeFailed {
		t.Errorf("record: %+v", r)
	}
}

func TestEachFactThatCannotBeFoundOutIsADenyAndRecorded(t *testing.T) {
	s := newStage(t)
	for _, fact := range []string{"qualification", "task", "customer", "relations", "approvals"} {
		t.Run(fact, func(t *testing.T) {
			s.reset()
			s.faults.what = fact
			d, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: "mine"})
			if d != nil || access.CodeOf(err) != access.Unavailable || s.shop.reads != 0 {
				t.Fatalf("got %v, %v after %d reads", d, err, s.shop.reads)
			}
			if r := s.journal.last(t); r.Kind != ledger.KindRefusal || !slices.Contains(r.Reasons, "facts_unavailable") {
				t.Errorf("record: %+v", r)
			}
		})
	}
}

// Ten thousand tries cost ten thousand records and nothing else: no key for an
// invented customer, one request for all of them, nothing left in memory.
func TestTenThousandTriesAreTenThousandRecordsAndNoMore(t *testing.T) {
	s := newStage(t)
	s.faults.memo = map[string]any{}
	before := runtime.NumGoroutine()
	var answers []string
	for i := range 10_000 {
		ask := lookup.Request{Task: "famous"}
		switch i % 4 {
		case 1:
			ask = lookup.Request{Task: "mine", Customer: access.CustomerID(fmt.Sprintf("invented%d", i))}
		case 2:
			ask = lookup.Request{Task: access.TaskID(fmt.Sprintf("invented%d", i)), Customer: "c2"}
		case 3:
			ask = lookup.Request{Task: "mine", Order: access.OrderID(fmt.Sprintf("o-%d", i))}
		}
		_, err := s.service.Look(t.Context(), s.agent, ask)
		if err == nil {
			t.Fatalf("try %d: %+v was allowed", i, ask)
		}
		answers = append(answers, answer(err))
	}
	slices.Sort(answers)
	if got := slices.Compact(answers); len(got) != 3 {
		t.Errorf("the refusals told apart %d cases, want 3: %q", len(got), got)
	}
	if s.shop.reads != 0 || len(s.journal.records) != 10_000 {
		t.Errorf("%d reads, %d records", s.shop.reads, len(s.journal.records))
	}
	if got := s.journal.persons(); len(got) != 3 { // e1, star, c1
		t.Errorf("keys for %d persons, want 3: %v", len(got), got)
	}
	waiting, err := s.Store.Requests(t.Context(), investigate.Filter{})
	if err != nil || len(waiting) != 1 {
		t.Errorf("%d requests wait, %v; want 1", len(waiting), err)
	}
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func TestASecondPersonsYesLetsThroughAndIsRecorded(t *testing.T) {
	s := newStage(t)
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: s.Store, Tasks: s.Tasks, People: s.Store, Policy: s.policy, Recorder: s.service, Clock: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(task access.TaskID) (access.RequestID, error) {
		_, err := s.service.Look(t.Context(), s.agent, lookup.Request{Task: task, Reason: "she called"})
		var waits *lookup.Pending
		if errors.As(err, &waits) {
			return waits.Request, err
		}
		return "", err
	}
	id, _ := ask("famous")
	if err := approvals.Decide(t.Context(), s.lead, id, true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := ask("famous"); err != nil || s.shop.reads != 1 {
		t.Errorf("after the yes: %v", err)
	}
	if c := string(s.journal.records[len(s.journal.records)-2].Employee.Plain); !strings.Contains(c, `"second_person":"l1"`) {
		t.Errorf("the intent doesn't name the second person: %s", c)
	}
	if _, err := ask("former"); access.CodeOf(err) != access.Denied {
		t.Errorf("the yes let through to another customer: %v", err)
	}
	s.Clock.Advance(5 * time.Hour)
	if _, err := ask("famous"); access.CodeOf(err) != access.Denied {
		t.Errorf("the yes held longer than the policy says: %v", err)
	}
}
