package policy_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// randomFacts makes up facts in which each condition fails now and then, so that
// all combinations of failures occur and some look-ups are allowed.
func randomFacts(r *rand.Rand, p *policy.Policy) policy.Facts {
	often := func(usual, other bool) bool {
		if r.IntN(8) == 0 {
			return other
		}
		return usual
	}
	purposes := p.Purposes()
	f := facts()
	f.Employee.Role = pick(r, access.RoleAgent, access.RoleAgent, access.RoleAgent, access.RoleTeamLead, access.RoleSecurity, access.RoleLegal, access.RoleAdministrator, "wizard", "")
	f.Qualified.Current = often(true, false)
	f.Task.Purpose = purposes[r.IntN(len(purposes))].Name
	if r.IntN(12) == 0 {
		f.Task.Purpose = "curiosity"
	}
	f.Task.Order = pick[access.OrderID](r, "o1", "o1", "")
	f.Asked.Order = pick[access.OrderID](r, "", "", "o1", "o2")
	f.OrderOf = f.Asked.Order == "o1" || r.IntN(2) == 0
	f.Task.OpenedAt = now.Add(time.Duration(pick(r, -60, -60, -60, -60, 0, 1)) * time.Minute)
	if r.IntN(6) == 0 {
		f.Task.ClosedAt = now.Add(time.Duration(pick(r, -1, 0, 1)) * time.Minute)
	}
	f.Task.SelfMade = often(false, true)
	f.Task.ConfirmedBy = pick[access.EmployeeID](r, "", "e1", "e2")
	f.Assigned = pick(r, policy.AssignedEmployee, policy.AssignedEmployee, policy.AssignedTeam, policy.AssignedNot, "somehow")
	f.Asked.Customer = pick[access.CustomerID](r, "", "c1", "c1", "c1", "c2")
	f.Asked.Task = pick[access.TaskID](r, "", "t1", "t1", "t1", "t2")
	f.Asked.Action = pick[access.Action](r, "", "view", "search", "export", "delete")
	for range max(0, r.IntN(5)-2) {
		f.Asked.Categories = append(f.Asked.Categories, pick[access.Category](r, "identity", "identity", "contact", "orders", "order_items", "payment", "delivery", "horoscope"))
	}
	f.Customer.ID = pick[access.CustomerID](r, "c1", "c1", "c1", "c1", "c2", "")
	withCustomer(r, &f)
	if r.IntN(12) == 0 {
		f.Task = nil
	}
	return f
}

// withCustomer makes up what is known about the customer.
func withCustomer(r *rand.Rand, f *policy.Facts) {
	f.Customer.Notable = r.IntN(8) == 0
	f.Customer.Employee = pick[access.EmployeeID](r, "", "", "", "e1", "e2")
	f.Customer.Household = pick(r, "h1", "h2", "")
	f.Relations = nil
	for range max(0, r.IntN(6)-3) {
		f.Relations = append(f.Relations, pick(r, access.RelationSelf, access.RelationFamily, access.RelationFormerPartner, access.RelationCoworker, access.RelationNeighbour, "creditor"))
	}
	f.SecondPerson = pick[access.EmployeeID](r, "", "", "e1", "e2")
}

// lawful says in Go, without Cedar, what an allowed look-up and its grant must
// be (G1, G2, and the default policy's other conditions). It returns the first
// that is broken.
func lawful(p *policy.Policy, f policy.Facts, g access.Grant, defaults bool) string {
	switch {
	case f.Task == nil:
		return "there is no task"
	case now.Before(f.Task.OpenedAt), !f.Task.ClosedAt.IsZero() && !now.Before(f.Task.ClosedAt):
		return "the task is not open"
	case f.Assigned != "employee" && f.Assigned != "team":
		return "the task is not assigned"
	case f.Asked.Customer != "" && f.Asked.Customer != f.Task.Customer, f.Customer.ID != f.Task.Customer, g.Customer != f.Task.Customer:
		return "it is another customer"
	case f.Asked.Task != "" && f.Asked.Task != f.Task.ID, g.Task != f.Task.ID:
		return "it is another task"
	case f.Task.SelfMade && (f.Task.ConfirmedBy == "" || f.Task.ConfirmedBy == f.Employee.ID):
		return "nobody confirmed the self-made task"
	}
	u, ok := p.Purpose(f.Task.Purpose)
	if !ok || !slices.Contains(u.Who, f.Employee.Role) {
		return "the purpose is not for this role"
	}
	for _, c := range g.Categories {
		if !slices.Contains(u.Categories, c) {
			return "a category is beyond the purpose"
		}
		if len(f.Asked.Categories) > 0 && !slices.Contains(f.Asked.Categories, c) {
			return "a category was not asked"
		}
	}
	for _, c := range f.Asked.Categories {
		if !slices.Contains(u.Categories, c) {
			return "a category beyond the purpose was asked"
		}
	}
	switch {
	case g.Reach != u.Reach || !slices.Equal(g.Sensitive, u.Sensitive):
		return "reach or sensitive goods are not the purpose's"
	case g.Reach == access.ReachRecord && g.Order != f.Task.Order:
		return "it is not the task's order"
	case f.Asked.Order != "" && g.Order != f.Asked.Order:
		return "it is not the asked order"
	case f.Asked.Order != "" && !f.OrderOf:
		return "the order is not hers"
	case g.Until.Sub(g.Since) != u.Grant || !g.Since.Equal(now):
		return "the grant lasts too long"
	}
	if !defaults {
		return ""
	}
	self := f.Customer.Employee == f.Employee.ID || slices.Contains(f.Relations, access.RelationSelf)
	agreed := f.SecondPerson != "" && f.SecondPerson != f.Employee.ID
	switch {
	case !f.Qualified.Current:
		return "he is not qualified"
	case self:
		return "it is himself"
	case (len(f.Relations) > 0 || f.Customer.Notable) && !agreed:
		return "no second person agreed"
	}
	return ""
}

