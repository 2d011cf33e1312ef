package task

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// Store keeps tasks and the facts that surround them. Changes are durable on
// return. What isn't there is access.NotFound.
type Store interface {
	// Task returns one task, open or closed.
	Task(ctx context.Context, id access.TaskID) (access.Task, error)
	// Assignments returns all assignments of a task, ended ones too, oldest first.
	Assignments(ctx context.Context, id access.TaskID) ([]access.Assignment, error)
	// TasksOf returns the tasks that are open at that moment and then assigned to
	// this employee or to this team ("": none), newest first, at most Most of them.
	TasksOf(ctx context.Context, e access.EmployeeID, team access.TeamID, at time.Time) ([]access.Task, error)
	// OpenTask saves a new task and its first assignment together;
	// access.Conflict where a task of that id exists.
	OpenTask(ctx context.Context, t access.Task, a access.Assignment) error
	// ConfirmTask marks a self-made task as confirmed, in one step:
	// access.Conflict where it isn't self-made or is confirmed already,
	// access.Denied where by opened it or ever worked under its assignment.
	ConfirmTask(ctx context.Context, id access.TaskID, by access.EmployeeID) error
	// CallInProgress returns the newest incoming call that this employee took and
	// that is in progress at that moment.
	CallInProgress(ctx context.Context, e access.EmployeeID, at time.Time) (access.Contact, error)
	// SaveFacts saves facts of the business in their order, all or none.
	SaveFacts(ctx context.Context, events []access.Event) error
}

// Most is how many tasks a list holds at most.
const Most = 200

// LongestCall is how long a call counts as in progress when the telephone
// system never said that it ended.
const LongestCall = time.Hour

// Service answers what a look-up asks about tasks, and takes in facts. It is
// safe for concurrent use.
type Service struct {
	store Store
	now   access.Clock
}

// New returns a Service over store.
func New(store Store, clock access.Clock) *Service {
	return &Service{store: store, now: clock}
}

// Standing is how an employee stands to a task.
type Standing struct {
	Task     *access.Task // nil: there is no such task
	Assigned policy.Assigned
}

// Standing returns the task and how this employee stands to it at this moment.
// A task that doesn't exist is a nil Task and no error.
func (s *Service) Standing(ctx context.Context, e access.Employee, id access.TaskID) (Standing, error) {
	t, err := s.store.Task(ctx, id)
	if access.CodeOf(err) == access.NotFound {
		return Standing{}, nil
	}
	if err != nil {
		return Standing{}, err
	}
	all, err := s.store.Assignments(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	return Standing{Task: &t, Assigned: assigned(all, e, s.now())}, nil
}

// assigned says through which of the assignments the task is e's at t; his own
// goes before his team's.
func assigned(all []access.Assignment, e access.Employee, at time.Time) policy.Assigned {
	how := policy.AssignedNot
	for _, a := range all {
		switch {
		case e.ID == "" || !a.Covers(e.ID, e.Team, at):
		case a.Employee != "":
			return policy.AssignedEmployee
		default:
			how = policy.AssignedTeam
		}
	}
	return how
}

// Mine returns the open tasks of an employee, his own and his team's, newest
// first, at most Most.
func (s *Service) Mine(ctx context.Context, e access.Employee) ([]access.Task, error) {
	return s.store.TasksOf(ctx, e.ID, e.Team, s.now())
}

// prefix begins the ids of tasks that are made here, so that they never meet
// those of a ticket system.
const prefix = "P-"

// NewID returns an id for a task that is made here: "P-" and 80 random bits.
func NewID() access.TaskID {
	var b [10]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program rather than return weak bytes
	return access.TaskID(prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b[:])))
}

// Open saves a new task with its first assignment, durable on return. It
// returns access.Conflict where a task of that id exists, and access.Invalid
// where one of the two lacks what it needs.
func (s *Service) Open(ctx context.Context, t access.Task, a access.Assignment) error {
	switch {
	case t.ID == "" || t.Customer == "" || t.Purpose == "" || t.OpenedAt.IsZero():
		return access.Errorf(access.Invalid, "A task needs an id, a customer, a purpose and a time.")
	case !t.ClosedAt.IsZero() || t.ConfirmedBy != "":
		return access.Errorf(access.Invalid, "A new task is neither closed nor confirmed.")
	case a.Task != t.ID || (a.Employee == "") == (a.Team == "") || a.Since.IsZero():
		return access.Errorf(access.Invalid, "A new task is assigned to one employee or one team.")
	}
	return s.store.OpenTask(ctx, t, a)
}

// Confirm marks a self-made task as confirmed by a colleague, durable on
// return. Its maker and whoever it is assigned to can't (G8, access.Denied).
func (s *Service) Confirm(ctx context.Context, id access.TaskID, by access.EmployeeID) error {
	if by == "" {
		return access.Errorf(access.Denied, "Nobody has confirmed the task.")
	}
	return s.store.ConfirmTask(ctx, id, by)
}

// CallInProgress returns the call that the telephone system assigned to this
// employee and that is in progress at that moment, access.NotFound where there
// is none.
func (s *Service) CallInProgress(ctx context.Context, e access.EmployeeID, at time.Time) (access.Contact, error) {
	if e == "" {
		return access.Contact{}, access.Errorf(access.NotFound, "There is no call in progress.")
	}
	return s.store.CallInProgress(ctx, e, at)
}
