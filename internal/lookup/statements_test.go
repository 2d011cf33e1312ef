package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

// text is a statement as a door hands it on.
const text = "SELECT email FROM customers WHERE id = ?"

// statement is one under a grant.
func statement(g access.Grant) *lookup.Statement {
	return &lookup.Statement{Grant: g, Text: text, Fingerprint: [8]byte{1, 2, 3}, Relations: []string{"public.customers", "public.orders"}}
}

// answers collects what callbacks say.
type answers chan error

func (a answers) done(err error) { a <- err }

// wait returns the next, or ends the test.
func (a answers) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-a:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

// none fails the test if somebody was answered.
func (a answers) none(t *testing.T, why string) {
	t.Helper()
	select {
	case err := <-a:
		t.Fatalf("answered %s: %v", why, err)
	case <-time.After(50 * time.Millisecond):
	}
}

func (s *stage) open(t *testing.T, d *lookup.Statements, who identity.Who, id access.TaskID) access.Grant {
	t.Helper()
	g, err := d.Open(t.Context(), who, id)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return g
}

func TestAStatementHasAnIntentAndAnOutcome(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	g := s.open(t, d, s.agent, "mine")
	if opened := s.journal.last(t); opened.Act != "open_grant" || opened.Lookup.Customer != "c1" || opened.Lookup.Task != "mine" || opened.Purpose != "refund" || len(opened.Reasons) == 0 {
		t.Errorf("the opening is recorded as %+v", opened)
	}
	h := d.Statement(statement(g), a.done)
	if err := a.wait(t); err != nil {
		t.Fatal(err)
	}
	d.Ended(h, lookup.Ended{Rows: 7, Bytes: 123, How: "whole"}, a.done)
	if err := a.wait(t); err != nil {
		t.Fatal(err)
	}
	all := s.journal.all(t)
	intent, outcome := all[1], all[2]
	l := intent.Lookup
	if intent.Kind != ledger.KindIntent || l.Employee != "e1" || l.Customer != "c1" || l.Task != "mine" || l.Action != access.ActionStatement ||
		l.Session != s.agent.Session() || l.Record != "o1" || !slices.Equal(l.Categories, g.Categories) || intent.Door != "sql" ||
		intent.Purpose != "refund" || intent.Role != access.RoleAgent || intent.Pseudonym != s.service.Pseudonym("e1") || intent.Ends {
		t.Errorf("intent: %+v", intent)
	}
	if intent.Statement != text || !slices.Equal(intent.Relations, []string{"public.customers", "public.orders"}) {
		t.Errorf("statement: %q, %v", intent.Statement, intent.Relations)
	}
	if outcome.Kind != ledger.KindOutcome || outcome.Of != 2 || outcome.Rows != 7 || outcome.Lookup.Outcome != access.OutcomeShown || outcome.Lookup.ID != l.ID {
		t.Errorf("outcome: %+v", outcome)
	}
	// The customer reads that it was, for what, and of whom by a pseudonym; not the statement.
	if sub := string(s.journal.records[1].Customer.Plain); strings.Contains(sub, "SELECT") || strings.Contains(sub, "e1") || !strings.Contains(sub, `"purpose":"refund"`) {
		t.Errorf("her part: %s", sub)
	}
	h = d.Statement(statement(g), a.done)
	d.Ended(h, lookup.Ended{How: "error", Code: "42P01", Failed: true}, nil)
	if err := a.wait(t); err != nil {
		t.Fatal(err)
	}
	for len(s.journal.all(t)) < 5 {
		time.Sleep(time.Millisecond)
	}
	if last := s.journal.last(t); last.Lookup.Outcome != access.OutcomeFailed || last.Lookup.ID == l.ID || last.Of != 4 {
		t.Errorf("the second outcome: %+v", last)
	}
}

