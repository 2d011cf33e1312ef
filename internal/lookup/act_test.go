package lookup_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

func TestAnActIsRecordedAndMakesNoKeyForAnInventedCustomer(t *testing.T) { // G7
	s := newStage(t)
	for i, c := range []access.CustomerID{"c1", "invented"} {
		if _, err := s.service.Act(t.Context(), s.officer, lookup.Act{Name: "who_looked", Customer: c, Employee: "e1", About: "50"}); err != nil {
			t.Fatal(err)
		}
		r := s.journal.last(t)
		if r.Act != "who_looked" || r.Lookup.Customer != c || r.Lookup.Employee != "p1" || r.Whom != "e1" || r.About != "50" {
			t.Errorf("record: %+v", r)
		}
		if got, want := s.journal.records[i].Customer.Person, []string{"customer:c1", ""}[i]; got != want {
			t.Errorf("customer part of %s: got %q, want %q", c, got, want)
		}
	}
	s.journal.fail = func(ledger.Entry) (bool, error) { return false, ledger.ErrUnavailable }
	if _, err := s.service.Act(t.Context(), s.officer, lookup.Act{Name: "x"}); access.CodeOf(err) != access.Unavailable {
		t.Errorf("without a journal: %v", err)
	}
}

func TestAProgramIsToldADecisionThatIsRecorded(t *testing.T) {
	s := newStage(t)
	e, err := s.service.Evaluate(t.Context(), s.program, "e1", lookup.Request{Task: "mine", Customer: "c1", Door: lookup.DoorAuthZEN})
	if err != nil || !e.Allowed || e.Grant.Customer != "c1" || e.Grant.Employee != "e1" || e.Answer != nil {
		t.Fatalf("got %+v, %v", e, err)
	}
	r := s.journal.last(t)
	if !r.Ends || r.Lookup.Outcome != access.OutcomeShown || r.Lookup.Employee != "e1" || !strings.Contains(string(s.journal.records[0].Employee.Plain), `"by":"x1"`) {
		t.Errorf("record: %+v", r)
	}
	for name, c := range map[string]struct {
		subject access.EmployeeID
		ask     lookup.Request
	}{
		"a colleague's task":         {"e1", lookup.Request{Task: "theirs", Customer: "c2"}},
		"another customer":           {"e1", lookup.Request{Task: "mine", Customer: "c2"}},
		"a customer not known":       {"e1", lookup.Request{Task: "mine", Customer: "c404"}},
		"an employee not known":      {"e404", lookup.Request{Task: "mine", Customer: "c1"}},
		"somebody in the public eye": {"e1", lookup.Request{Task: "famous"}},
	} {
		before := len(s.journal.records)
		e, err := s.service.Evaluate(t.Context(), s.program, c.subject, c.ask)
		if err != nil || e.Allowed || e.Answer == nil || e.Grant.Customer != "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if len(s.journal.records) != before+1 {
			t.Errorf("%s isn't recorded", name)
		}
	}
	if got := s.journal.persons(); got["employee:e404"] {
		t.Error("a key was made for an invented employee")
	}
	if s.shop.reads != 0 {
		t.Errorf("%d reads", s.shop.reads)
	}
}

func TestOnlyAProgramAsksInSomebodyElsesName(t *testing.T) {
	s := newStage(t)
	_, err := s.service.Evaluate(t.Context(), s.agent, "e2", lookup.Request{Task: "theirs"})
	if access.CodeOf(err) != access.Denied {
		t.Errorf("got %v", err)
	}
	if r := s.journal.last(t); r.Lookup.Employee != "e1" || !slices.Contains(r.Reasons, "not_a_program") {
		t.Errorf("record: %+v", r)
	}
}

func TestADecisionThatCannotBeRecordedIsNotGiven(t *testing.T) {
	s := newStage(t)
	s.journal.fail = func(ledger.Entry) (bool, error) { return false, ledger.ErrUnavailable }
	for _, ask := range []lookup.Request{{Task: "mine"}, {Task: "theirs"}, {}} {
		if e, err := s.service.Evaluate(t.Context(), s.program, "e1", ask); access.CodeOf(err) != access.Unavailable || e.Allowed {
			t.Errorf("%+v: got %+v, %v", ask, e, err)
		}
	}
}

