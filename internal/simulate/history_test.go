package simulate_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/simulate"
)

// small is a shop that is made in a few milliseconds.
var small = simulate.Options{Seed: 7, Days: 8, Customers: 1500, Employees: 40}

// facts collects the facts of a history as they become known.
type facts struct {
	tasks       map[access.TaskID]*access.Task
	assignments map[access.TaskID][]access.Assignment
	team        map[access.EmployeeID]access.TeamID
}

func newFacts(s *simulate.Shop) *facts {
	f := &facts{map[access.TaskID]*access.Task{}, map[access.TaskID][]access.Assignment{}, map[access.EmployeeID]access.TeamID{}}
	for _, e := range s.Employees {
		f.team[e.ID] = e.Team
	}
	return f
}

func (f *facts) take(ev access.Event) {
	switch ev := ev.(type) {
	case *access.TaskOpened:
		t := ev.Task
		f.tasks[t.ID] = &t
	case *access.TaskClosed:
		f.tasks[ev.Task].ClosedAt = ev.At
	case *access.Assigned:
		f.assignments[ev.Task] = append(f.assignments[ev.Task], ev.Assignment)
	case *access.Unassigned:
		for i := range f.assignments[ev.Task] {
			if a := &f.assignments[ev.Task][i]; a.Employee == ev.Employee && a.Team == ev.Team && a.Until.IsZero() {
				a.Until = ev.At
			}
		}
	}
}

// covers says how a task is an employee's at a moment.
func (f *facts) covers(t access.TaskID, e access.EmployeeID, at time.Time) policy.Assigned {
	how := policy.AssignedNot
	for _, a := range f.assignments[t] {
		if a.Covers(e, f.team[e], at) {
			if a.Employee != "" {
				return policy.AssignedEmployee
			}
			how = policy.AssignedTeam
		}
	}
	return how
}

func TestTheSameOptionsMakeTheSameHistoryAndOthersDoNot(t *testing.T) {
	t.Parallel()
	a, b := simulate.New(small), simulate.New(small)
	for what, same := range map[string]bool{
		"history":              reflect.DeepEqual(a.History(), b.History()),
		"database":             reflect.DeepEqual(a.Tables(), b.Tables()),
		"known from the start": reflect.DeepEqual(a.Standing(), b.Standing()),
		"labels":               reflect.DeepEqual(a.Labels(), b.Labels()),
	} {
		if !same {
			t.Errorf("%s: two shops of the same options differ", what)
		}
	}
	other := small
	other.Seed++
	if reflect.DeepEqual(a.History()[:2000], simulate.New(other).History()[:2000]) {
		t.Error("another seed made the same history")
	}
}

func TestAHistoryMadeTwiceByOneShopIsTheSame(t *testing.T) {
	t.Parallel()
	s := simulate.New(small)
	first := s.History()
	if !reflect.DeepEqual(first, slices.Collect(s.Stream())) {
		t.Errorf("the stream differs from the history")
	}
}

func TestEventsComeInOrderOfTimeAndEndWhereAsked(t *testing.T) {
	t.Parallel()
	o := small
	o.Days = 12
	o.Start = time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)
	o.Until = time.Date(2026, 3, 11, 11, 30, 0, 0, time.UTC)
	s := simulate.New(o)
	var last time.Time
	open := 0
	f := newFacts(s)
	for ev := range s.Stream() {
		if ev.When().Before(last) {
			t.Fatalf("%T at %v comes after %v", ev, ev.When(), last)
		}
		last = ev.When()
		if !last.Before(o.Until) {
			t.Fatalf("%T at %v lies after the end", ev, last)
		}
		if l, ok := ev.(*access.Lookup); ok && l.At.Before(s.Options.Start) {
			t.Fatalf("a look-up at %v precedes the first day", l.At)
		}
		f.take(ev)
	}
	guests := 0
	for _, task := range f.tasks {
		if task.ClosedAt.IsZero() {
			open++
			if f.covers(task.ID, s.Cast().Agent, last) == policy.AssignedEmployee {
				guests++
			}
		}
	}
	if guests < 2 {
		t.Errorf("got %d open tasks for the visitor's agent, want a few", guests)
	}
	if open < 5 {
		t.Errorf("got %d tasks open at the end, want some that the day left behind", open)
	}
	if gap := o.Until.Sub(last); gap > time.Hour {
		t.Errorf("the last event lies %v before the end of a working morning", gap)
	}
}

