package policy

import (
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go"

	"paravent/internal/access"
)

// Decide decides whether the look-up that the facts describe is allowed. It is
// pure: the same facts give the same decision.
//
// Whatever isn't known is a deny: no task, an unknown purpose, role or customer,
// a rule that can't be evaluated. Every rule that speaks is among the reasons,
// also permits that a forbid overrules. Reasons are for the record; the asker
// hears the Answer alone (G9).
func (p *Policy) Decide(f Facts) Decision {
	var d Decision
	purpose, known := Purpose{}, false
	if f.Task != nil {
		purpose, known = p.purposes[f.Task.Purpose]
	}
	heard := p.evaluate(&f, &d)
	for _, v := range p.floor(&f, purpose, known) {
		if !heard.has(v.id) {
			d.Reasons = append(d.Reasons, v.reason())
			heard.refuse(v.refusal)
		}
	}
	// What is known of a task that isn't his is not his to hear.
	if slices.ContainsFunc(heard.refusals, func(r refusal) bool { return r.class == classNotYours }) {
		for i := range d.Reasons {
			d.Reasons[i].Public = slices.ContainsFunc(heard.refusals, func(r refusal) bool { return r.id == d.Reasons[i].ID && r.class == classOwn })
		}
	}
	if len(heard.refusals) == 0 && heard.permitted {
		d.Effect, d.Grant = Allow, grant(&f, purpose)
		return d
	}
	p.answer(&f, purpose, heard, &d)
	return d
}

// A verdict is what the rules said together.
type verdict struct {
	permitted bool
	refusals  []refusal
}

// A refusal is one rule, or one line of the floor, that refuses.
type refusal struct {
	id          string
	class       class
	liftedBy    string
	hears, hint string
}

func (v *verdict) refuse(r refusal) { v.refusals = append(v.refusals, r) }

func (v *verdict) has(id string) bool {
	return slices.ContainsFunc(v.refusals, func(r refusal) bool { return r.id == id })
}

// rules of one effect, as Cedar iterates them; their ids are their indexes.
type rules struct {
	ids      []cedar.PolicyID
	policies []*cedar.Policy
}

// All yields every rule in the order of the file.
func (rs *rules) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, id := range rs.ids {
			if !yield(id, rs.policies[i]) {
				return
			}
		}
	}
}

// add adds the rule with this index.
func (rs *rules) add(i int, policy *cedar.Policy) {
	rs.ids = append(rs.ids, cedar.PolicyID(strconv.Itoa(i)))
	rs.policies = append(rs.policies, policy)
}

// What the rules said, by their index.
const (
	silent = iota
	spoke
	failed
)

// hear returns what each rule says. Permits and forbids are evaluated apart, for
// Cedar names no permit once a forbid applies.
func (p *Policy) hear(f *Facts) []uint8 {
	request, entities := p.request(f)
	said := make([]uint8, len(p.rules))
	for _, set := range []*rules{&p.prepared.permits, &p.prepared.forbids} {
		_, diagnostic := cedar.Authorize(set, entities, request)
		for _, r := range diagnostic.Reasons {
			if i, err := strconv.Atoi(string(r.PolicyID)); err == nil {
				said[i] = spoke
			}
		}
		for _, e := range diagnostic.Errors {
			if i, err := strconv.Atoi(string(e.PolicyID)); err == nil {
				said[i] = failed
			}
		}
	}
	return said
}

// evaluate hears every rule and appends its reason.
func (p *Policy) evaluate(f *Facts, d *Decision) *verdict {
	said := p.hear(f)
	v := &verdict{}
	d.Reasons = make([]Reason, 0, 4)
	for i := range p.rules {
		r := &p.rules[i]
		permit := p.prepared.permit[i]
		switch {
		case said[i] == failed:
			// An error is a deny, heard in the class of the rule that failed:
			// what it failed on may be a fact about the customer.
			d.Reasons = append(d.Reasons, Reason{ID: r.id, Effect: "forbid", Text: "the rule could not be evaluated: " + r.says})
			v.refuse(refusal{id: r.id, class: r.class, liftedBy: liftedByNobody, hears: undecided.Message, hint: undecided.Hint})
		case said[i] == silent:
		case permit:
			v.permitted = true
			d.Reasons = append(d.Reasons, Reason{ID: r.id, Effect: "permit", Text: r.says, Public: true})
		default:
			d.Reasons = append(d.Reasons, Reason{ID: r.id, Effect: "forbid", Text: r.says, Public: r.class.public()})
			v.refuse(refusal{id: r.id, class: r.class, liftedBy: r.liftedBy, hears: r.hears, hint: r.hint})
		}
	}
	return v
}

// public reports whether reasons of this class concern only the asker and his
// own task.
func (c class) public() bool { return c == classOwn || c == classTask }

// grant makes the leave that an allowed look-up gets.
func grant(f *Facts, u Purpose) access.Grant {
	g := access.Grant{
		Employee: f.Employee.ID, Session: f.Session, Customer: f.Task.Customer, Task: f.Task.ID, Purpose: u.Name,
		Categories: slices.Clone(f.Asked.Categories), Reach: u.Reach, Order: f.Asked.Order,
		Sensitive: slices.Clone(u.Sensitive), Since: f.Now, Until: f.Now.Add(u.Grant),
	}
	if len(g.Categories) == 0 {
		g.Categories = slices.Clone(u.Categories)
	}
	slices.Sort(g.Categories)
	g.Categories = slices.Compact(g.Categories)
	switch u.Reach {
	case access.ReachRecord:
		g.Order = f.Task.Order // G2: the task's order or none at all
	case access.ReachRecent:
		g.Recent = u.Recent
	}
	return g
}

// orderFits reports whether the asked order may be looked at under this task.
func orderFits(f *Facts, reach access.Reach) bool {
	if f.Asked.Order == "" {
		return true
	}
	if f.Task == nil || !f.OrderOf {
		return false
	}
	return reach != access.ReachRecord || f.Asked.Order == f.Task.Order
}

// confirmed reports whether a colleague stands behind a self-made task.
func confirmed(t *access.Task, asker access.EmployeeID) bool {
	return t.ConfirmedBy != "" && t.ConfirmedBy != asker
}

// agreed reports whether a second person agreed. G8: nobody is his own.
func agreed(f *Facts) bool { return f.SecondPerson != "" && f.SecondPerson != f.Employee.ID }

// open reports whether the task is open at this moment.
func open(t *access.Task, at time.Time) bool { return t != nil && t.Open(at) }
