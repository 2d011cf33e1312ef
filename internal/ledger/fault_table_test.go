package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// released is what callers were told is recorded.
type released map[uint64]string

// storm appends n entries one by one, small and large in turn, so that segments
// fill. It notes what was released and returns the number of failures.
func storm(t *testing.T, l *ledger.Ledger, from, n int, told released) (failures int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		e := entry(i)
		e.Customer.Plain = fmt.Appendf(nil, "%d:%s", i, strings.Repeat("x", i%5*500))
		r, err := l.Append(t.Context(), e)
		if err != nil {
			if !errors.Is(err, ledger.ErrUnavailable) {
				t.Fatalf("append %d: %v", i, err)
			}
			failures++
			continue
		}
		if err := r.Verify(l.Public()); err != nil {
			t.Fatal(err)
		}
		if _, twice := told[r.Position]; twice {
			t.Fatalf("position %d given twice", r.Position)
		}
		told[r.Position] = string(e.Customer.Plain)
	}
	return failures
}

// check compares the ledger with what was released: each is there, intact,
// once. It returns the number of records.
func check(t *testing.T, l *ledger.Ledger, told released) int {
	t.Helper()
	records := all(t, l)
	seen := map[string]uint64{}
	for _, r := range records {
		if r.Kind != ledger.KindIntent {
			continue
		}
		plain := string(r.Customer.Plain)
		if at, twice := seen[plain]; twice {
			t.Fatalf("the entry at %d is at %d too", at, r.Position)
		}
		seen[plain] = r.Position
	}
	for position, plain := range told {
		if position >= uint64(len(records)) {
			t.Fatalf("released record %d is lost: there are %d", position, len(records))
		}
		if got := string(records[position].Customer.Plain); got != plain {
			t.Fatalf("released record %d reads %.20q, want %.20q", position, got, plain)
		}
	}
	return len(records)
}

// Every operation on the disk goes wrong once, in every way: while the ledger
// runs on, and when the process dies of it. Heads seen before and after must
// belong to one tree.
func TestNoFaultOfTheDiskLosesOrDoublesAReleasedRecord(t *testing.T) {
	for _, how := range []string{"fails", "persists", "partial", "full", "lost", "killed", "killed-mid"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			k := newTable()
			fresh := create(t, options(k))
			for at := 0; ; at++ {
				if !faultAt(t, k, fresh, how, at) {
					if at < 18 {
						t.Fatalf("only %d operations were tried", at)
					}
					return
				}
			}
		})
	}
}

// faultAt runs one row of the table. It returns false when the storm has fewer
// operations.
func faultAt(t *testing.T, k *table, fresh, how string, at int) bool {
	t.Helper()
	var x ledger.Faults
	o := x.On(options(k))
	o.SegmentBytes = 8 << 10
	o.Probe = time.Millisecond
	dir := copyOf(t, fresh)
	l := open(t, dir, o)
	told := released{}
	x.Arm(at, how)
	failures := storm(t, l, 0, 9, told)
	killed := strings.HasPrefix(how, "killed")
	hit := x.Hit
	if failures > 1 && !killed && hit == "" {
		t.Fatalf("%d failures without a fault", failures)
	}
	if killed {
		// The process is gone: what's left is the folder.
		err := l.Close()
		if hit = x.Hit; err != nil && hit == "" {
			t.Fatal(err)
		}
	} else {
		x.Disarm()
		deadline := time.Now().Add(5 * time.Second)
		for !l.State().OK {
			if time.Now().After(deadline) {
				t.Fatalf("%s at %d (%s): the ledger did not resume: %+v", how, at, hit, l.State())
			}
			time.Sleep(time.Millisecond)
		}
		if storm(t, l, 100, 3, told) > 0 {
			t.Fatalf("%s at %d (%s): not every append worked after the disk was mended", how, at, hit)
		}
		check(t, l, told)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	x.Disarm()
	again, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatalf("%s at %d (%s): %v", how, at, hit, err)
	}
	check(t, again, told)
	if storm(t, again, 200, 3, told) > 0 {
		t.Fatalf("%s at %d (%s): not every append worked after the restart", how, at, hit)
	}
	check(t, again, told)
	consistent(t, dir, all(t, again))
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	return hit != ""
}

// consistent compares every head that was ever signed and is still on disk,
// void or not, with the tree of the records: one that differs is a fork (G4).
func consistent(t *testing.T, dir string, records []ledger.Record) {
	t.Helper()
	var e ledger.Edge
	roots := map[uint64]ledger.Hash{}
	for _, r := range records {
		e.Extend([]ledger.Hash{r.Hash})
		roots[r.Position+1] = e.Root()
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for size, heads := range ledger.SignedHeads(b) {
			for _, root := range heads {
				if root != roots[size] {
					t.Fatalf("%s holds a signed head of size %d that is not of this tree", filepath.Base(name), size)
				}
			}
		}
	}
}
