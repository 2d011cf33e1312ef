package store

import (
	"context"
	"fmt"

	"paravent/internal/access"
)

// SaveFacts saves facts of the business in their order, all or none: the state
// of tasks, assignments, calls and people, and the change log, from which
// Facts reads. Work, orders and news stand in the change log alone.
//
// A fact that was told before is kept once. Facts add up in any order that the
// connectors bring them: a closing may come before its opening, a call's end
// after its beginning. What Paravent itself knows of a task (self-made, by
// whom confirmed) no connector changes. Look-ups are no facts (access.Invalid):
// their home is the ledger.
func (s *Store) SaveFacts(ctx context.Context, events []access.Event) error {
	if len(events) == 0 {
		return nil
	}
	err := s.state.change(ctx, synced, func(t *tx) error { return saveFacts(ctx, t, events) })
	return refused("save facts", err)
}

// saveFacts folds the events into one row for each thing, writes these rows and
// tells the change log.
func saveFacts(ctx context.Context, t *tx, events []access.Event) error {
	f := newFold()
	for _, ev := range events {
		if err := f.add(ctx, t, ev); err != nil {
			return err
		}
	}
	if err := f.write(ctx, t); err != nil {
		return err
	}
	return logFacts(ctx, t, f.log)
}

// add takes in one event. A standing fact that says nothing new is dropped.
func (f *fold) add(ctx context.Context, t *tx, ev access.Event) error {
	news := told{event: ev}
	switch ev := ev.(type) {
	case *access.TaskOpened:
		f.open(ev.Task)
	case *access.TaskClosed:
		f.close(ev)
	case *access.Assigned:
		f.assign(ev.Assignment)
	case *access.Unassigned:
		f.unassign(ev)
	case *access.Contacted:
		f.contact(ev.Contact)
	case *access.Worked, *access.Ordered, *access.InNews:
	case *access.EmployeeKnown, *access.CustomerKnown, *access.Related, *access.PurposeNeeds:
		fresh, err := f.standing(ctx, t, ev)
		if err != nil || !fresh {
			return err
		}
		news.again = true
	default:
		return access.Errorf(access.Invalid, "It isn't a fact of the business: %T.", ev)
	}
	f.log = append(f.log, news)
	return nil
}

const selectRelation = `SELECT COUNT(*) FROM relations WHERE employee = ? AND customer = ? AND kind = ?`
const selectLastNeeds = `SELECT body FROM facts WHERE kind = 'purpose_needs' ORDER BY seq`

// standing notes a fact that has no moment, and reports whether it is new.
func (f *fold) standing(ctx context.Context, t *tx, ev access.Event) (bool, error) {
	switch ev := ev.(type) {
	case *access.EmployeeKnown:
		old, known := f.employees[ev.ID]
		if !known {
			var err error
			if old, err = employee(t.row(ctx, selectEmployee, string(ev.ID))); err != nil && !none(err) {
				return false, err
			}
		}
		f.employees[ev.ID] = ev.Employee
		return !sameEmployee(old, ev.Employee), nil
	case *access.CustomerKnown:
		old, known := f.customers[ev.ID]
		if !known {
			var err error
			if old, err = customer(t.row(ctx, selectCustomer, string(ev.ID))); err != nil && !none(err) {
				return false, err
			}
		}
		f.customers[ev.ID] = ev.Customer
		return old != ev.Customer, nil
	case *access.Related:
		if f.relations[ev.Relation] {
			return false, nil
		}
		f.relations[ev.Relation] = true
		var n int
		err := t.row(ctx, selectRelation, string(ev.Employee), string(ev.Customer), string(ev.Kind)).Scan(&n)
		return n == 0, err
	case *access.PurposeNeeds:
		return f.needs(ctx, t, ev)
	}
	return false, fmt.Errorf("%T is no standing fact", ev)
}

// needs reports whether a purpose's categories are told for the first time or
// anew: the last word about each purpose is in the change log.
func (f *fold) needs(ctx context.Context, t *tx, ev *access.PurposeNeeds) (bool, error) {
	if f.purposes == nil {
		f.purposes = map[access.Purpose]string{}
		err := t.each(ctx, selectLastNeeds, nil, func(r scanner) error {
			var body string
			if err := r.Scan(&body); err != nil {
				return err
			}
			var last access.PurposeNeeds
			if err := decode(body, &last); err != nil {
				return err
			}
			f.purposes[last.Purpose] = body
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	body, err := encode(ev)
	if err != nil {
		return false, err
	}
	fresh := f.purposes[ev.Purpose] != body
	f.purposes[ev.Purpose] = body
	return fresh, nil
}

// sameEmployee compares all fields, times as moments.
func sameEmployee(a, b access.Employee) bool {
	if !a.JoinedOn.Equal(b.JoinedOn) || !a.LeavesOn.Equal(b.LeavesOn) {
		return false
	}
	b.JoinedOn, b.LeavesOn = a.JoinedOn, a.LeavesOn
	return a == b
}
