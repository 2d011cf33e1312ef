package policy_test

import (
	"strings"
	"testing"

	"paravent/internal/policy"
)

// What may be changed, and what may be read without a task, is named word by
// word; what would move a row into or out of a grant can't be.
func TestChangesAndOpenTablesAreNamedAndHarmless(t *testing.T) {
	load := func(changes, open string) (*policy.Policy, error) {
		text := strings.Replace(string(policy.DefaultYAML()), "    reach: recent\n    recent_days: 30\n", "    reach: recent\n    recent_days: 30\n    changes: ["+changes+"]\n", 1)
		text = strings.Replace(text, "  shop:\n", "  shop:\n    open: ["+open+"]\n", 1)
		return policy.Load("policy.yaml", []byte(text), "default.cedar", policy.DefaultCedar())
	}
	p, err := load("shop.customers.street, shop.deliveries.city", "articles")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := p.Purpose("address")
	want := policy.ColumnRef{Source: "shop", Table: "customers", Column: "street"}
	if len(u.Changes) != 2 || u.Changes[0] != want {
		t.Errorf("changes %v", u.Changes)
	}
	if s, _ := p.Source("shop"); len(s.Open) != 1 || s.Open[0] != "articles" {
		t.Errorf("open %v", s.Open)
	}
	for _, c := range []struct{ name, changes, open, says string }{
		{"a column that isn't mapped", "shop.customers.secret_note", "", "no mapped column"},
		{"a column of a category that the purpose doesn't need", "shop.payments.method", "", "doesn't need payment"},
		{"whose the row is", "shop.customers.id", "", "whose the row is"},
		{"not a column", "customers.street", "", "expected source.table.column"},
		{"a mapped table as open", "", "payments", "holds customers' data"},
	} {
		if _, err := load(c.changes, c.open); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
