package investigate_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/testenv"
)

// recorder is a Recorder that remembers, and can fail.
type recorder struct {
	mu   sync.Mutex
	acts []lookup.Act
	err  error
}

func (r *recorder) Act(_ context.Context, _ identity.Who, a lookup.Act) (ledger.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return ledger.Receipt{}, r.err
	}
	r.acts = append(r.acts, a)
	return ledger.Receipt{}, nil
}

func (r *recorder) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.acts) == 0 {
		return ""
	}
	return r.acts[len(r.acts)-1].Name
}

// desk is where requests are decided, with its people.
type desk struct {
	*testenv.Env
	recorder  *recorder
	book      *investigate.Book
	approvals *investigate.Approvals
	agent, lead, boss, officer, related, herself,
	stranger identity.Who
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Env: testenv.New(t), recorder: &recorder{}}
	d.book = investigate.NewBook(d.Store, p)
	d.approvals, err = investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: d.Store, Tasks: d.Tasks, People: d.Store, Policy: p, Recorder: d.recorder, Clock: d.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.boss = d.Who(t, access.Employee{ID: "b1", Role: access.RoleTeamLead})
	d.lead = d.Who(t, access.Employee{ID: "l1", Team: "blue", Role: access.RoleTeamLead, Manager: "b1"})
	d.agent = d.Who(t, access.Employee{ID: "e1", Team: "blue", Role: access.RoleAgent, Manager: "l1"})
	d.officer = d.Who(t, access.Employee{ID: "p1", Role: access.RolePrivacyOfficer})
	d.related = d.Who(t, access.Employee{ID: "l2", Team: "red", Role: access.RoleTeamLead})
	d.herself = d.Who(t, access.Employee{ID: "l3", Team: "green", Role: access.RoleTeamLead})
	d.stranger = d.Who(t, access.Employee{ID: "e2", Team: "red", Role: access.RoleAgent})
	d.Save(t,
		&access.CustomerKnown{Customer: access.Customer{ID: "star", Notable: true, Employee: "l3"}},
		&access.Related{Relation: access.Relation{Employee: "l2", Customer: "star", Kind: access.RelationFamily}},
	)
	return d
}

func (d *desk) ask(t *testing.T, a lookup.Approval) access.RequestID {
	t.Helper()
	if a.Kind == "" {
		a.Kind = lookup.ApproveLookup
	}
	if a.Asker == "" {
		a.Asker = "e1"
	}
	a.Task, a.Customer, a.At = "t1", "star", d.Clock.Now()
	a.Why = []policy.Reason{{ID: "notable", Effect: "forbid", Text: "in the public eye"}}
	id, err := d.book.Ask(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (d *desk) approved(t *testing.T) access.EmployeeID {
	t.Helper()
	by, _, err := d.book.Approved(t.Context(), "e1", "t1", "star", d.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func TestWhoMayDecideARequest(t *testing.T) { // G8
	d := newDesk(t)
	bossAsks := d.ask(t, lookup.Approval{Asker: "b1"})
	leadAsks := d.ask(t, lookup.Approval{Asker: "l1"})
	agentAsks := d.ask(t, lookup.Approval{Asker: "e1"})
	final := d.ask(t, lookup.Approval{Asker: "e2", Final: true})
	for _, c := range []struct {
		name string
		who  identity.Who
		id   access.RequestID
		yes  bool
		want access.Code
	}{
		{"the asker himself, though he is a lead", d.lead, leadAsks, true, access.Denied},
		{"the asker declines himself", d.lead, leadAsks, false, access.Denied},
		{"a colleague without the role", d.stranger, agentAsks, true, access.Denied},
		{"a subordinate for his manager", d.lead, bossAsks, true, access.Denied},
		{"a relation of the customer's", d.related, agentAsks, true, access.Denied},
		{"the customer herself", d.herself, agentAsks, true, access.Denied},
		{"a yes where none can help", d.lead, final, true, access.Denied},
		{"a request that doesn't exist", d.lead, "r404", true, access.NotFound},
		{"somebody not proven", identity.Who{}, agentAsks, true, access.Unauthenticated},
		{"a no where no yes can help", d.lead, final, false, ""},
		{"his lead", d.lead, agentAsks, true, ""},
		{"once more", d.officer, agentAsks, false, access.Conflict},
		{"the officer", d.officer, leadAsks, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := d.approvals.Decide(t.Context(), c.who, c.id, c.yes, "")
			if got := access.CodeOf(err); got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
			if c.want == access.Denied && d.recorder.last() != "decide_refused" {
				t.Errorf("the try isn't recorded: %q", d.recorder.last())
			}
		})
	}
	if by := d.approved(t); by != "l1" {
		t.Errorf("approved by %q, want l1", by)
	}
}

func TestADecisionThatCannotBeRecordedHasNoEffect(t *testing.T) { // G7
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{})
	d.recorder.err = access.Errorf(access.Unavailable, "no journal")
	if err := d.approvals.Decide(t.Context(), d.lead, id, true, ""); access.CodeOf(err) != access.Unavailable {
		t.Errorf("decide: %v", err)
	}
	if all, err := d.approvals.Waiting(t.Context(), d.lead); access.CodeOf(err) != access.Unavailable || all != nil {
		t.Errorf("waiting: %v, %v", all, err)
	}
	if by := d.approved(t); by != "" {
		t.Errorf("approved by %q", by)
	}
}

func TestARequestLapsesAndAYesEnds(t *testing.T) {
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{})
	if again := d.ask(t, lookup.Approval{}); again != id {
		t.Errorf("a second request %s waits beside %s", again, id)
	}
	d.Clock.Advance(4 * time.Hour)
	if err := d.approvals.Decide(t.Context(), d.lead, id, true, ""); access.CodeOf(err) != access.Conflict {
		t.Errorf("a lapsed request: %v", err)
	}
	if r, err := d.approvals.Own(t.Context(), d.agent, id); err != nil || r.State != investigate.Lapsed {
		t.Errorf("its state: %v, %v", r.State, err)
	}
	next := d.ask(t, lookup.Approval{})
	if next == id {
		t.Fatal("the lapsed request waits again")
	}
	if err := d.approvals.Decide(t.Context(), d.lead, next, true, ""); err != nil {
		t.Fatal(err)
	}
	d.Clock.Advance(4*time.Hour - time.Second)
	if d.approved(t) != "l1" {
		t.Error("the yes ended too early")
	}
	d.Clock.Advance(time.Second)
	if d.approved(t) != "" {
		t.Error("the yes holds too long")
	}
}

func TestOfManyDecisionsAtOnceOneCounts(t *testing.T) {
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{})
	var done atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			who := d.lead
			if i%2 == 0 {
				who = d.officer
			}
			switch err := d.approvals.Decide(t.Context(), who, id, i%2 == 0, ""); access.CodeOf(err) {
			case "":
				done.Add(1)
			case access.Conflict:
			default:
				t.Errorf("decide: %v", err)
			}
		})
	}
	wg.Wait()
	if n := done.Load(); n < 1 {
		t.Error("nobody decided")
	}
	r, err := d.Store.Request(t.Context(), id)
	if err != nil || (r.State == investigate.Confirmed) != (r.By == "p1") {
		t.Errorf("state %s by %s, %v", r.State, r.By, err)
	}
}

