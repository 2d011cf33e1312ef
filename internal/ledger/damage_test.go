package ledger_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// small makes a closed ledger of two segments and a few records.
func small(t *testing.T, k *table) (dir string, records []ledger.Record) {
	t.Helper()
	dir = create(t, options(k))
	l := open(t, dir, options(k))
	for _, n := range []int{0, 1, 2, 0} {
		if _, err := l.Append(t.Context(), entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	records = all(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, records
}

// copyOf copies a ledger.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := errors.Join(os.CopyFS(to, os.DirFS(dir)), os.Chmod(filepath.Join(to, "signing.key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestEveryChangedByteOfAJournalIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	k := newTable()
	dir, _ := small(t, k)
	for _, name := range []string{"0000000001.journal", "0000000002.journal"} {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		work := copyOf(t, dir)
		for at := range whole {
			for _, flip := range []byte{1 << (at % 8), 0xFF} {
				bad := bytes.Clone(whole)
				bad[at] ^= flip
				if err := os.WriteFile(filepath.Join(work, name), bad, 0o600); err != nil {
					t.Fatal(err)
				}
				l, err := ledger.Open(work, options(k).WithoutSyncs())
				var damage *ledger.Damage
				if !errors.As(err, &damage) {
					if err == nil {
						err = errors.Join(errors.New("it opened"), l.Close())
					}
					t.Fatalf("%s, byte %d of %d ^ %#x: %v", name, at, len(whole), flip, err)
				}
				if !strings.HasPrefix(damage.Segment, "000000000") || damage.What == "" {
					t.Fatalf("byte %d: the damage isn't named: %+v", at, damage)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(work, name), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever length a crash leaves of the last write, the records before it stay
// and the ledger goes on; zeros where sectors never arrived count as unwritten.
func TestAnUnfinishedLastBatchIsLeftOut(t *testing.T) {
	t.Parallel()
	k := newTable()
	dir, records := small(t, k)
	name := "0000000002.journal"
	whole, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(whole, []byte("PVB1"))
	for cut := last; cut < len(whole); cut += 5 + cut%7 {
		for _, tail := range []int{0, 4096} {
			work := copyOf(t, dir)
			b := append(bytes.Clone(whole[:cut]), make([]byte, tail)...)
			if err := os.WriteFile(filepath.Join(work, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			o := options(k)
			o.SegmentBytes = 8 << 10
			l, err := ledger.Open(work, o)
			if err != nil {
				t.Fatalf("cut at %d of %d, %d zeros after: %v", cut, len(whole), tail, err)
			}
			got := all(t, l)
			if want := len(records); len(got) != want || got[want-1].Kind != ledger.KindStart || got[want-2].Hash != records[want-2].Hash {
				t.Fatalf("cut at %d: %v", cut, kinds(got))
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAMissingOrForeignSegmentIsFatal(t *testing.T) {
	k := newTable()
	dir, _ := small(t, k)
	other, _ := small(t, k)
	var damage *ledger.Damage
	work := copyOf(t, dir)
	if err := os.Remove(filepath.Join(work, "0000000001.journal")); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(work, options(k)); !errors.As(err, &damage) {
		t.Errorf("a missing first segment: %v", err)
	}
	work = copyOf(t, dir)
	b, err := os.ReadFile(filepath.Join(other, "0000000002.journal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "0000000002.journal"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(work, options(k)); !errors.As(err, &damage) {
		t.Errorf("another ledger's segment: %v", err)
	}
}

// Attack: the operator exchanges the sealed parts of two records about the same
// people and mends every checksum.
func TestSealedPartsExchangedBetweenTwoRecordsAreFound(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	var at []uint64
	for _, n := range []int{0, 21} { // the same customer, the same employee
		e := entry(n)
		e.Customer.Plain, e.Employee.Plain = fmt.Appendf(nil, "%03d", n), fmt.Appendf(nil, "%03d", n)
		r, err := l.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, r.Position)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ledger.ExchangeSealed(filepath.Join(dir, "0000000002.journal"), at[0], at[1]); err != nil {
		t.Fatal(err)
	}
	var damage *ledger.Damage
	if _, err := ledger.Open(dir, options(k)); !errors.As(err, &damage) || !strings.Contains(damage.What, fmt.Sprintf("record %d", at[0])) {
		t.Errorf("opened after the exchange: %v", err)
	}
}

// The same while the ledger is open: readers find it, and name the record.
func TestReadersFindExchangedSealedParts(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	var at []uint64
	for _, n := range []int{0, 21} {
		e := entry(n)
		e.Customer.Plain, e.Employee.Plain = fmt.Appendf(nil, "%03d", n), fmt.Appendf(nil, "%03d", n)
		r, err := l.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, r.Position)
	}
	if err := ledger.ExchangeSealed(filepath.Join(dir, "0000000002.journal"), at[0], at[1]); err != nil {
		t.Fatal(err)
	}
	for r, err := range l.Records(t.Context(), 0) {
		var damage *ledger.Damage
		if errors.As(err, &damage) {
			if damage.Position != at[0] {
				t.Errorf("named record %d, want %d", damage.Position, at[0])
			}
			return
		}
		if err != nil || r.Position > at[0] {
			t.Fatalf("read past it: %+v, %v", r.Frame, err)
		}
	}
}

// A part that was moved doesn't open even for someone who can also forge the
// leaf's digest: it is bound to its own commitment.
func TestASealedPartOpensOnlyBesideItsOwnCommitment(t *testing.T) {
	if err := ledger.SealTwoAndExchange(); err == nil {
		t.Error("a part opened beside another one's commitment")
	}
}

func TestAnErasedPersonReadsErasedAndTheOtherPartStays(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	e := entry(0)
	receipt, err := l.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	k.destroy(e.Customer.Person)
	l.Forget(e.Customer.Person)
	r := all(t, l)[receipt.Position]
	if !r.Customer.Erased || r.Customer.Plain != nil || r.Customer.Person != "" {
		t.Errorf("the customer's part is %+v", r.Customer)
	}
	if r.Employee.Erased || !bytes.Equal(r.Employee.Plain, e.Employee.Plain) {
		t.Errorf("the employee's part is %+v", r.Employee)
	}
	if err := receipt.Verify(l.Public()); err != nil {
		t.Error(err)
	}
	next, err := l.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	records := all(t, l)
	if r := records[next.Position]; r.Customer.Erased || records[next.Position-1].Kind != ledger.KindKey {
		t.Errorf("after erasure the person gets a new key and its leaf; got %v", kinds(records))
	}
}

func TestAKeyRowThatWasChangedIsFound(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	e := entry(0)
	if _, err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	row := k.rows[e.Customer.Person]
	row.Secret = bytes.Repeat([]byte{7}, 32)
	k.rows[e.Customer.Person] = row
	l.Forget(e.Customer.Person)
	var damage *ledger.Damage
	for _, err := range l.Records(t.Context(), 0) {
		if errors.As(err, &damage) {
			return
		}
	}
	t.Error("nobody noticed")
}

func TestAClockSetBackIsALeafAndTimesNeverRunBackwardsUnmarked(t *testing.T) {
	k := newTable()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	o := options(k)
	o.Clock = func() time.Time { return now }
	dir := create(t, o)
	l := open(t, dir, o)
	for _, step := range []time.Duration{0, time.Second, -time.Hour, time.Millisecond, -time.Millisecond, time.Minute} {
		now = now.Add(step)
		if _, err := l.Append(t.Context(), entry(1)); err != nil {
			t.Fatal(err)
		}
	}
	then := now.Add(-72 * time.Hour)
	old := entry(2)
	old.At = then
	r, err := l.Append(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	records := all(t, l)
	if f := records[r.Position].Frame; !f.Given || !f.Time.Equal(then) {
		t.Errorf("a given time reads %+v", f)
	}
	jumps, last := 0, time.Time{}
	for _, r := range records {
		switch {
		case r.Given:
			continue
		case r.Kind == ledger.KindClock:
			jumps++
			if string(r.Detail) != fmt.Sprintf("expected=%d read=%d", last.UnixMicro(), r.Time.UnixMicro()) {
				t.Errorf("the leaf says %q", r.Detail)
			}
		case r.Time.Before(last):
			t.Errorf("time runs backwards at %d", r.Position)
		}
		last = r.Time
	}
	if jumps != 1 {
		t.Errorf("%d clock leaves, want 1: %v", jumps, kinds(records))
	}
}

func TestACommitmentIsTheHMACOfThePlaintextUnderTheSalt(t *testing.T) {
	salt := [32]byte(bytes.Repeat([]byte{9}, 32))
	for _, n := range []int{0, 1, 63, 64, 1023, 1024, 1025, 5000} {
		plain := bytes.Repeat([]byte{byte(n)}, n)
		m := hmac.New(sha256.New, salt[:])
		m.Write(plain)
		if got := ledger.Commit(salt, plain); !hmac.Equal(got[:], m.Sum(nil)) {
			t.Errorf("%d bytes: it differs", n)
		}
	}
}
