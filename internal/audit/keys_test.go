package audit_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

func TestTheKeyTableIsHeldAgainstItsLeaves(t *testing.T) {
	id := func(row ledger.Key) string { return fmt.Sprintf("%x", row.ID) }
	cases := []struct {
		name   string
		change func(rows []ledger.Key) []ledger.Key
		words  func(rows []ledger.Key) []string // of the rows before; nil: sound
	}{
		{"an honest table", func(rows []ledger.Key) []ledger.Key { return rows }, nil},
		{"a row deleted behind its back", func(rows []ledger.Key) []ledger.Key { return rows[1:] },
			func(rows []ledger.Key) []string { return []string{"is missing", "no record says", id(rows[0])} }},
		{"a secret changed", func(rows []ledger.Key) []ledger.Key {
			rows[2].Secret = bytes.Repeat([]byte{9}, 32)
			return rows
		}, func(rows []ledger.Key) []string { return []string{"was changed", id(rows[2])} }},
		{"a person changed", func(rows []ledger.Key) []ledger.Key {
			rows[2].Person = "customer:somebody-else"
			return rows
		}, func(rows []ledger.Key) []string { return []string{"was changed", id(rows[2])} }},
		{"two persons exchanged", func(rows []ledger.Key) []ledger.Key {
			rows[0].Person, rows[1].Person = rows[1].Person, rows[0].Person
			return rows
		}, func(rows []ledger.Key) []string { return []string{"was changed", id(rows[1])} }},
		{"a row exchanged for a new one", func(rows []ledger.Key) []ledger.Key {
			rows[1].ID[0] ^= 1
			return rows
		}, func(rows []ledger.Key) []string { return []string{"is missing", id(rows[1])} }},
		{"an emptied table", func([]ledger.Key) []ledger.Key { return nil },
			func(rows []ledger.Key) []string { return []string{"is missing", id(rows[3])} }},
		{"a key whose leaf a crash has cut off", func(rows []ledger.Key) []ledger.Key {
			return append(rows, ledger.Key{Person: "customer:new", ID: ledger.KeyID{7}, Secret: make([]byte, 32)})
		}, nil},
	}
	w := newWorld(t)
	w.look(t, 9)
	w.close(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(w.keys.rows)
			rows := c.change(slices.Clone(w.keys.rows))
			r := verify(t, w.dir, audit.Options{Table: slicesOf(rows)})
			if c.words == nil {
				sound(t, r)
			} else {
				named(t, r, append(c.words(before), "key table")...)
			}
			for _, line := range append(r.Notes, fmt.Sprint(r.Problems)) {
				if strings.Contains(line, "customer:") || strings.Contains(line, "employee:") {
					t.Errorf("a person is named: %s", line)
				}
			}
			if len(rows) > len(before) && !strings.Contains(strings.Join(r.Notes, " "), "the newest") {
				t.Errorf("the key without a leaf isn't told: %v", r.Notes)
			}
		})
	}
	broken := func(yield func(ledger.Key, error) bool) { yield(ledger.Key{}, errors.New("a row is damaged")) }
	named(t, verify(t, w.dir, audit.Options{Table: broken}), "a row is damaged")
}

func slicesOf(rows []ledger.Key) iter.Seq2[ledger.Key, error] { return (&keys{rows: rows}).all() }

func TestADestroyedKeyIsFineWithItsLeafAndTamperingWhenItComesBack(t *testing.T) {
	w := newWorld(t)
	w.look(t, 9)
	backup := slices.Clone(w.keys.rows)
	if _, err := w.log.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	w.look(t, 3) // seals under a new key
	r := verify(t, w.dir, audit.Options{Table: w.keys.all()})
	sound(t, r)
	if r.Erased != 1 {
		t.Errorf("%d keys destroyed, want 1", r.Erased)
	}
	restored := append(slices.Clone(w.keys.rows), backup[slices.IndexFunc(backup, func(k ledger.Key) bool { return k.Person == "customer:c1" })])
	named(t, verify(t, w.dir, audit.Options{Table: slicesOf(restored)}), "still there")
}

// Attack: with the stolen key, a record is sealed with a key of which no leaf tells.
func TestAPartSealedWithAKeyThatNobodyMadeKnownIsNamed(t *testing.T) {
	w := newWorld(t)
	w.look(t, 6)
	w.close(t)
	r := verify(t, w.dir, audit.Options{})
	leaves, err := indyJournal(w.dir, r.Key)
	if err != nil {
		t.Fatal(err)
	}
	forge(t, filepath.Join(w.dir, "0000000002.journal"), func(s *indySegment) {
		b := &s.batches[len(s.batches)-1]
		rec := b.records[len(b.records)-1].clone()
		rec.sealed[0] = bytes.Clone(rec.sealed[0])
		rand.Read(rec.sealed[0][:16])
		rec.digest()
		b.records[len(b.records)-1] = rec
		b.resign(t, w.dir, leaves[:b.first])
	})
	named(t, verify(t, w.dir, audit.Options{}), "which no record before it has made known")
}
