package task_test

import (
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/task"
	"paravent/internal/testenv"
)

// at is the moment at which the tests begin.
var at = testenv.Start

// wantCode fails unless err has the code.
func wantCode(t *testing.T, what string, err error, want access.Code) {
	t.Helper()
	if got := access.CodeOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

// G1: a task is somebody's only while it is assigned to him or his team.
func TestG1HowAnEmployeeStandsToATask(t *testing.T) {
	env := testenv.New(t)
	eve := access.Employee{ID: "e1", Team: "red", Role: access.RoleAgent}
	assign := func(id access.TaskID, e access.EmployeeID, team access.TeamID, since, until time.Duration) access.Event {
		a := access.Assignment{Task: id, Employee: e, Team: team, Since: at.Add(since)}
		if until != 0 {
			a.Until = at.Add(until)
		}
		return &access.Assigned{Assignment: a}
	}
	for _, id := range []access.TaskID{"his", "teams", "both", "others", "ended", "future", "nobodys", "idless"} {
		env.Save(t, &access.TaskOpened{Task: access.Task{ID: id, Customer: "c1", Purpose: "refund", OpenedAt: at.Add(-time.Hour)}})
	}
	env.Save(t, assign("his", "e1", "", -time.Hour, 0), assign("teams", "", "red", -time.Hour, 0),
		assign("both", "", "red", -time.Hour, 0), assign("both", "e1", "", -time.Minute, 0),
		assign("others", "e2", "", -time.Hour, 0), assign("others", "", "blue", -time.Hour, 0),
		assign("ended", "e1", "", -time.Hour, -time.Minute), assign("ended", "", "red", -time.Hour, -time.Minute),
		assign("future", "e1", "", time.Minute, 0))
	for _, c := range []struct {
		who  access.Employee
		id   access.TaskID
		want policy.Assigned
	}{
		{eve, "his", policy.AssignedEmployee},
		{eve, "teams", policy.AssignedTeam},
		{eve, "both", policy.AssignedEmployee},
		{eve, "others", policy.AssignedNot},
		{eve, "ended", policy.AssignedNot},
		{eve, "future", policy.AssignedNot},
		{eve, "nobodys", policy.AssignedNot},
		{access.Employee{ID: "E1", Team: "Red"}, "both", policy.AssignedNot},
		{access.Employee{ID: "e3"}, "teams", policy.AssignedNot},
		{access.Employee{}, "both", policy.AssignedNot},
		{access.Employee{Team: "red"}, "teams", policy.AssignedNot},
	} {
		got, err := env.Tasks.Standing(t.Context(), c.who, c.id)
		if err != nil || got.Task == nil || got.Task.ID != c.id || got.Assigned != c.want {
			t.Errorf("%q of %q at %s: got %+v, %v, want %q", c.who.ID, c.who.Team, c.id, got, err, c.want)
		}
	}
	got, err := env.Tasks.Standing(t.Context(), eve, "unknown")
	if err != nil || got != (task.Standing{}) {
		t.Errorf("a task that isn't there: got %+v, %v", got, err)
	}
	env.Clock.Advance(time.Minute)
	got, err = env.Tasks.Standing(t.Context(), eve, "future")
	if err != nil || got.Assigned != policy.AssignedEmployee {
		t.Errorf("a minute later: got %+v, %v", got, err)
	}
	mine, err := env.Tasks.Mine(t.Context(), eve)
	if err != nil || len(mine) != 4 {
		t.Errorf("his list: got %+v, %v, want his, teams, both and future", mine, err)
	}
}

func TestOpenRefusesWhatIsNotANewTask(t *testing.T) {
	env := testenv.New(t)
	id := task.NewID()
	if !strings.HasPrefix(string(id), "P-") || id == task.NewID() {
		t.Errorf("id: got %q", id)
	}
	good := access.Task{ID: id, Customer: "c1", Purpose: "refund", OpenedAt: at, OpenedBy: "e1", SelfMade: true}
	his := access.Assignment{Task: id, Employee: "e1", Since: at, By: "e1"}
	for name, change := range map[string]func(*access.Task, *access.Assignment){
		"no customer":            func(k *access.Task, _ *access.Assignment) { k.Customer = "" },
		"no purpose":             func(k *access.Task, _ *access.Assignment) { k.Purpose = "" },
		"no time":                func(k *access.Task, _ *access.Assignment) { k.OpenedAt = time.Time{} },
		"no id":                  func(k *access.Task, a *access.Assignment) { k.ID, a.Task = "", "" },
		"confirmed by its maker": func(k *access.Task, _ *access.Assignment) { k.ConfirmedBy = "e1" },
		"closed":                 func(k *access.Task, _ *access.Assignment) { k.ClosedAt = at },
		"another task's":         func(_ *access.Task, a *access.Assignment) { a.Task = "x" },
		"nobody's":               func(_ *access.Task, a *access.Assignment) { a.Employee = "" },
		"two's":                  func(_ *access.Task, a *access.Assignment) { a.Team = "red" },
		"since never":            func(_ *access.Task, a *access.Assignment) { a.Since = time.Time{} },
	} {
		k, a := good, his
		change(&k, &a)
		wantCode(t, name, env.Tasks.Open(t.Context(), k, a), access.Invalid)
	}
	wantCode(t, "a good one", env.Tasks.Open(t.Context(), good, his), "")
	wantCode(t, "the same again", env.Tasks.Open(t.Context(), good, his), access.Conflict)
	wantCode(t, "confirmed by nobody", env.Tasks.Confirm(t.Context(), id, ""), access.Denied)
	wantCode(t, "confirmed by its maker", env.Tasks.Confirm(t.Context(), id, "e1"), access.Denied)
	wantCode(t, "confirmed by a colleague", env.Tasks.Confirm(t.Context(), id, "e2"), "")
	_, err := env.Tasks.CallInProgress(t.Context(), "", at)
	wantCode(t, "nobody's call", err, access.NotFound)
}
