package access_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"paravent/internal/access"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestATaskIsOpenFromItsOpeningUntilItsClosing(t *testing.T) {
	open := access.Task{OpenedAt: noon}
	closed := access.Task{OpenedAt: noon, ClosedAt: noon.Add(time.Hour)}
	for _, c := range []struct {
		name string
		task access.Task
		at   time.Time
		want bool
	}{
		{"before its opening", open, noon.Add(-time.Microsecond), false},
		{"at its opening", open, noon, true},
		{"long after, never closed", open, noon.AddDate(1, 0, 0), true},
		{"just before its closing", closed, noon.Add(time.Hour - time.Microsecond), true},
		{"at its closing", closed, noon.Add(time.Hour), false},
	} {
		if got := c.task.Open(c.at); got != c.want {
			t.Errorf("%s: open %t, want %t", c.name, got, c.want)
		}
	}
}

func TestAnAssignmentCoversItsEmployeeOrItsTeamWhileItHolds(t *testing.T) {
	own := access.Assignment{Employee: "e1", Since: noon, Until: noon.Add(time.Hour)}
	team := access.Assignment{Team: "care", Since: noon}
	nobody := access.Assignment{Since: noon}
	for _, c := range []struct {
		name string
		a    access.Assignment
		e    access.EmployeeID
		team access.TeamID
		at   time.Time
		want bool
	}{
		{"his own", own, "e1", "", noon, true},
		{"somebody else's", own, "e2", "", noon, false},
		{"his own before it began", own, "e1", "", noon.Add(-1), false},
		{"his own at its end", own, "e1", "", noon.Add(time.Hour), false},
		{"his team's", team, "e1", "care", noon, true},
		{"another team's", team, "e1", "sales", noon, false},
		{"a team's, he has none", team, "e1", "", noon, false},
		{"nobody's, he has no team", nobody, "e1", "", noon, false},
		{"nobody's, nobody asks", nobody, "", "", noon, false},
	} {
		if got := c.a.Covers(c.e, c.team, c.at); got != c.want {
			t.Errorf("%s: covers %t, want %t", c.name, got, c.want)
		}
	}
}

func TestMicrosComeBackAndTheUnknownStaysUnknown(t *testing.T) {
	exact := noon.Add(123_456 * time.Microsecond)
	if got := access.FromMicros(access.Micros(exact)); !got.Equal(exact) {
		t.Errorf("%v came back as %v", exact, got)
	}
	if us := access.Micros(time.Time{}); us != 0 {
		t.Errorf("the unknown time is %d", us)
	}
	if !access.FromMicros(0).IsZero() {
		t.Error("0 is a known time")
	}
}

// What an operator needs to know never reaches the asker.
func TestPublicTellsTheAskerNothingOfTheCause(t *testing.T) {
	cause := errors.New("column c_name: disk I/O error")
	coded := access.Errorf(access.Unavailable, "It can't be read now.").WithHint("Try again.").Because(cause)
	for _, c := range []struct {
		name string
		err  error
		code access.Code
		says string
	}{
		{"a coded error", coded, access.Unavailable, "It can't be read now."},
		{"a wrapped one", fmt.Errorf("look: %w", coded), access.Unavailable, "It can't be read now."},
		{"any other", cause, access.Internal, "Something went wrong on our side. Nothing was shown."},
		{"a coded internal one", access.Errorf(access.Internal, "keys.db is missing"), access.Internal, "Something went wrong on our side. Nothing was shown."},
	} {
		if code := access.CodeOf(c.err); code != c.code {
			t.Errorf("%s: code %s, want %s", c.name, code, c.code)
		}
		if says, _ := access.Public(c.err); says != c.says {
			t.Errorf("%s: says %q, want %q", c.name, says, c.says)
		}
	}
	if !errors.Is(coded, cause) {
		t.Error("the operator can't find the cause")
	}
	if access.CodeOf(nil) != "" {
		t.Error("no error has a code")
	}
}
