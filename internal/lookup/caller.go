package lookup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/policy"
)

// missesAtCustomer is how many tries of all employees together, within the
// policy's time, may come near one customer without finding her; then she isn't
// found at all until they are older, so that nobody can share the guessing.
const missesAtCustomer = 10

// FindCaller finds the one customer whom everything fits that a caller said, and
// opens a task for her (G1: the exception for a call in progress). Nobody, several
// and a customer who was guessed at too often all answer alike, with
// access.NotFound; too many misses lock the employee's finding (access.Denied).
//
// One employee's tries come one after another, and each is counted as a miss
// before anything is searched: a hundred at once get no further than one by one.
func (s *Service) FindCaller(ctx context.Context, who identity.Who, said Said) (FoundCaller, error) {
	a, err := s.ask(who, Request{Action: access.ActionSearch, Door: said.Door})
	if err != nil {
		return FoundCaller{}, err
	}
	end, err := s.finders.take(ctx, a.employee.ID)
	if err != nil {
		busy := access.Errorf(access.Unavailable, "Too many tries at once.").
			WithHint("Try again when the others have ended.").Because(err)
		return FoundCaller{}, s.refuseTry(ctx, try{asking: a}, refusal(reasonTurn, "He had other tries in progress.", busy), nil)
	}
	defer end()
	a.at = s.Clock().UTC()
	t := try{asking: a, purpose: said.Purpose, said: said.Fields}
	d, err := s.mayFind(ctx, &t)
	if err != nil || d.Effect != policy.Allow {
		return FoundCaller{}, s.refuseTry(ctx, t, d, err)
	}
	return s.find(ctx, t)
}

// try is one try to find a caller.
type try struct {
	asking
	purpose access.Purpose
	said    map[string]string
}

// conduct returns the employee part of the try's records: the names of what was
// said, never the values.
func (t try) conduct() Conduct {
	c := t.asking.conduct()
	c.Purpose = t.purpose
	c.Said = slices.Sorted(maps.Keys(t.said))
	return c
}

// mayFind decides whether this employee may search with these identifiers at
// this moment. t is made recordable on the way.
func (s *Service) mayFind(ctx context.Context, t *try) (policy.Decision, error) {
	callers := s.Policy.Callers()
	if !plausible(string(t.purpose)) {
		t.purpose = ""
	}
	if !sayable(callers, t.said) {
		t.said = nil
		return refusal(reasonMalformed, "What was said can't be understood.", errSaid(callers)), nil
	}
	if _, ok := s.Policy.Purpose(t.purpose); !ok {
		t.purpose = ""
		return refusal(reasonMalformed, "There is no such purpose.", access.Errorf(access.Invalid, "There is no such purpose.").
			WithHint("Choose what the call is about.")), nil
	}
	d, err := s.asIfCalled(ctx, *t)
	if err != nil || d.Effect != policy.Allow {
		return d, err
	}
	misses, locked, err := s.misses(ctx, *t)
	if err != nil {
		return policy.Decision{}, err
	}
	if !t.at.Before(locked) && misses >= callers.Misses { // the lock of the last miss was lost in a crash
		locked = t.at.Add(callers.LockedFor)
		if err := s.Tries.Lock(ctx, t.employee.ID, locked); err != nil {
			return policy.Decision{}, fmt.Errorf("lock: %w", err)
		}
	}
	if t.at.Before(locked) {
		return refusal(reasonLocked, "Too many misses: finding callers is locked.", errLocked(locked)), nil
	}
	return d, nil
}

// misses returns how many misses count against t's employee, and until when he
// is or was locked. Misses before the end of his last lock are paid for.
func (s *Service) misses(ctx context.Context, t try) (int, time.Time, error) {
	since := t.at.Add(-s.Policy.Callers().Within)
	n, locked, err := s.Tries.Standing(ctx, t.employee.ID, since)
	if err == nil && locked.After(since) && !t.at.Before(locked) {
		n, locked, err = s.Tries.Standing(ctx, t.employee.ID, locked)
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count tries: %w", err)
	}
	return n, locked, nil
}

// asIfCalled asks the policy what it would say to an ordinary task of this
// purpose, assigned to him, of a customer of whom nothing speaks against it: his
// role, his qualification and the company's own rules about them.
func (s *Service) asIfCalled(ctx context.Context, t try) (policy.Decision, error) {
	const caller, order = "caller", "order"
	q, err := s.Qualifications.Qualification(ctx, t.employee.ID, t.at)
	if err != nil {
		return policy.Decision{}, fmt.Errorf("check the qualification: %w", err)
	}
	task := access.Task{ID: caller, Customer: caller, Purpose: t.purpose, Channel: "call", Order: order, OpenedAt: t.at, OpenedBy: access.BySystem}
	return s.Policy.Decide(policy.Facts{
		Now: t.at, Employee: t.employee, Session: t.session, Qualified: q, Task: &task, Assigned: policy.AssignedEmployee,
		Asked: policy.Asked{Task: caller}, Customer: access.Customer{ID: caller}, OrderOf: true,
	}), nil
}

// refuseTry records a try that came to no search, and returns its answer.
func (s *Service) refuseTry(ctx context.Context, t try, d policy.Decision, err error) error {
	if err != nil {
		d = s.decide(ctx, t.asking, known{}, err)
	}
	c := t.conduct()
	c.Reasons = ids(d.Reasons)
	if _, err := s.record(ctx, ledger.KindRefusal, string(access.OutcomeRefused), 0, c, nil); err != nil {
		return err
	}
	if answer := d.Answer.Err(); answer != nil {
		return answer
	}
	return access.Errorf(access.Denied, "You may not find callers.")
}

// refusal is a decision of our own that refuses.
func refusal(id, text string, answer *access.Error) policy.Decision {
	return policy.Decision{
		Effect: policy.Deny, Reasons: []policy.Reason{own(id, text, true)},
		Answer: policy.Answer{Code: answer.Code, Message: answer.Message, Hint: answer.Hint},
	}
}
