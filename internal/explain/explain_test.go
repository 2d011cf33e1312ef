package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/explain"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// after returns noon and so many minutes.
func after(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func opened(id, by string, minutes int) access.Event {
	return &access.TaskOpened{Task: access.Task{ID: access.TaskID(id), Customer: "c1", Purpose: "refund", Channel: "mail", OpenedAt: after(minutes), OpenedBy: by}}
}

func assigned(id, employee, team, by string, minutes int) access.Event {
	return &access.Assigned{Assignment: access.Assignment{Task: access.TaskID(id), Employee: access.EmployeeID(employee), Team: access.TeamID(team), Since: after(minutes), By: by}}
}

func worked(id, employee, kind string, minutes int) access.Event {
	return &access.Worked{Work: access.Work{Task: access.TaskID(id), Employee: access.EmployeeID(employee), Kind: kind, At: after(minutes)}}
}

func closed(id, by string, minutes int) access.Event {
	return &access.TaskClosed{Task: access.TaskID(id), At: after(minutes), By: by}
}

func contact(employee, direction string, minutes int) access.Event {
	return &access.Contacted{Contact: access.Contact{ID: "k", Customer: "c1", At: after(minutes), Channel: "call", Direction: direction, Employee: access.EmployeeID(employee)}}
}

// known returns facts with employees e1 and e2 of team t1, led by boss, and e3
// of team t3, and these events.
func known(t *testing.T, events ...access.Event) *explain.Facts {
	t.Helper()
	f := explain.New(nil)
	all := []access.Event{
		&access.EmployeeKnown{Employee: access.Employee{ID: "e1", Team: "t1", Manager: "boss", Role: access.RoleAgent}},
		&access.EmployeeKnown{Employee: access.Employee{ID: "e2", Team: "t1", Manager: "boss", Role: access.RoleAgent}},
		&access.EmployeeKnown{Employee: access.Employee{ID: "e3", Team: "t3", Role: access.RoleAgent}},
		&access.EmployeeKnown{Employee: access.Employee{ID: "boss", Team: "t9", Role: access.RoleTeamLead}},
		&access.PurposeNeeds{Purpose: "refund", Categories: []access.Category{"identity", "payment"}},
	}
	for _, ev := range append(all, events...) {
		if err := f.Add(ev); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// grade grades a look-up of this employee at noon, known an hour later.
func grade(f *explain.Facts, employee access.EmployeeID) explain.Grade {
	return f.Grade(f.Employee(employee), f.Customer("c1"), access.Micros(noon), access.Micros(after(60)))
}

func TestGradesWhatExplainsALookup(t *testing.T) {
	tests := []struct {
		name     string
		employee access.EmployeeID
		want     string // template
		least    float64
		most     float64
		events   []access.Event
	}{
		{"nothing is known", "e1", "", 0, 0, nil},
		{"assigned by somebody else", "e1", "assigned", 0.95, 1, []access.Event{opened("T", "customer", -60), assigned("T", "e1", "", "boss", -50)}},
		{"assigned to his team", "e1", "team", 0.5, 0.7, []access.Event{opened("T", "customer", -60), assigned("T", "", "t1", "system", -50)}},
		{"assigned to another team", "e1", "", 0, 0, []access.Event{opened("T", "customer", -60), assigned("T", "", "t3", "system", -50)}},
		{"took the call", "e3", "contact", 0.95, 1, []access.Event{contact("e3", "in", -5)}},
		{"took the call, told late", "e3", "contact", 0.95, 1, []access.Event{contact("e3", "in", 10)}},
		{"took a call long ago", "e3", "contact", 0, 0.1, []access.Event{contact("e3", "in", -60*24*3)}},
		{"somebody took her call", "e3", "called", 0.8, 0.9, []access.Event{contact("", "in", -5)}},
		{"refunded within the hour", "e3", "working", 0.6, 0.8, []access.Event{opened("T", "customer", -60), worked("T", "e3", "refund", 20)}},
		{"leads who worked on it", "boss", "reviewed", 0.9, 1, []access.Event{opened("T", "customer", -60), assigned("T", "e1", "", "system", -50), closed("T", "e1", -30)}},
		{"handed over an hour before", "e1", "handed", 0.9, 1, []access.Event{opened("T", "customer", -600), assigned("T", "e1", "", "boss", -500),
			&access.Unassigned{Task: "T", Employee: "e1", At: after(-60)}, assigned("T", "e3", "", "boss", -60)}},
		{"a task noted down while speaking", "e1", "opened", 0.9, 1, []access.Event{contact("", "in", -120), opened("T", "e1", 5)}},
		{"closed minutes ago", "e1", "assigned", 0.95, 1, []access.Event{opened("T", "customer", -600), assigned("T", "e1", "", "boss", -500), closed("T", "e1", -20)}},
		{"closed two weeks ago", "e1", "assigned", 0, 0.05, []access.Event{opened("T", "customer", -60*24*20), assigned("T", "e1", "", "boss", -60*24*20), closed("T", "e1", -60*24*14)}},
		{"closed two weeks ago, taken up again by a colleague", "e1", "assigned", 0.95, 1, []access.Event{opened("T", "customer", -60*24*20), assigned("T", "e1", "", "boss", -60*24*20), closed("T", "e1", -60*24*14), worked("T", "e3", "note", -30)}},
		{"what is not known yet explains nothing", "e1", "", 0, 0, []access.Event{opened("T", "customer", 90), assigned("T", "e1", "", "boss", 90)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := known(t, tt.events...)
			g := grade(f, tt.employee)
			got := ""
			if g.Template >= 0 {
				got = f.Templates()[g.Template].ID
			}
			if got != tt.want || g.Strength < tt.least || g.Strength > tt.most {
				t.Errorf("got %q with strength %.3f, want %q in [%.2f, %.2f]", got, g.Strength, tt.want, tt.least, tt.most)
			}
		})
	}
}

// TestG6OwnWordDoesNotCount: whatever the employee alone says, in any number,
// lifts nothing; what the customer or the shop's books say beside it does.
func TestG6OwnWordDoesNotCount(t *testing.T) {
	pretext := []access.Event{opened("T", "e1", -10), assigned("T", "e1", "", "e1", -10), assigned("T", "", "t1", "e1", -10),
		worked("T", "e1", "note", -5), worked("T", "e1", "note", 5), worked("T", "e1", "transfer", 6), closed("T", "e1", 10)}
	foreign := []access.Event{opened("T", "customer", -600), assigned("T", "", "t3", "system", -600)}
	tests := []struct {
		name  string
		own   bool // Grade.Own
		least float64
		most  float64
		facts []access.Event
	}{
		{"a task opened, assigned, noted on and closed by himself", true, 0, 0, pretext},
		{"the same with a reply of his", false, 0.4, 0.5, append(slices.Clone(pretext), worked("T", "e1", "reply", 5))},
		{"the same with a refund", false, 0.6, 0.8, append(slices.Clone(pretext), worked("T", "e1", "refund", 5))},
		{"the same with the customer's call", false, 0.9, 1, append(slices.Clone(pretext), contact("", "in", -120))},
		{"the same with a colleague's work", false, 0.8, 1, append(slices.Clone(pretext), worked("T", "e2", "note", 5))},
		{"the same, confirmed by a colleague", false, 0.9, 1, append(slices.Clone(pretext), &access.TaskOpened{Task: access.Task{ID: "T", Customer: "c1", OpenedAt: after(-10), OpenedBy: "e1", SelfMade: true, ConfirmedBy: "e2"}})},
		{"notes on a foreign task", false, 0, 0, append(slices.Clone(foreign), worked("T", "e1", "note", -5), worked("T", "e1", "note", 5))},
		{"a foreign task put on his own desk", false, 0, 0, append(slices.Clone(foreign), assigned("T", "e1", "", "e1", -5))},
		{"a foreign task sent to his own team by himself", false, 0, 0, append(slices.Clone(foreign), assigned("T", "", "t1", "e1", -5))},
		{"a foreign task put on his own desk, then worked with an outcome", false, 0.6, 0.8, append(slices.Clone(foreign), assigned("T", "e1", "", "e1", -5), worked("T", "e1", "change", 10))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := grade(known(t, tt.facts...), "e1")
			if g.Strength < tt.least || g.Strength > tt.most {
				t.Errorf("strength: got %.3f, want in [%.2f, %.2f]", g.Strength, tt.least, tt.most)
			}
			if (g.OwnTask >= 0) != tt.own {
				t.Errorf("rests on own word: got %v, want %v", g.OwnTask >= 0, tt.own)
			}
		})
	}
}

func TestTheOrderOfFactsDoesNotMatter(t *testing.T) {
	facts := []access.Event{opened("T", "customer", -60), assigned("T", "e1", "", "boss", -50), worked("T", "e2", "note", -40), contact("e2", "in", -70), closed("T", "e1", 30)}
	want := grade(known(t, facts...), "e1")
	slices.Reverse(facts)
	if got := grade(known(t, facts...), "e1"); got.Strength != want.Strength || got.Template != want.Template {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAPathNamesEachStepAndTheMissingLink(t *testing.T) {
	f := known(t, opened("T", "customer", -60), assigned("T", "", "t3", "system", -50))
	x := f.Explain(f.Employee("e1"), f.Customer("c1"), access.Micros(noon), access.Micros(after(60)))
	if x.Template != "" || x.Missing == "" || len(x.Path) != 2 || !x.Path[1].Missing || x.Path[1].To != "employee e1" {
		t.Errorf("got %+v", x)
	}
	f = known(t, opened("T", "customer", -60), assigned("T", "e1", "", "boss", -50))
	x = f.Explain(f.Employee("e1"), f.Customer("c1"), access.Micros(noon), access.Micros(after(60)))
	if x.Template != "assigned" || x.Missing != "" || len(x.Path) != 2 || x.Path[0].By != "customer" || x.Path[1].By != "boss" {
		t.Errorf("got %+v", x)
	}
	f = known(t, opened("T", "e1", -10), assigned("T", "e1", "", "e1", -10))
	x = f.Explain(f.Employee("e1"), f.Customer("c1"), access.Micros(noon), access.Micros(after(60)))
	if x.Strength != 0 || !strings.Contains(x.Missing, "opened himself") {
		t.Errorf("got %+v", x)
	}
}

func TestForgetsWhatIsOverAndKeepsWhatIsOpen(t *testing.T) {
	f := known(t, opened("T", "customer", -60), assigned("T", "e1", "", "boss", -50), closed("T", "e1", -40), opened("U", "customer", -600), assigned("U", "e2", "", "boss", -500))
	f.Forget(after(-30))
	if f.TaskNumber("T") >= 0 || f.TaskNumber("U") < 0 {
		t.Errorf("kept T: %v, kept U: %v; want only U kept", f.TaskNumber("T") >= 0, f.TaskNumber("U") >= 0)
	}
	if g := grade(f, "e1"); g.Strength != 0 {
		t.Errorf("a forgotten task explains by %.2f", g.Strength)
	}
	if g := grade(f, "e2"); g.Strength < 0.9 {
		t.Errorf("an open task explains by %.2f only", g.Strength)
	}
}

func TestFactsComeBackFromTheirBytes(t *testing.T) {
	f := known(t, opened("T", "customer", -60), assigned("T", "e1", "", "boss", -50), &access.Related{Relation: access.Relation{Employee: "e1", Customer: "c1", Kind: access.RelationFamily}})
	data, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	g := explain.New(nil)
	if err := g.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if a, b := grade(f, "e1"), grade(g, "e1"); a != b {
		t.Errorf("got %+v, want %+v", b, a)
	}
	if !g.Ties(g.Employee("e1"), g.Customer("c1")).Family {
		t.Error("the relation was lost")
	}
	if err := g.UnmarshalBinary([]byte("nonsense")); err == nil {
		t.Error("took nonsense for facts")
	}
}

func TestALookupIsNoFact(t *testing.T) {
	if err := explain.New(nil).Add(&access.Lookup{}); err == nil {
		t.Error("took in a look-up as a fact")
	}
}

// TestMeasuresHowMuchChanceExplains plays a week in which each of 20 employees
// serves customers assigned to him and to his team: the narrow template must
// come out stronger than the wide one.
func TestMeasuresHowMuchChanceExplains(t *testing.T) {
	var events []access.Event
	for i := range 20 {
		events = append(events, &access.EmployeeKnown{Employee: access.Employee{ID: access.EmployeeID(rune('a' + i)), Team: access.TeamID(rune('A' + i/10)), Role: access.RoleAgent}})
	}
	for i := range 12000 {
		at := noon.Add(time.Duration(i) * time.Minute / 2)
		e, team := access.EmployeeID(rune('a'+i%20)), access.TeamID(rune('A'+i%20/10))
		c := access.CustomerID(rune('0' + i*i%1000))
		id := access.TaskID(rune(1000 + i))
		events = append(events,
			&access.TaskOpened{Task: access.Task{ID: id, Customer: c, OpenedAt: at, OpenedBy: access.BySystem}},
			&access.Assigned{Assignment: access.Assignment{Task: id, Team: team, Since: at, By: access.BySystem}},
			&access.Assigned{Assignment: access.Assignment{Task: id, Employee: e, Since: at, By: access.BySystem}},
			&access.Lookup{At: at, Employee: e, Customer: c, Action: access.ActionView})
	}
	m, err := explain.Measure(slices.Values(events), nil, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	strength := map[string]float64{}
	for _, x := range m {
		strength[x.Template] = x.Strength()
		if x.N < 1000 {
			t.Fatalf("measured %d look-ups only", x.N)
		}
	}
	if !(strength["assigned"] > strength["team"]) {
		t.Errorf("assigned %.3f, team %.3f: want the narrow one stronger", strength["assigned"], strength["team"])
	}
	again, err := explain.Measure(slices.Values(events), nil, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m, again) {
		t.Error("the same seed measured differently")
	}
	if _, err := explain.Measure(slices.Values(events), nil, 0, 1); err == nil {
		t.Error("took 0 for every how many")
	}
}
