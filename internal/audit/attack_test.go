package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/audit"
)

// bulky is a closed world whose second segment has a batch of ten records.
func bulky(t testing.TB) (w *world, segment string) {
	t.Helper()
	w = newWorld(t)
	w.look(t, 8) // the people's keys are made
	w.close(t)
	w.open(t)
	w.bulk(t, 10)
	w.close(t)
	return w, filepath.Join(w.dir, "0000000003.journal")
}

// big returns the index of the batch with ten records.
func big(t testing.TB, s *indySegment) *indyBatch {
	t.Helper()
	for i := range s.batches {
		if len(s.batches[i].records) == 10 {
			return &s.batches[i]
		}
	}
	t.Fatal("no batch of ten records")
	return nil
}

// Attacks: someone with the disk, who mends every checksum and has no key,
// changes which records there are.
func TestRecordsThatWereDroppedDoubledOrSwappedAreNamed(t *testing.T) {
	cases := []struct {
		name  string
		forge func(b *indyBatch)
		words func(first uint64) []string
	}{
		{"a record dropped", func(b *indyBatch) {
			b.records = append(b.records[:4:4], b.records[5:]...)
		}, func(first uint64) []string { return []string{fmt.Sprintf("record %d ", first+4)} }},
		{"a record dropped and the rest renumbered", func(b *indyBatch) {
			b.records = append(b.records[:4:4], b.records[5:]...)
			for i := range b.records {
				b.records[i] = b.records[i].move(b.first + uint64(i))
			}
		}, func(first uint64) []string {
			return []string{fmt.Sprintf("records %d to %d don't hash", first, first+8)}
		}},
		{"a record doubled", func(b *indyBatch) {
			b.records = append(append(b.records[:5:5], b.records[4]), b.records[5:]...)
		}, func(first uint64) []string { return []string{fmt.Sprintf("record %d ", first+5)} }},
		{"a record swapped with its neighbour", func(b *indyBatch) {
			b.records[4], b.records[5] = b.records[5], b.records[4]
		}, func(first uint64) []string { return []string{fmt.Sprintf("record %d ", first+4)} }},
		{"a record swapped with its neighbour, positions too", func(b *indyBatch) {
			b.records[4], b.records[5] = b.records[5].move(b.first+4), b.records[4].move(b.first+5)
		}, func(first uint64) []string {
			return []string{fmt.Sprintf("records %d to %d don't hash", first, first+9)}
		}},
		{"sealed parts exchanged between two records", func(b *indyBatch) {
			b.records[3].sealed, b.records[8].sealed = b.records[8].sealed, b.records[3].sealed
		}, func(first uint64) []string { return []string{fmt.Sprintf("record %d ", first+3), "sealed parts"} }},
		{"a sealed part taken away", func(b *indyBatch) {
			b.records[3].sealed[0] = nil
		}, func(first uint64) []string { return []string{fmt.Sprintf("record %d ", first+3)} }},
		{"a time changed", func(b *indyBatch) {
			b.records[2] = b.records[2].clone()
			b.records[2].leaf[9] ^= 1
		}, func(first uint64) []string {
			return []string{fmt.Sprintf("records %d to %d don't hash", first, first+9)}
		}},
		{"a signature changed", func(b *indyBatch) {
			b.sig = append([]byte{b.sig[0] ^ 1}, b.sig[1:]...)
		}, func(first uint64) []string { return []string{"not signed"} }},
		{"a root changed", func(b *indyBatch) { b.root[3] ^= 1 }, func(first uint64) []string { return []string{"don't hash"} }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, segment := bulky(t)
			var first uint64
			forge(t, segment, func(s *indySegment) {
				b := big(t, s)
				first = b.first
				c.forge(b)
			})
			named(t, verify(t, w.dir, audit.Options{}), append(c.words(first), "0000000003.journal")...)
		})
	}
}

