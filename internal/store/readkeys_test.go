package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/ledger"
	"paravent/internal/store"
)

func TestAnAuditorReadsTheTableOfKeysBesideItsOwnerOldestFirst(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.KeysFile)
	want := []string{"customer:z", "customer:a", "employee:m"}
	for i, person := range want {
		key := ledger.Key{Person: person, ID: ledger.KeyID{byte(i)}, Secret: make([]byte, 32)}
		if err := s.Keys().Create(t.Context(), []ledger.Key{key}); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		t.Helper()
		var got []string
		for key, err := range store.ReadKeys(t.Context(), path) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, key.Person)
		}
		if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	look() // the owner is there, the rows are in its write-ahead log
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, err := range store.ReadKeys(t.Context(), path) {
		if err == nil {
			t.Error("a table that isn't there was read")
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("reading made a table")
	}
}
