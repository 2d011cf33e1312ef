package investigate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/testenv"
)

// acts is a Recorder that notes and can fail.
type acts struct {
	all    []lookup.Act
	broken error
}

func (a *acts) Act(_ context.Context, _ identity.Who, act lookup.Act) (ledger.Receipt, error) {
	if a.broken != nil {
		return ledger.Receipt{}, a.broken
	}
	a.all = append(a.all, act)
	return ledger.Receipt{}, nil
}

func (a *acts) names() (all []string) {
	for _, act := range a.all {
		all = append(all, act.Name)
	}
	return all
}

const keep = 365 * 24 * time.Hour

// workshop is a ledger that can be changed: three logs, the oldest old enough to
// be dropped.
type workshop struct {
	*testenv.Env
	acts      *acts
	logs      []investigate.LogFacts
	upkeep    *investigate.Upkeep
	approvals *investigate.Approvals
	who       map[string]identity.Who
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{Env: testenv.New(t), acts: &acts{}, who: map[string]identity.Who{}}
	now := w.Clock.Now()
	w.logs = []investigate.LogFacts{
		{Name: "0002", Base: 100, Size: 50, Frozen: true, First: now.AddDate(-4, 0, 0), Last: now.AddDate(-3, 0, 0)},
		{Name: "0003", Base: 150, Size: 50, Frozen: true, First: now.AddDate(-3, 0, 0), Last: now.AddDate(0, -1, 0)},
		{Name: "0004", Base: 200, Size: 10, First: now.AddDate(0, -1, 0)},
	}
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	w.upkeep, err = investigate.NewUpkeep(investigate.UpkeepConfig{Requests: w.Store, Recorder: w.acts,
		Holds: []investigate.LogHolds{investigate.OpenRecords{Facts: w.Store}}, Clock: w.Clock.Now, Keep: keep,
		Logs: func() []investigate.LogFacts { return w.logs }})
	if err != nil {
		t.Fatal(err)
	}
	w.approvals, err = investigate.NewApprovals(investigate.ApprovalsConfig{Requests: w.Store, Tasks: w.Tasks, People: w.Store,
		Policy: p, Recorder: w.acts, Clock: w.Clock.Now, Upkeep: w.upkeep})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]access.Employee{
		"agent": {ID: "e1", Role: access.RoleAgent}, "lead": {ID: "l1", Role: access.RoleTeamLead}, "security": {ID: "s1", Role: access.RoleSecurity},
		"officer": {ID: "p1", Role: access.RolePrivacyOfficer}, "auditor": {ID: "u1", Role: access.RoleAuditor},
		"admin": {ID: "a1", Role: access.RoleAdministrator}, "second admin": {ID: "a2", Role: access.RoleAdministrator},
		"admin's report": {ID: "u2", Role: access.RoleAuditor, Manager: "a1"},
		"program":        {ID: "x1", Role: access.RoleProgram}, "connector": {ID: "k1", Role: access.RoleConnector}, "janitor": {ID: "j1", Role: "janitor"},
	} {
		w.who[name] = w.Who(t, e)
	}
	w.who["nobody"] = identity.Who{}
	w.read(t, 210)
	return w
}

// read has the follower be at that record, with these findings.
func (w *workshop) read(t *testing.T, next uint64, findings ...detect.Finding) {
	t.Helper()
	if err := w.Store.SaveCheckpoint(t.Context(), investigate.Checkpoint{Number: next, State: []byte{1}}, findings, nil); err != nil {
		t.Fatal(err)
	}
}