func TestHonestLookupsStandUnderAnOpenTaskOfTheirs(t *testing.T) {
	t.Parallel()
	s := simulate.New(simulate.Options{Seed: 3})
	labelled := map[access.LookupID]simulate.Scenario{}
	events := s.History()
	for _, l := range s.Labels() {
		labelled[l.Access] = l.Scenario
	}
	f := newFacts(s)
	var all, honest, named, held, foreign int
	for _, ev := range events {
		f.take(ev)
		l, ok := ev.(*access.Lookup)
		if !ok {
			continue
		}
		all++
		if l.Task != "" && f.tasks[l.Task] == nil {
			t.Fatalf("look-up %s names task %s before it was opened", l.ID, l.Task)
		}
		if c := labelled[l.ID]; c != "" && c[0] == 'S' {
			continue
		}
		honest++
		if l.Task == "" {
			continue
		}
		named++
		task := f.tasks[l.Task]
		if task.Open(l.At) && f.covers(l.Task, l.Employee, l.At) != policy.AssignedNot {
			held++
		}
		if task.Customer != l.Customer && l.Action != access.ActionSearch {
			foreign++
		}
	}
	if all < 40_000 || all > 60_000 {
		t.Errorf("got %d look-ups for the demo's size, want 40,000 to 60,000", all)
	}
	if got := float64(named) / float64(honest); got < 0.9 || got == 1 {
		t.Errorf("got a share of %.3f honest look-ups that name a task, want 0.9 or more, but not all", got)
	}
	if got := float64(held) / float64(named); got < 0.92 || got == 1 {
		t.Errorf("got a share of %.3f honest look-ups whose task is open and theirs, want 0.92 or more, but not all", got)
	}
	if got := float64(foreign) / float64(honest); got > 0.01 {
		t.Errorf("got a share of %.3f honest views of another customer than the task's, want hardly any", got)
	}
	if got := 1 - float64(honest)/float64(all); got < 0.004 || got > 0.05 {
		t.Errorf("got a share of %.3f snooping look-ups, want about one in a hundred", got)
	}
}

func TestNobodyLooksBeforeHeJoinedOrAfterHeLeft(t *testing.T) {
	t.Parallel()
	s := simulate.New(simulate.Options{Seed: 5, Employees: 160, Customers: 3000, Days: 12, Load: 0.4})
	who := map[access.EmployeeID]access.Employee{}
	late := 0
	for _, e := range s.Employees {
		who[e.ID] = e
		if e.JoinedOn.After(s.Options.Start) {
			late++
		}
	}
	if late == 0 {
		t.Error("nobody joins within the history: the test shows nothing")
	}
	for ev := range s.Stream() {
		l, ok := ev.(*access.Lookup)
		if !ok {
			continue
		}
		e := who[l.Employee]
		if l.At.Before(e.JoinedOn) {
			t.Fatalf("%s joined on %v and looked at %v", e.ID, e.JoinedOn, l.At)
		}
		// A night shift that began on the last day ends on the next.
		if !e.LeavesOn.IsZero() && l.At.After(e.LeavesOn.Add(7*time.Hour)) {
			t.Fatalf("%s left on %v and looked at %v", e.ID, e.LeavesOn, l.At)
		}
	}
}

