package simulate

import (
	"iter"
	"strconv"
	"time"

	"paravent/internal/access"
)

// Shop is a made-up company. Its fields are the standing facts, known from the
// start; they are not to be changed.
type Shop struct {
	Options   Options // with every default filled in
	Employees []access.Employee
	Customers []access.Customer
	Relations []access.Relation // what the company knows of the ties; a part of the true ones
	News      []access.News

	start  int64 // seconds since 1970 UTC of the first day's midnight
	until  int64 // the history ends before this second
	teams  []team
	people []person // as Employees, by index
	households
	purchases
	ties    [][]tie // by employee: whom he truly knows
	plans   []plan  // by day: the episodes to come
	regular []regular
	labels  []Label
}

// Scenario is a code of the package's list, such as "S2" or "N7".
type Scenario string

// Label says of one look-up to which episode it belongs. Benign marks honest
// episodes that look like snooping; look-ups without a label are honest.
type Label struct {
	Access   access.LookupID
	Episode  string
	Scenario Scenario
	Benign   bool
}

// Cast names one account of each kind for a person who tries the demo. Neither
// the agent nor the lead snoops, and the agent isn't asked to look by [Live].
type Cast struct {
	Agent, TeamLead, PrivacyOfficer, Administrator access.EmployeeID
	Customer                                       access.CustomerID // one who was looked at, honestly
	Notable                                        access.CustomerID // the one whom a crowd looks at
}

// New makes the shop of these options. It makes no history yet.
func New(o Options) *Shop {
	o = o.filled()
	s := &Shop{Options: o, start: o.Start.Unix(), until: o.Until.Unix()}
	s.hire()
	s.enroll()
	s.tieUp()
	s.sell()
	s.acquaint()
	s.plan()
	s.publish()
	return s
}

// Stream yields the history in order of time, one day after the other: tasks,
// assignments, work, contacts, orders, news and look-ups, some honest and some
// snooping. Facts reach back a week before the first day and orders sixty days;
// look-ups don't. Each call makes the same events anew.
func (s *Shop) Stream() iter.Seq[access.Event] {
	return func(yield func(access.Event) bool) {
		s.run(func(it item) bool { return yield(s.event(it)) })
	}
}

// History returns all of Stream, and keeps its labels for Labels.
func (s *Shop) History() []access.Event {
	var all []access.Event
	var labels []Label
	s.run(func(it item) bool {
		all = append(all, s.event(it))
		if it.label != nil {
			labels = append(labels, it.label.of(it.number))
		}
		return true
	})
	s.labels = labels
	return all
}

// Labels returns the labels of the history's look-ups, in order of time.
func (s *Shop) Labels() []Label {
	if s.labels == nil {
		s.run(func(it item) bool {
			if it.label != nil {
				s.labels = append(s.labels, it.label.of(it.number))
			}
			return true
		})
	}
	return s.labels
}

// Standing returns what is known from the start, as events with zero times:
// purposes, employees, customers and relations.
func (s *Shop) Standing() []access.Event {
	out := make([]access.Event, 0, len(purposes)+len(s.Employees)+len(s.Customers)+len(s.Relations))
	for _, p := range purposes {
		out = append(out, &access.PurposeNeeds{Purpose: p.name, Categories: categoryLists[p.needs]})
	}
	for _, e := range s.Employees {
		out = append(out, &access.EmployeeKnown{Employee: e})
	}
	for _, c := range s.Customers {
		out = append(out, &access.CustomerKnown{Customer: c})
	}
	for _, r := range s.Relations {
		out = append(out, &access.Related{Relation: r})
	}
	return out
}

// Cast returns the accounts for a visitor of the demo.
func (s *Shop) Cast() Cast {
	agent := s.guest()
	c := Cast{
		Agent:          s.people[agent].id,
		TeamLead:       s.people[s.people[agent].manager].id,
		PrivacyOfficer: s.people[s.teams[teamPrivacy].members[0]].id,
		Administrator:  s.people[s.teams[teamSystems].members[0]].id,
		Customer:       s.Customers[s.best].ID,
		Notable:        s.Customers[s.notables[0]].ID,
	}
	return c
}

// dayStart returns the second at which day d begins; day 0 is the first.
func (s *Shop) dayStart(d int) int64 { return s.start + int64(d)*86400 }

// dayOf returns the day in which the second t lies.
func (s *Shop) dayOf(t int64) int {
	d := t - s.start
	if d < 0 {
		d -= 86399
	}
	return int(d / 86400)
}

// weekday returns the day of the week, 0 for Monday.
func (s *Shop) weekday(d int) int {
	w := (int(s.Options.Start.Weekday()) + 6 + d) % 7
	return (w + 7) % 7
}

// moment turns seconds into the time of an event; 0 stays unknown.
func moment(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(t, 0).UTC()
}

func orderID(i int32) access.OrderID {
	return access.OrderID("o" + strconv.FormatInt(500_001+int64(i), 10))
}

func taskID(n uint64) access.TaskID {
	return access.TaskID("T-" + strconv.FormatUint(n, 10))
}
