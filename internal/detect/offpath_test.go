package detect_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// past adds a read past Paravent.
func past(h float64, e access.EmployeeID, n int) *access.Lookup {
	return &access.Lookup{ID: access.LookupID(fmt.Sprintf("off-%s-%d", e, n)), At: at(h), Employee: e, Action: access.ActionStatement,
		Categories: categoriesIn("identity contact"), Outcome: access.OutcomeOffPath}
}

func feed(t *testing.T, e *detect.Engine, events ...access.Event) {
	t.Helper()
	for _, ev := range events {
		if err := e.Feed(ev); err != nil {
			t.Fatal(err)
		}
	}
}

func newEngine(t *testing.T, o detect.Options) *detect.Engine {
	t.Helper()
	e, err := detect.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Attack: an administrator of the database reads customers with psql, once, and
// goes on all day; so does a colleague, and the day's budget is 1.
func TestAReadPastParaventIsAFindingOfItsOwnKind(t *testing.T) {
	e := newEngine(t, detect.Options{Budget: 1})
	feed(t, e, past(9, "dba", 1))
	first, _ := e.Take()
	if len(first) != 1 || first[0].Kind != detect.KindOffPath || !slices.Equal(first[0].Employees, []access.EmployeeID{"dba"}) || len(first[0].Customers) != 0 ||
		first[0].Score < 0.9 || !first[0].RaisedAt.Equal(at(9)) || !strings.Contains(first[0].Reasons[0].Text, "identity and contact") {
		t.Fatalf("at once: %+v", first)
	}
	if text, err := json.Marshal(first[0]); err != nil || !strings.Contains(string(text), `"customers":[]`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
	for n := 2; n < 50; n++ {
		feed(t, e, past(9+float64(n)/10, "dba", n))
	}
	feed(t, e, past(15, "db:batch", 1))
	second, _ := e.Take()
	if len(second) != 1 || second[0].Employees[0] != "db:batch" {
		t.Fatalf("later that day: %s", told(second))
	}
	feed(t, e, past(30, "dba", 100)) // the next morning
	rest, _ := e.Take()
	if len(rest) != 2 || len(rest[0].Accesses) != 48 || told(rest[:1]) != "off_path: off_path again" || len(rest[1].Accesses) != 1 {
		t.Fatalf("at the end of the day and the next morning: %s", told(rest))
	}
	if n := e.Tally(); n.Lookups != 51 || n.Waiting != 0 || n.Unexplained != 51 || n.Findings[detect.KindOffPath] != 4 {
		t.Errorf("tally: %+v", n)
	}
}

// Of a review of files nothing is left over, and a snapshot in between changes
// nothing.
func TestReadsPastParaventSurviveASnapshot(t *testing.T) {
	var events []access.Event
	for n := range 30 {
		events = append(events, past(9+float64(n)*3, "dba", n), past(9.5+float64(n)*5, "db:app", n))
	}
	slices.SortFunc(events, func(a, b access.Event) int { return a.When().Compare(b.When()) })
	play := func(cut bool) string {
		e := newEngine(t, detect.Options{})
		var all []detect.Finding
		for _, ev := range events {
			feed(t, e, ev)
			if cut {
				data, err := e.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if e, err = detect.Restore(detect.Options{}, data); err != nil {
					t.Fatal(err)
				}
			}
			f, _ := e.Take()
			all = append(all, f...)
		}
		e.Finish(events[len(events)-1].When().Add(time.Hour))
		f, _ := e.Take()
		all = append(all, f...)
		named := map[access.LookupID]bool{}
		for _, f := range all {
			for _, id := range f.Accesses {
				if named[id] {
					t.Errorf("%s is named twice", id)
				}
				named[id] = true
			}
		}
		if len(named) != len(events) {
			t.Errorf("%d of %d are named", len(named), len(events))
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if a, b := play(false), play(true); a != b {
		t.Errorf("with snapshots:\n%s\nwithout:\n%s", b, a)
	}
}

// A read that is told of a day late is raised all the same, and not in the past.
func TestALateReadPastParaventIsRaised(t *testing.T) {
	e := newEngine(t, detect.Options{})
	feed(t, e, past(9, "dba", 1), &access.EmployeeKnown{Employee: access.Employee{ID: "x"}, Since: at(40)}, past(10, "db:app", 1))
	f, _ := e.Take()
	if len(f) != 2 || !f[1].RaisedAt.Equal(at(40)) || !f[1].FirstAt.Equal(at(10)) {
		t.Errorf("got %+v", f)
	}
}

// G5: whoever read past Paravent can be forgotten like anybody.
func TestAReaderPastParaventIsForgotten(t *testing.T) {
	e := newEngine(t, detect.Options{})
	feed(t, e, past(9, "dba", 1), past(9.1, "dba", 2), past(9.2, "dba", 3))
	e.Erase(detect.Person{Employee: "dba", As: "erased-1"})
	e.Finish(at(60))
	findings, _ := e.Take()
	for _, f := range findings {
		if slices.Contains(f.Employees, "dba") {
			t.Errorf("named in %+v", f)
		}
	}
}

// A program makes thousands of statements; they are one look-up a minute in what
// is remembered, and as many as they are in the tally.
func TestAStreamOfStatementsStaysSmall(t *testing.T) {
	e := newEngine(t, detect.Options{})
	for n := range 20_000 {
		l := past(9, "e1", n)
		l.Outcome, l.Customer, l.Task, l.At = access.OutcomeShown, "c1", "t1", at(9).Add(time.Duration(n)*10*time.Millisecond)
		feed(t, e, l)
	}
	if data, err := e.Snapshot(); err != nil || len(data) > 10_000 || e.Tally().Lookups != 20_000 {
		t.Errorf("a snapshot of %d bytes, %d look-ups, %v", len(data), e.Tally().Lookups, err)
	}
	e.Finish(at(30))
	if n := e.Tally(); n.Waiting != 0 || n.Unexplained != 20_000 {
		t.Errorf("in the end: %+v", n)
	}
}
