package lookup

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/policy"
	"paravent/internal/source"
	"paravent/internal/task"
)

// Journal records. *ledger.Ledger is one.
type Journal interface {
	// Append returns once e is durable. After an error e may or may not be
	// recorded, and nothing may be disclosed on the strength of it.
	Append(ctx context.Context, e ledger.Entry) (ledger.Receipt, error)
}

// Source reads the protected data. *source.SQLite is one.
type Source interface {
	// Read returns what lies inside the grant and nothing else.
	Read(ctx context.Context, g access.Grant) (*source.Result, error)
	// OrderOf reports whether the order is this customer's. An unknown order is
	// nobody's: false and no error.
	OrderOf(ctx context.Context, order access.OrderID, customer access.CustomerID) (bool, error)
	// Find returns the one customer whom everything that was said fits, if
	// there is exactly one, and those whom only a part of it fits.
	Find(ctx context.Context, said map[string]string) (source.Found, error)
}

// Tasks knows the tasks and who works on them. *task.Service is one.
type Tasks interface {
	// Standing returns the task and how the employee stands to it now. A task
	// that doesn't exist is a nil Task and no error.
	Standing(ctx context.Context, e access.Employee, id access.TaskID) (task.Standing, error)
	// CallInProgress returns the call that the telephone system assigned to
	// this employee and that is in progress at that moment, access.NotFound
	// when there is none.
	CallInProgress(ctx context.Context, e access.EmployeeID, at time.Time) (access.Contact, error)
	// Open saves a new task with its first assignment, durable on return. It
	// returns access.Conflict, and changes nothing, when a task of that id exists.
	Open(ctx context.Context, t access.Task, a access.Assignment) error
}

// Qualifications knows who read, passed and attested to what. *qualify.Service is one.
type Qualifications interface {
	// Qualification returns how the employee stands at that moment; one of whom
	// nothing is known isn't current, and that is no error.
	Qualification(ctx context.Context, e access.EmployeeID, at time.Time) (policy.Qualification, error)
}

// People knows the directory and what the company knows about customers.
// *store.Store is one.
type People interface {
	// Employee returns an employee of the directory, access.NotFound otherwise.
	Employee(ctx context.Context, id access.EmployeeID) (access.Employee, error)
	// Customer returns what is known about a customer, access.NotFound otherwise.
	Customer(ctx context.Context, id access.CustomerID) (access.Customer, error)
	// Relations returns the ties declared or named between the two; none is no
	// error.
	Relations(ctx context.Context, e access.EmployeeID, c access.CustomerID) ([]access.RelationKind, error)
}

// Approvals is where a second person is asked. *investigate.Approvals is one.
type Approvals interface {
	// Approved returns who agreed to this employee's look-up of this customer for this
	// task, while that holds, and the reasons that he read when he did; "" when nobody did.
	Approved(ctx context.Context, e access.EmployeeID, t access.TaskID, c access.CustomerID, at time.Time) (by access.EmployeeID, why []policy.Reason, err error)
	// Ask returns the request that waits for a second person. There is one per
	// asker, task and customer: asking again returns the one that waits.
	Ask(ctx context.Context, a Approval) (access.RequestID, error)
}

// Approval is what a second person is asked for.
type Approval struct {
	Kind     string // ApproveLookup or ApproveTask
	Asker    access.EmployeeID
	Task     access.TaskID
	Customer access.CustomerID
	Purpose  access.Purpose
	Why      []policy.Reason // the true reasons; the second person reads them, the asker never does
	Said     string          // what the asker said for himself; may be empty
	Final    bool            // nobody's yes can help; it can only be declined
	At       time.Time
}

// What a second person can be asked for.
const (
	ApproveLookup = "lookup" // one employee may look, for one task, at one customer
	ApproveTask   = "task"   // a self-made task stands for something that really happened
)

// TryEnd is how a try to find a caller ended.
type TryEnd int

const (
	TryMissed TryEnd = iota // nobody was found; it counts against him
	TryHit                  // a call's caller was found: the misses before no longer count
	TryFound                // somebody was found for whom no call stands: neither a miss nor a hit
)

// Tries counts the tries to find a caller. Each method is durable on return.
// *store.Store is one. One employee's tries are made one after another, so that
// no two calls about the same employee run at once; calls about several
// employees do.
type Tries interface {
	// Standing returns how many tries of this employee since that moment
	// missed, not counting those before his last hit or before his lock was
	// last lifted, and until when his last lock lasts or lasted (the zero time:
	// he never was locked, or it was lifted).
	Standing(ctx context.Context, e access.EmployeeID, since time.Time) (misses int, locked time.Time, err error)
	// Reserve saves a try that counts as a miss until Settle says otherwise, and
	// returns its number.
	Reserve(ctx context.Context, e access.EmployeeID, at time.Time) (int64, error)
	// Settle says how a reserved try ended and, of a miss, near which customers it
	// came (none: near nobody).
	Settle(ctx context.Context, try int64, ended TryEnd, near []access.CustomerID) error
	// MissesAt returns how many tries of anybody since that moment missed and
	// came near this customer.
	MissesAt(ctx context.Context, c access.CustomerID, since time.Time) (int, error)
	// Lock locks the employee until then.
	Lock(ctx context.Context, e access.EmployeeID, until time.Time) error
	// Unlock lifts the lock; misses before at no longer count.
	Unlock(ctx context.Context, e access.EmployeeID, at time.Time) error
}
