package lookup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/policy"
)

// find searches, once nothing stands against it. The intent is durable before
// the source is searched (G3).
func (s *Service) find(ctx context.Context, t try) (FoundCaller, error) {
	callers := s.Policy.Callers()
	intent, err := s.record(ctx, ledger.KindIntent, "", 0, t.conduct(), nil)
	if err != nil {
		return FoundCaller{}, err
	}
	// From here on the try is counted whatever happens, even when the asker goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	number, err := s.Tries.Reserve(ctx, t.employee.ID, t.at)
	if err != nil {
		return FoundCaller{}, s.failedTry(ctx, t, intent, fmt.Errorf("reserve a try: %w", err))
	}
	found, err := s.Source.Find(ctx, t.said)
	if err != nil {
		return FoundCaller{}, s.failedTry(ctx, t, intent, fmt.Errorf("search: %w", err))
	}
	near, why, ended := found.Partial, reasonNoOne, TryMissed
	var task access.Task
	if found.Customer != "" {
		n, err := s.Tries.MissesAt(ctx, found.Customer, t.at.Add(-callers.Within))
		if err != nil {
			return FoundCaller{}, s.failedTry(ctx, t, intent, fmt.Errorf("count misses at the customer: %w", err))
		}
		if n >= missesAtCustomer {
			near, why = []access.CustomerID{found.Customer}, reasonNear
		} else if task, ended, err = s.taskFor(ctx, t, found.Customer); err != nil {
			return FoundCaller{}, s.failedTry(ctx, t, intent, err)
		}
	}
	if err := s.Tries.Settle(ctx, number, ended, near); err != nil {
		return FoundCaller{}, s.failedTry(ctx, t, intent, fmt.Errorf("settle a try: %w", err))
	}
	if ended == TryMissed {
		return FoundCaller{}, s.missed(ctx, t, intent, near, why)
	}
	return s.found(ctx, t, intent, task)
}

// missed records a miss and locks after too many. Near customers get no part of
// their own: making it would take longer than a miss near nobody.
func (s *Service) missed(ctx context.Context, t try, intent ledger.Receipt, near []access.CustomerID, why string) error {
	callers := s.Policy.Callers()
	misses, _, err := s.misses(ctx, t)
	if err != nil {
		return s.failedTry(ctx, t, intent, err)
	}
	if misses >= callers.Misses {
		if err := s.Tries.Lock(ctx, t.employee.ID, t.at.Add(callers.LockedFor)); err != nil {
			return s.failedTry(ctx, t, intent, fmt.Errorf("lock: %w", err))
		}
	}
	c := t.conduct()
	c.Reasons = []string{why}
	if len(near) == 1 {
		c.Asked = near[0]
	}
	if _, err := s.record(ctx, ledger.KindOutcome, string(access.OutcomeMissed), intent.Number+1, c, nil); err != nil {
		return err
	}
	return access.Errorf(access.NotFound, "Nobody was found whom all of this fits.").
		WithHint(fmt.Sprintf("Ask the caller again; after %d misses within %s finding is locked for %s.", callers.Misses, minutes(callers.Within), minutes(callers.LockedFor)))
}

// found records the hit, then opens its task: nothing of it is known to anybody
// before it is recorded.
func (s *Service) found(ctx context.Context, t try, intent ledger.Receipt, task access.Task) (FoundCaller, error) {
	c, sub := t.conduct(), s.subject(t.asking, task.Customer)
	c.Task, sub.Task, sub.Purpose = task.ID, task.ID, t.purpose
	if task.SelfMade {
		c.Reasons = []string{reasonSelfMade}
		sub.Reasons = c.Reasons
	}
	receipt, err := s.record(ctx, ledger.KindOutcome, string(access.OutcomeShown), intent.Number+1, c, sub)
	if err != nil {
		return FoundCaller{}, err
	}
	f := FoundCaller{Lookup: t.id, Task: task.ID, SelfMade: task.SelfMade, Said: t.said, Receipt: receipt}
	if err := s.openTask(ctx, t, task); err != nil {
		return FoundCaller{}, fmt.Errorf("open a task for the caller: %w", err)
	}
	if !task.SelfMade {
		return f, nil
	}
	f.Request, err = s.Approvals.Ask(ctx, Approval{
		Kind: ApproveTask, Asker: t.employee.ID, Task: task.ID, Customer: task.Customer, Purpose: t.purpose, At: t.at,
		Why: []policy.Reason{own(reasonSelfMade, "He opened the task himself; the telephone system knows of no call of hers to him.", true)},
	})
	if err != nil {
		return FoundCaller{}, fmt.Errorf("ask a colleague to confirm: %w", err)
	}
	return f, nil
}

