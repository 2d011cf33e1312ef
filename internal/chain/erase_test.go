package chain_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// G5: a person who is erased is unreadable in every log, also in those that were
// frozen long before, and each says when.
func TestG5AnErasureReachesTheFrozenLogs(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	for range 2 {
		look(t, c, ledger.KindIntent, 0, "gone", "e1", "x")
		look(t, c, ledger.KindIntent, 0, "stays", "e1", "x")
		c = rotate(t, dir, c, o)
	}
	look(t, c, ledger.KindIntent, 0, "gone", "e1", "x")
	if !slices.ContainsFunc(all(t, c, 0), func(r ledger.Record) bool { return r.Customer.Person == "customer:gone" }) {
		t.Fatal("there is nothing to erase") // and now her key is in every log's cache
	}
	backup := keys.copied()
	roots := c.Logs()[0].Head().Root
	leaf, err := c.Destroy(t.Context(), "customer:gone")
	if err != nil {
		t.Fatal(err)
	}
	met := look(t, c, ledger.KindIntent, 0, "gone", "e1", "met again")
	erased := func(when string) {
		t.Helper()
		n := 0
		for _, r := range all(t, c, 0) {
			if len(r.Leaf) == 0 || r.Kind != ledger.KindIntent || r.Customer.Person == "customer:stays" || r.Number == met.Number {
				continue
			}
			n++
			if !r.Customer.Erased || r.Customer.Plain != nil || !r.Customer.ErasedAt.Equal(leaf.Time) || r.Employee.Erased {
				t.Errorf("%s: record %d: %+v, %+v; erased at %v", when, r.Number, r.Customer, r.Employee, leaf.Time)
			}
		}
		if n != 3 {
			t.Errorf("%s: %d records are looked at, want 3", when, n)
		}
		if got := all(t, c, met.Number)[0]; string(got.Customer.Plain) != "met again" {
			t.Errorf("%s: what came after the erasure reads %q", when, got.Customer.Plain)
		}
		if c.Logs()[0].Head().Root != roots {
			t.Errorf("%s: the frozen log's root has changed", when)
		}
	}
	erased("at once")
	closed(t, c)
	c = open(t, dir, o)
	erased("opened again")
	if got := c.Returned(); len(got) != 0 {
		t.Errorf("%v have come back", got)
	}
	c = rotate(t, dir, c, o)
	erased("rotated")
	// The key table is put back to what it was before the erasure.
	keys.mu.Lock()
	for p, row := range backup {
		keys.rows[p] = row
	}
	keys.mu.Unlock()
	closed(t, c)
	c = open(t, dir, o)
	if got := c.Returned(); !slices.Equal(got, []string{"customer:gone"}) || keys.has("customer:gone") {
		t.Errorf("%v have come back, want customer:gone; and she has a key: %v", got, keys.has("customer:gone"))
	}
	for _, r := range all(t, c, 0) {
		if r.Kind == ledger.KindIntent && r.Customer.Person == "customer:gone" {
			t.Errorf("record %d can be read after the restore", r.Number)
		}
	}
	for _, log := range c.Logs()[:3] {
		for r, err := range log.Records(t.Context(), 0) {
			if err != nil || r.Kind == ledger.KindIntent && r.Customer.Person == "" && r.Number != met.Number && !r.Customer.ErasedAt.Equal(leaf.Time) {
				t.Errorf("record %d: erased at %v, %v", r.Number, r.Customer.ErasedAt, err)
			}
		}
	}
}

// G5: lists of all logs are replayed: a key that was destroyed in a log which is
// frozen by now doesn't come back with a restored table.
func TestG5ARestoredTableIsReplayedFromEveryLog(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	backup := map[string]ledger.Key{}
	for _, person := range []string{"first", "second", "third"} {
		look(t, c, ledger.KindIntent, 0, person, "e1", "x")
		for p, row := range keys.copied() {
			backup[p] = row
		}
		if _, err := c.Destroy(t.Context(), "customer:"+person); err != nil {
			t.Fatal(err)
		}
		c = rotate(t, dir, c, o)
	}
	closed(t, c)
	keys.rows = backup
	c = open(t, dir, o)
	if got := c.Returned(); !slices.Equal(got, []string{"customer:first", "customer:second", "customer:third"}) {
		t.Errorf("%v have come back", got)
	}
	for _, person := range c.Returned() {
		if keys.has(person) {
			t.Errorf("%s still has a key", person)
		}
	}
	if keys.has("employee:e1") != true {
		t.Error("a key that nobody destroyed is gone")
	}
}

// G5: where the table fails to destroy the key, nothing opens with it all the
// same, in no log: the leaf counts.
func TestG5FrozenLogsHearOfALeafEvenWhereTheTableFails(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	first := look(t, c, ledger.KindIntent, 0, "gone", "e1", "x")
	c = rotate(t, dir, c, o)
	all(t, c, 0)
	keys.fails = errors.New("the table is read-only")
	if _, err := c.Destroy(t.Context(), "customer:gone"); !errors.Is(err, ledger.ErrUnavailable) {
		t.Fatalf("destroyed: %v", err)
	}
	if r := all(t, c, first.Number)[0]; !r.Customer.Erased || r.Customer.ErasedAt.IsZero() {
		t.Errorf("it opens: %+v", r.Customer)
	}
	keys.fails = nil
	closed(t, c)
	open(t, dir, o)
	if keys.has("customer:gone") {
		t.Error("the next start did not destroy the key")
	}
}

func TestG5NothingReadableIsLeftInAnyFile(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "gone", "e1", "SECRET")
	c = rotate(t, dir, c, o)
	look(t, c, ledger.KindIntent, 0, "gone", "e1", "SECRET")
	secret := keys.copied()["customer:gone"].Secret
	if _, err := c.Destroy(t.Context(), "customer:gone"); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, word := range [][]byte{[]byte("customer:gone"), []byte("SECRET"), secret} {
			if bytes.Contains(b, word) {
				t.Errorf("%s holds %q", path, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A log for itself says when its parts were erased by a log behind it only
// through the chain; it never opens them.
func TestALogOpenedAloneOpensNothingThatWasErasedLater(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "gone", "e1", "x")
	c = rotate(t, dir, c, o)
	if _, err := c.Destroy(t.Context(), "customer:gone"); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
	l, err := ledger.OpenFrozen(filepath.Join(dir, "0001"), o.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // only read
	for r, err := range l.Records(t.Context(), 0) {
		if err != nil || strings.HasPrefix(r.Customer.Person, "customer:") {
			t.Errorf("%+v, %v", r.Customer, err)
		}
	}
	at := time.Now()
	l.Forgot(nil, at)
}
