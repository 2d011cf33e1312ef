package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

func writersTakeTurns(t *testing.T, s *store.Store) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("w%d-%d", w, i)
				if err := s.SaveFacts(t.Context(), []access.Event{customerNamed(id, "x")}); err != nil {
					t.Errorf("save %s: %v", id, err)
				}
				if _, err := s.Customer(t.Context(), access.CustomerID(id)); err != nil {
					t.Errorf("read %s at once: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	facts, err := s.Facts(t.Context(), 0, 1000)
	if err != nil || len(facts) != writers*each {
		t.Errorf("change log: got %d facts, %v, want %d", len(facts), err, writers*each)
	}
	for i := 1; i < len(facts); i++ {
		if facts[i].Seq <= facts[i-1].Seq {
			t.Fatalf("numbers don't rise: %d after %d", facts[i].Seq, facts[i-1].Seq)
		}
	}
}

// keyOf makes a key for a person whose bytes are all b.
func keyOf(person string, b byte) ledger.Key {
	k := ledger.Key{Person: person, Secret: []byte(strings.Repeat(string(rune(b)), 32))}
	for i := range k.ID {
		k.ID[i] = b
	}
	return k
}

func keysAreKept(t *testing.T, s *store.Store) {
	ctx, keys := t.Context(), s.Keys()
	first := keyOf("customer:c1", 'a')
	if err := keys.Create(ctx, []ledger.Key{first}); err != nil {
		t.Fatal(err)
	}
	if err := keys.Create(ctx, []ledger.Key{keyOf("customer:c1", 'b'), keyOf("customer:C1", 'c')}); err != nil {
		t.Fatalf("create beside one that is there: %v", err)
	}
	got, err := keys.Lookup(ctx, []string{"customer:c1", "customer:C1", "customer:c2"})
	want := map[string]ledger.Key{"customer:c1": first, "customer:C1": keyOf("customer:C1", 'c')}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("by person: got -, want +: %s, %v", diff, err)
	}
	byID, err := keys.ByID(ctx, []ledger.KeyID{first.ID, keyOf("", 'b').ID})
	if diff := cmp.Diff(byID, map[ledger.KeyID]ledger.Key{first.ID: first}); err != nil || diff != "" {
		t.Errorf("by id: got -, want +: %s, %v", diff, err)
	}
	if err := keys.Create(ctx, []ledger.Key{keyOf("customer:c9", 'z'), keyOf("customer:c8", 'a')}); err == nil {
		t.Error("two persons got keys of one id")
	}
	got, err = keys.Lookup(ctx, []string{"customer:c9"})
	if err != nil || len(got) != 0 {
		t.Errorf("half of what failed is there: %v, %v", got, err)
	}
	short := keyOf("customer:c7", 'd')
	short.Secret = short.Secret[:31]
	if err := keys.Create(ctx, []ledger.Key{short}); err == nil {
		t.Error("a key with a short secret was taken")
	}
}

