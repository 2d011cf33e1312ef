package lookup

import (
	"context"
	"fmt"
	"slices"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// Reasons of our own, beside the policy's.
const (
	reasonMalformed = "malformed_request"
	reasonFacts     = "facts_unavailable"
	reasonStranger  = "customer_not_known"
	reasonNobody    = "employee_not_known"
	reasonProgram   = "not_a_program"
	reasonLocked    = "finding_locked"
	reasonTurn      = "other_tries_in_progress"
	reasonNear      = "customer_tried_too_often"
	reasonNoOne     = "nobody_fits"
	reasonSelfMade  = "self_made_task"
)

// own returns a reason of our own.
func own(id, text string, public bool) policy.Reason {
	return policy.Reason{ID: id, Effect: "forbid", Text: text, Public: public}
}

// known is what could be found out about a try.
type known struct {
	policy.Facts
	stranger bool // nothing is known of the task's customer
	nobody   bool // the employee isn't in the directory, or no longer works here
}

// facts gathers all that the decision rests on. Nothing is asked about the
// customer whom the asker names, only about the task's: so a customer of
// somebody else's and one that doesn't exist can't differ, not even in time (G9).
func (s *Service) facts(ctx context.Context, a asking) (f known, err error) {
	f.Facts = policy.Facts{
		Now: a.at, Employee: a.employee, Session: a.session,
		Asked: policy.Asked{Task: a.Task, Customer: a.Customer, Categories: a.Categories, Order: a.Order, Action: a.Action},
	}
	if f.Qualified, err = s.Qualifications.Qualification(ctx, a.employee.ID, a.at); err != nil {
		return f, fmt.Errorf("check the qualification: %w", err)
	}
	standing, err := s.Tasks.Standing(ctx, a.employee, a.Task)
	if err != nil {
		return f, fmt.Errorf("find the task: %w", err)
	}
	if f.Task = standing.Task; f.Task == nil {
		return f, nil
	}
	f.Assigned = standing.Assigned
	c := f.Task.Customer
	f.Customer, err = s.People.Customer(ctx, c)
	if f.stranger = access.CodeOf(err) == access.NotFound; f.stranger {
		// A missing fact never weakens a check: who isn't known counts as notable.
		f.Customer, err = access.Customer{ID: c, Notable: true}, nil
	}
	if err != nil {
		return f, fmt.Errorf("find what is known of the customer: %w", err)
	}
	if f.Relations, err = s.People.Relations(ctx, a.employee.ID, c); err != nil {
		return f, fmt.Errorf("find relations: %w", err)
	}
	if a.Order != "" {
		if f.OrderOf, err = s.Source.OrderOf(ctx, a.Order, c); err != nil {
			return f, fmt.Errorf("find whose the order is: %w", err)
		}
	}
	by, why, err := s.Approvals.Approved(ctx, a.employee.ID, a.Task, c, a.at)
	if err != nil {
		return f, fmt.Errorf("find a second person's yes: %w", err)
	}
	if by != "" && s.covers(f, why) {
		f.SecondPerson = by
	}
	return f, nil
}

// covers reports whether whoever agreed read every reason for asking him that
// there is now. A tie that was declared after his yes needs another.
func (s *Service) covers(f known, why []policy.Reason) bool {
	for _, r := range s.reasonsToAsk(f) {
		if r.Effect == "forbid" && !slices.ContainsFunc(why, func(read policy.Reason) bool { return read.ID == r.ID }) {
			return false
		}
	}
	return true
}

// reasonsToAsk returns what a second person is asked about. It isn't about the
// order or the categories of one try.
func (s *Service) reasonsToAsk(f known) []policy.Reason {
	f.Asked.Order, f.Asked.Categories, f.SecondPerson = "", nil, ""
	reasons := s.Policy.Decide(f.Facts).Reasons
	if f.stranger {
		reasons = append(reasons, strange())
	}
	return reasons
}

// strange is the reason why nothing is known of a customer weighs.
func strange() policy.Reason {
	return own(reasonStranger, "Nothing is known of this customer, so she counts as notable.", false)
}

// decide returns the policy's decision, or a deny where a fact is missing.
func (s *Service) decide(ctx context.Context, a asking, f known, err error) policy.Decision {
	if err == nil {
		d := s.Policy.Decide(f.Facts)
		if f.nobody {
			d.Effect = policy.Deny
			d.Reasons = append(d.Reasons, own(reasonNobody, "The employee isn't in the directory, or doesn't work here now.", false))
		}
		if f.stranger {
			d.Reasons = append(d.Reasons, strange())
		}
		return d
	}
	s.Log.ErrorContext(ctx, "facts of a look-up unavailable", "lookup", string(a.id), "error", err)
	return policy.Decision{
		Effect:  policy.Deny,
		Reasons: []policy.Reason{own(reasonFacts, "A fact could not be found out; without it nothing is allowed.", true)},
		Answer: policy.Answer{
			Code: access.Unavailable, Message: "It can't be decided now whether you may look.",
			Hint: "Try again in a minute; nothing was shown.",
		},
	}
}

// partOf returns the customer whose part a refusal is recorded in, or "". A key
// is made for a person at her first record, and that can be felt in the time of
// the answer; so nothing may depend on whether the asker guessed right: it's
// the customer of the task that he named, and only where he named no other, or
// the task is his own and hers. In all other cases the id that he asked for
// stands in his own part, and nobody fills the key table with invented
// customers.
func (a asking) partOf(f known) access.CustomerID {
	switch {
	case f.Task == nil:
		return ""
	case a.Customer == "", f.Assigned != "" && a.Customer == f.Task.Customer:
		return f.Task.Customer
	}
	return ""
}
