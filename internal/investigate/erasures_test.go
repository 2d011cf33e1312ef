package investigate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/source"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// noSource is a Source with nothing in it.
type noSource struct{}

func (noSource) Read(context.Context, access.Grant) (*source.Result, error) {
	return &source.Result{}, nil
}
func (noSource) OrderOf(context.Context, access.OrderID, access.CustomerID) (bool, error) {
	return true, nil
}
func (noSource) Find(context.Context, map[string]string) (source.Found, error) {
	return source.Found{}, nil
}

// archive is a data folder with a ledger, a store and all that runs over them.
type archive struct {
	*testenv.Env
	dir       string
	login     string // hers
	policy    *policy.Policy
	store     *store.Store
	ledger    *chain.Chain
	lookups   *lookup.Service
	follower  *investigate.Follower
	erasures  *investigate.Erasures
	approvals *investigate.Approvals
	stop      context.CancelFunc
	done      chan struct{}
	officer, second, lead, agent,
	related, herself identity.Who
}

// newArchive makes an archive with a history: she is looked at, with and without
// a reason, by e1, e2 and others; facts, findings, an account, a request speak
// of her.
func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{dir: t.TempDir()}
	clock := testenv.NewClock(testenv.Start)
	a.open(t, clock, true)
	a.Env = testenv.Over(t, a.store, clock)
	a.serve(t)
	a.officer = a.Who(t, access.Employee{ID: "p1", Role: access.RolePrivacyOfficer})
	a.second = a.Who(t, access.Employee{ID: "p2", Role: access.RolePrivacyOfficer})
	a.lead = a.Who(t, access.Employee{ID: "l1", Role: access.RoleTeamLead})
	a.agent = a.Who(t, access.Employee{ID: "e1", Surname: "Brinkmannova", Household: "hh-e1", Role: access.RoleAgent})
	a.related = a.Who(t, access.Employee{ID: "p3", Role: access.RolePrivacyOfficer})
	a.herself = a.Who(t, access.Employee{ID: "p4", Role: access.RolePrivacyOfficer})
	a.history(t)
	return a
}

// open opens store and ledger.
func (a *archive) open(t *testing.T, clock *testenv.Clock, fresh bool) {
	t.Helper()
	var err error
	if a.store, err = store.Open(t.Context(), a.dir, clock.Now); err != nil {
		t.Fatal(err)
	}
	if fresh {
		if err := chain.Create(a.ledgerPath(), a.chainOptions(clock)); err != nil {
			t.Fatal(err)
		}
	}
	if a.ledger, err = chain.Open(a.ledgerPath(), a.chainOptions(clock)); err != nil {
		t.Fatal(err)
	}
}

func (a *archive) ledgerPath() string { return filepath.Join(a.dir, "ledger") }

func (a *archive) chainOptions(clock *testenv.Clock) chain.Options {
	return chain.Options{Ledger: ledger.Options{Node: "n1", Clock: clock.Now, Keys: a.store.Keys(), SegmentBytes: 1 << 20}}
}