// G3: while the disk hangs nobody is answered, and what was queued meanwhile is
// recorded together, each outcome behind its intent.
func TestNothingIsAnsweredBeforeItIsDurable(t *testing.T) {
	s := newStage(t)
	held := &heldJournal{journal: s.journal, hold: make(chan struct{}), began: make(chan int, 100)}
	d, a := s.door(t, held), make(answers, 100)
	g := s.open(t, d, s.agent, "mine")
	first := d.Statement(statement(g), a.done)
	if n := <-held.began; n != 1 {
		t.Fatalf("%d records at first", n)
	}
	a.none(t, "before the sync")
	// Attack: PostgreSQL is done before the intent is; its outcome must not come first.
	d.Ended(first, lookup.Ended{Rows: 1}, a.done)
	var more []*lookup.Handle
	for range 5 {
		h := d.Statement(statement(g), a.done)
		d.Ended(h, lookup.Ended{Rows: 2}, a.done)
		more = append(more, h)
	}
	a.none(t, "before the sync")
	held.hold <- struct{}{}
	if err := a.wait(t); err != nil {
		t.Fatal(err)
	}
	if n := <-held.began; n != 6 {
		t.Errorf("the second batch has %d records, want the first outcome and five intents", n)
	}
	a.none(t, "before the second sync")
	held.hold <- struct{}{}
	if n := <-held.began; n != 5 {
		t.Errorf("the third batch has %d records, want five outcomes", n)
	}
	held.hold <- struct{}{}
	for range 11 {
		if err := a.wait(t); err != nil {
			t.Fatal(err)
		}
	}
	intents := map[uint64]access.LookupID{}
	for _, r := range s.journal.all(t) {
		switch r.Kind {
		case ledger.KindIntent:
			intents[r.Number+1] = r.Lookup.ID
		case ledger.KindOutcome:
			if intents[r.Of] != r.Lookup.ID {
				t.Errorf("record %d concludes %d: %q, want %q", r.Number, r.Of, r.Lookup.ID, intents[r.Of])
			}
			delete(intents, r.Of)
		}
	}
	if len(intents) != 0 || len(more) != 5 {
		t.Errorf("without an outcome: %v", intents)
	}
}

// heldJournal waits before it records.
type heldJournal struct {
	*journal
	hold  chan struct{}
	began chan int
}

func (j *heldJournal) AppendAll(ctx context.Context, entries []ledger.Entry) ([]ledger.Receipt, error) {
	j.began <- len(entries)
	<-j.hold
	return j.journal.AppendAll(ctx, entries)
}

func TestWhatCannotBeRecordedCannotBeLookedAt(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	g := s.open(t, d, s.agent, "mine")
	s.journal.failing(errors.New("the disk is full"))
	h := d.Statement(statement(g), a.done)
	wantCode(t, "statement", a.wait(t), access.Unavailable)
	d.Ended(h, lookup.Ended{}, a.done)
	wantCode(t, "its outcome", a.wait(t), access.Unavailable)
	_, err := d.Open(t.Context(), s.agent, "mine")
	wantCode(t, "open", err, access.Unavailable)
	s.journal.failing(nil)
	if len(s.journal.all(t)) != 1 {
		t.Error("something was recorded")
	}
	h = d.Statement(statement(g), a.done)
	wantCode(t, "when it works again", a.wait(t), "")
	s.journal.failing(errors.New("again"))
	d.Ended(h, lookup.Ended{}, a.done)
	wantCode(t, "an outcome that can't be recorded", a.wait(t), access.Unavailable)
	s.silent(t, nil)
}

// G4: while the witnesses' policy refuses, there are outcomes and no intents.
func TestNoIntentWhileTheWitnessesRefuse(t *testing.T) {
	s := newStage(t)
	var mu sync.Mutex
	var refusing error
	d := s.doorOf(t, lookup.StatementsConfig{Lookups: s.service, Journal: s.journal, Proofs: s.Identity, Refusing: func() error {
		mu.Lock()
		defer mu.Unlock()
		return refusing
	}})
	a := make(answers, 9)
	g := s.open(t, d, s.agent, "mine")
	h := d.Statement(statement(g), a.done)
	wantCode(t, "before", a.wait(t), "")
	mu.Lock()
	refusing = ledger.ErrUnavailable
	mu.Unlock()
	d.Statement(statement(g), a.done)
	wantCode(t, "an intent", a.wait(t), access.Unavailable)
	d.Ended(h, lookup.Ended{}, a.done)
	wantCode(t, "an outcome", a.wait(t), "")
	if n := len(s.journal.all(t)); n != 3 {
		t.Errorf("%d records, want the opening, an intent, an outcome", n)
	}
}

