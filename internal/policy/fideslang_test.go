package policy_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"paravent/internal/policy"
)

// The shipped policy ties its categories to keys that the taxonomy has.
func TestShippedCategoriesAreInTheTaxonomy(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "standards", "fideslang", "data_categories.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the taxonomy is not beside the checkout: ", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, row := range rows {
		keys = append(keys, row[0])
	}
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Categories() {
		for _, key := range c.Fideslang {
			if !slices.Contains(keys, key) {
				t.Errorf("category %s: the taxonomy has no key %q", c.Name, key)
			}
		}
	}
}
