package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/task"
)

var _ task.Store = (*Store)(nil)

const taskColumns = `t.id, t.customer, t.purpose, t.channel, t.order_id, t.opened_at, t.opened_by, t.closed_at, t.closed_by, t.self_made, t.confirmed_by`
const selectTask = `SELECT ` + taskColumns + ` FROM tasks t WHERE t.id = ? AND t.customer <> ''`

// Task returns one task, open or closed; access.NotFound where there is none.
func (s *Store) Task(ctx context.Context, id access.TaskID) (access.Task, error) {
	t, err := readTask(s.state.row(ctx, selectTask, string(id)))
	return t, refused("read a task", missing(err, "task"))
}

// readTask reads one row of taskColumns.
func readTask(r scanner) (access.Task, error) {
	var t access.Task
	var opened, closed int64
	err := r.Scan(&t.ID, &t.Customer, &t.Purpose, &t.Channel, &t.Order, &opened, &t.OpenedBy, &closed, &t.ClosedBy, &t.SelfMade, &t.ConfirmedBy)
	if err != nil {
		return access.Task{}, err
	}
	t.OpenedAt, t.ClosedAt = access.FromMicros(opened), access.FromMicros(closed)
	return t, nil
}

const selectAssignments = `SELECT task, employee, team, since, until, by FROM assignments WHERE task = ? ORDER BY since, employee, team`

// Assignments returns all assignments of a task, ended ones too, oldest first;
// none is no error.
func (s *Store) Assignments(ctx context.Context, id access.TaskID) ([]access.Assignment, error) {
	var all []access.Assignment
	err := s.state.each(ctx, selectAssignments, []any{string(id)}, func(r scanner) error {
		a, err := assignment(r)
		all = append(all, a)
		return err
	})
	return all, refused("read assignments", err)
}

// assignment reads one row of an assignment.
func assignment(r scanner) (access.Assignment, error) {
	var a access.Assignment
	var since, until int64
	if err := r.Scan(&a.Task, &a.Employee, &a.Team, &since, &until, &a.By); err != nil {
		return access.Assignment{}, err
	}
	a.Since, a.Until = access.FromMicros(since), access.FromMicros(until)
	return a, nil
}

const selectTasksOf = `
SELECT ` + taskColumns + ` FROM tasks t
WHERE t.customer <> '' AND t.opened_at <= ? AND (t.closed_at = 0 OR t.closed_at > ?) AND t.id IN (
	SELECT task FROM assignments WHERE employee = ? AND employee <> '' AND since <= ? AND (until = 0 OR until > ?)
	UNION ALL
	SELECT task FROM assignments WHERE team = ? AND team <> '' AND since <= ? AND (until = 0 OR until > ?))
ORDER BY t.opened_at DESC, t.id LIMIT ?`

// TasksOf returns the tasks that are open at that moment and then assigned to
// this employee or team ("": none), newest first, at most task.Most.
func (s *Store) TasksOf(ctx context.Context, e access.EmployeeID, team access.TeamID, at time.Time) ([]access.Task, error) {
	var all []access.Task
	us := access.Micros(at)
	args := []any{us, us, string(e), us, us, string(team), us, us, task.Most}
	err := s.state.each(ctx, selectTasksOf, args, func(r scanner) error {
		t, err := readTask(r)
		all = append(all, t)
		return err
	})
	return all, refused("list tasks", err)
}

const insertTask = `
INSERT INTO tasks (id, customer, purpose, channel, order_id, opened_at, opened_by, closed_at, closed_by, self_made, confirmed_by)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, '', ?, '') ON CONFLICT DO NOTHING`
const insertAssignment = `INSERT INTO assignments (task, employee, team, since, until, by) VALUES (?, ?, ?, ?, ?, ?)`

// OpenTask saves a new task and its first assignment together, and tells the
// change log of both; access.Conflict where a task of that id exists.
func (s *Store) OpenTask(ctx context.Context, k access.Task, a access.Assignment) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, insertTask, string(k.ID), string(k.Customer), string(k.Purpose), k.Channel, string(k.Order),
			access.Micros(k.OpenedAt), k.OpenedBy, flag(k.SelfMade))
		if err != nil {
			return err
		}
		if n == 0 {
			return access.Errorf(access.Conflict, "There is a task of that id.")
		}
		_, err = t.exec(ctx, insertAssignment, string(a.Task), string(a.Employee), string(a.Team),
			access.Micros(a.Since), access.Micros(a.Until), a.By)
		if err != nil {
			return err
		}
		return logFacts(ctx, t, []told{{event: &access.TaskOpened{Task: k}}, {event: &access.Assigned{Assignment: a}}})
	})
	return refused("open a task", err)
}

const confirmTask = `
UPDATE tasks SET confirmed_by = ?
WHERE id = ? AND self_made = 1 AND confirmed_by = '' AND opened_by <> ?
	AND NOT EXISTS (SELECT 1 FROM assignments WHERE task = tasks.id AND employee = ?)`

// ConfirmTask marks a self-made task as confirmed, in one step. access.Denied
// where by made it or was ever assigned to it (G8), access.Conflict where it
// isn't self-made or is confirmed already, access.NotFound where there is none.
func (s *Store) ConfirmTask(ctx context.Context, id access.TaskID, by access.EmployeeID) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, confirmTask, string(by), string(id), string(by), string(by))
		if err != nil || n == 1 {
			return err
		}
		k, err := readTask(t.row(ctx, selectTask, string(id)))
		switch {
		case err != nil:
			return missing(err, "task")
		case !k.SelfMade || k.ConfirmedBy != "":
			return access.Errorf(access.Conflict, "The task needs no confirmation any more.")
		}
		return access.Errorf(access.Denied, "A task is confirmed by a colleague who neither made nor works it.")
	})
	return refused("confirm a task", err)
}

const selectCall = `
SELECT id, customer, at, until, channel, direction, employee FROM contacts
WHERE employee = ? AND employee <> '' AND at <= ? AND at > ? AND (until = 0 OR until > ?) AND channel = 'call' AND direction = 'in'
ORDER BY at DESC, id LIMIT 1`

// CallInProgress returns the newest incoming call that this employee took and
// that is in progress at that moment; access.NotFound where there is none. A
// call whose end was never told counts for task.LongestCall, and so does one
// that is said to last longer.
func (s *Store) CallInProgress(ctx context.Context, e access.EmployeeID, at time.Time) (access.Contact, error) {
	var c access.Contact
	var from, until int64
	us := access.Micros(at)
	err := s.state.row(ctx, selectCall, string(e), us, access.Micros(at.Add(-task.LongestCall)), us).
		Scan(&c.ID, &c.Customer, &from, &until, &c.Channel, &c.Direction, &c.Employee)
	if err != nil {
		return access.Contact{}, refused("read a call", missing(err, "call in progress"))
	}
	c.At, c.Until = access.FromMicros(from), access.FromMicros(until)
	return c, nil
}
