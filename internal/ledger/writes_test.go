package ledger_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// everyWrite is each kind of change that an open ledger makes to its folder: the
// rows of the table of faults. Its columns are ways.
var everyWrite = []string{
	"create segment.journal.new", "write segment.journal.new", "sync segment.journal.new", // the first segment of a start
	"create spare.new", "write spare.new", "sync spare.new", // room for the next one
	"rename segment.journal", "sync folder", // either becomes the segment
	"write segment.journal", "sync segment.journal", // a batch; what a start reads is synced too
	"truncate segment.journal", // the segment before, full or left behind by a crash
	"create forgotten.new", "write forgotten.new", "sync forgotten.new", "rename forgotten",
	"remove spare.new", // what a crash left behind
}

var ways = []string{"fails", "persists", "partial", "full", "lost", "killed", "killed-mid"}

// A life is the same in every row: a ledger that a crash left behind, with a torn
// batch and with room for a segment, is opened; segments fill; a person is
// forgotten; it's closed.
type life struct {
	crashed string // folder
	rows    map[string]ledger.Key
	told    released
	gone    ledger.KeyID // the key of customer:gone
}

func newLife(t *testing.T) *life {
	t.Helper()
	k := newTable()
	var x ledger.Faults
	o := x.On(options(k))
	o.SegmentBytes = 8 << 10
	dir := create(t, options(k))
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	f := &life{crashed: dir, told: released{}}
	if storm(t, l, 0, 5, f.told) > 0 {
		t.Fatal("an append failed without a fault")
	}
	// It isn't an intent: nothing compares what it says.
	_, err = l.Append(t.Context(), ledger.Entry{Kind: ledger.KindObserved, Customer: ledger.Part{Person: "customer:gone", Plain: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	x.Break("killed-mid")
	if storm(t, l, 50, 1, released{}) != 1 {
		t.Fatal("an append outlived the process")
	}
	_ = l.Close() // the dead process closes nothing: only its lock and memory go
	if err := os.WriteFile(filepath.Join(dir, "spare.new"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	f.rows = k.copied()
	f.gone = f.rows["customer:gone"].ID
	return f
}

// live runs it. An error is of Open only.
func (f *life) live(t *testing.T, dir string, o ledger.Options, told released) error {
	t.Helper()
	l, err := ledger.Open(dir, o)
	if err != nil {
		return err
	}
	storm(t, l, 100, 6, told)
	for range 3 { // a disk that failed once is mended by then
		if _, err = l.Destroy(t.Context(), "customer:gone"); err == nil || !errors.Is(err, ledger.ErrUnavailable) {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	storm(t, l, 200, 4, told)
	_ = l.Close() // after a kill it fails: what is on disk decides
	return nil
}

// The rows are complete: a ledger makes no change to its folder that isn't one.
func TestEveryKindOfWriteIsARowOfTheFaultTable(t *testing.T) {
	f := newLife(t)
	k := newTable()
	k.restore(f.rows)
	var w ledger.Writes
	o := w.On(options(k))
	o.SegmentBytes = 8 << 10
	if err := f.live(t, f.crashed, o, maps.Clone(f.told)); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, kind := range everyWrite {
		want[kind] = true
	}
	if got := w.Kinds(); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// G3: when Append or Destroy returns, nothing that they wrote can be lost with the
// power any more: no bytes, and no name of a file.
func TestG3NothingIsLooseWhenAnAppendReturns(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	var w ledger.Writes
	o := w.On(options(k))
	o.SegmentBytes = 8 << 10
	l := open(t, dir, o)
	for i := range 60 {
		if storm(t, l, i, 1, released{}) > 0 {
			t.Fatal("an append failed")
		}
		if loose := w.Loose(); len(loose) > 0 {
			t.Fatalf("released while %q is not synced", loose)
		}
		if i%20 == 10 {
			if _, err := l.Destroy(t.Context(), entry(i).Customer.Person); err != nil {
				t.Fatal(err)
			}
			if loose := w.Loose(); len(loose) > 0 {
				t.Fatalf("destroyed while %q is not synced", loose)
			}
		}
	}
	if !w.Kinds()["rename segment.journal"] {
		t.Error("no segment filled")
	}
}

// Each write of a whole life, from the start after a crash to the end, goes
// wrong in every way. No released record is lost, none is double, the tree is
// that of every signed head, and a key is gone with its leaf or not at all.
func TestTheFaultTableOfAWholeLife(t *testing.T) {
	for _, how := range ways {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := newLife(t)
			left := map[string]bool{}
			for _, kind := range everyWrite {
				left[kind] = true
			}
			// Room is made in the background: what a number stands for can differ
			// from row to row, so a kind that was missed is tried for again.
			for range 4 {
				for at := 0; ; at++ {
					hit := f.row(t, how, at)
					if hit == "" {
						break
					}
					delete(left, ledger.KindOfWrite(hit))
				}
				if len(left) == 0 {
					return
				}
			}
			t.Errorf("never tried: %q", slices.Sorted(maps.Keys(left)))
		})
	}
}

// row runs one row and returns the write that went wrong; "" when there are
// fewer of them.
func (f *life) row(t *testing.T, how string, at int) (hit string) {
	t.Helper()
	k := newTable()
	k.restore(f.rows)
	var x ledger.Faults
	o := x.OnAll(options(k))
	o.SegmentBytes, o.Probe = 8<<10, time.Millisecond
	dir := copyOf(t, f.crashed)
	defer os.RemoveAll(dir)
	told := maps.Clone(f.told)
	x.Arm(at, how)
	err := f.live(t, dir, o, told)
	x.Disarm()
	if hit = x.Hit; err != nil && hit == "" {
		t.Fatal(err)
	}
	again, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatalf("%s at %d (%s): %v", how, at, hit, err)
	}
	if storm(t, again, 300, 2, told) > 0 {
		t.Fatalf("%s at %d (%s): not every append worked after the restart", how, at, hit)
	}
	check(t, again, told)
	records := all(t, again)
	consistent(t, dir, records)
	_, named := forgetLeaves(t, records)[f.gone]
	if _, there := k.copied()["customer:gone"]; named == there {
		t.Errorf("%s at %d (%s): leaf %v, key %v", how, at, hit, named, there)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	return hit
}

// A ledger is made whole or not at all, whatever goes wrong, and can then be made.
func TestNoFaultLeavesHalfALedger(t *testing.T) {
	for _, how := range ways {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			k := newTable()
			var x ledger.Faults
			o := x.OnAll(options(k))
			o.SegmentBytes = 8 << 10
			for at := 0; ; at++ {
				dir := filepath.Join(t.TempDir(), "ledger")
				x.Arm(at, how)
				err := ledger.Create(dir, o)
				x.Disarm()
				if _, none := os.Stat(dir); (none != nil) != (err != nil) {
					t.Fatalf("%s at %d (%s): Create says %v, and the folder %v", how, at, x.Hit, err, none)
				}
				if err != nil {
					if err = ledger.Create(dir, o); err != nil {
						t.Fatalf("%s at %d (%s): again: %v", how, at, x.Hit, err)
					}
				}
				l, err := ledger.Open(dir, o)
				if err != nil {
					t.Fatalf("%s at %d (%s): %v", how, at, x.Hit, err)
				}
				told := released{}
				if storm(t, l, 0, 2, told) > 0 {
					t.Fatalf("%s at %d (%s): not every append worked", how, at, x.Hit)
				}
				check(t, l, told)
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if x.Hit == "" {
					if at < 7 {
						t.Fatalf("only %d writes were tried", at)
					}
					return
				}
			}
		})
	}
}

// keyFault is a key table of which one Create goes wrong.
type keyFault struct {
	*table
	at  int // the Create that goes wrong, from 0
	how string
	n   int
}

func (k *keyFault) Create(ctx context.Context, keys []ledger.Key) error {
	n := k.n
	k.n++
	if n != k.at {
		return k.table.Create(ctx, keys)
	}
	var err error
	if k.how == "persists" || k.how == "killed" {
		err = k.table.Create(ctx, keys)
	}
	return errors.Join(err, errors.New("fault"))
}

// Making a key goes wrong in every way. What isn't durable in the table seals
// nothing; and whatever a fault left in it, each key is made known by one leaf,
// before its first record.
func TestNoFaultOfTheKeyTableSealsWithoutADurableKey(t *testing.T) {
	for _, how := range []string{"fails", "persists", "killed"} {
		for at := range 8 {
			k := &keyFault{table: newTable(), at: at, how: how}
			o := options(nil)
			o.Keys, o.SegmentBytes = k, 8<<10
			dir := create(t, o)
			l, err := ledger.Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			told := released{}
			failures := storm(t, l, 0, 12, told)
			hit := k.n > at
			if hit && failures == 0 {
				t.Errorf("%s at %d: no append failed", how, at)
			}
			if how == "killed" {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = ledger.Open(dir, o); err != nil {
					t.Fatal(err)
				}
			}
			k.at = -1
			if storm(t, l, 100, 12, told) > 0 {
				t.Errorf("%s at %d: not every append worked after the table was mended", how, at)
			}
			check(t, l, told)
			keysAreKnownBefore(t, dir, k.copied(), all(t, l))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// keysAreKnownBefore says that each key that seals something is in the table and
// has one leaf, before its first record.
func keysAreKnownBefore(t *testing.T, dir string, rows map[string]ledger.Key, records []ledger.Record) {
	t.Helper()
	known := map[ledger.KeyID]uint64{}
	for _, r := range records {
		if r.Kind != ledger.KindKey {
			continue
		}
		id, _, ok := ledger.Announced(r.Detail)
		if _, twice := known[id]; !ok || twice {
			t.Errorf("record %d: the leaf of key %x is malformed or the second one", r.Position, id)
		}
		known[id] = r.Position
	}
	there := map[ledger.KeyID]bool{}
	for _, row := range rows {
		there[row.ID] = true
	}
	used, err := ledger.KeysUsed(dir)
	if err != nil {
		t.Fatal(err)
	}
	for id, positions := range used {
		at, ok := known[id]
		if !ok || at > slices.Min(positions) {
			t.Errorf("key %x seals record %d; its leaf: %v, %d", id, slices.Min(positions), ok, at)
		}
		if !there[id] {
			t.Errorf("key %x seals record %d and is not in the table", id, slices.Min(positions))
		}
	}
}

// A lock says nothing about what is durable: it goes with its owner, and a file
// of that name that was left behind is in nobody's way.
func TestALockThatWasLeftBehindIsInNobodysWay(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	if err := os.WriteFile(filepath.Join(dir, "lock"), []byte(strings.Repeat("x", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(dir, options(k))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
