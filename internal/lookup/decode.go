package lookup

import (
	"encoding/json"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/ledger"
)

// Decoded is one record of the journal as followers and pages read it. What an
// erased part held is empty.
type Decoded struct {
	Number    uint64
	Kind      ledger.Kind
	Lookup    access.Lookup // of an act: ID, At, Employee, Customer and Session alone
	Purpose   access.Purpose
	Role      access.Role // the looker's
	Pseudonym string      // the looker's
	Door      string
	Reasons   []string
	Rows      int
	Of        uint64 // of an outcome: 1 + the number of its intent
	Ends      bool   // no outcome follows
	Act       string // "" for a look-up
	About     string
	Whom      access.EmployeeID // whom an act is about
	Statement string            // of SQL: its text without literals
	Relations []string          // of SQL, or of a database that was read past Paravent: the protected ones that were named
	Reader    string            // the database's own role that read past Paravent
	Erased    bool              // a part of it can no longer be read

	// When the customer, or the employee, was erased; zero where she wasn't, or
	// where no leaf of the ledger says so.
	CustomerErased, EmployeeErased time.Time
}

// Decode reads a record. It returns false for the ledger's own records, which
// tell of no look-up and no act.
func Decode(r ledger.Record) (Decoded, bool, error) {
	d := Decoded{Number: r.Number, Kind: r.Kind, Of: r.Of}
	switch r.Kind {
	case ledger.KindIntent, ledger.KindOutcome, ledger.KindRefusal, ledger.KindAct, ledger.KindObserved:
	default:
		return d, false, nil
	}
	var c Conduct
	var s Subject
	if err := open(r.Employee, &c); err != nil {
		return d, false, fmt.Errorf("read the employee part of record %d: %w", r.Number, err)
	}
	if err := open(r.Customer, &s); err != nil {
		return d, false, fmt.Errorf("read the customer part of record %d: %w", r.Number, err)
	}
	d.Erased = r.Employee.Erased || r.Customer.Erased
	d.CustomerErased, d.EmployeeErased = r.Customer.ErasedAt, r.Employee.ErasedAt
	d.Purpose, d.Role = either(c.Purpose, s.Purpose), either(c.Role, s.Role)
	d.Pseudonym, d.Door = s.Looker, c.Door
	d.Rows, d.Act, d.About, d.Whom = max(c.Rows, s.Rows), either(c.Act, s.Act), c.About, c.Whom
	d.Statement, d.Relations, d.Reader = c.Statement, c.Relations, c.Reader
	if d.Reasons = c.Reasons; len(d.Reasons) == 0 {
		d.Reasons = s.Reasons
	}
	d.Lookup = access.Lookup{
		ID: either(c.ID, s.ID), At: r.Time, Employee: c.Employee, Customer: either(s.Customer, c.Asked),
		Action: either(c.Action, s.Action), Record: either(c.Order, s.Order), Task: either(c.Task, s.Task),
		Reason: c.Reason, Session: c.Session, Device: c.Device, Site: c.Site, Outcome: access.Outcome(r.Outcome),
	}
	if d.Lookup.Categories = c.Categories; len(d.Lookup.Categories) == 0 {
		d.Lookup.Categories = s.Categories
	}
	d.Ends = r.Kind != ledger.KindIntent || r.Outcome == outcomeDecided
	switch {
	case r.Outcome == outcomeDecided:
		d.Lookup.Outcome = access.OutcomeShown
	case r.Kind == ledger.KindIntent:
		d.Lookup.Outcome = access.OutcomeUnknown
	}
	return d, true, nil
}

// open decodes one part; an absent or erased one leaves into as it is.
func open(p ledger.Opened, into any) error {
	if p.Erased || len(p.Plain) == 0 {
		return nil
	}
	return json.Unmarshal(p.Plain, into)
}

// either returns the first that isn't empty.
func either[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}
