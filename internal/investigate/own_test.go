package investigate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
)

// The attack: read in the list of one's own look-ups what the refusal didn't
// tell. The row of a refused try names the customer and the purpose of a
// colleague's task, the row of a miss whom the guess came near, the row of a hit
// without a call whom the unconfirmed task is about.
func TestTheListOfHisOwnLookUpsTellsNoMoreThanTheAnswerDid(t *testing.T) { // G9
	for name, row := range map[string]investigate.Indexed{
		"a colleague's task": {Kind: ledger.KindRefusal, Purpose: "secret-purpose", Reasons: []string{"secret-reason"},
			Lookup: access.Lookup{Task: "theirs", Customer: "secret-customer", Outcome: access.OutcomeRefused}},
		"his own task, a second person needed": {Kind: ledger.KindRefusal, Reasons: []string{"secret-reason"},
			Lookup: access.Lookup{Task: "mine", Customer: "secret-customer", Outcome: access.OutcomeRefused}},
		"a near miss": {Kind: ledger.KindIntent, Reasons: []string{"secret-reason"},
			Lookup: access.Lookup{Action: access.ActionSearch, Customer: "secret-customer", Outcome: access.OutcomeMissed}},
		"a hit": {Kind: ledger.KindIntent, Reasons: []string{"secret-reason"},
			Lookup: access.Lookup{Action: access.ActionSearch, Task: "self-1", Customer: "secret-customer", Outcome: access.OutcomeShown}},
		"a try to decide his own request": {Kind: ledger.KindAct, Act: "decide_refused", Employee: "secret-employee",
			Lookup: access.Lookup{Customer: "secret-customer"}},
	} {
		text, err := json.Marshal(row.ForHim())
		if err != nil || strings.Contains(string(text), "secret") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	shown := investigate.Indexed{Kind: ledger.KindIntent, Purpose: "refund", Lookup: access.Lookup{
		Action: access.ActionView, Task: "mine", Customer: "c1", Categories: []access.Category{"identity"}, Outcome: access.OutcomeShown}}
	if got := shown.ForHim(); got.Lookup.Customer != "c1" || got.Purpose != "refund" {
		t.Errorf("what he was shown isn't in the list: %+v", got)
	}
}
