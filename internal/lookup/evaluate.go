package lookup

import (
	"context"
	"errors"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/policy"
)

// Evaluate decides for a program that holds the data itself and asks in an
// employee's name. The decision is recorded before it is given (G3); what the
// program then shows is out of sight, so an allowed one counts as the whole grant.
//
// Only an account of access.RoleProgram may ask; anybody else's try is recorded
// as his own and refused with access.Denied. An error means that no decision is
// given: malformed (access.Invalid) or not recordable (access.Unavailable).
func (s *Service) Evaluate(ctx context.Context, program identity.Who, subject access.EmployeeID, r Request) (Evaluation, error) {
	a, err := s.ask(program, r)
	if err != nil {
		return Evaluation{}, err
	}
	var ok bool
	if a.Request, ok = understood(a.Request); !ok || !plausible(string(subject)) {
		return Evaluation{}, s.refuseMalformed(ctx, a)
	}
	if a.employee.Role != access.RoleProgram {
		d := policy.Decision{
			Effect:  policy.Deny,
			Reasons: []policy.Reason{own(reasonProgram, "Only a program's account may ask in somebody else's name.", true)},
			Answer: policy.Answer{
				Code: access.Denied, Message: "Only a program may ask for decisions in somebody else's name.",
				Hint: "Look it up yourself, or ask your administrator for a program's account.",
			},
		}
		return Evaluation{}, s.refuse(ctx, a, known{}, d)
	}
	f, err := s.factsOf(ctx, &a, subject)
	d := s.decide(ctx, a, f, err)
	if d.Effect == policy.Allow {
		g := grant(a, d)
		receipt, err := s.intend(ctx, a, f, d, g, outcomeDecided)
		if err != nil {
			return Evaluation{}, err
		}
		return Evaluation{ID: a.id, Allowed: true, Grant: g, Receipt: receipt}, nil
	}
	receipt, recorded, answer := s.refusal(ctx, a, f, d)
	if !recorded {
		return Evaluation{}, answer
	}
	e := Evaluation{ID: a.id, Receipt: receipt}
	var waits *Pending
	if errors.As(answer, &waits) {
		e.Request = waits.Request
	}
	errors.As(answer, &e.Answer)
	return e, nil
}

// factsOf turns a program's try into the try of the employee for whom it asks,
// and gathers the facts. Of somebody who isn't in the directory, or no longer
// works here, no task is anybody's.
func (s *Service) factsOf(ctx context.Context, a *asking, subject access.EmployeeID) (known, error) {
	e, err := s.People.Employee(ctx, subject)
	switch {
	case access.CodeOf(err) == access.NotFound, err == nil && !employed(e, a.at):
		// The record stays the program's own: no key is made for a claimed id.
		a.whom = subject
		return known{Facts: policy.Facts{Now: a.at, Employee: access.Employee{ID: subject}, Session: a.session}, nobody: true}, nil
	case err != nil:
		return known{}, err
	}
	a.by, a.employee = a.employee.ID, e
	return s.facts(ctx, *a)
}

// employed reports whether e works here at t: from the day he joins to the end
// (UTC) of the day he leaves.
func employed(e access.Employee, t time.Time) bool {
	return !t.Before(e.JoinedOn) && (e.LeavesOn.IsZero() || t.Before(e.LeavesOn.AddDate(0, 0, 1)))
}
