package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/store"
	"paravent/internal/task"
)

// opened is a task about c1 that opens at that moment.
func opened(id access.TaskID, when time.Time) *access.TaskOpened {
	return &access.TaskOpened{Task: access.Task{
		ID: id, Customer: "c1", Purpose: "refund", Channel: "mail", Order: "o1", OpenedAt: when, OpenedBy: "customer",
	}}
}

// all returns the change log.
func all(t *testing.T, s *store.Store) []access.Event {
	t.Helper()
	facts, err := s.Facts(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var events []access.Event
	for _, f := range facts {
		events = append(events, f.Event)
	}
	return events
}

func factsOnce(t *testing.T, s *store.Store) {
	events := []access.Event{
		&access.EmployeeKnown{Employee: access.Employee{ID: "e1", Role: "agent", JoinedOn: at.Truncate(24 * time.Hour)}},
		customerNamed("c1", "Fisch"),
		&access.Related{Relation: access.Relation{Employee: "e1", Customer: "c1", Kind: access.RelationNeighbour}},
		&access.PurposeNeeds{Purpose: "refund", Categories: []access.Category{"orders"}},
		opened("t1", at),
		&access.Assigned{Assignment: access.Assignment{Task: "t1", Employee: "e1", Since: at, By: "system"}},
		&access.Contacted{Contact: access.Contact{ID: "k1", Customer: "c1", At: at, Channel: "mail", Direction: "in"}},
		&access.Ordered{Order: access.Order{ID: "o1", Customer: "c1", At: at}},
		&access.InNews{News: access.News{Customer: "c1", At: at}},
		&access.Worked{Work: access.Work{Task: "t1", Employee: "e1", At: at, Kind: "note"}},
		&access.Unassigned{Task: "t1", Employee: "e1", At: at.Add(time.Hour)},
		&access.TaskClosed{Task: "t1", At: at.Add(time.Hour), By: "e1"},
	}
	save(t, s, events...)
	save(t, s, events...)
	save(t, s, append(events, events...)...)
	if diff := cmp.Diff(all(t, s), events); diff != "" {
		t.Errorf("change log: got -, want +: %s", diff)
	}
	some, err := s.Facts(t.Context(), 3, 2)
	if err != nil || len(some) != 2 || some[0].Seq != 4 || some[1].Seq != 5 {
		t.Errorf("two after the third: got %+v, %v", some, err)
	}
}

func factsAgain(t *testing.T, s *store.Store) {
	events := []access.Event{customerNamed("c1", "Fisch"), customerNamed("c1", "Vogel"), customerNamed("c1", "Fisch")}
	for _, ev := range events {
		save(t, s, ev)
	}
	if diff := cmp.Diff(all(t, s), events); diff != "" {
		t.Errorf("one after the other: got -, want +: %s", diff)
	}
	save(t, s, customerNamed("c2", "Fisch"), customerNamed("c2", "Vogel"), customerNamed("c2", "Fisch"))
	if n := len(all(t, s)); n != 6 {
		t.Errorf("in one go: got %d facts, want 6", n)
	}
}

func purposesTold(t *testing.T, s *store.Store) {
	needs := func(p access.Purpose, c ...access.Category) access.Event {
		return &access.PurposeNeeds{Purpose: p, Categories: c}
	}
	save(t, s, needs("refund", "orders"), needs("order", "orders"))
	save(t, s, needs("refund", "orders"), needs("order", "orders", "contact"))
	save(t, s, needs("refund", "orders"), needs("order", "orders"))
	if n := len(all(t, s)); n != 4 {
		t.Errorf("got %d facts, want 4: two, the changed one, and its change back", n)
	}
}

// isOpen reports whether the task is open for e1, by himself, at that moment.
func isOpen(t *testing.T, s *store.Store, id access.TaskID, when time.Time) bool {
	t.Helper()
	k, err := s.Task(t.Context(), id)
	if err != nil {
		t.Fatalf("task %s: %v", id, err)
	}
	return k.Open(when)
}

func closingFirst(t *testing.T, s *store.Store) {
	closed := &access.TaskClosed{Task: "t1", At: at.Add(time.Hour), By: "e1"}
	save(t, s, closed)
	_, err := s.Task(t.Context(), "t1")
	wantCode(t, "a task of which the closing alone is known", err, access.NotFound)
	save(t, s, opened("t1", at))
	if !isOpen(t, s, "t1", at) || isOpen(t, s, "t1", at.Add(time.Hour)) {
		t.Error("the closing was forgotten when the opening came")
	}
	k, err := s.Task(t.Context(), "t1")
	want := opened("t1", at).Task
	want.ClosedAt, want.ClosedBy = closed.At, closed.By
	if diff := cmp.Diff(k, want); err != nil || diff != "" {
		t.Errorf("got -, want +: %s, %v", diff, err)
	}
}

func reopened(t *testing.T, s *store.Store) {
	closed := &access.TaskClosed{Task: "t1", At: at.Add(time.Hour)}
	save(t, s, opened("t1", at), closed)
	save(t, s, opened("t1", at))
	if isOpen(t, s, "t1", at.Add(2*time.Hour)) {
		t.Error("telling the opening again opened it")
	}
	save(t, s, opened("t1", at.Add(90*time.Minute)))
	if !isOpen(t, s, "t1", at.Add(2*time.Hour)) {
		t.Error("opening it later didn't open it")
	}
	save(t, s, opened("t3", at), &access.TaskClosed{Task: "t3", At: at.Add(time.Hour)}, opened("t3", at.Add(2*time.Hour)))
	if !isOpen(t, s, "t3", at.Add(3*time.Hour)) {
		t.Error("opened, closed and opened again in one go, it isn't open")
	}
	save(t, s, opened("t2", at), &access.TaskClosed{Task: "t2", At: at.Add(time.Hour)}, opened("t2", at.Add(2*time.Hour)),
		&access.TaskClosed{Task: "t2", At: at.Add(3 * time.Hour)})
	if isOpen(t, s, "t2", at.Add(4*time.Hour)) || !isOpen(t, s, "t2", at.Add(150*time.Minute)) {
		t.Error("opened and closed twice in one go, it isn't closed last")
	}
}

func unassigned(t *testing.T, s *store.Store) {
	assign := func(since time.Duration) access.Event {
		return &access.Assigned{Assignment: access.Assignment{Task: "t1", Employee: "e1", Since: at.Add(since)}}
	}
	end := func(e access.EmployeeID, when time.Duration) access.Event {
		return &access.Unassigned{Task: "t1", Employee: e, At: at.Add(when)}
	}
	has := func(when time.Duration) bool {
		tasks, err := s.TasksOf(t.Context(), "e1", "", at.Add(when))
		if err != nil {
			t.Fatal(err)
		}
		return len(tasks) == 1
	}
	save(t, s, opened("t1", at), assign(0), assign(time.Minute), end("e1", time.Hour))
	if !has(59*time.Minute) || has(time.Hour) {
		t.Error("in one go: it doesn't end after an hour")
	}
	save(t, s, assign(2*time.Hour))
	save(t, s, end("e2", 3*time.Hour), end("e1", time.Hour))
	if !has(3 * time.Hour) {
		t.Error("somebody else's end, or an end long past, ended it")
	}
	save(t, s, end("e1", 4*time.Hour))
	if has(4*time.Hour) || !has(3*time.Hour) {
		t.Error("apart: it doesn't end after four hours")
	}
	save(t, s, assign(2*time.Hour))
	if has(5 * time.Hour) {
		t.Error("telling its beginning again made it go on")
	}
}

func noConfirmationByImport(t *testing.T, s *store.Store) {
	self := access.Task{ID: "P-1", Customer: "c1", Purpose: "refund", OpenedAt: at, OpenedBy: "e1", SelfMade: true}
	if err := s.OpenTask(t.Context(), self, access.Assignment{Task: "P-1", Employee: "e1", Since: at}); err != nil {
		t.Fatal(err)
	}
	forged := self
	forged.SelfMade, forged.ConfirmedBy, forged.OpenedBy = false, "e2", "customer"
	save(t, s, &access.TaskOpened{Task: forged})
	got, err := s.Task(t.Context(), "P-1")
	if err != nil || !got.SelfMade || got.ConfirmedBy != "" {
		t.Errorf("got %+v, %v, want it self-made and not confirmed", got, err)
	}
}

func lookupsAreNoFacts(t *testing.T, s *store.Store) {
	wantCode(t, "a look-up", s.SaveFacts(t.Context(), []access.Event{&access.Lookup{ID: "l", At: at}}), access.Invalid)
}

func openTasks(t *testing.T, s *store.Store) {
	assign := func(id access.TaskID, e access.EmployeeID, team access.TeamID) access.Event {
		return &access.Assigned{Assignment: access.Assignment{Task: id, Employee: e, Team: team, Since: at}}
	}
	save(t, s, opened("his", at), opened("teams", at.Add(time.Minute)), opened("other", at), opened("nobodys", at), opened("closed", at),
		opened("both", at.Add(2*time.Minute)), opened("later", at.Add(24*time.Hour)),
		assign("his", "e1", ""), assign("teams", "", "red"), assign("other", "e2", ""), assign("closed", "e1", ""),
		assign("both", "e1", ""), assign("both", "", "red"), assign("later", "e1", ""),
		&access.TaskClosed{Task: "closed", At: at.Add(time.Minute)})
	for _, c := range []struct {
		e    access.EmployeeID
		team access.TeamID
		want []access.TaskID
	}{
		{"e1", "red", []access.TaskID{"both", "teams", "his"}},
		{"e1", "", []access.TaskID{"both", "his"}},
		{"e3", "red", []access.TaskID{"both", "teams"}},
		{"e3", "blue", nil},
		{"", "", nil},
	} {
		tasks, err := s.TasksOf(t.Context(), c.e, c.team, at.Add(time.Hour))
		var got []access.TaskID
		for _, k := range tasks {
			got = append(got, k.ID)
		}
		if diff := cmp.Diff(got, c.want); err != nil || diff != "" {
			t.Errorf("of %q in team %q: got -, want +: %s, %v", c.e, c.team, diff, err)
		}
	}
}

func confirmTask(t *testing.T, s *store.Store) {
	ctx := t.Context()
	k := access.Task{ID: "P-1", Customer: "c1", Purpose: "refund", OpenedAt: at, OpenedBy: "e1", SelfMade: true}
	a := access.Assignment{Task: "P-1", Employee: "e2", Since: at, By: "e1"}
	if err := s.OpenTask(ctx, k, a); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a second task of that id", s.OpenTask(ctx, k, a), access.Conflict)
	wantCode(t, "its maker", s.ConfirmTask(ctx, "P-1", "e1"), access.Denied)
	wantCode(t, "who works it", s.ConfirmTask(ctx, "P-1", "e2"), access.Denied)
	wantCode(t, "a colleague", s.ConfirmTask(ctx, "P-1", "e3"), "")
	wantCode(t, "another colleague", s.ConfirmTask(ctx, "P-1", "e4"), access.Conflict)
	got, err := s.Task(ctx, "P-1")
	if err != nil || got.ConfirmedBy != "e3" {
		t.Errorf("got %+v, %v, want it confirmed by e3", got, err)
	}
	save(t, s, opened("t1", at))
	wantCode(t, "a task that isn't self-made", s.ConfirmTask(ctx, "t1", "e3"), access.Conflict)
	if diff := cmp.Diff(all(t, s)[:2], []access.Event{&access.TaskOpened{Task: k}, &access.Assigned{Assignment: a}}); diff != "" {
		t.Errorf("change log: got -, want +: %s", diff)
	}
}

func callInProgress(t *testing.T, s *store.Store) {
	call := func(id access.ContactID, e access.EmployeeID, from, until time.Duration, channel, direction string) access.Event {
		c := access.Contact{ID: id, At: at.Add(from), Channel: channel, Direction: direction, Employee: e}
		if until != 0 {
			c.Until = at.Add(until)
		}
		return &access.Contacted{Contact: c}
	}
	save(t, s, call("ended", "ended", 0, time.Minute, "call", "in"), call("out", "out", 0, 0, "call", "out"),
		call("mail", "mail", 0, 0, "mail", "in"), call("later", "later", 2*time.Minute, 0, "call", "in"),
		call("old", "old", -task.LongestCall, 0, "call", "in"), call("nobodys", "", 0, 0, "call", "in"),
		call("k1", "e1", -time.Minute, 0, "call", "in"), call("k2", "e1", 0, 0, "call", "in"))
	now := at.Add(time.Minute)
	for _, e := range []access.EmployeeID{"ended", "out", "mail", "later", "old", "", "e2"} {
		_, err := s.CallInProgress(t.Context(), e, now)
		wantCode(t, "a call of "+string(e), err, access.NotFound)
	}
	got, err := s.CallInProgress(t.Context(), "e1", now)
	if err != nil || got.ID != "k2" {
		t.Errorf("got %+v, %v, want the newest", got, err)
	}
	save(t, s, call("k2", "e1", 0, time.Second, "call", "in"), call("k1", "", -time.Minute, time.Second, "call", "in"))
	_, err = s.CallInProgress(t.Context(), "e1", now)
	wantCode(t, "after both were said to have ended", err, access.NotFound)
	save(t, s, call("k2", "e1", 0, 0, "call", "in"))
	_, err = s.CallInProgress(t.Context(), "e1", now)
	wantCode(t, "after its beginning is told again", err, access.NotFound)
}