func TestExplainTellsEachReaderWhatHeMayKnow(t *testing.T) {
	s := newStage(t)
	secret := func(e lookup.Explanation) bool {
		return slices.ContainsFunc(e.Reasons, func(r policy.Reason) bool { return !r.Public })
	}
	own, err := s.service.Explain(t.Context(), s.agent, "e1", "famous")
	if err != nil || own.Effect != policy.NeedsSecondPerson || secret(own) {
		t.Errorf("himself: %+v, %v", own, err)
	}
	lead, err := s.service.Explain(t.Context(), s.lead, "e1", "famous")
	if err != nil || !secret(lead) {
		t.Errorf("his lead: %+v, %v", lead, err)
	}
	if r := s.journal.last(t); r.Act != "explain" || r.Whom != "e1" || r.About != "famous" {
		t.Errorf("record: %+v", r)
	}
	foreign, err := s.service.Explain(t.Context(), s.lead, "e1", "theirs")
	if err != nil || len(foreign.Reasons) != 0 {
		t.Errorf("a task that isn't his employee's told the lead %+v, %v", foreign, err)
	}
	theirs, err1 := s.service.Explain(t.Context(), s.agent, "e1", "theirs")
	nothing, err2 := s.service.Explain(t.Context(), s.agent, "e1", "t404")
	if theirs.Task = nothing.Task; err1 != nil || err2 != nil || !reflect.DeepEqual(theirs, nothing) {
		t.Errorf("a colleague's task: %+v, %v; no task: %+v, %v", theirs, err1, nothing, err2)
	}
	if _, err := s.service.Explain(t.Context(), s.colleague, "e1", "mine"); access.CodeOf(err) != access.Denied {
		t.Errorf("a colleague: %v", err)
	}
	if r := s.journal.last(t); r.Act != "explain_refused" {
		t.Errorf("record: %+v", r)
	}
	ok, err := s.service.Explain(t.Context(), s.officer, "e1", "mine")
	if err != nil || ok.Effect != policy.Allow || len(ok.Columns) == 0 || s.shop.reads != 0 {
		t.Errorf("the officer: %+v, %v", ok, err)
	}
	for _, c := range ok.Columns {
		if c.Table == "deliveries" {
			t.Errorf("column %s.%s isn't granted", c.Table, c.Name)
		}
		if c.Name == "iban" && !c.Masked {
			t.Error("iban is told to be shown whole")
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"l1","employee":"e1"}`), []byte(`{"id":"l1","customer":"c1","rows":3}`), "intent", "")
	f.Add([]byte(`{`), []byte(nil), "outcome", "shown")
	f.Fuzz(func(t *testing.T, employee, customer []byte, kind, outcome string) {
		r := ledger.Record{Frame: ledger.Frame{Kind: ledger.Kind(kind), Outcome: outcome}}
		r.Employee.Plain, r.Customer.Plain = employee, customer
		d, ours, err := lookup.Decode(r) // must not panic
		if err == nil && ours && d.Kind != r.Kind {
			t.Errorf("kind changed from %q to %q", r.Kind, d.Kind)
		}
	})
}

func TestAnErasedPartLeavesTheOther(t *testing.T) { // G5
	r := ledger.Record{Frame: ledger.Frame{Kind: ledger.KindIntent}}
	r.Customer.Plain, r.Employee.Erased = []byte(`{"id":"l1","customer":"c1","task":"t1","looker":"abc","role":"agent"}`), true
	d, ok, err := lookup.Decode(r)
	if err != nil || !ok || !d.Erased || d.Lookup.Customer != "c1" || d.Lookup.ID != "l1" || d.Pseudonym != "abc" || d.Lookup.Employee != "" {
		t.Errorf("got %+v, %v, %v", d, ok, err)
	}
}

func TestAnObservedLookUpComesBackAsItWas(t *testing.T) {
	l := access.Lookup{ID: "a1", Employee: "e1", Customer: "c1", Action: access.ActionExport, Categories: []access.Category{"orders"}, Task: "t1", Site: "north"}
	e, err := lookup.Observed(l, access.Employee{ID: "e1", Role: access.RoleAgent}, "refund", "abc")
	if err != nil {
		t.Fatal(err)
	}
	r := ledger.Record{Frame: ledger.Frame{Kind: e.Kind, Outcome: e.Outcome}}
	r.Customer.Plain, r.Employee.Plain = e.Customer.Plain, e.Employee.Plain
	d, ok, err := lookup.Decode(r)
	l.Outcome = access.OutcomeShown
	if err != nil || !ok || !d.Ends || d.Lookup.ID != l.ID || d.Lookup.Action != l.Action || d.Lookup.Site != l.Site || d.Lookup.Outcome != l.Outcome || d.Pseudonym != "abc" || d.Purpose != "refund" {
		t.Errorf("got %+v, %v, %v", d, ok, err)
	}
}