func TestEveryScenarioOccursWithLabelsThatPointAtLookups(t *testing.T) {
	t.Parallel()
	seen := map[simulate.Scenario]int{}
	for seed := range uint64(3) {
		s := simulate.New(simulate.Options{Seed: seed, Employees: 60, Customers: 2500, Days: 16, Snooping: 2.5, Load: 0.5, Rates: map[string]float64{"N1": 4, "N8": 4}, Everyone: 0.2 * float64(seed)})
		lookups := map[access.LookupID]*access.Lookup{}
		for _, ev := range s.History() {
			if l, ok := ev.(*access.Lookup); ok {
				lookups[l.ID] = l
			}
		}
		once := map[access.LookupID]bool{}
		who := map[string]map[access.EmployeeID]bool{}
		for _, l := range s.Labels() {
			if lookups[l.Access] == nil || once[l.Access] {
				t.Fatalf("label %+v has no look-up, or it has two", l)
			}
			once[l.Access] = true
			if l.Benign != strings.HasPrefix(string(l.Scenario), "N") {
				t.Fatalf("label %+v: benign doesn't fit its code", l)
			}
			seen[l.Scenario]++
			if who[l.Episode] == nil {
				who[l.Episode] = map[access.EmployeeID]bool{}
			}
			who[l.Episode][lookups[l.Access].Employee] = true
			if l.Scenario == "S5" && !isSelf(s, lookups[l.Access]) {
				t.Errorf("%s at %s is labelled as a look at his own account", lookups[l.Access].Employee, lookups[l.Access].Customer)
			}
		}
		cast := s.Cast()
		for _, l := range s.Labels() {
			if e := lookups[l.Access].Employee; !l.Benign && (e == cast.Agent || e == cast.TeamLead) {
				t.Errorf("seed %d: %s, whom a visitor plays, snoops (%s)", seed, e, l.Scenario)
			}
		}
	}
	for _, code := range strings.Fields("S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15 S16 S17 N1 N2 N3 N4 N5 N6 N7 N8 N9 N10 N11 N12 N13 N14") {
		if seen[simulate.Scenario(code)] == 0 {
			t.Errorf("scenario %s doesn't occur in three seeds", code)
		}
	}
}

func isSelf(s *simulate.Shop, l *access.Lookup) bool {
	return slices.ContainsFunc(s.Customers, func(c access.Customer) bool { return c.ID == l.Customer && c.Employee == l.Employee })
}

func TestRatesAndSnoopingTurnScenariosOffAndUp(t *testing.T) {
	t.Parallel()
	episodes := func(o simulate.Options) map[simulate.Scenario]int {
		n, once := map[simulate.Scenario]int{}, map[string]bool{}
		for _, l := range simulate.New(o).Labels() {
			if !once[l.Episode] {
				once[l.Episode] = true
				n[l.Scenario]++
			}
		}
		return n
	}
	o := small
	o.Days, o.Snooping = 20, -1
	for code, n := range episodes(o) {
		if code[0] == 'S' {
			t.Errorf("got %d episodes of %s where nobody snoops", n, code)
		}
	}
	o.Snooping, o.Rates = 1, map[string]float64{"S6": 40, "S1": 0}
	got := episodes(o)
	if got["S6"] < 8 || got["S1"] != 0 {
		t.Errorf("got %d episodes of S6 and %d of S1, want many and none", got["S6"], got["S1"])
	}
}