func TestTheAskerReadsOfHisRequestOnlyItsState(t *testing.T) { // G9
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{Final: true})
	if err := d.approvals.Decide(t.Context(), d.lead, id, false, "she is famous"); err != nil {
		t.Fatal(err)
	}
	r, err := d.approvals.Own(t.Context(), d.agent, id)
	if err != nil || r.State != investigate.Declined || r.Why != nil || r.Final || r.Note != "" || r.By != "" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := d.approvals.Own(t.Context(), d.stranger, id); access.CodeOf(err) != access.NotFound {
		t.Errorf("somebody else: %v", err)
	}
}

func TestWaitingListsWhatHeMayDecideAndIsRecorded(t *testing.T) {
	d := newDesk(t)
	d.ask(t, lookup.Approval{Asker: "b1"})
	own := d.ask(t, lookup.Approval{Asker: "l1"})
	id := d.ask(t, lookup.Approval{Asker: "e1"})
	all, err := d.approvals.Waiting(t.Context(), d.lead)
	if err != nil || len(all) != 1 || all[0].ID != id || len(all[0].Why) != 1 || d.recorder.last() != "list_requests" {
		t.Errorf("the lead: %+v, %v, %q", all, err, d.recorder.last())
	}
	if all, err := d.approvals.Waiting(t.Context(), d.officer); err != nil || len(all) != 3 || all[1].ID != own && all[0].ID != own && all[2].ID != own {
		t.Errorf("the officer: %+v, %v", all, err)
	}
	if all, err := d.approvals.Waiting(t.Context(), d.agent); err != nil || len(all) != 0 {
		t.Errorf("an agent: %+v, %v", all, err)
	}
}

func TestANoteIsShortAndPrints(t *testing.T) {
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{})
	for _, note := range []string{strings.Repeat("x", 501), "\x1b[2J", "\xff"} {
		if err := d.approvals.Decide(t.Context(), d.lead, id, true, note); access.CodeOf(err) != access.Invalid {
			t.Errorf("note %.10q: %v", note, err)
		}
	}
}

func TestAnEmptyNameApprovesNobody(t *testing.T) {
	d := newDesk(t)
	id := d.ask(t, lookup.Approval{})
	if err := d.approvals.Decide(t.Context(), d.lead, id, true, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{{"", "t1", "star"}, {"e1", "", "star"}, {"e1", "t1", ""}, {"e2", "t1", "star"}, {"e1", "t2", "star"}, {"e1", "t1", "c1"}} {
		by, _, err := d.book.Approved(t.Context(), access.EmployeeID(c[0]), access.TaskID(c[1]), access.CustomerID(c[2]), d.Clock.Now())
		if err != nil || by != "" {
			t.Errorf("%q: approved by %q, %v", c, by, err)
		}
	}
}
