package source_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/source"
)

// bigShop returns a shop of 5,000 customers, 15,000 orders and 75,000 rows in
// all.
func bigShop() []source.Content {
	contents := shop()
	for i := range contents {
		contents[i].Rows = nil
	}
	for c := range 5_000 {
		contents[0].Rows = append(contents[0].Rows, []any{fmt.Sprint("c", c), "Somebody", "1990-01-01", fmt.Sprint(c, "@example.org"), fmt.Sprint("+49 170 ", 1_000_000+c), "Street", fmt.Sprintf("P%03d", c%1000), "Town", "2020-01-01"})
	}
	for o := range 15_000 {
		contents[1].Rows = append(contents[1].Rows, []any{fmt.Sprint("o", o), fmt.Sprint("c", o%5_000), "2026-01-01T00:00:00Z", "sent", 100})
		contents[3].Rows = append(contents[3].Rows, []any{fmt.Sprint("p", o), fmt.Sprint("o", o), "card", nil, "4111111111111111", 100, "2026-01-01T00:00:00Z"})
		contents[4].Rows = append(contents[4].Rows, []any{fmt.Sprint("d", o), fmt.Sprint("o", o), "Somebody", "Street", "P1", "Town", "Swift", fmt.Sprint("T", o), nil})
	}
	for i := range 25_000 {
		contents[2].Rows = append(contents[2].Rows, []any{fmt.Sprint("i", i), fmt.Sprint("o", i%15_000), "Kettle", "kitchen", 1, 100})
	}
	return contents
}

func openBig(tb testing.TB) *source.SQLite {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, bigShop()); err != nil {
		tb.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(tb))
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

// BenchmarkLoad writes the demo's 75,000 rows.
func BenchmarkLoad(b *testing.B) {
	contents := bigShop()
	dir := b.TempDir()
	for n := 0; b.Loop(); n++ {
		if err := source.Load(context.Background(), filepath.Join(dir, fmt.Sprint(n)), contents); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLoadLeavesNothingHalfDone(t *testing.T) {
	dir := t.TempDir()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name     string
		ctx      context.Context
		contents []source.Content
	}{
		{"unknown table", context.Background(), []source.Content{{Name: "customer", Columns: []string{"id"}, Rows: [][]any{{"c1"}}}}},
		{"unknown column", context.Background(), []source.Content{{Name: "customers", Columns: []string{"nickname"}, Rows: [][]any{{"c1"}}}}},
		{"a row that is too short", context.Background(), []source.Content{{Name: "customers", Columns: []string{"id", "name"}, Rows: [][]any{{"c1", "Ann"}, {"c2"}}}}},
		{"an id twice", context.Background(), []source.Content{{Name: "customers", Columns: []string{"id"}, Rows: [][]any{{"c1"}, {"c1"}}}}},
		{"the context ends", ended, shop()},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "shop.db")
			if err := source.Load(c.ctx, path, c.contents); err == nil {
				t.Error("it was loaded")
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a file is left: %v", err)
			}
		})
	}
}

func TestLoadNeverWritesOverAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := source.Load(context.Background(), path, shop()); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("it reads %q, %v", text, err)
	}
}

func TestAnEmptyShopFitsTheDefaultPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, nil); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	if r := read(t, s, grant("c1", "all")); r.Rows != 0 || len(r.Tables) != 5 {
		t.Errorf("got %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
