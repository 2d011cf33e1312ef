package source_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/source"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// A secret of each value that a test may look for: it must not be seen where it
// isn't granted.
const (
	annMail = "ann@example.org"
	annIBAN = "DE00123456781111"
)

// shop returns a small shop. Ann (c1) has three orders, the oldest with goods
// from the pharmacy, and two of which nobody knows the department; Bob (c2) has
// one; the ids of Cy (c3) and of his order try to break out.
func shop() []source.Content {
	return []source.Content{
		{Name: "customers", Columns: []string{"id", "name", "date_of_birth", "email", "phone", "street", "postcode", "city", "created_on"}, Rows: [][]any{
			{"c1", "Ann Archer", "1980-05-06", annMail, "+49 170 1112223", "High Street 1", "AB1 2CD", "Town", "2019-01-02"},
			{"c2", "Bob Baker", "1990-07-08", "bob@example.org", "0170/4445556", "Low Street 2", "AB1 2CD", "Town", "2020-01-02"},
			{`c3' OR '1'='1`, "Cy Clark", nil, nil, nil, "Mid Street 3", "XY9 8ZW", "Village", nil},
		}},
		{Name: "orders", Columns: []string{"id", "customer_id", "placed_at", "status", "total_cents"}, Rows: [][]any{
			{"o1", "c1", "2026-03-01T10:00:00Z", "sent", 1000},
			{"o2", "c1", "2026-01-15T10:00:00Z", "sent", 2000},
			{"o3", "c1", "2024-06-01T10:00:00Z", "sent", 3000},
			{"o4", "c2", "2026-02-28T10:00:00Z", "open", 4000},
			{`o"5; --`, `c3' OR '1'='1`, "2026-02-27T10:00:00Z", "open", 5000},
		}},
		{Name: "order_items", Columns: []string{"id", "order_id", "article", "department", "quantity", "price_cents"}, Rows: [][]any{
			{"i1", "o1", "Kettle", "kitchen", 1, 1000},
			{"i2", "o2", "Pan", "kitchen", 1, 1500},
			{"i3", "o1", "Ointment", " Pharmacy", 1, 500},
			{"i4", "o3", "Candle", "religion", 2, 1500},
			{"i5", "o4", "Bicycle", "sports", 1, 4000},
			{"i6", "o1", "Riddle", nil, 1, 1},
			{"i7", "o2", "Blank", " ", 1, 1},
		}},
		{Name: "payments", Columns: []string{"id", "order_id", "method", "iban", "card_number", "amount_cents", "paid_at"}, Rows: [][]any{
			{"p1", "o1", "debit", annIBAN, nil, 1000, "2026-03-01T10:01:00Z"},
			{"p4", "o4", "debit", "DE00123456784444", nil, 4000, "2026-02-28T10:01:00Z"},
		}},
		{Name: "deliveries", Columns: []string{"id", "order_id", "recipient", "street", "postcode", "city", "carrier", "tracking", "delivered_at"}, Rows: [][]any{
			{"d1", "o1", "Ann Archer", "High Street 1", "AB1 2CD", "Town", "Swift", "T1", nil},
			{"d4", "o4", "Bob Baker", "Low Street 2", "AB1 2CD", "Town", "Swift", "T4", nil},
		}},
	}
}

func defaultPolicy(tb testing.TB) *policy.Policy {
	tb.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// open loads the shop and opens it.
func open(tb testing.TB, options ...source.Option) *source.SQLite {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "shop 100%?.db") // a name that a careless URI would break on
	if err := source.Load(context.Background(), path, shop()); err != nil {
		tb.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(tb), options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// grant returns leave to see all categories of one customer.
func grant(c access.CustomerID, reach access.Reach) access.Grant {
	return access.Grant{Customer: c, Reach: reach, Since: now, Until: now.Add(time.Minute),
		Categories: []access.Category{"contact", "delivery", "identity", "order_items", "orders", "payment"}}
}
