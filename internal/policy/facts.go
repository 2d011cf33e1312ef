package policy

import (
	"time"

	"paravent/internal/access"
)

// Facts is everything that a decision rests on. Whoever fills it brings facts,
// not judgements: a task that doesn't exist is a nil Task, not an error.
type Facts struct {
	Now       time.Time
	Employee  access.Employee
	Session   access.SessionID
	Qualified Qualification
	Task      *access.Task // nil: there is no such task
	Assigned  Assigned     // how the task is his
	Asked     Asked
	Customer  access.Customer // the task's; zero where she isn't known
	// Relations between this employee and the task's customer. That she is
	// himself is also taken from Customer.Employee.
	Relations []access.RelationKind
	OrderOf   bool // the asked order belongs to the task's customer
	// SecondPerson agreed to this employee, task and customer; "" nobody. The
	// asker himself is never his own second person (G8).
	SecondPerson access.EmployeeID
}

// Qualification says whether the employee may look at anybody at all.
type Qualification struct {
	Current bool     // guideline read, training passed, attestation given, all valid
	Missing []string // what isn't, such as "training"
}

// Assigned says how a task is somebody's.
type Assigned string

// The ways in which a task is somebody's.
const (
	AssignedNot      Assigned = ""
	AssignedEmployee Assigned = "employee" // to himself
	AssignedTeam     Assigned = "team"     // to his team
)

// Asked is what the employee wants to see.
type Asked struct {
	Task       access.TaskID
	Customer   access.CustomerID // "": the task's
	Categories []access.Category // none: all that the purpose needs
	Order      access.OrderID    // "": all within reach
	Action     access.Action     // "": view
}

// An Effect is how a decision ends.
type Effect string

// The effects.
const (
	Allow             Effect = "allow"
	Deny              Effect = "deny"
	NeedsSecondPerson Effect = "needs_second_person"
)

// A Reason is one rule that spoke.
type Reason struct {
	ID     string // the rule's @id
	Effect string // "permit" or "forbid"
	Text   string // for the record and for reviewers; names no value of a customer's
	Public bool   // concerns only the asker and his own task
}

// An Answer is what the asker may hear (G9). It is the same for every fact that
// he must not learn.
type Answer struct {
	Code    access.Code
	Message string
	Hint    string
}

// Err returns the answer as the error that a door shows, or nil where nothing
// was refused.
func (a Answer) Err() *access.Error {
	if a.Code == "" {
		return nil
	}
	return &access.Error{Code: a.Code, Message: a.Message, Hint: a.Hint}
}

// A Decision is what became of the facts.
type Decision struct {
	Effect Effect
	// Final is set where a second person's yes can't help, though the asker
	// hears that one must agree.
	Final   bool
	Reasons []Reason     // permits and forbids, in the order of the Cedar file, then the floor's
	Grant   access.Grant // with Allow only; its ID is left to whoever gives it out
	Answer  Answer       // zero with Allow
}
