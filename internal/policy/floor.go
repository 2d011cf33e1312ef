package policy

import (
	"slices"

	"paravent/internal/access"
)

// A violation is one line of the floor that a look-up falls below.
type violation struct {
	refusal
	text string
}

// reason returns the violation for the record.
func (v violation) reason() Reason {
	return Reason{ID: v.id, Effect: "forbid", Text: v.text + " (built in)", Public: v.class.public()}
}

// floor upholds G1 and G2 whatever the Cedar file says: it can only make a
// decision stricter. The default file has a rule of the same id for each line,
// so that a line is heard only where a company took its rule away.
//
// G1: the task exists, is open, is about this customer and is assigned to the
// employee or his team; one that he made himself, a colleague has confirmed.
// G2: the purpose is known and open to his role, the categories are within it,
// the order is the customer's and, with reach "record", the task's.
func (p *Policy) floor(f *Facts, u Purpose, known bool) []violation {
	var out []violation
	below := func(broken bool, id string, c class, liftedBy, text, hears string) {
		if broken {
			out = append(out, violation{refusal{id: id, class: c, liftedBy: liftedBy, hears: hears, hint: notAllowed.Hint}, text})
		}
	}
	below(!slices.Contains(actions, string(f.Asked.Action)) && f.Asked.Action != "", "action-unknown", classOwn, "", "there is no such action", "There is no such action.")
	_, role := p.roles[f.Employee.Role]
	below(!role, "role-unknown", classOwn, "", "the employee's role is not in the policy", "Your role isn't in the policy.")
	if f.Task == nil {
		below(true, "task-unknown", classNotYours, "", "there is no such task", "")
		return out
	}
	t := f.Task
	asked := f.Asked.Customer
	if asked == "" {
		asked = t.Customer
	}
	below(f.Asked.Task != "" && f.Asked.Task != t.ID, "task-other", classNotYours, "", "another task was asked", "")
	below(f.Assigned != AssignedEmployee && f.Assigned != AssignedTeam, "task-not-assigned", classNotYours, "", "the task is not assigned to the employee", "")
	below(asked != t.Customer, "task-other-customer", classNotYours, "", "the task is about another customer", "")
	below(asked == "" || f.Customer.ID != asked, "customer-unknown", classNotYours, "", "the customer is not known", "")
	below(!t.Open(f.Now), "task-closed", classTask, "", "the task is not open", "This task is not open.")
	below(t.SelfMade && !confirmed(t, f.Employee.ID), "task-unconfirmed", classTask, liftedByColleague, "no colleague has confirmed the self-made task", "A colleague must confirm this task first.")
	below(!known, "purpose-unknown", classTask, "", "the policy doesn't know the purpose of the task", "The purpose of this task isn't in the policy.")
	if !known {
		return out
	}
	below(!slices.Contains(u.Who, f.Employee.Role), "role-not-for-purpose", classTask, "", "the purpose is not open to the employee's role", "Your role may not look up customers for this purpose: {purpose}.")
	beyond := slices.ContainsFunc(f.Asked.Categories, func(c access.Category) bool { return !slices.Contains(u.Categories, c) })
	below(beyond, "categories-beyond-purpose", classTask, "", "more categories were asked than the purpose needs", "This task needs only: {categories}.")
	below(!orderFits(f, u.Reach), "order-does-not-fit", classOrder, "", "the order is not the customer's or not the task's", "")
	return out
}
