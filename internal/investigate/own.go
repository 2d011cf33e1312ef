package investigate

import (
	"strings"

	"paravent/internal/access"
	"paravent/internal/ledger"
)

// ForHim returns the row as the employee whose look-up or act it is may read it.
// The record names the customer of a colleague's task that he tried, whom a guess
// came near and whom he found without a call, and every true reason: for
// reviewers, and for nobody who asks (G9).
func (row Indexed) ForHim() Indexed {
	row.Reasons = nil
	found := row.Lookup.Action == access.ActionSearch && len(row.Lookup.Categories) == 0 // a caller: he was given a task, not her
	switch {
	case row.Act != "":
		if strings.HasSuffix(row.Act, "_refused") {
			row.Lookup.Customer, row.Employee = "", ""
		}
	case row.Kind == ledger.KindRefusal, row.Lookup.Outcome == access.OutcomeRefused, row.Lookup.Outcome == access.OutcomeMissed:
		row.Lookup.Customer, row.Purpose = "", ""
	case found && row.Kind == ledger.KindIntent:
		row.Lookup.Customer = ""
	}
	return row
}
