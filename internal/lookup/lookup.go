package lookup

import (
	"log/slog"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// The doors, as they are named in records.
const (
	DoorConsole = "console"
	DoorAPI     = "api"
	DoorAuthZEN = "authzen"
)

// Request is what an employee asks for. Everything in it is only a claim.
type Request struct {
	Task       access.TaskID
	Customer   access.CustomerID // "": the task's
	Categories []access.Category // none: all that the purpose needs
	Order      access.OrderID    // "": the task's, where the purpose wants one
	Action     access.Action     // "": ActionView
	Reason     string            // free text of his own
	Door       string
}

// Disclosure is what one look-up released, with the proof that it was recorded.
type Disclosure struct {
	ID      access.LookupID
	Grant   access.Grant
	Result  *source.Result
	Intent  ledger.Receipt // the intent, durable before the source was read
	Outcome ledger.Receipt // the outcome, durable before this was returned
}

// Pending is the error of a look-up for which a second person is now asked.
type Pending struct {
	Answer  *access.Error // what the asker may hear
	Request access.RequestID
}

// Error returns the answer.
func (p *Pending) Error() string { return p.Answer.Error() }

// Unwrap returns the coded error, so that a door needs to know only that.
func (p *Pending) Unwrap() error { return p.Answer }

// Evaluation is a decision given to a program that holds the data itself. It
// was recorded before it is given.
type Evaluation struct {
	ID      access.LookupID
	Allowed bool
	Grant   access.Grant     // only where Allowed
	Answer  *access.Error    // only where not Allowed: what the employee may hear (G9)
	Request access.RequestID // the request that waits for a second person, if one does
	Receipt ledger.Receipt
}

// Said is what a caller said, by the policy's names of identifiers.
type Said struct {
	Fields  map[string]string
	Purpose access.Purpose
	Door    string
}

// FoundCaller is the one customer whom everything fits that the caller said. It
// names a task, not her: her data are seen by looking up the task.
type FoundCaller struct {
	Lookup   access.LookupID
	Task     access.TaskID
	SelfMade bool              // there was no call: a colleague must confirm the task first
	Request  access.RequestID  // the request that waits for a colleague, where SelfMade
	Said     map[string]string // what the caller said, given back
	Receipt  ledger.Receipt
}

// Act is something that somebody does with Paravent itself (G7): opening a
// finding, asking who looked, confirming, importing, issuing a token.
type Act struct {
	Name     string            // a short fixed word, such as "open_finding"
	Customer access.CustomerID // whom it is about, if anybody
	Employee access.EmployeeID // whom it is about, if anybody
	About    string            // an id or a count; never a customer's value
	Door     string
}

// Explanation is what the policy says to one employee's look-up for one task,
// without any value.
type Explanation struct {
	Employee access.EmployeeID
	Task     access.TaskID
	Effect   policy.Effect
	Grant    access.Grant    // only with policy.Allow; it can't be used
	Answer   *access.Error   // what the employee would be told; nil with policy.Allow
	Reasons  []policy.Reason // those that the reader may know
	Columns  []Column        // only with policy.Allow: what he would see
}

// Column is one column that a look-up would show, masked or not.
type Column struct {
	Source   string
	Table    string
	Name     string
	Category access.Category
	Masked   bool
}

// Config is what a Service needs. Every field but Log is required.
type Config struct {
	Policy         *policy.Policy
	Tasks          Tasks
	Qualifications Qualifications
	People         People
	Approvals      Approvals
	Source         Source
	Journal        Journal
	Tries          Tries
	Clock          access.Clock
	PseudonymKey   []byte // 32 bytes or more; the same from start to start
	Log            *slog.Logger
}
