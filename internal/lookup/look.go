package lookup

import (
	"context"
	"errors"
	"fmt"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// Look is one look-up, all the way. The steps are in the order of the design,
// and the order is the guarantee: what comes later can't happen without what
// comes before.
//
// A refusal is an *access.Error, or a *Pending where a second person is now
// asked; access.Unavailable says that nothing could be recorded or read.
func (s *Service) Look(ctx context.Context, who identity.Who, r Request) (*Disclosure, error) {
	a, err := s.ask(who, r)
	if err != nil {
		return nil, err
	}
	var ok bool
	if a.Request, ok = understood(a.Request); !ok {
		return nil, s.refuseMalformed(ctx, a)
	}
	f, err := s.facts(ctx, a)
	d := s.decide(ctx, a, f, err)
	if d.Effect != policy.Allow {
		return nil, s.refuse(ctx, a, f, d)
	}
	g := grant(a, d)
	intent, err := s.intend(ctx, a, f, d, g, "") // G3: durable before the source is read
	if err != nil {
		return nil, err
	}
	result, readErr := s.Source.Read(ctx, g) // G1, G2: inside the grant
	outcome, err := s.conclude(ctx, a, g, intent, result, readErr)
	if err != nil {
		return nil, err // G3: an outcome that isn't durable isn't shown
	}
	if readErr != nil {
		return nil, access.Errorf(access.Unavailable, "The data can't be read now.").
			WithHint("Try again in a minute; nothing was shown.").Because(fmt.Errorf("read the source: %w", readErr))
	}
	return &Disclosure{ID: a.id, Grant: g, Result: result, Intent: intent, Outcome: outcome}, nil
}

// Refused records a try that a door couldn't understand, and returns its answer.
func (s *Service) Refused(ctx context.Context, who identity.Who, door string) error {
	a, err := s.ask(who, Request{Door: door})
	if err != nil {
		return err
	}
	return s.refuseMalformed(ctx, a)
}

// refuseMalformed records a try that can't be understood.
func (s *Service) refuseMalformed(ctx context.Context, a asking) error {
	c := a.conduct()
	c.Asked, c.Reasons = a.Customer, []string{reasonMalformed}
	if _, err := s.record(ctx, ledger.KindRefusal, string(access.OutcomeRefused), 0, c, nil); err != nil {
		return err
	}
	return errMalformed()
}

// grant completes the decision's grant: bound to this session, and named.
func grant(a asking, d policy.Decision) access.Grant {
	g := d.Grant
	g.ID, g.Session = newID(), a.session
	return g
}

// refuse makes the refusal durable, with every true reason, and returns what
// the asker may hear (G9).
func (s *Service) refuse(ctx context.Context, a asking, f known, d policy.Decision) error {
	_, _, err := s.refusal(ctx, a, f, d)
	return err
}

// refusal is refuse for those who want the receipt, too. The error is never nil;
// recorded tells whether it is the answer to the asker or a failure to record.
func (s *Service) refusal(ctx context.Context, a asking, f known, d policy.Decision) (_ ledger.Receipt, recorded bool, _ error) {
	c := a.conduct()
	c.Reasons = ids(d.Reasons)
	var sub *Subject
	if id := a.partOf(f); id != "" {
		sub = s.subject(a, id)
		sub.Reasons = c.Reasons
	} else {
		c.Asked = a.Customer
	}
	if f.Task != nil {
		c.Purpose = f.Task.Purpose
		if sub != nil {
			sub.Purpose = f.Task.Purpose
		}
	}
	receipt, err := s.record(ctx, ledger.KindRefusal, string(access.OutcomeRefused), 0, c, sub)
	if err != nil {
		return receipt, false, err
	}
	answer := d.Answer.Err()
	if answer == nil { // a decision that refuses without a word is a mistake of ours; it still refuses
		answer = access.Errorf(access.Denied, "You may not look this up.")
	}
	if d.Effect != policy.NeedsSecondPerson || f.Task == nil {
		return receipt, true, answer
	}
	id, err := s.askSecond(ctx, a, f)
	if err != nil {
		s.Log.ErrorContext(ctx, "second person can't be asked", "lookup", string(a.id), "error", err)
		return receipt, true, answer
	}
	return receipt, true, &Pending{Answer: answer, Request: id}
}

// askSecond asks for a second person's yes to this employee, task and customer.
// It isn't about the order or the categories of this one try, so they don't make
// the request one that nobody can grant.
func (s *Service) askSecond(ctx context.Context, a asking, f known) (access.RequestID, error) {
	f.Asked.Order, f.Asked.Categories = "", nil
	d := s.decide(ctx, a, f, nil)
	kind := ApproveLookup
	if f.Task.SelfMade && f.Task.ConfirmedBy == "" {
		kind = ApproveTask
	}
	return s.Approvals.Ask(ctx, Approval{
		Kind: kind, Asker: a.employee.ID, Task: f.Task.ID, Customer: f.Task.Customer, Purpose: f.Task.Purpose,
		Why: d.Reasons, Said: a.Reason, Final: d.Final, At: a.at,
	})
}

// intend makes the intent durable.
func (s *Service) intend(ctx context.Context, a asking, f known, d policy.Decision, g access.Grant, outcome string) (ledger.Receipt, error) {
	c, sub := a.conduct(), s.subject(a, g.Customer)
	c.Purpose, sub.Purpose = g.Purpose, g.Purpose
	c.Categories, sub.Categories = g.Categories, g.Categories
	c.Order, sub.Order = g.Order, g.Order
	sub.Reach = g.Reach
	c.Reasons = ids(d.Reasons)
	sub.Reasons = c.Reasons
	c.Grant, c.Until, c.Second = g.ID, g.Until, f.SecondPerson
	return s.record(ctx, ledger.KindIntent, outcome, 0, c, sub)
}

// conclude makes the outcome durable. Rows are what left the source, whoever
// read them.
func (s *Service) conclude(ctx context.Context, a asking, g access.Grant, intent ledger.Receipt, result *source.Result, readErr error) (ledger.Receipt, error) {
	c := Conduct{ID: a.id, Employee: a.employee.ID}
	sub := &Subject{ID: a.id, Customer: g.Customer}
	outcome := access.OutcomeShown
	switch {
	case readErr != nil:
		outcome = access.OutcomeFailed
		s.Log.ErrorContext(ctx, "source can't be read", "lookup", string(a.id), "cancelled", errors.Is(readErr, context.Canceled))
	default:
		c.Rows, c.Bytes, c.Cut = result.Rows, result.Bytes, result.Cut
		sub.Rows, sub.Bytes = result.Rows, result.Bytes
	}
	return s.record(ctx, ledger.KindOutcome, string(outcome), intent.Number+1, c, sub)
}
