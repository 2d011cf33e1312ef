package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// forgetLeaves returns the positions of the forget leaves, by key.
func forgetLeaves(t testing.TB, records []ledger.Record) map[ledger.KeyID]uint64 {
	t.Helper()
	out := map[ledger.KeyID]uint64{}
	for _, r := range records {
		if r.Kind != ledger.KindForget {
			continue
		}
		ids, err := ledger.ForgottenKeys(r.Detail)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if _, twice := out[id]; !twice {
				out[id] = r.Position
			}
		}
	}
	return out
}

// fill appends n entries.
func fill(t testing.TB, l *ledger.Ledger, n int) {
	t.Helper()
	for i := range n {
		if _, err := l.Append(t.Context(), entry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// copied returns the rows of the table as they are now, as a backup would.
func (k *table) copied() map[string]ledger.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.rows)
}

// restore replaces the rows of the table.
func (k *table) restore(rows map[string]ledger.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = maps.Clone(rows)
}

func TestG5ForgettingLeavesTheOtherPartAndEveryProof(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	var receipts []ledger.Receipt
	for i := range 21 {
		r, err := l.Append(t.Context(), entry(i))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	before := all(t, l)
	head := l.Head()
	forgotten, err := l.Destroy(t.Context(), "customer:c3")
	if err != nil {
		t.Fatal(err)
	}
	if err := forgotten.Verify(l.Public()); err != nil {
		t.Errorf("the receipt of the forget leaf: %v", err)
	}
	after := all(t, l)
	var e ledger.Edge
	for i, r := range after {
		e.Extend([]ledger.Hash{r.Hash})
		if uint64(i+1) == head.Size && e.Root() != head.Root {
			t.Error("the tree has another root than before")
		}
	}
	for i, was := range before {
		is := after[i]
		if is.Hash != was.Hash || string(is.Leaf) != string(was.Leaf) {
			t.Errorf("record %d: the leaf changed", i)
		}
		hers := was.Customer.Person == "customer:c3"
		if is.Customer.Erased != hers || hers && len(is.Customer.Plain) > 0 {
			t.Errorf("record %d: got erased %v, want %v", i, is.Customer.Erased, hers)
		}
		if hers != !is.Customer.ErasedAt.IsZero() {
			t.Errorf("record %d: erased at %s", i, is.Customer.ErasedAt)
		}
		if !bytes.Equal(is.Employee.Plain, was.Employee.Plain) || is.Employee.Erased {
			t.Errorf("record %d: the conduct is gone", i)
		}
	}
	for _, r := range receipts {
		if err := r.Verify(l.Public()); err != nil {
			t.Errorf("receipt %d: %v", r.Position, err)
		}
	}
	if leaf := after[forgotten.Position]; leaf.Kind != ledger.KindForget || strings.Contains(string(leaf.Leaf), "c3") {
		t.Errorf("the leaf is %q", leaf.Leaf)
	}
	if _, err := l.Destroy(t.Context(), "employee:e1"); err != nil { // and the other way round
		t.Fatal(err)
	}
	for _, r := range all(t, l) {
		if i := int(r.Position); i < len(before) && before[i].Employee.Person == "employee:e1" {
			if !r.Employee.Erased || r.Customer.Erased != (before[i].Customer.Person == "customer:c3") {
				t.Errorf("record %d: employee erased %v, customer erased %v", i, r.Employee.Erased, r.Customer.Erased)
			}
		}
	}
}

func TestWhoHasNoKeyCantBeForgotten(t *testing.T) {
	k := newTable()
	l := open(t, create(t, options(k)), options(k))
	fill(t, l, 3)
	size := l.Size()
	if _, err := l.Destroy(t.Context(), "customer:nobody"); !errors.Is(err, ledger.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Destroy(t.Context(), "customer:c1"); !errors.Is(err, ledger.ErrNoKey) {
		t.Errorf("a second time: got %v", err)
	}
	if l.Size() != size+1 {
		t.Errorf("%d leaves for one erasure", l.Size()-size)
	}
}

// A company meets a forgotten person again: that is a new key, and what came
// before stays closed.
func TestAForgottenPersonWhoComesBackGetsAnotherKey(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	fill(t, l, 7)
	old := k.copied()["customer:c2"]
	if _, err := l.Destroy(t.Context(), "customer:c2"); err != nil {
		t.Fatal(err)
	}
	r, err := l.Append(t.Context(), entry(2))
	if err != nil {
		t.Fatal(err)
	}
	if now := k.copied()["customer:c2"]; now.ID == old.ID || bytes.Equal(now.Secret, old.Secret) {
		t.Error("the key is the old one")
	}
	for _, rec := range all(t, l) {
		if rec.Position > 12 && rec.Position < r.Position-1 && rec.Customer.Person == "customer:c2" {
			t.Errorf("record %d reads again", rec.Position)
		}
		if rec.Position == r.Position && string(rec.Customer.Plain) != `{"n":2}` {
			t.Errorf("the new record reads %q", rec.Customer.Plain)
		}
	}
}

// Many append about one person while her key is destroyed again and again: none
// fails, each reads under the key of its time or not at all, and no record
// stands behind the forget leaf of its key.
func TestG5NoRecordIsSealedWithADestroyedKeyAfterItsLeaf(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				e := entry(g)
				e.Customer.Person = "customer:c1"
				var err error
				if g%4 == 0 {
					var receipts []ledger.Receipt
					receipts, err = l.AppendAll(t.Context(), []ledger.Entry{e, entry(i), e})
					for _, r := range receipts {
						err = errors.Join(err, r.Verify(l.Public()))
					}
				} else {
					var r ledger.Receipt
					if r, err = l.Append(t.Context(), e); err == nil {
						err = r.Verify(l.Public())
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	erased := 0
	for range 60 {
		if _, err := l.Destroy(t.Context(), "customer:c1"); err == nil {
			erased++
		} else if !errors.Is(err, ledger.ErrNoKey) {
			t.Error(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	stop()
	wg.Wait()
	if erased < 20 {
		t.Fatalf("only %d erasures", erased)
	}
	leaves := forgetLeaves(t, all(t, l))
	if len(leaves) != erased {
		t.Errorf("%d keys are named by leaves, %d were destroyed", len(leaves), erased)
	}
	used, err := ledger.KeysUsed(dir)
	if err != nil {
		t.Fatal(err)
	}
	for id, positions := range used {
		if at, gone := leaves[id]; gone && positions[len(positions)-1] > at {
			t.Errorf("key %x is destroyed at %d and used at %d", id, at, positions[len(positions)-1])
		}
	}
}

// A key table that is put back from last week's backup brings keys back. They
// are destroyed again before anything can be read.
func TestG5ARestoredKeyTableHasItsErasuresReplayed(t *testing.T) {
	for _, lost := range []string{"", "no list", "a damaged list", "an empty list"} {
		t.Run(lost, func(t *testing.T) {
			k := newTable()
			dir := create(t, options(k))
			l := open(t, dir, options(k))
			fill(t, l, 14)
			lastWeek := k.copied()
			for _, p := range []string{"customer:c1", "customer:c4", "employee:e2"} {
				if _, err := l.Destroy(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			fill(t, l, 7)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			k.restore(lastWeek)
			list := filepath.Join(dir, "forgotten")
			b, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			switch lost {
			case "no list":
				err = os.Remove(list)
			case "a damaged list":
				b[60] ^= 1
				err = os.WriteFile(list, b, 0o600)
			case "an empty list":
				err = os.WriteFile(list, nil, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			again := open(t, dir, options(k))
			if got := strings.Join(again.Returned(), " "); got != "customer:c1 customer:c4 employee:e2" {
				t.Errorf("got %q as returned", got)
			}
			for _, p := range []string{"customer:c1", "customer:c4", "employee:e2"} {
				if _, back := k.copied()[p]; back {
					t.Errorf("the key of %s is back", p)
				}
			}
			for _, r := range all(t, again)[:14] {
				if strings.HasSuffix(string(r.Customer.Plain), `:1}`) || strings.HasSuffix(string(r.Customer.Plain), `:4}`) {
					t.Errorf("record %d reads %q", r.Position, r.Customer.Plain)
				}
			}
		})
	}
}

// failing is a key table whose Destroy goes wrong.
type failing struct {
	*table
	how string // "fails": not done; "persists": done, with an error
}

func (k *failing) Destroy(ctx context.Context, ids []ledger.KeyID) error {
	var err error
	if k.how != "fails" {
		err = k.table.Destroy(ctx, ids)
	}
	if k.how != "" {
		err = errors.New("fault")
	}
	return err
}

// The key table fails after the leaf is written: what is sealed reads as erased
// from then on, a new record gets a new key as soon as the table is mended, and
// the erasure can be repeated.
func TestG5AKeyTableThatFailsToDestroyIsTriedAgain(t *testing.T) {
	for _, how := range []string{"fails", "persists"} {
		t.Run(how, func(t *testing.T) {
			k := &failing{table: newTable()}
			o := options(nil)
			o.Keys = k
			dir := create(t, o)
			l := open(t, dir, o)
			fill(t, l, 7)
			old := k.copied()["customer:c1"]
			k.how = how
			if _, err := l.Destroy(t.Context(), "customer:c1"); !errors.Is(err, ledger.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			for _, r := range all(t, l) {
				if r.Customer.Person == "customer:c1" {
					t.Errorf("record %d still reads", r.Position)
				}
			}
			if _, err := l.Append(t.Context(), entry(1)); how == "fails" && !errors.Is(err, ledger.ErrUnavailable) {
				t.Errorf("append before the table is mended: %v", err)
			}
			if _, err := l.Append(t.Context(), entry(2)); err != nil {
				t.Errorf("append about somebody else: %v", err)
			}
			k.how = ""
			if how == "fails" { // a crash between leaf and table, too
				again := open(t, copyOf(t, dir), options(k.table))
				if _, back := k.copied()["customer:c1"]; back {
					t.Error("the start after it did not destroy the key")
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
				k.restore(map[string]ledger.Key{"customer:c1": old})
			}
			if _, err := l.Append(t.Context(), entry(1)); err != nil {
				t.Fatalf("append after the table is mended: %v", err)
			}
			if k.copied()["customer:c1"].ID == old.ID {
				t.Error("the destroyed key is in use")
			}
		})
	}
}

// Every operation on the disk goes wrong once while a key is destroyed, in every
// way. Afterwards the person is either not forgotten, and can be, or forgotten:
// never a key gone without its leaf.
func TestG5AFaultAtAnyStepEndsErasedOrRepeatable(t *testing.T) {
	for _, how := range []string{"fails", "persists", "partial", "full", "lost", "killed", "killed-mid"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			k := newTable()
			fresh := create(t, options(k))
			l := open(t, fresh, options(k))
			fill(t, l, 14)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			rows := k.copied()
			for at := 0; ; at++ {
				if !destroyWithFault(t, fresh, rows, how, at) {
					if at < 6 {
						t.Fatalf("only %d operations were tried", at)
					}
					return
				}
			}
		})
	}
}

// spared waits until the next segment's room is made, so that no other
// operation than the tested ones is counted.
func spared(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(filepath.Join(dir, "spare.new")); err == nil && info.Size() == 64<<10 {
			time.Sleep(5 * time.Millisecond) // it is written; now it is synced
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no room was made")
		}
	}
}

// destroyWithFault runs one row of the table. It returns false when destroying
// has fewer operations.
func destroyWithFault(t *testing.T, fresh string, rows map[string]ledger.Key, how string, at int) bool {
	t.Helper()
	k := newTable()
	k.restore(rows)
	var x ledger.Faults
	o := x.On(options(k))
	o.Probe, o.SegmentBytes = time.Millisecond, 64<<10
	dir := copyOf(t, fresh)
	l := open(t, dir, o)
	spared(t, dir)
	id := rows["customer:c1"].ID
	x.Arm(at, how)
	_, err := l.Destroy(t.Context(), "customer:c1")
	closed := l.Close() // nothing writes any more
	hit := x.Hit
	if closed != nil && hit == "" {
		t.Fatal(closed)
	}
	x.Disarm()
	again := open(t, dir, o)
	_, named := forgetLeaves(t, all(t, again))[id]
	_, there := k.copied()["customer:c1"]
	if named == there {
		t.Errorf("%s at %d (%s): leaf %v, key %v", how, at, hit, named, there)
	}
	if err == nil && !named {
		t.Errorf("%s at %d (%s): Destroy said that it's done, and it isn't", how, at, hit)
	}
	if there {
		if _, err := again.Destroy(t.Context(), "customer:c1"); err != nil {
			t.Errorf("%s at %d (%s): again: %v", how, at, hit, err)
		}
	}
	for _, r := range all(t, again) {
		if r.Customer.Person == "customer:c1" {
			t.Errorf("%s at %d (%s): record %d reads", how, at, hit, r.Position)
		}
	}
	consistent(t, dir, all(t, again))
	return hit != ""
}

// While the ledger runs on after a fault, the same holds as after a crash.
func TestG5AFaultWhileRunningCanBeRepeated(t *testing.T) {
	for at := range 8 {
		for _, how := range []string{"fails", "persists", "full", "lost"} {
			k := newTable()
			var x ledger.Faults
			o := x.On(options(k))
			o.Probe, o.SegmentBytes = time.Millisecond, 64<<10
			dir := create(t, options(k))
			l := open(t, dir, o)
			spared(t, dir)
			fill(t, l, 7)
			id := k.copied()["customer:c1"].ID
			x.Arm(at, how)
			_, err := l.Destroy(t.Context(), "customer:c1")
			x.Disarm()
			for deadline := time.Now().Add(5 * time.Second); !l.State().OK; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the ledger did not resume")
				}
			}
			if err != nil {
				if _, err := l.Destroy(t.Context(), "customer:c1"); err != nil {
					t.Errorf("%s at %d: again: %v", how, at, err)
				}
			}
			if _, there := k.copied()["customer:c1"]; there {
				t.Errorf("%s at %d: the key is there", how, at)
			}
			if _, named := forgetLeaves(t, all(t, l))[id]; !named {
				t.Errorf("%s at %d: no leaf", how, at)
			}
			if _, err := l.Append(t.Context(), entry(1)); err != nil {
				t.Errorf("%s at %d: append afterwards: %v", how, at, err)
			}
		}
	}
}

func TestTheDetailOfAForgetLeafIsReadStrictly(t *testing.T) {
	id := slices.Repeat([]byte{7}, 16)
	for _, c := range []struct {
		name   string
		detail []byte
		want   int
	}{
		{"one key", id, 1},
		{"two keys", append(slices.Clone(id), slices.Repeat([]byte{8}, 16)...), 2},
		{"none", nil, 0},
		{"half a key", id[:8], 0},
		{"the same key twice", append(slices.Clone(id), id...), 0},
	} {
		got, err := ledger.ForgottenKeys(c.detail)
		if len(got) != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: got %d keys, %v", c.name, len(got), err)
		}
	}
}

func TestNobodyButTheLedgerWritesForgetLeaves(t *testing.T) {
	k := newTable()
	l := open(t, create(t, options(k)), options(k))
	if _, err := l.Append(t.Context(), ledger.Entry{Kind: ledger.KindForget}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// A key row that is deleted without its leaf reads as erased by nobody: the
// record says so, and whoever verifies names it.
func TestAKeyTakenBehindTheLedgersBackIsToldFromAForgottenOne(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	fill(t, l, 7)
	if _, err := l.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	k.destroy("customer:c2")
	for _, r := range all(t, open(t, dir, options(k))) {
		switch {
		case r.Customer.Erased && string(r.Employee.Plain) == `{"who":2}` && !r.Customer.ErasedAt.IsZero():
			t.Errorf("record %d: its key was taken, and it reads as erased on %s", r.Position, r.Customer.ErasedAt)
		case r.Customer.Erased && string(r.Employee.Plain) == `{"who":1}` && r.Customer.ErasedAt.IsZero():
			t.Errorf("record %d: it was erased, and reads as taken", r.Position)
		}
	}
}
