package lookup

import (
	"context"
	"fmt"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
)

// Act makes it durable that somebody does something with Paravent itself (G7).
// Doors call it before they show or change anything; with an error nothing may
// be shown or changed.
func (s *Service) Act(ctx context.Context, who identity.Who, act Act) (ledger.Receipt, error) {
	a, err := s.ask(who, Request{Door: act.Door})
	if err != nil {
		return ledger.Receipt{}, err
	}
	if !plausible(act.Name) || !readable(act.About, maxReason) {
		return ledger.Receipt{}, fmt.Errorf("record an act: its name or what it is about can't be recorded")
	}
	c := a.conduct()
	c.Act, c.About = act.Name, act.About
	if plausible(string(act.Employee)) {
		c.Whom = act.Employee
	}
	var sub *Subject
	if plausible(string(act.Customer)) {
		// A customer gets a part of her own only where she is known: nobody fills
		// the key table with invented ids.
		switch _, err := s.People.Customer(ctx, act.Customer); access.CodeOf(err) {
		case "":
			sub = s.subject(a, act.Customer)
			sub.Act = act.Name
		case access.NotFound:
			c.Asked = act.Customer
		default:
			return ledger.Receipt{}, fmt.Errorf("find the customer of an act: %w", err)
		}
	}
	return s.record(ctx, ledger.KindAct, outcomeDone, 0, c, sub)
}