// G9: opening a grant tells no more than a look-up does, whatever is asked for.
func TestOpeningAnswersAsALookUp(t *testing.T) {
	s := newStage(t)
	d, err := lookup.NewStatements(lookup.StatementsConfig{Lookups: s.service, Journal: s.journal, Proofs: s.Identity})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []access.TaskID{"mine", "team", "theirs", "famous", "myself", "former", "stranger", "closed", "nothing", "", "x\ny"} {
		_, wantErr := s.service.Look(t.Context(), s.agent, lookup.Request{Task: id})
		s.reset()
		_, err := d.Open(t.Context(), s.agent, id)
		if (err == nil) != (wantErr == nil) || err != nil && answer(err) != answer(wantErr) {
			t.Errorf("%q: got %v, want %v", id, err, wantErr)
		}
		var p, q *lookup.Pending
		if errors.As(err, &p) != errors.As(wantErr, &q) || p != nil && p.Request != q.Request {
			t.Errorf("%q: the second person's request is %v, want %v", id, p, q)
		}
		if last := s.journal.last(t); err != nil && (last.Kind != ledger.KindRefusal || last.Door != "sql" || len(last.Reasons) == 0) {
			t.Errorf("%q: recorded as %+v", id, last)
		}
		s.silent(t, err)
	}
	_, err = d.Open(t.Context(), identity.Who{}, "mine")
	wantCode(t, "nobody", err, access.Unauthenticated)
	s.faults.what = "relations"
	_, err = d.Open(t.Context(), s.agent, "mine")
	wantCode(t, "a fact that can't be found out", err, access.Unavailable)
}

// Attack: a tool's own account opens a grant for a task that is assigned to it.
func TestAToolSeesNobodyByItself(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	s.Qualified(t, "x1")
	s.Save(t, &access.Assigned{Assignment: access.Assignment{Task: "mine", Employee: "x1", Since: testenv.Start.Add(-time.Hour), By: access.BySystem}})
	_, err := d.Open(t.Context(), s.program, "mine")
	wantCode(t, "by itself", err, access.Denied)
	if !strings.Contains(answer(err), "on_behalf_of") {
		t.Errorf("the answer doesn't help: %s", answer(err))
	}
	secret, _, err := s.Identity.IssueOnBehalf(t.Context(), s.agent, s.program.Login(), 0, func(context.Context, identity.Account) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	acting, err := s.Identity.OnBehalf(t.Context(), s.program, secret)
	if err != nil {
		t.Fatal(err)
	}
	g := s.open(t, d, acting, "mine")
	if g.Employee != "e1" || g.Session != acting.Session() || g.Until.After(testenv.Start.Add(5*time.Minute)) {
		t.Errorf("the grant: %+v", g)
	}
	d.Statement(statement(g), a.done)
	wantCode(t, "a statement", a.wait(t), "")
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	if plain := string(s.journal.records[len(s.journal.records)-1].Employee.Plain); !strings.Contains(plain, `"by":"x1"`) || !strings.Contains(plain, `"employee":"e1"`) {
		t.Errorf("recorded as %s", plain)
	}
}

// What is withdrawn ends a grant within a second, for statements and for whoever
// asks.
func TestWithdrawnAccessEndsAGrantWithinASecond(t *testing.T) {
	now := testenv.Start
	for name, withdraw := range map[string]func(*testing.T, *stage, identity.Token){
		"the account is closed": func(t *testing.T, s *stage, _ identity.Token) {
			wantCode(t, "close", s.Identity.SetDisabled(t.Context(), s.Admin(), s.agent.Login(), true, func(context.Context, identity.Account) error { return nil }), "")
		},
		"he leaves": func(t *testing.T, s *stage, _ identity.Token) {
			s.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: "e1", Team: "blue", Role: access.RoleAgent, LeavesOn: now.AddDate(0, 0, -2)}})
		},
		"he gets another role": func(t *testing.T, s *stage, _ identity.Token) {
			s.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: "e1", Team: "blue", Role: access.RoleAuditor}})
		},
		"the qualification lapses": func(t *testing.T, s *stage, _ identity.Token) {
			s.service.Qualifications.(*lapsing).lapsed.Store(true)
		},
		"the task is closed": func(t *testing.T, s *stage, _ identity.Token) {
			s.Save(t, &access.TaskClosed{Task: "mine", At: now, By: "e1"})
		},
		"the task is somebody else's": func(t *testing.T, s *stage, _ identity.Token) {
			s.Save(t, &access.Unassigned{Task: "mine", Employee: "e1", At: now})
		},
		"a relation is declared": func(t *testing.T, s *stage, _ identity.Token) {
			s.Save(t, &access.Related{Relation: access.Relation{Employee: "e1", Customer: "c1", Kind: access.RelationFamily}})
		},
		"the token is revoked": func(t *testing.T, s *stage, k identity.Token) {
			wantCode(t, "revoke", s.Identity.RevokeToken(t.Context(), s.agent, k.ID), "")
		},
		"its time is over": func(t *testing.T, s *stage, _ identity.Token) { s.Clock.Advance(15 * time.Minute) },
		"it is given back": func(t *testing.T, s *stage, _ identity.Token) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.service.Qualifications = &lapsing{Qualifications: s.Qualify}
			d, a := s.door(t, s.journal), make(answers, 9)
			secret, k, err := s.Identity.IssueToken(t.Context(), s.agent, "sql", 0)
			if err != nil {
				t.Fatal(err)
			}
			who, err := s.Identity.Token(t.Context(), secret, "")
			if err != nil {
				t.Fatal(err)
			}
			g := s.open(t, d, who, "mine")
			other := s.open(t, d, s.colleague, "theirs")
			wantCode(t, "while it stands", d.Live(t.Context(), g), "")
			began := time.Now()
			if name == "it is given back" {
				d.Close(g)
			} else {
				withdraw(t, s, k)
				select {
				case e := <-d.Revoked():
					if e != "e1" && name != "its time is over" {
						t.Errorf("told of %q", e)
					}
				case <-time.After(5 * time.Second):
					t.Fatal("nobody is told")
				}
			}
			if took := time.Since(began); took > time.Second {
				t.Logf("told after %s; this machine is busy", took)
			}
			if name == "its time is over" {
				return // the colleague's, too
			}
			if err := d.Live(t.Context(), g); err == nil {
				t.Error("the grant still stands")
			}
			d.Statement(statement(g), a.done)
			wantCode(t, "a statement afterwards", a.wait(t), access.Denied)
			wantCode(t, "a colleague's grant", d.Live(t.Context(), other), "")
		})
	}
}

