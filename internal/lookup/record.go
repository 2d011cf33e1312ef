package lookup

import (
	"encoding/json"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/ledger"
)

// Outcomes of a frame that aren't outcomes of a look-up.
const (
	// outcomeDecided ends the intent of a program that holds the data itself: what
	// it does with the grant is out of sight and counts as the whole grant.
	outcomeDecided = "decided"
	outcomeDone    = "done" // of an act
)

// The persons under whose keys the two personal parts of a record are sealed.
const (
	personCustomer = "customer:"
	personEmployee = "employee:"
)

// Subject is the customer part of a record, as JSON: what the customer is told
// about who looked at her. It outlives the erasure of the employee, hence his
// role and pseudonym in the place of his name.
type Subject struct {
	ID         access.LookupID   `json:"id"`
	Customer   access.CustomerID `json:"customer"`
	Task       access.TaskID     `json:"task,omitempty"`
	Purpose    access.Purpose    `json:"purpose,omitempty"`
	Order      access.OrderID    `json:"order,omitempty"`
	Action     access.Action     `json:"action,omitempty"`
	Categories []access.Category `json:"categories,omitempty"`
	Reach      access.Reach      `json:"reach,omitempty"`
	Reasons    []string          `json:"reasons,omitempty"` // the policy's ids
	Role       access.Role       `json:"role,omitempty"`
	Looker     string            `json:"looker,omitempty"` // pseudonym
	Act        string            `json:"act,omitempty"`
	Rows       int               `json:"rows,omitempty"`
	Bytes      int64             `json:"bytes,omitempty"`
}

// Conduct is the employee part of a record, as JSON: what he did, with what,
// and what he said. It outlives the erasure of the customer; she is named in
// it only where there is no customer part: where the id is nothing but his
// claim (asking.partOf says when).
type Conduct struct {
	ID         access.LookupID   `json:"id"`
	Employee   access.EmployeeID `json:"employee"`
	By         access.EmployeeID `json:"by,omitempty"` // the program that asked for him
	Session    access.SessionID  `json:"session,omitempty"`
	Device     string            `json:"device,omitempty"`
	Site       string            `json:"site,omitempty"`
	Door       string            `json:"door,omitempty"`
	Role       access.Role       `json:"role,omitempty"`
	Task       access.TaskID     `json:"task,omitempty"`
	Purpose    access.Purpose    `json:"purpose,omitempty"`
	Asked      access.CustomerID `json:"asked,omitempty"` // the customer he named, where there is no customer part
	Order      access.OrderID    `json:"order,omitempty"`
	Action     access.Action     `json:"action,omitempty"`
	Categories []access.Category `json:"categories,omitempty"`
	Reason     string            `json:"reason,omitempty"` // his own words
	Said       []string          `json:"said,omitempty"`   // names of identifiers, no values
	Reasons    []string          `json:"reasons,omitempty"`
	Grant      string            `json:"grant,omitempty"`
	Until      time.Time         `json:"until,omitzero"`
	Second     access.EmployeeID `json:"second_person,omitempty"`
	Act        string            `json:"act,omitempty"`
	About      string            `json:"about,omitempty"`
	Whom       access.EmployeeID `json:"whom,omitempty"` // the employee whom an act is about
	Rows       int               `json:"rows,omitempty"`
	Bytes      int64             `json:"bytes,omitempty"`
	Cut        bool              `json:"cut,omitempty"`

	// Of a SQL statement, or of a database that was read past Paravent.
	Statement   string   `json:"statement,omitempty"`   // without its literals
	Fingerprint string   `json:"fingerprint,omitempty"` // of all of it, in hex
	Relations   []string `json:"relations,omitempty"`   // the protected ones that it names: schema.name
	Ended       string   `json:"ended,omitempty"`       // in an outcome: how, as the door says it
	State       string   `json:"sqlstate,omitempty"`    // in an outcome or refusal: PostgreSQL's code of the error
	Reader      string   `json:"reader,omitempty"`      // the database's own role that read past Paravent
	Host        string   `json:"host,omitempty"`        // from where
	Program     string   `json:"program,omitempty"`     // what that called itself
	Source      string   `json:"source,omitempty"`      // hash of the log's line that told of it
}

// entry seals c and, where there is one, s into one entry of the journal.
func entry(kind ledger.Kind, outcome string, of uint64, c Conduct, s *Subject) (ledger.Entry, error) {
	e := ledger.Entry{Kind: kind, Outcome: outcome, Of: of}
	plain, err := json.Marshal(c)
	if err != nil {
		return e, fmt.Errorf("encode the employee part: %w", err)
	}
	e.Employee = ledger.Part{Person: personEmployee + string(c.Employee), Plain: plain}
	if s == nil || s.Customer == "" {
		return e, nil
	}
	if plain, err = json.Marshal(s); err != nil {
		return e, fmt.Errorf("encode the customer part: %w", err)
	}
	e.Customer = ledger.Part{Person: personCustomer + string(s.Customer), Plain: plain}
	return e, nil
}

// Observed is the entry of a look-up that another system saw and Paravent only
// took note of, as it is imported with a company's history. purpose is that of
// the task, "" where none is known: the customer reads it as the reason.
func Observed(l access.Lookup, who access.Employee, purpose access.Purpose, pseudonym string) (ledger.Entry, error) {
	c := Conduct{
		ID: l.ID, Employee: l.Employee, Session: l.Session, Device: l.Device, Site: l.Site, Role: who.Role,
		Task: l.Task, Purpose: purpose, Order: l.Record, Action: l.Action, Categories: l.Categories, Reason: l.Reason,
	}
	s := Subject{
		ID: l.ID, Customer: l.Customer, Task: l.Task, Purpose: purpose, Order: l.Record, Action: l.Action,
		Categories: l.Categories, Role: who.Role, Looker: pseudonym,
	}
	outcome := l.Outcome
	if outcome == "" {
		outcome = access.OutcomeShown
	}
	e, err := entry(ledger.KindObserved, string(outcome), 0, c, &s)
	e.At = l.At
	return e, err
}