func TestTheDemosShopHasWhatItPromises(t *testing.T) {
	t.Parallel()
	s := simulate.New(simulate.Options{})
	notable, roles := 0, map[access.Role]int{}
	customers := map[access.CustomerID]bool{}
	for _, c := range s.Customers {
		customers[c.ID] = true
		if c.Notable {
			notable++
		}
	}
	for _, e := range s.Employees {
		roles[e.Role]++
		if e.Role == access.RoleAgent && e.Manager == "" {
			t.Errorf("agent %s has no manager", e.ID)
		}
	}
	if len(s.Customers) != 5000 || len(s.Employees) != 80 || notable != 12 {
		t.Errorf("got %d customers, %d employees, %d notable; want 5000, 80, 12", len(s.Customers), len(s.Employees), notable)
	}
	for _, r := range []access.Role{access.RoleAgent, access.RoleTeamLead, access.RolePrivacyOfficer, access.RoleSecurity, access.RoleLegal,
		access.RoleAdministrator, access.RoleBot, access.RoleTraining, access.RoleAuditor} {
		if roles[r] == 0 {
			t.Errorf("no employee is %s", r)
		}
	}
	tables := map[string]simulate.Table{}
	for _, table := range s.Tables() {
		tables[table.Name] = table
		for _, row := range table.Rows {
			if len(row) != len(table.Columns) {
				t.Fatalf("%s: a row of %d cells for %d columns", table.Name, len(row), len(table.Columns))
			}
		}
	}
	orders := map[string]bool{}
	for _, row := range tables["orders"].Rows {
		orders[row[0].(string)] = true
		if !customers[access.CustomerID(row[1].(string))] {
			t.Fatalf("order %v is of a customer who doesn't exist", row)
		}
	}
	sensitive := map[string]int{}
	for _, row := range tables["order_items"].Rows {
		if !orders[row[1].(string)] {
			t.Fatalf("item %v is of an order that doesn't exist", row)
		}
		sensitive[row[3].(string)]++
	}
	if n := len(tables["order_items"].Rows); n < 40_000 || n > 75_000 {
		t.Errorf("got %d order items, want 40,000 to 75,000", n)
	}
	for _, department := range []string{"pharmacy", "lingerie", "adult", "religion"} {
		if sensitive[department] == 0 {
			t.Errorf("nothing of department %s was sold", department)
		}
	}
	for ev := range s.Stream() {
		if o, ok := ev.(*access.Ordered); ok && (!customers[o.Customer] || !orders[string(o.ID)]) {
			t.Fatalf("order %+v isn't in the shop", o)
		}
	}
	c := s.Cast()
	said := s.Says(c.Customer, s.Options.Until)
	for _, what := range []string{"order", "postcode", "email", "phone", "date_of_birth"} {
		if said[what] == "" {
			t.Errorf("the demo's customer doesn't say her %s", what)
		}
	}
}

func TestPurposesAreThoseOfTheShippedPolicy(t *testing.T) {
	t.Parallel()
	p := shipped(t)
	for _, n := range p.Needs() {
		want := slices.Clone(n.Categories)
		slices.Sort(want)
		words := strings.Fields(simulate.Purposes()[string(n.Purpose)])
		slices.Sort(words)
		got := make([]access.Category, len(words))
		for i, w := range words {
			got[i] = access.Category(w)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("purpose %s: the policy's categories (-) differ from the simulation's (+):\n%s", n.Purpose, diff)
		}
	}
	if got, want := len(simulate.Purposes()), len(p.Needs()); got != want {
		t.Errorf("got %d purposes, the policy has %d", got, want)
	}
}

func shipped(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "policy.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNoSizeOrRateBreaksIt(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		o := simulate.Options{Seed: seed, Employees: 12 + int(seed)*2, Customers: 200 + int(seed)*9, Days: 1 + int(seed)%6, Load: 0.1, Snooping: 6, Everyone: float64(seed%3) / 2}
		s := simulate.New(o)
		events, labels := s.History(), s.Labels()
		if len(s.Employees) != o.Employees || len(events) == 0 || (o.Days > 2 && len(labels) == 0) {
			t.Errorf("%+v: %d employees, %d events, %d labels", o, len(s.Employees), len(events), len(labels))
		}
		l := s.Live(s.Options.Until, seed)
		for range 200 {
			if l.Next().At.IsZero() {
				t.Fatal("a step without a time")
			}
		}
	}
}
