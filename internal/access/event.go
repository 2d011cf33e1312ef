package access

import "time"

// Event is something that happened or became known, in the form in which
// explaining and detecting take it in: in order of When. A row of a file that
// speaks of two moments (a task opened and closed) is two events, so that
// nobody can rest on what had not happened yet.
//
// The events are *Lookup, *TaskOpened, *TaskClosed, *Assigned, *Unassigned,
// *Worked, *Contacted, *Ordered, *InNews, and the standing facts
// *EmployeeKnown, *CustomerKnown, *Related and *PurposeNeeds, whose When may be
// zero: known from the start.
type Event interface {
	// When returns the moment at which it happened, in UTC.
	When() time.Time
}

// The events, besides *Lookup.
type (
	// TaskOpened tells of a new task; its ClosedAt and ClosedBy are not set.
	TaskOpened struct{ Task }
	// TaskClosed tells that a task was closed.
	TaskClosed struct {
		Task TaskID    `json:"task"`
		At   time.Time `json:"at"`
		By   string    `json:"by,omitempty"`
	}
	// Assigned tells that an assignment began; its Until is not set.
	Assigned struct{ Assignment }
	// Unassigned tells that the assignment of this employee or team ended.
	Unassigned struct {
		Task     TaskID     `json:"task"`
		Employee EmployeeID `json:"employee,omitempty"`
		Team     TeamID     `json:"team,omitempty"`
		At       time.Time  `json:"at"`
	}
	// Worked tells of work done.
	Worked struct{ Work }
	// Contacted tells of a contact of the customer's. It may come minutes late.
	Contacted struct{ Contact }
	// Ordered tells of an order placed.
	Ordered struct{ Order }
	// InNews tells that a customer was in the news.
	InNews struct{ News }
	// EmployeeKnown tells who an employee is, or that he changed.
	EmployeeKnown struct {
		Employee
		Since time.Time `json:"since,omitzero"`
	}
	// CustomerKnown tells what the company knows about a customer.
	CustomerKnown struct {
		Customer
		Since time.Time `json:"since,omitzero"`
	}
	// Related tells of a tie between an employee and a customer.
	Related struct {
		Relation
		Since time.Time `json:"since,omitzero"`
	}
	// PurposeNeeds tells which categories a task of a purpose needs.
	PurposeNeeds struct {
		Purpose    Purpose    `json:"purpose"`
		Categories []Category `json:"categories"`
	}
)

// When returns the moment of the look-up.
func (l *Lookup) When() time.Time { return l.At }

// When returns the moment at which the task was opened.
func (e *TaskOpened) When() time.Time { return e.OpenedAt }

// When returns the moment at which the task was closed.
func (e *TaskClosed) When() time.Time { return e.At }

// When returns the moment at which the assignment began.
func (e *Assigned) When() time.Time { return e.Since }

// When returns the moment at which the assignment ended.
func (e *Unassigned) When() time.Time { return e.At }

// When returns the moment of the work.
func (e *Worked) When() time.Time { return e.At }

// When returns the moment at which the contact began.
func (e *Contacted) When() time.Time { return e.At }

// When returns the moment of the order.
func (e *Ordered) When() time.Time { return e.At }

// When returns the moment of the news.
func (e *InNews) When() time.Time { return e.At }

// When returns since when the fact is known; zero: from the start.
func (e *EmployeeKnown) When() time.Time { return e.Since }

// When returns since when the fact is known; zero: from the start.
func (e *CustomerKnown) When() time.Time { return e.Since }

// When returns since when the fact is known; zero: from the start.
func (e *Related) When() time.Time { return e.Since }

// When returns the zero time: purposes are known from the start.
func (e *PurposeNeeds) When() time.Time { return time.Time{} }
