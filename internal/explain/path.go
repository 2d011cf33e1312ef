package explain

import (
	"time"

	"paravent/internal/access"
)

// Step is one link of a path from the customer to the employee. From and To are
// ids, written as in the input, each after the word for what it is
// ("customer c17", "task T9", "employee e3").
type Step struct {
	From     string    `json:"from"`
	Relation string    `json:"relation"`
	To       string    `json:"to"`
	At       time.Time `json:"at,omitzero"`
	By       string    `json:"by,omitempty"`      // who stands behind this fact: an employee's id, customer, system; empty is not known
	Missing  bool      `json:"missing,omitempty"` // this link is what is missing
}

// Explanation is a Grade written out for a reader.
type Explanation struct {
	Template string  // the template's id; empty: nothing explains it
	Strength float64 // 0..1
	Path     []Step
	Missing  string // the link that is missing, as a sentence; empty when none is
}

// Explain writes out what best explains a look-up of employee e at customer c
// made at `at`, as known at `now` (microseconds since 1970 UTC).
func (f *Facts) Explain(e, c int32, at, now int64) Explanation {
	g := f.Grade(e, c, at, now)
	if g.Template < 0 {
		return f.unexplained(e, c, at, now)
	}
	x := Explanation{Template: f.templates[g.Template].ID, Strength: round(g.Strength)}
	customer, employee := "customer "+string(f.st.Customers[c].ID), "employee "+string(f.st.Employees[e].ID)
	if g.Task < 0 {
		k := f.contactNear(c, e, at, now, f.templates[g.Template].Link == LinkContact)
		x.Path = []Step{{From: customer, Relation: "contacted (" + k.Channel + ")", To: employee, At: access.FromMicros(k.At), By: access.ByCustomer, Missing: k.Employee != e}}
		if k.Employee != e {
			x.Missing = "Nothing shows that this employee took the contact."
		}
		return x
	}
	t := &f.st.Tasks[g.Task]
	name := "task " + string(t.ID)
	x.Path = append(x.Path, Step{From: customer, Relation: "is the customer of", To: name, At: access.FromMicros(t.Opened), By: f.name(t.OpenedBy)})
	if t.Closed != 0 && t.Closed <= at {
		x.Path = append(x.Path, Step{From: name, Relation: "was closed", To: name, At: access.FromMicros(t.Closed), By: f.name(t.ClosedBy), Missing: g.Stale > hour})
		if g.Stale > hour {
			x.Missing = "The task was closed before the look-up."
		}
	}
	last := Step{From: name, To: employee}
	last.Relation, last.At, last.By = f.lastLink(t, f.templates[g.Template].Link, e, at, now)
	x.Path = append(x.Path, last)
	if g.Own {
		x.Path = append(x.Path, Step{From: customer, Relation: "asked for", To: name, Missing: true})
		x.Missing = "Nothing of the customer's and no outcome stands beside a task that this employee opened himself."
	}
	return x
}

// unexplained draws the path as far as it goes: to the customer's latest task,
// with the link to the employee missing.
func (f *Facts) unexplained(e, c int32, at, now int64) Explanation {
	customer, employee := "customer "+string(f.st.Customers[c].ID), "employee "+string(f.st.Employees[e].ID)
	var latest *task
	for _, n := range f.st.Customers[c].Tasks {
		if t := &f.st.Tasks[n]; t.Opened <= now && t.Opened <= at+ahead && (latest == nil || t.Opened > latest.Opened) {
			latest = t
		}
	}
	if latest == nil {
		return Explanation{
			Path:    []Step{{From: customer, Relation: "has a task of", To: employee, Missing: true}},
			Missing: "There is no task and no contact of this customer's.",
		}
	}
	name := "task " + string(latest.ID)
	return Explanation{
		Path: []Step{
			{From: customer, Relation: "is the customer of", To: name, At: access.FromMicros(latest.Opened), By: f.name(latest.OpenedBy)},
			{From: name, Relation: "was assigned to", To: employee, Missing: true},
		},
		Missing: "Nothing ties this employee to a task or contact of this customer's.",
	}
}

// lastLink says in words how a task ties to the employee, when and by whom.
func (f *Facts) lastLink(t *task, l Link, e int32, at, now int64) (relation string, when time.Time, by string) {
	team := f.st.Employees[e].Team
	switch l {
	case LinkOpened:
		return "was opened by", access.FromMicros(t.Opened), f.name(t.OpenedBy)
	case LinkWorked, LinkWorking:
		for i := range t.Work {
			w := &t.Work[i]
			if w.Employee == e && w.At <= now && (w.At <= at) == (l == LinkWorked) {
				return "was worked on by", access.FromMicros(w.At), f.name(e)
			}
		}
		return "was worked on by", time.Time{}, f.name(e)
	case LinkReviewed:
		return "was worked on by people led by", time.Time{}, ""
	}
	for i := len(t.Assigned) - 1; i >= 0; i-- {
		a := &t.Assigned[i]
		if a.Since > now {
			continue
		}
		if l == LinkTeam && a.Team >= 0 && a.Team == team {
			return "was assigned to the team (" + string(f.st.Teams[team]) + ") of", access.FromMicros(a.Since), f.name(a.By)
		}
		if l != LinkTeam && a.Employee == e {
			return "was assigned to", access.FromMicros(a.Since), f.name(a.By)
		}
	}
	return "was assigned to", time.Time{}, ""
}

// contactNear returns the contact that explains best: the latest before the
// look-up, of this employee where mine says so.
func (f *Facts) contactNear(c, e int32, at, now int64, mine bool) contact {
	list := f.st.Customers[c].Contacts
	for i := len(list) - 1; i >= 0; i-- {
		k := list[i]
		if k.At <= now && k.At <= at+ahead/4 && (mine && k.Employee == e || !mine && k.Employee == nobodyKnown && !k.Out) {
			return k
		}
	}
	return contact{Employee: nobodyKnown}
}

// name writes who stands behind a fact.
func (f *Facts) name(who int32) string {
	switch who {
	case nobodyKnown:
		return ""
	case theCustomer:
		return access.ByCustomer
	case theSystem:
		return access.BySystem
	}
	return string(f.st.Employees[who].ID)
}

// round keeps three places, so that figures read well and compare exactly.
func round(x float64) float64 { return float64(int(x*1000+0.5)) / 1000 }