// TestG1G2AllowImpliesEveryCondition holds for the default rules, and, for G1 and
// G2, for a file that permits everything: the floor is in Go.
func TestG1G2AllowImpliesEveryCondition(t *testing.T) {
	anything, err := policy.Load("policy.yaml", policy.DefaultYAML(), "anything.cedar",
		[]byte(`@id("anything") @says("anything goes") permit (principal, action, resource);`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		p        *policy.Policy
		defaults bool
	}{{"default rules", load(t), true}, {"a file that permits everything", anything, false}} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			allowed := 0
			for range 12_000 {
				f := randomFacts(r, c.p)
				d := c.p.Decide(f)
				if d.Effect != policy.Allow {
					if d.Grant.Employee != "" || d.Answer.Code != access.Denied || d.Answer.Message == "" {
						t.Fatalf("a refusal with a grant or without an answer: %+v", d)
					}
					continue
				}
				allowed++
				if broken := lawful(c.p, f, d.Grant, c.defaults); broken != "" {
					t.Fatalf("allowed though %s: %s", broken, say(f))
				}
			}
			if allowed < 150 {
				t.Errorf("only %d of the look-ups were allowed: the test shows little", allowed)
			}
		})
	}
}

// TestG2LawfulLookupsAreAllowed is the other half: nothing is refused without one
// of the conditions failing.
func TestG2LawfulLookupsAreAllowed(t *testing.T) {
	p := load(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 12_000 {
		f := randomFacts(r, p)
		d := p.Decide(f)
		if d.Effect == policy.Allow || f.Task == nil || slices.Contains([]access.Action{"delete"}, f.Asked.Action) {
			continue
		}
		u, _ := p.Purpose(f.Task.Purpose)
		g := access.Grant{Customer: f.Task.Customer, Task: f.Task.ID, Categories: f.Asked.Categories, Reach: u.Reach, Sensitive: u.Sensitive,
			Order: f.Asked.Order, Since: now, Until: now.Add(u.Grant)}
		if u.Reach == access.ReachRecord {
			g.Order = f.Task.Order
		}
		if lawful(p, f, g, true) == "" {
			t.Fatalf("refused for no reason: %s\n%+v", say(f), d.Reasons)
		}
	}
}

// heard is all that an asker can tell apart.
type heard struct {
	effect policy.Effect
	answer policy.Answer
}

// TestG9FactsAboutTheCustomerReadTheSame changes nothing but facts about the
// customer and compares what is heard.
func TestG9FactsAboutTheCustomerReadTheSame(t *testing.T) {
	p := load(t)
	r := rand.New(rand.NewPCG(5, 6))
	const message = "A second person must agree before this is shown."
	compared := 0
	for range 4_000 {
		f := randomFacts(r, p)
		plain := f
		plain.Customer.Notable, plain.Customer.Employee, plain.Customer.Household, plain.Relations = false, "", "", nil
		usual := p.Decide(plain)
		var refusals []heard
		for range 6 {
			withCustomer(r, &f)
			if d := p.Decide(f); d.Effect != policy.Allow {
				refusals = append(refusals, heard{d.Effect, d.Answer})
			}
		}
		for _, h := range refusals {
			compared++
			// Either what any customer's refusal would have been, or the one
			// sentence; and the sentence only where nothing about himself or
			// his own task stands in the way.
			if h.answer.Message == message {
				if usual.Effect != policy.Allow && usual.Answer.Message != "This order isn't part of this task." {
					t.Fatalf("a fact about the customer is heard before %q: %s", usual.Answer.Message, say(f))
				}
				continue
			}
			if (h != heard{usual.Effect, usual.Answer}) {
				t.Fatalf("heard %+v, with nothing known of her %+v: %s", h, usual.Answer, say(f))
			}
		}
	}
	if compared < 8_000 {
		t.Errorf("only %d refusals were compared", compared)
	}
}

// TestG9NotYoursReadsTheSame: no such task, a colleague's, about another
// customer, a customer nobody knows; whatever else is true of task or customer.
func TestG9NotYoursReadsTheSame(t *testing.T) {
	p := load(t)
	r := rand.New(rand.NewPCG(7, 8))
	var first *heard
	for range 5_000 {
		f := randomFacts(r, p)
		f.Qualified.Current, f.Employee.Role, f.Asked.Action = true, access.RoleAgent, access.ActionView
		switch r.IntN(4) {
		case 0:
			f.Task = nil
		case 1:
			f.Assigned = policy.AssignedNot
		case 2:
			f.Asked.Customer = "c9"
		case 3:
			f.Customer = access.Customer{}
		}
		d := p.Decide(f)
		got := heard{d.Effect, d.Answer}
		if first == nil {
			first = &got
		}
		if got != *first || d.Effect != policy.Deny {
			t.Fatalf("heard %+v, before %+v: %s", got, *first, say(f))
		}
		for _, reason := range d.Reasons {
			if reason.Public {
				t.Fatalf("he may read %q: %s", reason.Text, say(f))
			}
		}
	}
}

func say(f policy.Facts) string {
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