// serve builds the services and starts the follower.
func (a *archive) serve(t *testing.T) {
	t.Helper()
	var err error
	if a.policy, err = policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar()); err != nil {
		t.Fatal(err)
	}
	a.lookups, err = lookup.New(lookup.Config{Policy: a.policy, Tasks: a.Tasks, Qualifications: a.Qualify, People: a.store,
		Approvals: investigate.NewBook(a.store, a.policy), Source: noSource{}, Journal: a.ledger, Tries: a.store.Tries(),
		Clock: a.Clock.Now, PseudonymKey: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	a.follower, err = investigate.NewFollower(investigate.FollowerConfig{Journal: a.ledger, Facts: a.store, Index: a.store, Clock: a.Clock.Now,
		Detect: detect.Options{SamplesPerDay: 3}})
	if err != nil {
		t.Fatal(err)
	}
	a.erasures = a.newErasures(t, a.follower)
	a.approvals = a.newApprovals(t, a.erasures)
	ctx, stop := context.WithCancel(context.Background())
	a.stop, a.done = stop, make(chan struct{})
	go func() {
		defer close(a.done)
		if err := a.follower.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { a.close(t) })
}

func (a *archive) newErasures(t *testing.T, f investigate.Eraser) *investigate.Erasures {
	t.Helper()
	x, err := investigate.NewErasures(investigate.ErasuresConfig{Requests: a.store, People: a.store, Policy: a.policy, Recorder: a.lookups,
		Ledger: a.ledger, Follower: f, Holds: []investigate.Holds{investigate.OpenCases{Facts: a.store, Requests: a.store}}, Clock: a.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (a *archive) newApprovals(t *testing.T, x *investigate.Erasures) *investigate.Approvals {
	t.Helper()
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{Requests: a.store, Tasks: a.Tasks, People: a.store,
		Policy: a.policy, Recorder: a.lookups, Clock: a.Clock.Now, Erasures: x})
	if err != nil {
		t.Fatal(err)
	}
	return approvals
}

// close ends everything; a second time does nothing.
func (a *archive) close(t *testing.T) {
	t.Helper()
	if a.stop == nil {
		return
	}
	a.stop()
	<-a.done
	a.stop = nil
	if err := errors.Join(a.ledger.Close(), a.store.Close()); err != nil {
		t.Error(err)
	}
}

const her, his = access.CustomerID("cust-ada-77"), access.EmployeeID("e1")

// history fills the archive.
func (a *archive) history(t *testing.T) {
	t.Helper()
	a.Save(t,
		&access.CustomerKnown{Customer: access.Customer{ID: her, Surname: "Lovelacequist", Household: "hh-ada", Notable: true, Employee: "p4"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "cust-bob-1", Surname: "Else"}},
		&access.Related{Relation: access.Relation{Employee: "p3", Customer: her, Kind: access.RelationFamily}},
	)
	a.login = a.CustomerAccount(t, her)
	var entries []ledger.Entry
	for day := range 12 {
		at := testenv.Start.Add(time.Duration(day-12) * 24 * time.Hour)
		for i := range 6 {
			at = at.Add(11 * time.Minute)
			c := her
			if i%3 == 2 {
				c = "cust-bob-1"
			}
			e := access.EmployeeID(fmt.Sprint("e", 1+i%4))
			l := access.Lookup{ID: access.LookupID(fmt.Sprintf("look-%d-%d", day, i)), At: at, Employee: e, Customer: c, Action: access.ActionView,
				Categories: []access.Category{"identity", "orders", "payment"}, Record: access.OrderID("order-of-" + c), Task: access.TaskID(fmt.Sprintf("task-of-%s-%d", c, day)),
				Reason: "asked about " + string(c), Session: access.SessionID("session-of-" + e), Device: "device-of-" + string(e), Site: "north"}
			if i%2 == 0 {
				a.Save(t, &access.TaskOpened{Task: access.Task{ID: l.Task, Customer: c, Purpose: "refund", Order: l.Record, OpenedAt: at.Add(-time.Minute), OpenedBy: string(e)}},
					&access.Assigned{Assignment: access.Assignment{Task: l.Task, Employee: e, Since: at.Add(-time.Minute), By: "l1"}},
					&access.Worked{Work: access.Work{Task: l.Task, Employee: e, At: at, Kind: "note"}},
					&access.Contacted{Contact: access.Contact{ID: access.ContactID(fmt.Sprint("contact-", c, day, i)), Customer: c, At: at, Channel: "call", Direction: "in", Employee: e}},
					&access.Ordered{Order: access.Order{ID: l.Record, Customer: c, At: at}})
			}
			entry, err := lookup.Observed(l, access.Employee{ID: e, Role: access.RoleAgent}, "refund", "pseudonym-of-"+string(e))
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry)
		}
	}
	if _, err := a.ledger.AppendAll(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if err := a.store.SaveCheckpoint(t.Context(), investigate.Checkpoint{}, []detect.Finding{{ID: "old", Kind: detect.KindPair,
		Customers: []access.CustomerID{her}, Employees: []access.EmployeeID{his}, RaisedAt: testenv.Start.AddDate(0, -3, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.lookups.Act(t.Context(), a.lead, lookup.Act{Name: "open_finding", About: "old", Customer: her}); err != nil {
		t.Fatal(err)
	}
	a.caughtUp(t)
	a.Clock.Advance(60 * 24 * time.Hour) // findings are old enough
}

// caughtUp waits until the follower has read everything and saved it.
func (a *archive) caughtUp(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := a.store.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c.Number >= a.ledger.Size() && len(c.State) > 0 {
			return
		}
		a.Clock.Advance(time.Second)
		if time.Now().After(deadline) {
			t.Fatalf("the follower is at %d of %d", c.Number, a.ledger.Size())
		}
	}
}

// found searches every byte of every file of the folder and returns which of
// the words occur, and where.
func found(t *testing.T, dir string, words []string) (hits []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				hits = append(hits, fmt.Sprintf("%q in %s", w, filepath.Base(path)))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// secrets returns the person's secret and every salt of hers, as bytes.
func (a *archive) secrets(t *testing.T, person string) (words []string) {
	t.Helper()
	keys, err := a.store.Keys().Lookup(t.Context(), []string{person})
	if err != nil || len(keys) != 1 {
		t.Fatalf("got %d keys, %v", len(keys), err)
	}
	words = append(words, string(keys[person].Secret))
	for r, err := range a.ledger.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []ledger.Opened{r.Customer, r.Employee} {
			if part.Person == person {
				words = append(words, string(part.Salt))
			}
		}
	}
	return words
}

// erase asks and agrees.
func (a *archive) erase(t *testing.T, c access.CustomerID, e access.EmployeeID) investigate.Request {
	t.Helper()
	r, err := a.erasures.Ask(t.Context(), a.officer, c, e, fmt.Sprintf("%s%s asked by letter", c, e))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.approvals.Decide(t.Context(), a.second, r.ID, true, fmt.Sprintf("seen the letter of %s%s", c, e)); err != nil {
		t.Fatalf("decide: %v (%v)", err, errors.Unwrap(err))
	}
	return r
}

// leaves returns the hash of every record.
func (a *archive) leaves(t *testing.T) (all []ledger.Hash) {
	t.Helper()
	for r, err := range a.ledger.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Hash)
	}
	return all
}

func TestG5AfterAnErasureTheWholeFolderHoldsNothingOfTheCustomer(t *testing.T) {
	a := newArchive(t)
	words := []string{string(her), "Lovelacequist", "hh-ada", a.login, "task-of-cust-ada", "order-of-cust-ada", "contact-cust-ada"}
	before := found(t, a.dir, words)
	for _, w := range words {
		if !slices.ContainsFunc(before, func(hit string) bool { return strings.HasPrefix(hit, fmt.Sprintf("%q in ", w)) }) {
			t.Errorf("%q is nowhere before: the test shows nothing", w)
		}
	}
	words = append(words, a.secrets(t, "customer:"+string(her))...)
	leaves, head := a.leaves(t), a.ledger.Head()
	bob, err := a.store.LookupsAt(t.Context(), "cust-bob-1", 100)
	if err != nil || len(bob) == 0 {
		t.Fatal(len(bob), err)
	}

	r := a.erase(t, her, "")

	if hits := found(t, a.dir, words); len(hits) > 0 {
		t.Errorf("left while it runs: %s", strings.Join(hits, ", "))
	}
	after := a.leaves(t)
	if !slices.Equal(after[:len(leaves)], leaves) || head.Verify(a.ledger.Public()) != nil {
		t.Error("the tree changed")
	}
	rows, err := a.store.LookupsBy(t.Context(), his, 1000)
	if err != nil {
		t.Fatal(err)
	}
	conduct := 0
	for _, row := range rows {
		if row.Act != "" || row.Lookup.Customer != "" {
			continue
		}
		conduct++
		if row.CustomerErased.IsZero() || row.Lookup.At.IsZero() || row.Lookup.Session == "" || row.Lookup.Action != access.ActionView || row.Lookup.Outcome != access.OutcomeShown {
			t.Errorf("the conduct is not there: %+v", row)
		}
		if row.Lookup.Task != "" || row.Lookup.Record != "" || len(row.Lookup.Categories) > 0 || row.Lookup.Reason != "" {
			t.Errorf("more than the conduct is there: %+v", row)
		}
	}
	if conduct == 0 {
		t.Error("his look-ups at her are gone")
	}
	if still, err := a.store.LookupsAt(t.Context(), "cust-bob-1", 100); err != nil || len(still) != len(bob) {
		t.Errorf("somebody else's look-ups: %d, %v, want %d", len(still), err, len(bob))
	}
	done, err := a.store.Request(t.Context(), r.ID)
	if err != nil || done.DoneAt.IsZero() || done.Customer != "" || done.Said != "" || done.Note != "" || done.Asker != "p1" || done.By != "p2" {
		t.Errorf("the request reads %+v, %v", done, err)
	}
	if f, err := a.store.Finding(t.Context(), "old"); err != nil || !strings.HasPrefix(string(f.Customers[0]), "erased-") || f.Employees[0] != his {
		t.Errorf("the finding reads %+v, %v", f, err)
	}
	a.caughtUp(t)
	a.close(t)
	if hits := found(t, a.dir, words); len(hits) > 0 {
		t.Errorf("left at rest: %s", strings.Join(hits, ", "))
	}
}

func TestG5AfterAnErasureTheWholeFolderHoldsNothingOfTheEmployee(t *testing.T) {
	a := newArchive(t)
	words := []string{"Brinkmannova", "hh-e1", "session-of-e1", "device-of-e1", `"e1"`}
	for _, w := range words {
		if len(found(t, a.dir, []string{w})) == 0 {
			t.Errorf("%q is nowhere before: the test shows nothing", w)
		}
	}
	words = append(words, a.secrets(t, "employee:e1")...)
	looked, err := a.store.LookupsAt(t.Context(), her, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.erasures.Ask(t.Context(), a.officer, "", his, ""); access.CodeOf(err) != access.Conflict {
		t.Fatalf("an employee who works here: %v", err)
	}
	a.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: his, Surname: "Brinkmannova", LeavesOn: testenv.Start}})
	a.erase(t, "", his)
	if hits := found(t, a.dir, words); len(hits) > 0 {
		t.Errorf("left: %s", strings.Join(hits, ", "))
	}
	rows, err := a.store.LookupsAt(t.Context(), her, 1000)
	if err != nil || len(rows) < len(looked) {
		t.Fatalf("the customer's answer: %d of %d, %v", len(rows), len(looked), err)
	}
	erased := 0
	for _, row := range rows {
		if row.EmployeeErased.IsZero() {
			continue
		}
		erased++
		if row.Lookup.Customer != her || row.Lookup.Employee != "" || len(row.Lookup.Categories) == 0 || row.Role == "" {
			t.Errorf("got %+v", row)
		}
	}
	if erased == 0 {
		t.Error("none of her look-ups is marked")
	}
}

func TestWhoMayAskForAnErasureAndWhoMayAgree(t *testing.T) { // G8
	a := newArchive(t)
	for _, c := range []struct {
		name string
		who  identity.Who
		want access.Code
	}{
		{"an agent", a.agent, access.Denied},
		{"a team lead", a.lead, access.Denied},
		{"a relation of hers", a.related, access.Denied},
		{"she herself", a.herself, access.Denied},
		{"nobody proven", identity.Who{}, access.Unauthenticated},
		{"the officer", a.officer, ""},
	} {
		if _, err := a.erasures.Ask(t.Context(), c.who, her, "", ""); access.CodeOf(err) != c.want {
			t.Errorf("%s asks: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := a.erasures.Ask(t.Context(), a.officer, "", "p1", ""); access.CodeOf(err) != access.Denied {
		t.Errorf("himself: %v", err)
	}
	if _, err := a.erasures.Ask(t.Context(), a.officer, her, "e1", ""); access.CodeOf(err) != access.Invalid {
		t.Errorf("two at once: %v", err)
	}
	r, err := a.erasures.Ask(t.Context(), a.officer, her, "", "") // the one that waits
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		who  identity.Who
		yes  bool
		want access.Code
	}{
		{"the asker", a.officer, true, access.Denied},
		{"the asker declines", a.officer, false, access.Denied},
		{"an agent", a.agent, true, access.Denied},
		{"a relation of hers", a.related, true, access.Denied},
		{"she herself", a.herself, true, access.Denied},
		{"a second person", a.second, true, ""},
		{"once more", a.second, true, access.Conflict},
	} {
		if err := a.approvals.Decide(t.Context(), c.who, r.ID, c.yes, ""); access.CodeOf(err) != c.want {
			t.Errorf("%s agrees: got %v, want %q", c.name, err, c.want)
		}
	}
	if all, err := a.erasures.List(t.Context(), a.officer); err != nil || len(all) != 1 || all[0].DoneAt.IsZero() || all[0].Customer != "" {
		t.Errorf("the list reads %+v, %v", all, err)
	}
	if _, err := a.erasures.List(t.Context(), a.agent); access.CodeOf(err) != access.Denied {
		t.Errorf("an agent reads the list: %v", err)
	}
}

func TestG5AnErasureIsRefusedWhileSomethingNeedsTheData(t *testing.T) {
	a := newArchive(t)
	now := a.Clock.Now()
	for _, c := range []struct {
		name  string
		begin func()
		hint  string
		end   func()
	}{
		{"a legal hold", func() {
			a.Save(t, &access.TaskOpened{Task: access.Task{ID: "hold-1", Customer: her, Purpose: investigate.PurposeLegalHold, OpenedAt: now, OpenedBy: "l1"}})
		}, "the legal hold is closed", func() { a.Save(t, &access.TaskClosed{Task: "hold-1", At: now.Add(time.Minute)}) }},
		{"a request that waits", func() {
			if _, err := investigate.NewBook(a.store, a.policy).Ask(t.Context(), lookup.Approval{Kind: lookup.ApproveLookup, Asker: "e2", Task: "t", Customer: her, At: now}); err != nil {
				t.Fatal(err)
			}
		}, "decided or has lapsed", func() { a.Clock.Advance(5 * time.Hour) }},
		{"a young finding", func() {
			c, err := a.store.Checkpoint(t.Context())
			if err == nil {
				err = a.store.SaveCheckpoint(t.Context(), c, []detect.Finding{{ID: "young", Customers: []access.CustomerID{her}, RaisedAt: now}}, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, now.Add(investigate.FindingsHold).AddDate(0, 0, 1).Format("2 January 2006"), func() { a.Clock.Advance(investigate.FindingsHold + 24*time.Hour) }},
	} {
		c.begin()
		_, err := a.erasures.Ask(t.Context(), a.officer, her, "", "")
		if _, hint := access.Public(err); access.CodeOf(err) != access.Conflict || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: got %v, hint %q, want %q", c.name, err, hint, c.hint)
		}
		c.end()
		r, err := a.erasures.Ask(t.Context(), a.officer, her, "", "")
		if err != nil {
			t.Fatalf("%s is over: %v", c.name, err)
		}
		if err := a.approvals.Decide(t.Context(), a.second, r.ID, false, ""); err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.erasures.Ask(t.Context(), a.officer, her, "", "")
	if err != nil {
		t.Fatal(err)
	}
	a.Save(t, &access.TaskOpened{Task: access.Task{ID: "hold-2", Customer: her, Purpose: investigate.PurposeLegalHold, OpenedAt: a.Clock.Now(), OpenedBy: "l1"}})
	if err := a.approvals.Decide(t.Context(), a.second, r.ID, true, ""); access.CodeOf(err) != access.Conflict {
		t.Errorf("a hold that began after it was asked for: %v", err)
	}
	if keys, err := a.store.Keys().Lookup(t.Context(), []string{"customer:" + string(her)}); err != nil || len(keys) != 1 {
		t.Errorf("her key is gone: %v", err)
	}
}

// broken is an Eraser that fails.
type broken struct{}

func (broken) Erase(context.Context, investigate.Erasure) error { return errors.New("fault") }

// A crash after the key is destroyed and before the store forgets: the next
// start goes on.
func TestG5AnErasureThatWasInterruptedIsCarriedOutAtTheNextStart(t *testing.T) {
	a := newArchive(t)
	a.approvals = a.newApprovals(t, a.newErasures(t, broken{}))
	r, err := a.erasures.Ask(t.Context(), a.officer, her, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.approvals.Decide(t.Context(), a.second, r.ID, true, ""); access.CodeOf(err) != access.Unavailable {
		t.Fatalf("got %v", err)
	}
	a.close(t)
	a.open(t, a.Clock, false)
	a.Env.Store = a.store
	a.serve(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.erasures.Run(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		done, err := a.store.Request(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !done.DoneAt.IsZero() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it was not carried out")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if hits := found(t, a.dir, []string{string(her), "Lovelacequist", "task-of-cust-ada"}); len(hits) > 0 {
		t.Errorf("left: %s", strings.Join(hits, ", "))
	}
}

// Last week's keys.db and paravent.db are put back: the erasure is repeated in
// both.
func TestG5ARestoredBackupHasItsErasuresReplayed(t *testing.T) {
	a := newArchive(t)
	a.caughtUp(t)
	a.stop()
	<-a.done
	a.stop = nil
	if err := errors.Join(a.ledger.Close(), a.store.Close()); err != nil {
		t.Fatal(err)
	}
	backup := t.TempDir()
	for _, name := range []string{store.KeysFile, store.StateFile} {
		copyFile(t, filepath.Join(a.dir, name), filepath.Join(backup, name))
	}
	a.open(t, a.Clock, false)
	a.serve(t)
	secrets := a.secrets(t, "customer:"+string(her))
	a.erase(t, her, "")
	a.close(t)
	for _, name := range []string{store.KeysFile, store.StateFile} {
		copyFile(t, filepath.Join(backup, name), filepath.Join(a.dir, name))
	}
	if len(found(t, a.dir, []string{string(her)})) == 0 {
		t.Fatal("the backup holds nothing of her: the test shows nothing")
	}
	a.open(t, a.Clock, false)
	a.serve(t)
	if hits := found(t, a.dir, secrets[:1]); len(hits) > 0 {
		t.Errorf("her key is back: %s", strings.Join(hits, ", "))
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.erasures.Run(ctx) }()
	words := append([]string{string(her), "Lovelacequist", "task-of-cust-ada"}, secrets...)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		hits := found(t, a.dir, words)
		if len(hits) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %s", strings.Join(hits, ", "))
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