// ask asks as the administrator.
func (w *workshop) ask(t *testing.T, kind, about string) investigate.Request {
	t.Helper()
	r, err := w.upkeep.Ask(t.Context(), w.who["admin"], kind, about, "the year is over")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// says checks an error's code and its words; "" is none.
func says(t *testing.T, what string, err error, code access.Code, words string) {
	t.Helper()
	message, hint := "", ""
	if err != nil {
		message, hint = access.Public(err)
	}
	if access.CodeOf(err) != code || !strings.Contains(message+" "+hint, words) {
		t.Errorf("%s: got %v (hint %q), want %q %q", what, err, hint, code, words)
	}
}

// Every role at every act of the ledger's upkeep; each no says why (G7, G8).
func TestWhoMayChangeTheLedger(t *testing.T) {
	const (
		cantAsk    = "Your role doesn't change the ledger."
		cantDecide = "Your role doesn't decide about the ledger."
		own        = "You can't decide your own request, nor your superior's."
		noAdmin    = "An administrator doesn't agree to the drop of a log."
		unproven   = "Please sign in."
	)
	type no struct{ ask, rotate, drop, decline, list string }
	others := no{cantAsk, cantDecide, cantDecide, cantDecide, "Your role doesn't read what was asked of the ledger."}
	for name, want := range map[string]no{
		"agent": others, "lead": others, "security": others, "program": others, "connector": others, "janitor": others,
		"officer":        {ask: cantAsk},
		"auditor":        {ask: cantAsk},
		"admin":          {rotate: own, drop: noAdmin, decline: own},
		"second admin":   {drop: noAdmin},
		"admin's report": {cantAsk, own, own, own, ""},
		"nobody":         {unproven, unproven, unproven, unproven, unproven},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorkshop(t)
			check := func(what string, err error, words string) {
				t.Helper()
				code := access.Denied
				switch words {
				case "":
					code = ""
				case unproven:
					code = access.Unauthenticated
				}
				says(t, what, err, code, words)
			}
			who := w.who[name]
			for kind, about := range map[string]string{investigate.KindRotation: "", investigate.KindDrop: "0002"} {
				r, err := w.upkeep.Ask(t.Context(), who, kind, about, "yearly")
				check("asks for "+kind, err, want.ask)
				if err == nil {
					says(t, "the auditor declines", w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, false, ""), "", "")
				}
			}
			rotation, drop := w.ask(t, investigate.KindRotation, ""), w.ask(t, investigate.KindDrop, "0002")
			_, err := w.upkeep.List(t.Context(), who)
			check("lists", err, want.list)
			waiting, err := w.approvals.Waiting(t.Context(), who)
			check("reads what waits", err, map[bool]string{true: unproven}[name == "nobody"])
			var kinds []string
			for _, r := range waiting {
				kinds = append(kinds, r.Kind)
			}
			for kind, reason := range map[string]string{investigate.KindRotation: want.rotate, investigate.KindDrop: want.drop} {
				if slices.Contains(kinds, kind) != (reason == "") {
					t.Errorf("what waits for him is %v", kinds)
				}
			}
			before := len(w.acts.all)
			check("agrees to the drop", w.approvals.Decide(t.Context(), who, drop.ID, true, ""), want.drop)
			check("declines the rotation", w.approvals.Decide(t.Context(), who, rotation.ID, false, ""), want.decline)
			if name != "nobody" && len(w.acts.all) != before+2 {
				t.Errorf("of two decisions %d are recorded", len(w.acts.all)-before)
			}
			if want.decline == "" {
				rotation = w.ask(t, investigate.KindRotation, "")
			}
			check("agrees to the rotation", w.approvals.Decide(t.Context(), who, rotation.ID, true, ""), want.rotate)
			for _, r := range []struct {
				id     access.RequestID
				agreed bool
			}{{drop.ID, want.drop == ""}, {rotation.ID, want.rotate == ""}} {
				q, err := w.Store.Request(t.Context(), r.id)
				if err != nil || (q.State == investigate.Confirmed) != r.agreed {
					t.Errorf("the request reads %+v, %v; agreed to: %v", q, err, r.agreed)
				}
			}
		})
	}
}

