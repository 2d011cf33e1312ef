package investigate

import (
	"cmp"

	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// rowOf turns one record into its row of the index, or, as an outcome, completes
// the row of its intent; ok is false where it makes none. Open holds the
// intents whose outcome is awaited. Ended says that it is a look-up of which no
// more is to come. It is the one place where rows are made: the Follower writes
// them, CompareIndex holds what is stored against them.
func rowOf(open map[uint64]*Indexed, d lookup.Decoded) (row Indexed, ended, ok bool) {
	if d.Kind == ledger.KindOutcome {
		intent := open[d.Of-1]
		if d.Of == 0 || intent == nil {
			return Indexed{}, false, false // its intent waited too long and counts as the whole grant
		}
		delete(open, d.Of-1)
		intent.finish(d)
		return *intent, true, true
	}
	row = indexed(d)
	if d.Act == "" && !d.Ends {
		open[row.Number] = &row
	}
	return row, d.Act == "" && d.Ends, true
}

// indexed returns the index's row of a record.
func indexed(d lookup.Decoded) Indexed {
	row := Indexed{
		Number: d.Number, Kind: d.Kind, Lookup: d.Lookup, Purpose: string(d.Purpose), Role: string(d.Role),
		Pseudonym: d.Pseudonym, Door: d.Door, Reasons: d.Reasons, Rows: d.Rows, Act: d.Act, About: d.About, Employee: string(d.Whom),
		Statement: d.Statement, Relations: d.Relations, Reader: d.Reader,
	}
	// What the other person's part still says about an erased one stays sealed: it
	// doesn't come into the index.
	if !d.CustomerErased.IsZero() {
		row.eraseCustomer(d.CustomerErased)
	}
	if !d.EmployeeErased.IsZero() {
		row.eraseEmployee(d.EmployeeErased)
	}
	return row
}

// finish completes the row of an intent by its outcome. Finding a caller knows
// whom it found only then.
func (row *Indexed) finish(d lookup.Decoded) {
	row.Lookup.Outcome, row.Rows = d.Lookup.Outcome, d.Rows
	if d.Lookup.Customer != "" {
		row.Lookup.Customer = d.Lookup.Customer
	}
	if d.Lookup.Task != "" {
		row.Lookup.Task = d.Lookup.Task
	}
	if len(d.Reasons) > 0 {
		row.Reasons = d.Reasons
	}
	if d.Pseudonym != "" {
		row.Pseudonym = d.Pseudonym
	}
	// What was erased between the two, or before they were read, doesn't come back.
	if at := cmp.Or(row.CustomerErased, d.CustomerErased); !at.IsZero() {
		row.eraseCustomer(at)
	}
	if at := cmp.Or(row.EmployeeErased, d.EmployeeErased); !at.IsZero() {
		row.eraseEmployee(at)
	}
}