// Attack: a whole batch is taken out of the journal.
func TestABatchThatWasTakenOutIsNamed(t *testing.T) {
	w := newWorld(t)
	w.look(t, 5)
	w.close(t)
	var first, end uint64
	forge(t, filepath.Join(w.dir, "0000000002.journal"), func(s *indySegment) {
		first, end = s.batches[2].first, s.batches[3].first
		s.batches = append(s.batches[:2:2], s.batches[3:]...)
	})
	named(t, verify(t, w.dir, audit.Options{}), fmt.Sprintf("records %d to %d are missing", first, end-1))
}

func TestASegmentThatIsMissingIsNamed(t *testing.T) {
	w := newWorld(t)
	w.look(t, 60)
	w.close(t)
	o := audit.Options{Memory: memory(t), Place: w.dir}
	sound(t, verify(t, w.dir, o))
	names, err := filepath.Glob(filepath.Join(w.dir, "*.journal"))
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	for i, name := range names {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		r := verify(t, w.dir, o)
		if i < len(names)-1 {
			named(t, r, filepath.Base(name), "the segment is missing")
		} else {
			named(t, r, "ROLLED BACK") // only who kept a checkpoint can tell
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sound(t, verify(t, w.dir, o))
}

// Attack: the whole folder is replaced by last week's copy, tiles and all.
func TestAFolderReplacedByLastWeeksCopyIsNamed(t *testing.T) {
	w, p := published(t, 30)
	old := copyOf(t, w.dir)
	w.look(t, 20)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, verify(t, w.dir, o))
	r := verify(t, old, o)
	named(t, r, "ROLLED BACK", "2026-05-08")
	r = verify(t, old, o)
	named(t, r, "ROLLED BACK") // and again: the newer checkpoint stays kept

	// The journal alone is replaced: its own checkpoint gives it away to anyone.
	for _, name := range []string{"0000000001.journal", "0000000002.journal"} {
		b, err := os.ReadFile(filepath.Join(old, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	late, err := filepath.Glob(filepath.Join(w.dir, "000000000[3-9].journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range late {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	named(t, verify(t, w.dir, audit.Options{}), "ROLLED BACK", "checkpoint")
}

// Attack: whoever has the signing key writes another story, longer than the first.
func TestASecondTreeSignedWithTheRightKeyIsNamed(t *testing.T) {
	w, p := published(t, 30)
	fork := &world{dir: copyOf(t, w.dir), keys: w.keys, now: w.now, o: w.o}
	fork.o.Clock = func() time.Time { return fork.now }
	w.look(t, 3)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, verify(t, w.dir, o))
	fork.open(t)
	fork.look(t, 60)
	fp := audit.NewPublisher(fork.log, audit.PublisherOptions{Dir: fork.dir})
	if err := fp.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	sound(t, verify(t, fork.dir, audit.Options{})) // by itself it's sound
	named(t, verify(t, fork.dir, o), "REWRITTEN", "signed by the ledger's key")

	// The first story's checkpoint beside the second's journal.
	b, err := p.Published()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(fork.dir, audit.TilesFolder, "checkpoint"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	named(t, verify(t, fork.dir, audit.Options{}), "REWRITTEN", "published checkpoint")
}

// Attack: the last record is changed and its head signed anew with the stolen key.
func TestALastRecordRewrittenWithTheKeyIsFoundByWhoKeptACheckpoint(t *testing.T) {
	w := newWorld(t)
	w.look(t, 6)
	w.close(t)
	o := audit.Options{Memory: memory(t), Place: w.dir}
	r := verify(t, w.dir, o)
	sound(t, r)
	leaves, err := indyJournal(w.dir, r.Key)
	if err != nil {
		t.Fatal(err)
	}
	forge(t, filepath.Join(w.dir, "0000000002.journal"), func(s *indySegment) {
		b := &s.batches[len(s.batches)-1]
		b.records[len(b.records)-1] = b.records[len(b.records)-1].clone()
		b.records[len(b.records)-1].leaf[9]++ // a microsecond later
		b.resign(t, w.dir, leaves[:b.first])
	})
	sound(t, verify(t, w.dir, audit.Options{}))
	named(t, verify(t, w.dir, o), "REWRITTEN")
}

// Attack: another ledger, with a key of its own, is put in the first one's place.
func TestAnotherLedgerInItsPlaceIsNamed(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, verify(t, w.dir, o))
	named(t, verify(t, other.dir, o), "EXCHANGED")
	named(t, verify(t, other.dir, audit.Options{Key: verify(t, w.dir, audit.Options{}).Key}), "of another ledger")
}

func TestTwoDamagesInOneSegmentAreBothNamed(t *testing.T) {
	w := newWorld(t)
	w.look(t, 6)
	w.close(t)
	path := filepath.Join(w.dir, "0000000002.journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := indyParse(whole, -1)
	if err != nil {
		t.Fatal(err)
	}
	one, other := s.batches[1].first, s.batches[5].first
	forge(t, path, func(s *indySegment) { s.batches[5].sig = make([]byte, 64) })
	change(t, path, func(b []byte) []byte {
		b[len(s.header)+len(s.encodeBatches(1))+40] ^= 1 // inside the second batch's first leaf
		return b
	})
	r := verify(t, w.dir, audit.Options{})
	named(t, r, fmt.Sprint(one))
	named(t, r, fmt.Sprint(other), "not signed")
}

// encodeBatches returns the bytes of the first n batches.
func (s *indySegment) encodeBatches(n int) []byte {
	part := indySegment{header: make([]byte, 100), batches: s.batches[:n]}
	return part.encode()[100:]
}

func TestAnUnfinishedBatchAtTheEndIsNotedAndNoProblem(t *testing.T) {
	w := newWorld(t)
	w.look(t, 4)
	w.close(t)
	change(t, filepath.Join(w.dir, "0000000002.journal"), func(b []byte) []byte {
		return append(b[:len(b)-30], make([]byte, 4096)...)
	})
	r := verify(t, w.dir, audit.Options{})
	sound(t, r)
	if len(r.Notes) < 2 {
		t.Errorf("not told: %v", r.Notes)
	}
}

// Attack: a file without end, to exhaust whoever verifies it.
func TestAHugeFileOfNothingIsBounded(t *testing.T) {
	w := newWorld(t)
	w.look(t, 2)
	w.close(t)
	path := filepath.Join(w.dir, "0000000002.journal")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()+(1<<28)); err != nil {
		t.Fatal(err)
	}
	sound(t, verify(t, w.dir, audit.Options{}))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{1}, info.Size()+(1<<28)-1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	named(t, verify(t, w.dir, audit.Options{}), "0000000002.journal")
}

// Attack: the checkpoint that the reader kept is changed, or the key.
func TestAKeptCheckpointThatWasChangedIsNamed(t *testing.T) {
	w := newWorld(t)
	o := audit.Options{Memory: memory(t), Place: w.dir}
	sound(t, verify(t, w.dir, o))
	names, err := filepath.Glob(filepath.Join(o.Memory.Dir, "ledger-*.json"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	change(t, names[0], func(b []byte) []byte {
		for i := range b {
			if b[i] == '=' {
				b[i-2] ^= 1
				break
			}
		}
		return b
	})
	r, err := audit.Folder(t.Context(), w.dir, o)
	if err == nil {
		named(t, r, "kept checkpoint")
	}
}

func TestAQuickVerificationStillNamesWhatWasChanged(t *testing.T) {
	w, segment := bulky(t)
	r := verify(t, w.dir, audit.Options{Quick: true})
	sound(t, r)
	if r.Heads != r.Segments {
		t.Errorf("%d heads of %d segments", r.Heads, r.Segments)
	}
	forge(t, segment, func(s *indySegment) { big(t, s).records[3] = big(t, s).records[4].move(big(t, s).first + 3) })
	named(t, verify(t, w.dir, audit.Options{Quick: true}), "don't hash")
	w, segment = bulky(t)
	forge(t, segment, func(s *indySegment) { s.batches[len(s.batches)-1].sig = make([]byte, 64) })
	named(t, verify(t, w.dir, audit.Options{Quick: true}), "not signed")
}