func TestALogIsDroppedOnlyWhenNothingNeedsIt(t *testing.T) {
	w := newWorkshop(t)
	now := w.Clock.Now()
	row := investigate.Indexed{Number: 120, Kind: ledger.KindIntent, Lookup: access.Lookup{ID: "l120", Customer: "c1", Employee: "e1", At: now.AddDate(-3, 0, 0)}}
	if err := w.Store.SaveIndexed(t.Context(), []investigate.Indexed{row}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind, about string
		begin, end        func()
		code              access.Code
		says              string
	}{
		{name: "a drop of no log", kind: investigate.KindDrop, about: "0001", code: access.NotFound, says: "The ledger has no such log. Choose one of the list."},
		{name: "a drop of nothing", kind: investigate.KindDrop, code: access.NotFound, says: "no such log"},
		{name: "a drop of the last", kind: investigate.KindDrop, about: "0004", code: access.Conflict, says: "Log 0004 is written to; it can't be dropped. Ask for a rotation first"},
		{name: "a drop that isn't the oldest", kind: investigate.KindDrop, about: "0003", code: access.Conflict, says: "Log 0003 isn't the oldest. Only the oldest log can be dropped: now 0002."},
		{name: "a drop of one too young", kind: investigate.KindDrop, about: "0002", begin: func() { w.logs[0].Last = now.Add(-keep + time.Hour) }, code: access.Conflict,
			says: "Log 0002 is too young to be dropped. It is kept until " + now.AddDate(0, 0, 1).Format("2 January 2006") + ".", end: func() { w.logs[0].Last = now.Add(-keep) }},
		{name: "a drop on its last day", kind: investigate.KindDrop, about: "0002", code: access.Conflict, says: "too young",
			end: func() { w.logs[0].Last = now.Truncate(24 * time.Hour).Add(-keep) }},
		{name: "a drop of one whose age isn't known", kind: investigate.KindDrop, about: "0002", begin: func() { w.logs[0].Last = time.Time{} }, code: access.Conflict,
			says: "too young to be dropped. It isn't known of when its last record is.", end: func() { w.logs[0].Last = now.Truncate(24 * time.Hour).Add(-keep) }},
		{name: "a drop of what isn't read", kind: investigate.KindDrop, about: "0002", begin: func() { w.read(t, 149) }, code: access.Conflict,
			says: "the index hasn't read all of it. Can be dropped when the follower has caught up.", end: func() { w.read(t, 150) }},
		{name: "a drop of what a legal hold needs", kind: investigate.KindDrop, about: "0002", begin: func() {
			w.Save(t, &access.TaskOpened{Task: access.Task{ID: "hold", Customer: "c1", Purpose: investigate.PurposeLegalHold, OpenedAt: now}})
		}, code: access.Conflict, says: "a legal hold of 2 March 2026 is about a customer whom its records name. Can be dropped when the legal hold is closed.",
			end: func() { w.Save(t, &access.TaskClosed{Task: "hold", At: now}) }},
		{name: "a drop of what a young finding speaks of", kind: investigate.KindDrop, about: "0002", begin: func() {
			w.read(t, 210, detect.Finding{ID: "f1", RaisedAt: now, Accesses: []access.LookupID{"l120", "l205"}})
		}, code: access.Conflict, says: "a finding of 2 March 2026 speaks of its records. Can be dropped when it is 2 April 2026.",
			end: func() { w.read(t, 210, detect.Finding{ID: "f1", RaisedAt: now.Add(-investigate.FindingsHold)}) }},
		{name: "a drop while it isn't open", kind: investigate.KindDrop, about: "0002", begin: func() { w.logs = nil }, code: access.Unavailable, says: "The ledger isn't open",
			end: func() { w.logs = newWorkshop(t).logs }},
		{name: "a rotation of a frozen log", kind: investigate.KindRotation, about: "0003", code: access.Conflict, says: "Log 0003 is frozen already."},
		{name: "a rotation of no log", kind: investigate.KindRotation, about: "0005", code: access.NotFound, says: "no such log"},
		{name: "something else", kind: investigate.KindErasure, about: "0002", code: access.Invalid, says: "Ask for a rotation or for the drop of one log."},
		{name: "a drop of what nothing needs", kind: investigate.KindDrop, about: "0002"},
	} {
		if c.begin != nil {
			c.begin()
		}
		_, err := w.upkeep.Ask(t.Context(), w.who["admin"], c.kind, c.about, "old")
		says(t, c.name, err, c.code, c.says)
		if c.end != nil {
			c.end()
		}
	}
	for reason, words := range map[string]string{"": "The reason is missing.", " \t": "The reason is missing.", "a\x00b": "can't be printed", strings.Repeat("x", 501): "too long"} {
		_, err := w.upkeep.Ask(t.Context(), w.who["admin"], investigate.KindRotation, "", reason)
		says(t, "the reason "+fmt.Sprintf("%.9q", reason), err, access.Invalid, words)
	}
}

