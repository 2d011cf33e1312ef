package investigate_test

import (
	"testing"

	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// The attack: a lead reads among the requests that wait that his former
// partner, or he himself, is a customer with a case, and why that is delicate.
// Who may not decide about her reads nothing of her.
func TestWhoKnowsTheCustomerReadsNoRequestAboutHer(t *testing.T) { // G8, G9
	d := newDesk(t)
	d.ask(t, lookup.Approval{Asker: "e1"})
	for name, who := range map[string]identity.Who{"somebody with a tie": d.related, "the customer herself": d.herself} {
		all, err := d.approvals.Waiting(t.Context(), who)
		if err != nil || len(all) != 0 {
			t.Errorf("%s reads %+v, %v", name, all, err)
		}
	}
	if all, err := d.approvals.Waiting(t.Context(), d.lead); err != nil || len(all) != 1 {
		t.Errorf("a stranger to her reads %+v, %v", all, err)
	}
}
