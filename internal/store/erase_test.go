package store_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

// Thousands of rows about many customers come in at random and are rewritten, so
// that SQLite splits and moves pages; then some of the customers are erased. Of
// these no byte is left in any file, of the others every row.
func TestG5NothingIsLeftWhereRowsWereMoved(t *testing.T) {
	const customers, erased = 700, 6
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	rng := rand.New(rand.NewPCG(3, 26))
	name := func(i int) access.CustomerID { return access.CustomerID(fmt.Sprintf("cust-%06d-x", i*7919%999_983)) }
	var events []access.Event
	var rows []investigate.Indexed
	var keys []ledger.Key
	for n, i := range rng.Perm(customers * 4) {
		c, at := name(i%customers), at.Add(time.Duration(i)*time.Minute)
		if i < customers {
			events = append(events, &access.CustomerKnown{Customer: access.Customer{ID: c, Surname: "Sur" + string(c)}})
			k := keyOf("customer:"+string(c), byte(i))
			k.ID = ledger.KeyID(fmt.Appendf(nil, "key-id-%09d", i))
			k.Secret = fmt.Appendf(nil, "secret-of-%09d-%012d", i, i)
			keys = append(keys, k)
		}
		task := access.TaskID("task-of-" + c)
		events = append(events, &access.TaskOpened{Task: access.Task{ID: task, Customer: c, OpenedAt: at}},
			&access.Contacted{Contact: access.Contact{ID: access.ContactID(fmt.Sprint("contact", i)), Customer: c, At: at}})
		r := row(uint64(n), access.LookupID(fmt.Sprint("l", i)), 0, "unknown")
		r.Lookup.Customer, r.Lookup.Task, r.Lookup.At = c, task, at
		rows = append(rows, r)
	}
	for from := 0; from < len(rows); from += 500 {
		part := rows[from:min(from+500, len(rows))]
		for range 2 { // an intent, then its outcome
			if err := s.SaveIndexed(t.Context(), part); err != nil {
				t.Fatal(err)
			}
			for i := range part {
				part[i].Lookup.Outcome, part[i].Lookup.Reason = access.OutcomeShown, "about "+string(part[i].Lookup.Customer)
			}
		}
	}
	for from := 0; from < len(events); from += 700 {
		save(t, s, events[from:min(from+700, len(events))]...)
	}
	for from := 0; from < len(keys); from += 50 {
		if err := s.Keys().Create(t.Context(), keys[from:min(from+50, len(keys))]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range erased {
		p := detect.Person{Customer: name(i * 100), As: fmt.Sprint("erased-", i)}
		e, err := s.Erasing(t.Context(), investigate.Erasure{Person: p, At: at, Before: math.MaxUint64})
		if err == nil {
			err = s.Erase(t.Context(), e, investigate.Checkpoint{State: []byte("x")}, nil, nil)
		}
		if err == nil {
			err = s.Keys().Destroy(t.Context(), []ledger.KeyID{ledger.KeyID(fmt.Appendf(nil, "key-id-%09d", i*100))})
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Rows) != 4 || len(e.Gone) != 9 {
			t.Errorf("%s: %d rows and %d facts are erased, want 4 and 9", p.Customer, len(e.Rows), len(e.Gone))
		}
	}
	files := map[string][]byte{}
	for _, file := range []string{store.StateFile, store.KeysFile, store.StateFile + "-wal", store.KeysFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		files[file] = b
	}
	for i := range customers {
		words := []string{string(name(i)), fmt.Sprintf("secret-of-%09d", i), fmt.Sprintf("key-id-%09d", i)}
		for _, w := range words {
			hit := ""
			for file, b := range files {
				if bytes.Contains(b, []byte(w)) {
					hit = file
				}
			}
			if gone := i%100 == 0 && i/100 < erased; gone != (hit == "") {
				t.Errorf("%s: erased %v, found in %q", w, gone, hit)
			}
		}
	}
}