// Somebody without a grant is watched, too, once he signed on.
func TestWhoSignedOnIsToldOfWhenHeProvesNothingAnyMore(t *testing.T) {
	s := newStage(t)
	d := s.door(t, s.journal)
	asked := access.Grant{Employee: "e1", Session: s.agent.Session()}
	if d.Live(t.Context(), asked) == nil {
		t.Error("who never signed on is still proven")
	}
	d.SignedOn(identity.Who{})
	d.SignedOn(s.agent)
	d.SignedOn(s.colleague)
	wantCode(t, "signed on", d.Live(t.Context(), asked), "")
	if d.Live(t.Context(), access.Grant{Employee: "e2", Session: s.agent.Session()}) == nil || d.Live(t.Context(), access.Grant{}) == nil {
		t.Error("a session proves somebody else")
	}
	wantCode(t, "close", s.Identity.SetDisabled(t.Context(), s.Admin(), s.agent.Login(), true, func(context.Context, identity.Account) error { return nil }), "")
	select {
	case e := <-d.Revoked():
		if e != "e1" {
			t.Errorf("told of %q", e)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody is told")
	}
	if d.Live(t.Context(), asked) == nil {
		t.Error("still proven")
	}
}

// Facts out of reach for a moment end nothing; out of reach for long, they do.
func TestAGrantThatCannotBeCheckedEndsAfterAWhile(t *testing.T) {
	s := newStage(t)
	tasks := &unreachable{Tasks: s.Tasks}
	c := s.service.Config
	c.Tasks = tasks
	service, err := lookup.New(c)
	if err != nil {
		t.Fatal(err)
	}
	d := s.doorOf(t, lookup.StatementsConfig{Lookups: service, Journal: s.journal, Proofs: s.Identity})
	s.open(t, d, s.agent, "mine")
	tasks.down.Store(true)
	select {
	case <-d.Revoked():
		t.Fatal("ended at once")
	case <-time.After(time.Second):
	}
	s.Clock.Advance(time.Minute)
	select {
	case <-d.Revoked():
	case <-time.After(5 * time.Second):
		t.Fatal("goes on unchecked")
	}
}

// Attack: a statement under another's grant, an invented one, or none.
func TestAStatementNeedsAGrantInForce(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	g := s.open(t, d, s.agent, "mine")
	before := len(s.journal.all(t))
	for _, bad := range []access.Grant{{}, {ID: "invented", Employee: "e1", Customer: "c2", Until: g.Until}} {
		h := d.Statement(statement(bad), a.done)
		wantCode(t, "statement", a.wait(t), access.Denied)
		d.Ended(h, lookup.Ended{}, a.done)
		wantCode(t, "outcome", a.wait(t), access.Denied)
	}
	if n := len(s.journal.all(t)); n != before {
		t.Errorf("%d records more", n-before)
	}
	// What the door says of the customer doesn't count: the record is of the grant that was given.
	forged := g
	forged.Customer, forged.Task = "c2", "theirs"
	d.Statement(statement(forged), a.done)
	wantCode(t, "with a changed customer", a.wait(t), "")
	if last := s.journal.last(t); last.Lookup.Customer != "c1" || last.Lookup.Task != "mine" {
		t.Errorf("recorded as %+v", last.Lookup)
	}
}

func TestTheSameTaskGetsTheSameGrantWhileHalfOfItIsLeft(t *testing.T) {
	s := newStage(t)
	d := s.door(t, s.journal)
	g := s.open(t, d, s.agent, "mine")
	s.Clock.Advance(time.Minute)
	if again := s.open(t, d, s.agent, "mine"); again.ID != g.ID || !again.Until.Equal(g.Until) {
		t.Errorf("got another grant: %+v", again)
	}
	if again := s.open(t, d, s.agent, "team"); again.ID == g.ID {
		t.Error("another task has the same grant")
	}
	if again := s.open(t, d, s.lead, "team"); again.Employee != "l1" {
		t.Errorf("a colleague got %+v", again)
	}
	s.Clock.Advance(g.Until.Sub(g.Since) / 2)
	if again := s.open(t, d, s.agent, "mine"); again.ID == g.ID || !again.Until.After(g.Until) {
		t.Errorf("late in its time: got %+v", again)
	}
}

func TestARefusedStatementIsRecorded(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	r := &lookup.Refused{Statement: lookup.Statement{Who: s.agent, Text: text, Relations: []string{"public.customers"}}, Code: "42501", Reason: "no_task"}
	d.Refused(r, a.done)
	wantCode(t, "without a grant", a.wait(t), "")
	last := s.journal.last(t)
	if last.Kind != ledger.KindRefusal || last.Lookup.Customer != "" || last.Lookup.Employee != "e1" || last.Statement != text || !slices.Equal(last.Reasons, []string{"sql_no_task"}) || last.Lookup.Outcome != access.OutcomeRefused {
		t.Errorf("recorded as %+v", last)
	}
	r.Grant = s.open(t, d, s.agent, "mine")
	d.Refused(r, a.done)
	wantCode(t, "under a grant", a.wait(t), "")
	if last := s.journal.last(t); last.Lookup.Customer != "c1" || last.Lookup.Task != "mine" {
		t.Errorf("recorded as %+v", last)
	}
	r.Who = s.colleague // Attack: under a grant of somebody else's
	d.Refused(r, a.done)
	wantCode(t, "under another's", a.wait(t), "")
	if last := s.journal.last(t); last.Lookup.Customer != "" || last.Lookup.Employee != "e2" {
		t.Errorf("recorded as %+v", last)
	}
	d.Refused(&lookup.Refused{}, a.done)
	wantCode(t, "of nobody", a.wait(t), access.Unauthenticated)
}

// Statements hold what their writers like: it comes back as it was, within
// bounds, and breaks nothing.
func TestAnyTextIsRecorded(t *testing.T) {
	s := newStage(t)
	d, a := s.door(t, s.journal), make(answers, 9)
	g := s.open(t, d, s.agent, "mine")
	long := strings.Repeat("é", 4000)
	for in, want := range map[string]string{
		"":                            "",
		`SELECT "a\b" -- "}` + "\n\t": `SELECT "a\b" -- "}` + "\n\t",
		"SELECT 漢字 <script>&\x00\x7f": "SELECT 漢字 <script>&\x00\x7f",
		"broken \xff\xfe":             "broken \ufffd\ufffd",
		long:                          long[:4096],
	} {
		st := statement(g)
		st.Text, st.Relations = in, []string{in, `a"b`}
		d.Statement(st, a.done)
		wantCode(t, in, a.wait(t), "")
		if got := s.journal.last(t); got.Statement != want || len(got.Relations) != 2 || got.Relations[1] != `a"b` {
			t.Errorf("%.30q: got %.60q, %.60q", in, got.Statement, got.Relations)
		}
	}
	st := statement(g)
	for i := range 1000 {
		st.Relations = append(st.Relations, fmt.Sprint("t", i))
	}
	d.Statement(st, a.done)
	wantCode(t, "a thousand relations", a.wait(t), "")
	if got := s.journal.last(t); len(got.Relations) != 64 {
		t.Errorf("%d relations are kept", len(got.Relations))
	}
}

// Whoever asks while the program ends is refused, and what was asked before is
// recorded.
func TestWhatIsQueuedWhenItEndsIsRecorded(t *testing.T) {
	s := newStage(t)
	d, err := lookup.NewStatements(lookup.StatementsConfig{Lookups: s.service, Journal: s.journal, Proofs: s.Identity})
	if err != nil {
		t.Fatal(err)
	}
	a := make(answers, 99)
	g := s.open(t, d, s.agent, "mine")
	for range 10 {
		d.Statement(statement(g), a.done) // nobody records yet
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		wantCode(t, "before", a.wait(t), "")
	}
	d.Statement(statement(g), a.done)
	wantCode(t, "afterwards", a.wait(t), access.Unavailable)
}
