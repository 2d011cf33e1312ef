package access

import "time"

// Action is what an employee did with a customer's record.
type Action string

// The actions, from least to most.
const (
	ActionSearch Action = "search" // the name appeared in a result list
	ActionView   Action = "view"
	ActionExport Action = "export"
	// ActionStatement is a SQL statement: a view whose extent the statement
	// decided within its grant.
	ActionStatement Action = "statement"
)

// Outcome is how a look-up ended.
type Outcome string

// The outcomes of a look-up.
const (
	OutcomeShown      Outcome = "shown"
	OutcomeRefused    Outcome = "refused"
	OutcomeMissed     Outcome = "missed"      // nobody was found
	OutcomeBreakGlass Outcome = "break_glass" // opened in an emergency
	OutcomeFailed     Outcome = "failed"      // granted, but nothing could be read
	OutcomeOffPath    Outcome = "off_path"    // a database was read past Paravent: nothing bounded it
	OutcomeUnknown    Outcome = "unknown"     // an intent without an outcome: count as the whole grant
)

// Lookup is one asking and how it ended, as explaining and detecting see it.
type Lookup struct {
	ID         LookupID   `json:"id"`
	At         time.Time  `json:"at"`
	Employee   EmployeeID `json:"employee"`
	Customer   CustomerID `json:"customer"`
	Action     Action     `json:"action"`
	Categories []Category `json:"categories,omitempty"` // what was shown
	Record     OrderID    `json:"record,omitempty"`     // the order opened, if one was
	Task       TaskID     `json:"task,omitempty"`       // the task that the employee named
	Reason     string     `json:"reason,omitempty"`     // free text that he gave
	Session    SessionID  `json:"session,omitempty"`
	Device     string     `json:"device,omitempty"`
	Site       string     `json:"site,omitempty"`
	Outcome    Outcome    `json:"outcome,omitempty"`
}

// Reach says how much of a customer's history a purpose may show.
type Reach string

// The reaches, from least to most.
const (
	ReachRecord Reach = "record" // the task's order only
	ReachRecent Reach = "recent" // orders of the last so many days, as the purpose says
	ReachAll    Reach = "all"
)

// Grant is short leave to look: this employee, this customer, these
// categories, this task, until then. It is bound to one session.
type Grant struct {
	ID         string        `json:"id"`
	Employee   EmployeeID    `json:"employee"`
	Session    SessionID     `json:"session"`
	Customer   CustomerID    `json:"customer"`
	Task       TaskID        `json:"task"`
	Purpose    Purpose       `json:"purpose"`
	Categories []Category    `json:"categories"`          // sorted
	Reach      Reach         `json:"reach"`               //
	Order      OrderID       `json:"order,omitempty"`     // set: rows of this order only
	Recent     time.Duration `json:"recent,omitempty"`    // how far back ReachRecent goes
	Sensitive  []string      `json:"sensitive,omitempty"` // sensitive goods that the purpose names
	Since      time.Time     `json:"since"`
	Until      time.Time     `json:"until"`
}