func manyKeys(t *testing.T, s *store.Store) {
	const n = 5000
	var all []ledger.Key
	var persons []string
	for i := range n {
		k := ledger.Key{Person: fmt.Sprintf("customer:c%d", i), Secret: make([]byte, 32)}
		k.ID[0], k.ID[1] = byte(i), byte(i>>8)
		all, persons = append(all, k), append(persons, k.Person)
	}
	if err := s.Keys().Create(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	got, err := s.Keys().Lookup(t.Context(), persons)
	if err != nil || len(got) != n {
		t.Errorf("got %d keys, %v, want %d", len(got), err, n)
	}
}

// aRequest waits for a second person from at for an hour.
func aRequest(id string) investigate.Request {
	return investigate.Request{
		ID: access.RequestID(id), Kind: "lookup", Asker: "e1", Task: "t1", Customer: "c1", Purpose: "refund",
		At: at, Until: at.Add(time.Hour), State: investigate.Waiting,
	}
}

func decisionsDontDouble(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if _, err := s.SaveRequest(ctx, aRequest("r1")); err != nil {
		t.Fatal(err)
	}
	const deciders = 8
	errs := make([]error, deciders)
	var wg sync.WaitGroup
	for i := range deciders {
		wg.Go(func() {
			state := []string{investigate.Confirmed, investigate.Declined}[i%2]
			errs[i] = s.DecideRequest(ctx, "r1", state, access.EmployeeID(fmt.Sprint("lead", i)), at.Add(time.Minute), "")
		})
	}
	wg.Wait()
	done := -1
	for i, err := range errs {
		switch {
		case err == nil && done >= 0:
			t.Errorf("%d and %d both decided", done, i)
		case err == nil:
			done = i
		default:
			wantCode(t, "the others", err, access.Conflict)
		}
	}
	got, err := s.Request(ctx, "r1")
	if err != nil || got.By != access.EmployeeID(fmt.Sprint("lead", done)) || !got.DecidedAt.Equal(at.Add(time.Minute)) {
		t.Errorf("got %+v, %v, want it decided by lead%d", got, err, done)
	}
}

func lapsedIsOver(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if _, err := s.SaveRequest(ctx, aRequest("r1")); err != nil {
		t.Fatal(err)
	}
	err := s.DecideRequest(ctx, "r1", investigate.Confirmed, "lead", at.Add(time.Hour), "")
	wantCode(t, "deciding at its end", err, access.Conflict)
	late := aRequest("r2")
	late.At, late.Until = at.Add(2*time.Hour), at.Add(3*time.Hour)
	got, err := s.SaveRequest(ctx, late)
	if err != nil || got.ID != "r2" {
		t.Errorf("asking again after it lapsed: got %s, %v", got.ID, err)
	}
	alive, err := s.Requests(ctx, investigate.Filter{State: investigate.Waiting, Alive: at.Add(90 * time.Minute)})
	if err != nil || len(alive) != 1 || alive[0].ID != "r2" {
		t.Errorf("alive: got %+v, %v", alive, err)
	}
	all, err := s.Requests(ctx, investigate.Filter{Asker: "e1", Task: "t1", Customer: "c1", Kind: "lookup"})
	if err != nil || len(all) != 2 || all[0].ID != "r2" {
		t.Errorf("newest first: got %+v, %v", all, err)
	}
	none, err := s.Requests(ctx, investigate.Filter{Asker: "e2"})
	if err != nil || len(none) != 0 {
		t.Errorf("of somebody else: got %+v, %v", none, err)
	}
}

func askingTwice(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	ids := make([]access.RequestID, 8)
	for i := range ids {
		wg.Go(func() {
			got, err := s.SaveRequest(t.Context(), aRequest(fmt.Sprint("r", i)))
			if err != nil {
				t.Errorf("ask: %v", err)
			}
			ids[i] = got.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several wait: %v", ids)
		}
	}
	other := aRequest("other")
	other.Customer = "c2"
	got, err := s.SaveRequest(t.Context(), other)
	if err != nil || got.ID != "other" {
		t.Errorf("about another customer: got %s, %v", got.ID, err)
	}
}

func cancelledChange(t *testing.T, s *store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.SaveFacts(ctx, []access.Event{customerNamed("c1", "x")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	for i := range 50 { // ends somewhere in the middle of the work
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*20)*time.Microsecond)
		_ = s.SaveFacts(ctx, []access.Event{customerNamed("c2", "x"), customerNamed("c3", "x")}) // either way is right
		cancel()
		_, err2 := s.Customer(t.Context(), "c2")
		_, err3 := s.Customer(t.Context(), "c3")
		if (err2 == nil) != (err3 == nil) {
			t.Fatalf("half a change: %v, %v", err2, err3)
		}
	}
	save(t, s, customerNamed("c4", "x"))
}

func failedChange(t *testing.T, s *store.Store) {
	err := s.SaveFacts(t.Context(), []access.Event{customerNamed("c1", "x"), &access.Lookup{ID: "l1"}})
	wantCode(t, "a change with a look-up", err, access.Invalid)
	_, err = s.Customer(t.Context(), "c1")
	wantCode(t, "what stood before it", err, access.NotFound)
	facts, err := s.Facts(t.Context(), 0, 10)
	if err != nil || len(facts) != 0 {
		t.Errorf("change log: got %v, %v", facts, err)
	}
}

// A crash is a copy of the files as they lie there while the store is open:
// nothing is folded in or said goodbye to. What returned before must be in it.
func reopen(t *testing.T, open openFunc) {
	dir, crashed := t.TempDir(), t.TempDir()
	s := open(t, dir)
	if err := s.Keys().Create(t.Context(), []ledger.Key{keyOf("customer:c1", 'k')}); err != nil {
		t.Fatal(err)
	}
	save(t, s, customerNamed("c1", "x"))
	if _, err := s.SaveRequest(t.Context(), aRequest("r1")); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, dir, crashed)
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	for _, where := range []string{crashed, dir} {
		s := open(t, where)
		keys, err := s.Keys().Lookup(t.Context(), []string{"customer:c1"})
		if diff := cmp.Diff(keys["customer:c1"], keyOf("customer:c1", 'k')); err != nil || diff != "" {
			t.Errorf("key: got -, want +: %s, %v", diff, err)
		}
		if _, err := s.Customer(t.Context(), "c1"); err != nil {
			t.Errorf("customer: %v", err)
		}
		if _, err := s.Request(t.Context(), "r1"); err != nil {
			t.Errorf("request: %v", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
	}
}

// copyFiles copies the files of a folder as a crash would leave them; the
// shared memory of the write-ahead log is lost with the machine.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), "-shm") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, entry.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