// taskFor returns the task that a hit leads to. A call has one task: its id
// comes from the call, so that one call can't open task after task for
// different customers. A self-made one's comes from employee, customer, purpose
// and day, so that asking again finds the same.
//
// Only the first hit of a call is a TryHit. Otherwise whoever knows one customer
// well, himself for one, would search for her after every fourth guess at
// another, and never be locked.
func (s *Service) taskFor(ctx context.Context, t try, customer access.CustomerID) (access.Task, TryEnd, error) {
	task := access.Task{
		Customer: customer, Purpose: t.purpose, Channel: "call", Order: s.orderSaid(t.said), OpenedAt: t.at, OpenedBy: string(t.employee.ID),
	}
	call, err := s.Tasks.CallInProgress(ctx, t.employee.ID, t.at)
	switch access.CodeOf(err) {
	case "":
		task.ID = access.TaskID("call-" + string(call.ID))
		before, err := s.Tasks.Standing(ctx, t.employee, task.ID)
		if err != nil {
			return task, TryMissed, fmt.Errorf("find the call's task: %w", err)
		}
		known := call.Customer == customer
		if known {
			task.OpenedBy = access.BySystem // the telephone system knew her, not only he
		}
		fits := plausible(string(task.ID)) && (known || call.Customer == "")
		if fits && before.Task == nil {
			return task, TryHit, nil
		}
		if fits && before.Task.Customer == customer && before.Task.Purpose == t.purpose {
			return task, TryFound, nil
		}
	case access.NotFound:
	default:
		return task, TryMissed, fmt.Errorf("find the call in progress: %w", err)
	}
	task.ID = access.TaskID("self-" + s.keyed("task", 10, string(t.employee.ID), string(customer), string(t.purpose), t.at.Format(time.DateOnly)))
	task.SelfMade, task.Channel, task.OpenedBy = true, "", string(t.employee.ID)
	return task, TryFound, nil
}

// openTask opens the task, or finds that it is open already.
func (s *Service) openTask(ctx context.Context, t try, task access.Task) error {
	by := string(t.employee.ID)
	if !task.SelfMade {
		by = access.BySystem // the telephone system gave him the call
	}
	err := s.Tasks.Open(ctx, task, access.Assignment{Task: task.ID, Employee: t.employee.ID, Since: t.at, By: by})
	if access.CodeOf(err) != access.Conflict {
		return err
	}
	before, err := s.Tasks.Standing(ctx, t.employee, task.ID)
	if err == nil && (before.Task == nil || before.Task.Customer != task.Customer) {
		err = errors.New("another task took its id meanwhile")
	}
	return err
}

// failedTry records that a try came to nothing, and returns its answer.
func (s *Service) failedTry(ctx context.Context, t try, intent ledger.Receipt, cause error) error {
	s.Log.ErrorContext(ctx, "finding a caller failed", "lookup", string(t.id), "error", cause)
	if _, err := s.record(ctx, ledger.KindOutcome, string(access.OutcomeFailed), intent.Number+1, t.conduct(), nil); err != nil {
		return err
	}
	return access.Errorf(access.Unavailable, "Nobody can be found now.").
		WithHint("Try again in a minute; nothing was shown.").Because(cause)
}
