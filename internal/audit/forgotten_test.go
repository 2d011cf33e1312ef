package audit_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

// Attack: the list from which the server knows at its start which keys must not
// come back is changed, so that a restored key would open again.
func TestTheListOfDestroyedKeysIsHeldAgainstItsLeaves(t *testing.T) {
	const header, entry = 48, 40
	w := newWorld(t)
	w.look(t, 9)
	for _, person := range []string{"customer:c1", "employee:e2"} {
		if _, err := w.log.Destroy(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	}
	sound(t, verify(t, w.dir, audit.Options{Table: w.keys.all()})) // while it runs
	w.close(t)
	sealed := func(b []byte) []byte { // with a right checksum, as an attacker leaves it
		return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	cases := map[string]struct {
		how  func([]byte) []byte
		says string
	}{
		"an entry removed": {func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[12:], 1)
			return sealed(b[:header+entry])
		}, "is not in the list"},
		"a key exchanged": {func(b []byte) []byte {
			b[header] ^= 1
			return sealed(b[:len(b)-4])
		}, "it did not"},
		"a leaf's place changed": {func(b []byte) []byte {
			b[header+16]--
			return sealed(b[:len(b)-4])
		}, "it did not"},
		"one byte flipped": {func(b []byte) []byte {
			b[header+3] ^= 1
			return b
		}, "checksum"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, w.dir)
			change(t, filepath.Join(dir, "forgotten"), c.how)
			named(t, verify(t, dir, audit.Options{Table: w.keys.all()}), "forgotten", c.says)
		})
	}
	dir := copyOf(t, w.dir)
	if err := os.Remove(filepath.Join(dir, "forgotten")); err != nil {
		t.Fatal(err)
	}
	r := verify(t, dir, audit.Options{Table: w.keys.all()})
	sound(t, r) // it is made again from the journal
	if !strings.Contains(strings.Join(r.Notes, " "), "the list of destroyed keys, is missing") {
		t.Errorf("nobody says that the list is missing: %v", r.Notes)
	}
}

// A destruction that failed half way is asked for again: two leaves name one key.
func TestAKeyThatTwoLeavesDestroyIsFine(t *testing.T) {
	w := newWorld(t)
	w.look(t, 9)
	row := w.keys.rows[slices.IndexFunc(w.keys.rows, func(k ledger.Key) bool { return k.Person == "customer:c1" })]
	if _, err := w.log.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	w.keys.rows = append(w.keys.rows, row) // as if the table hadn't done it
	if _, err := w.log.Destroy(t.Context(), "customer:c1"); err != nil && !errors.Is(err, ledger.ErrNoKey) {
		t.Fatal(err)
	}
	forgets := 0
	for r, err := range w.log.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == ledger.KindForget {
			forgets++
		}
	}
	if forgets != 2 {
		t.Fatalf("%d leaves destroy it, want 2: the test shows nothing", forgets)
	}
	r := verify(t, w.dir, audit.Options{Table: w.keys.all()})
	sound(t, r)
	if r.Erased != 1 {
		t.Errorf("%d keys destroyed, want 1", r.Erased)
	}
	w.close(t)
	w.open(t)
	sound(t, verify(t, w.dir, audit.Options{Table: w.keys.all()}))
}
