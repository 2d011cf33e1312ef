package access

import "time"

// Who stands behind a fact when no employee does.
const (
	ByCustomer = "customer" // the customer herself: web form, mail, chat
	BySystem   = "system"   // a system without a person behind it
)

// Task is a reason to look: a ticket, call, order problem or case. It has one
// customer. A fact's origin (OpenedBy, ClosedBy, By) is an employee's id,
// ByCustomer or BySystem; empty is not known.
type Task struct {
	ID       TaskID     `json:"id"`
	Customer CustomerID `json:"customer"`
	Purpose  Purpose    `json:"purpose"`
	Channel  string     `json:"channel,omitempty"` // call, mail, chat, form, ...
	Order    OrderID    `json:"order,omitempty"`   // what it is about; reach "record" shows only this
	OpenedAt time.Time  `json:"opened_at"`
	OpenedBy string     `json:"opened_by,omitempty"`
	ClosedAt time.Time  `json:"closed_at,omitzero"` // zero: open
	ClosedBy string     `json:"closed_by,omitempty"`
	// SelfMade marks a task that the employee who works it opened himself,
	// without a call that the telephone system had given him. It shows nothing
	// beyond what the caller said until ConfirmedBy is a colleague.
	SelfMade    bool       `json:"self_made,omitempty"`
	ConfirmedBy EmployeeID `json:"confirmed_by,omitempty"`
}

// Open reports whether the task is open at t.
func (t Task) Open(at time.Time) bool {
	return !at.Before(t.OpenedAt) && (t.ClosedAt.IsZero() || at.Before(t.ClosedAt))
}

// Assignment says who was to work on a task: one employee or one team.
type Assignment struct {
	Task     TaskID     `json:"task"`
	Employee EmployeeID `json:"employee,omitempty"`
	Team     TeamID     `json:"team,omitempty"`
	Since    time.Time  `json:"since"`
	Until    time.Time  `json:"until,omitzero"` // zero: still
	By       string     `json:"by,omitempty"`
}

// Covers reports whether the assignment holds at t for this employee of this
// team, by himself or through the team.
func (a Assignment) Covers(e EmployeeID, team TeamID, at time.Time) bool {
	if at.Before(a.Since) || (!a.Until.IsZero() && !at.Before(a.Until)) {
		return false
	}
	if a.Employee != "" {
		return a.Employee == e
	}
	return a.Team != "" && a.Team == team
}

// Work is a trace that work was done on a task.
type Work struct {
	Task     TaskID     `json:"task"`
	Employee EmployeeID `json:"employee"`
	At       time.Time  `json:"at"`
	Kind     string     `json:"kind"` // note, reply, refund, change, transfer, close
}

// Contact is the customer's own trace: a call, mail or chat as the telephone
// system, mail server or chat server recorded it.
type Contact struct {
	ID        ContactID  `json:"id"`
	Customer  CustomerID `json:"customer,omitempty"` // empty: the caller is not known yet
	At        time.Time  `json:"at"`
	Until     time.Time  `json:"until,omitzero"` // zero: in progress, or not known
	Channel   string     `json:"channel"`
	Direction string     `json:"direction"`          // in or out
	Employee  EmployeeID `json:"employee,omitempty"` // who took it, if known
}

// Order says when a customer placed an order, not what was in it.
type Order struct {
	ID       OrderID    `json:"id"`
	Customer CustomerID `json:"customer"`
	At       time.Time  `json:"at"`
}

// News says that a customer was in the news.
type News struct {
	Customer CustomerID `json:"customer"`
	At       time.Time  `json:"at"`
}