// What held nothing when it was asked for may hold it when somebody agrees, or
// when it is carried out.
func TestAHoldThatBeginsLaterStopsADrop(t *testing.T) {
	w := newWorkshop(t)
	now := w.Clock.Now()
	row := investigate.Indexed{Number: 120, Kind: ledger.KindIntent, Lookup: access.Lookup{ID: "l120", Customer: "c1", Employee: "e1", At: now}}
	if err := w.Store.SaveIndexed(t.Context(), []investigate.Indexed{row}); err != nil {
		t.Fatal(err)
	}
	hold := func(id access.TaskID, open bool) {
		w.Save(t, &access.TaskOpened{Task: access.Task{ID: id, Customer: "c1", Purpose: investigate.PurposeLegalHold, OpenedAt: now}})
		if !open {
			w.Save(t, &access.TaskClosed{Task: id, At: now})
		}
	}
	r := w.ask(t, investigate.KindDrop, "0002")
	hold("h1", true)
	says(t, "agreeing", w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""), access.Conflict, "legal hold")
	hold("h1", false)
	says(t, "agreeing later", w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""), "", "")
	hold("h2", true)
	if _, due, err := w.upkeep.Due(t.Context()); due || err != nil {
		t.Errorf("due: %v, %v", due, err)
	}
	if q, err := w.Store.Request(t.Context(), r.ID); err != nil || q.State != investigate.Failed || !strings.Contains(q.Failure, "legal hold") || q.DoneAt.IsZero() {
		t.Errorf("the request reads %+v, %v", q, err)
	}
	says(t, "agreeing once more", w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""), access.Conflict, "tried")
}

