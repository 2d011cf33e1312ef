package ledger_test

import (
	"bytes"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/ledger"
)

// long makes a closed ledger of many small segments.
func long(t *testing.T, k *table) (dir string, o ledger.Options, records []ledger.Record) {
	t.Helper()
	o = options(k)
	o.SegmentBytes = 4 << 10
	dir = create(t, o)
	l := open(t, dir, o)
	for n := range 120 {
		if _, err := l.Append(t.Context(), entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	records = all(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, o, records
}

func TestALongJournalIsOpenedByItsEndAndCheckedBehind(t *testing.T) {
	k := newTable()
	dir, o, want := long(t, k)
	l := open(t, dir, o.ReadAtStart(8<<10))
	if l.Skipped() < 5 {
		t.Fatalf("only %d segments were skipped", l.Skipped())
	}
	for range 2 { // while it's being checked, and after
		receipt, err := l.Append(t.Context(), entry(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := receipt.Verify(l.Public()); err != nil {
			t.Error(err)
		}
		got := all(t, l)
		for i := range want {
			if got[i].Hash != want[i].Hash || !bytes.Equal(got[i].Customer.Plain, want[i].Customer.Plain) {
				t.Fatalf("record %d differs", i)
			}
		}
		for from := uint64(0); from < l.Size(); from += 7 {
			for r, err := range l.Records(t.Context(), from) {
				if err != nil || r.Position != from {
					t.Fatalf("from %d: record %d, %v", from, r.Position, err)
				}
				break
			}
		}
		l.Checked()
	}
	if !l.State().OK {
		t.Errorf("state: %+v", l.State())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, o) // and all of it is one sound journal
	if again.Skipped() != 0 {
		t.Error("a short journal was not read whole")
	}
}

// Attack: something old is changed while the server is down.
func TestDamageBeforeTheEndStopsALongLedgerSoonAfterItsStart(t *testing.T) {
	k := newTable()
	dir, o, _ := long(t, k)
	path := filepath.Join(dir, "0000000003.journal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, o.ReadAtStart(8<<10))
	l.Checked()
	_, err = l.Append(t.Context(), entry(1))
	var damage *ledger.Damage
	if !errors.Is(err, ledger.ErrUnavailable) || !errors.As(err, &damage) || damage.Segment != filepath.Base(path) {
		t.Errorf("it records on: %v", err)
	}
	if s := l.State(); s.OK || s.Reason == "" {
		t.Errorf("state: %+v", s)
	}
}

// Attack: the first segment that Open reads claims another tree before it, its
// checksum mended; or an old segment is gone, cut or of another ledger.
func TestALongJournalWithAForgedHeaderOrMissingSegmentDoesNotOpen(t *testing.T) {
	k := newTable()
	dir, o, _ := long(t, k)
	probe := open(t, copyOf(t, dir), o.ReadAtStart(8<<10))
	first := probe.Skipped() + 1
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(dir string) error{
		"another tree before it": func(dir string) error {
			return rewrite(filepath.Join(dir, ledger.SegmentFile(uint64(first))), func(b []byte) []byte {
				b[96] ^= 1
				n := int(b[12]) | int(b[13])<<8
				sum := crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli))
				b[n-4], b[n-3], b[n-2], b[n-1] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
				return b
			})
		},
		"an old segment gone": func(dir string) error { return os.Remove(filepath.Join(dir, ledger.SegmentFile(2))) },
		"an old segment cut": func(dir string) error {
			return rewrite(filepath.Join(dir, ledger.SegmentFile(2)), func(b []byte) []byte { return b[:len(b)-200] })
		},
		"an old header damaged": func(dir string) error {
			return rewrite(filepath.Join(dir, ledger.SegmentFile(2)), func(b []byte) []byte { b[50] ^= 1; return b })
		},
		"two old segments exchanged": func(dir string) error {
			a, b := filepath.Join(dir, ledger.SegmentFile(2)), filepath.Join(dir, ledger.SegmentFile(3))
			return errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b))
		},
	} {
		work := copyOf(t, dir)
		if err := change(work); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(work, o.ReadAtStart(8<<10))
		var damage *ledger.Damage
		if !errors.As(err, &damage) {
			if err == nil {
				err = errors.Join(errors.New("it opened"), l.Close())
			}
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rewrite(path string, how func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, how(b), 0o600)
}
