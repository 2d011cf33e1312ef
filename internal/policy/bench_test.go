package policy_test

import (
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// BenchmarkDecide measures one decision with all facts at hand, by the default
// policy: allowed, and refused for the customer's sake.
func BenchmarkDecide(b *testing.B) {
	p := load(b)
	for _, c := range []struct {
		name string
		make func(*policy.Facts)
		want policy.Effect
	}{
		{"allowed", func(*policy.Facts) {}, policy.Allow},
		{"some categories", func(f *policy.Facts) { f.Asked.Categories = []access.Category{"identity", "orders"} }, policy.Allow},
		{"needs second person", func(f *policy.Facts) { f.Customer.Notable = true }, policy.NeedsSecondPerson},
		{"refused", func(f *policy.Facts) { f.Task = nil }, policy.Deny},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := facts()
			c.make(&f)
			b.ReportAllocs()
			for b.Loop() {
				if got := p.Decide(f).Effect; got != c.want {
					b.Fatalf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}

// load returns the default policy.
func load(tb testing.TB) *policy.Policy {
	tb.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// facts returns facts that the default policy allows: an agent's own open task
// about an order of its customer.
func facts() policy.Facts {
	return policy.Facts{
		Now:       now,
		Employee:  access.Employee{ID: "e1", Team: "parcels", Role: access.RoleAgent, Household: "h1"},
		Session:   "s1",
		Qualified: policy.Qualification{Current: true},
		Task: &access.Task{ID: "t1", Customer: "c1", Purpose: "delivery", Channel: "call", Order: "o1",
			OpenedAt: now.Add(-time.Hour), OpenedBy: access.ByCustomer},
		Assigned: policy.AssignedEmployee,
		Asked:    policy.Asked{Task: "t1", Customer: "c1", Order: "o1", Action: access.ActionView},
		Customer: access.Customer{ID: "c1", Household: "h2"},
		OrderOf:  true,
	}
}