func TestWhoeverHoldsTheLedgerHearsOfWhatIsDue(t *testing.T) {
	w := newWorkshop(t)
	type heard struct {
		investigate.Request
		error
	}
	due := make(chan heard)
	wait := func(ctx context.Context) {
		r, err := w.upkeep.Wait(ctx)
		due <- heard{r, err}
	}
	rotation := w.ask(t, investigate.KindRotation, "")
	drop := w.ask(t, investigate.KindDrop, "0002")
	go wait(t.Context())
	if err := w.approvals.Decide(t.Context(), w.who["officer"], rotation.ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if h := <-due; h.error != nil || h.ID != rotation.ID || h.About != "0004" || h.By != "p1" || h.Asker != "a1" {
		t.Fatalf("got %+v", h)
	}
	w.Clock.Advance(time.Second)
	if err := w.approvals.Decide(t.Context(), w.who["officer"], drop.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	go wait(t.Context())
	if h := <-due; h.ID != rotation.ID {
		t.Fatalf("what is first isn't done, and %+v is due", h)
	}
	if err := errors.Join(w.upkeep.Done(t.Context(), rotation.ID), w.upkeep.Done(t.Context(), rotation.ID)); err != nil {
		t.Fatal(err)
	}
	go wait(t.Context())
	if h := <-due; h.ID != drop.ID {
		t.Fatalf("got %+v", h)
	}
	if err := w.upkeep.Failed(t.Context(), drop.ID, "the disk\nsaid no"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go wait(ctx)
	stop()
	if h := <-due; !errors.Is(h.error, context.Canceled) {
		t.Errorf("nothing is due, and it returns %+v", h)
	}
	all, err := w.upkeep.List(t.Context(), w.who["admin"])
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, r := range all {
		if r.ID == drop.ID && (r.State != investigate.Failed || r.Failure != "the disk\nsaid no") || r.ID == rotation.ID && (r.State != investigate.Confirmed || r.DoneAt.IsZero()) {
			t.Errorf("the list reads %+v", r)
		}
	}
	if err := w.upkeep.Done(t.Context(), "none"); access.CodeOf(err) != access.NotFound {
		t.Errorf("no request: %v", err)
	}
}

// A crash came after the ledger was changed and before that was noted: it isn't
// changed once more.
func TestWhatWasCarriedOutBeforeACrashIsNotDoneTwice(t *testing.T) {
	w := newWorkshop(t)
	rotation, drop := w.ask(t, investigate.KindRotation, ""), w.ask(t, investigate.KindDrop, "0002")
	for _, r := range []investigate.Request{rotation, drop} {
		if err := w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""); err != nil {
			t.Fatal(err)
		}
	}
	last := len(w.logs) - 1
	w.logs[last].Frozen = true
	w.logs = append(w.logs[1:], investigate.LogFacts{Name: "0005", Base: 210})
	if r, due, err := w.upkeep.Due(t.Context()); due || err != nil {
		t.Errorf("%+v is due, %v", r, err)
	}
	for _, id := range []access.RequestID{rotation.ID, drop.ID} {
		if r, err := w.Store.Request(t.Context(), id); err != nil || r.DoneAt.IsZero() || r.State != investigate.Confirmed || r.Failure != "" {
			t.Errorf("the request reads %+v, %v", r, err)
		}
	}
}

func TestTwoAskForOneChange(t *testing.T) {
	w := newWorkshop(t)
	first := w.ask(t, investigate.KindRotation, "")
	if again := w.ask(t, investigate.KindRotation, "0004"); again.ID != first.ID {
		t.Errorf("the same administrator asks twice, and two requests wait: %v, %v", first.ID, again.ID)
	}
	_, err := w.upkeep.Ask(t.Context(), w.who["second admin"], investigate.KindRotation, "", "yearly")
	says(t, "another one", err, access.Conflict, "Another administrator has asked for this.")
	if err := w.approvals.Decide(t.Context(), w.who["second admin"], first.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	_, err = w.upkeep.Ask(t.Context(), w.who["admin"], investigate.KindRotation, "", "yearly")
	says(t, "while it is done", err, access.Conflict, "is being done")
	w.Clock.Advance(8 * 24 * time.Hour)
	drop := w.ask(t, investigate.KindDrop, "0002")
	w.Clock.Advance(8 * 24 * time.Hour)
	says(t, "after a week", w.approvals.Decide(t.Context(), w.who["auditor"], drop.ID, true, ""), access.Conflict, "lapsed")
}

func TestAChangeOfTheLedgerThatCantBeRecordedIsntMade(t *testing.T) { // G7
	w := newWorkshop(t)
	r := w.ask(t, investigate.KindRotation, "")
	w.acts.broken = errors.New("disk")
	if _, err := w.upkeep.Ask(t.Context(), w.who["admin"], investigate.KindDrop, "0002", "old"); !errors.Is(err, w.acts.broken) {
		t.Errorf("asking: %v", err)
	}
	if err := w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""); !errors.Is(err, w.acts.broken) {
		t.Errorf("agreeing: %v", err)
	}
	if _, err := w.upkeep.List(t.Context(), w.who["admin"]); !errors.Is(err, w.acts.broken) {
		t.Errorf("listing: %v", err)
	}
	all, err := w.Store.Requests(t.Context(), investigate.Filter{})
	if err != nil || len(all) != 1 || all[0].State != investigate.Waiting {
		t.Errorf("got %+v, %v", all, err)
	}
	w.acts.broken = nil
	if err := w.approvals.Decide(t.Context(), w.who["auditor"], r.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	if got, want := w.acts.names(), []string{"ask_ledger_rotation", "agree_ledger_rotation"}; !slices.Equal(got, want) {
		t.Errorf("recorded is %v, want %v", got, want)
	}
	if about := w.acts.all[1].About; about != fmt.Sprintf("log 0004, request %s", r.ID) {
		t.Errorf("about %q", about)
	}
}

func TestUpkeepWithoutWhatItNeedsIsRefused(t *testing.T) {
	w := newWorkshop(t)
	whole := investigate.UpkeepConfig{Requests: w.Store, Recorder: w.acts, Holds: []investigate.LogHolds{investigate.OpenRecords{}}, Clock: w.Clock.Now, Keep: keep,
		Logs: func() []investigate.LogFacts { return nil }}
	for name, spoil := range map[string]func(*investigate.UpkeepConfig){
		"requests": func(c *investigate.UpkeepConfig) { c.Requests = nil }, "recorder": func(c *investigate.UpkeepConfig) { c.Recorder = nil },
		"holds": func(c *investigate.UpkeepConfig) { c.Holds = nil }, "clock": func(c *investigate.UpkeepConfig) { c.Clock = nil },
		"logs": func(c *investigate.UpkeepConfig) { c.Logs = nil }, "keep": func(c *investigate.UpkeepConfig) { c.Keep = 0 },
	} {
		c := whole
		spoil(&c)
		if _, err := investigate.NewUpkeep(c); err == nil {
			t.Errorf("without %s it is made", name)
		}
	}
}
