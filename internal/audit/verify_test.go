package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/audit"
)

func TestAnHonestLedgerIsSoundClosedOrRunning(t *testing.T) {
	w := newWorld(t)
	w.look(t, 40)
	w.bulk(t, 700)
	o := audit.Options{Table: w.keys.all(), Place: w.dir, Memory: memory(t)}
	r := verify(t, w.dir, o)
	sound(t, r)
	if r.Size != w.log.Size() || r.Root != w.log.Head().Root || r.Segments < 3 || r.Keys != 8 {
		t.Errorf("got %+v", r.Report)
	}
	w.close(t)
	w.open(t)
	again := verify(t, w.dir, o)
	sound(t, again)
	if again.Size <= r.Size {
		t.Errorf("%d records after %d", again.Size, r.Size)
	}
}

// Attack: one byte of the journal is changed, anywhere.
func TestOneByteFlippedAnywhereInTheJournalIsNamed(t *testing.T) {
	w := newWorld(t)
	w.look(t, 1)
	w.close(t)
	for _, name := range []string{"0000000001.journal", "0000000002.journal"} {
		whole, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		work := copyOf(t, w.dir)
		for at := range whole {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << (at % 8)
			if err := os.WriteFile(filepath.Join(work, name), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r := verify(t, work, audit.Options{})
			if r.Sound() {
				t.Fatalf("%s, byte %d of %d: nobody noticed", name, at, len(whole))
			}
			if p := r.Problems[0]; p.File != name && p.File != "0000000002.journal" || p.What == "" {
				t.Fatalf("%s, byte %d: not named: %v", name, at, p)
			}
		}
		if err := os.WriteFile(filepath.Join(work, name), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
