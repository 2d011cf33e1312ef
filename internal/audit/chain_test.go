package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/ledger"
)

func TestALedgerOfSeveralLogsIsSoundClosedOrRunning(t *testing.T) {
	t.Parallel()
	l := newLine(t, 3)
	o := audit.Options{Table: l.keys.all(), Memory: memory(t), Place: l.dir}
	r := all(t, l.dir, o)
	sound(t, r)
	if r.Size != l.c.Size() || len(r.Logs) != 3 || r.Root != l.c.Head().Root || r.Origin != l.c.Origin() || r.Keys != 8 || r.Key != l.c.Key() {
		t.Errorf("got %+v", r)
	}
	for i, info := range l.c.Names() {
		p := r.Logs[i]
		if p.Name != info.Name || p.Base != info.Base || p.Size != info.Size || p.Key != info.Key || p.Frozen != info.Frozen || p.Keys != 8 {
			t.Errorf("log %d is %+v, want %+v", i, p, info)
		}
		// The key of any of its logs proves the whole.
		sound(t, all(t, l.dir, audit.Options{Key: info.Key}))
		// And each log can be verified by itself, which says what that can't tell.
		alone := all(t, info.Dir, audit.Options{Key: info.Key, Table: l.keys.all()})
		sound(t, alone)
		if i > 0 {
			says(t, alone.Unknown, "log before it")
		}
		if i < 2 {
			says(t, alone.Unknown, "next log")
		}
	}
	l.close(t)
	l.open(t)
	l.look(t, 2)
	again := all(t, l.dir, o)
	sound(t, again)
	says(t, again.Notes, "log 0001", fmt.Sprintf("contains all %d records", r.Logs[0].Size))
	l.rotate(t)
	l.look(t, 2)
	moved := all(t, l.dir, o) // the kept checkpoints follow a proven succession
	sound(t, moved)
	says(t, moved.Notes, r.Origin, "frozen since")
	for _, line := range moved.Unknown {
		if strings.Contains(line, "no checkpoint of your own") {
			t.Errorf("it forgot what was kept: %s", line)
		}
	}
}

func TestTheIndependentVerifierAgreesOnSeveralLogs(t *testing.T) {
	t.Parallel()
	l := newLine(t, 3)
	size := l.c.Size()
	l.close(t)
	if got, err := indyChain(l.dir); err != nil || uint64(got) != size {
		t.Errorf("%d records of %d: %v", got, size, err)
	}
	if _, err := chain.Drop(l.dir, "0001", l.o); err != nil {
		t.Fatal(err)
	}
	if _, err := indyChain(l.dir); err != nil {
		t.Error(err)
	}
}

func TestThePublishedCheckpointGoesIntoTheNextLog(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	next, ok := l.c.Last().Succession()
	msg, err := audit.PublishedIn(l.at(0))
	if err != nil || !ok || string(next.Checkpoint) != string(msg) {
		t.Errorf("published %q, handed on %q: %v", msg, next.Checkpoint, err)
	}
	if msg, err := audit.PublishedIn(t.TempDir()); msg != nil || err != nil {
		t.Errorf("nothing is published, and it says %q, %v", msg, err)
	}
}

func TestAKeyIsOneInAllLogsOfALedger(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	if _, err := l.c.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	gone := l.c.Size() - 1
	l.look(t, 3)
	r := all(t, l.dir, audit.Options{Table: l.keys.all()})
	sound(t, r) // the first log's key row is gone, and the second's leaf says so
	if len(r.Destroyed) != 1 || r.Erased != 1 {
		t.Errorf("destroyed: %v", r.Destroyed)
	}
	for _, d := range r.Destroyed {
		if d.Record != gone {
			t.Errorf("destroyed by record %d, want number %d", d.Record, gone)
		}
	}
	alone := all(t, l.at(0), audit.Options{Table: l.keys.all()})
	sound(t, alone)
	says(t, alone.Unknown, "1 keys of this log that are missing")

	// Attack: a row is removed of which no leaf in any log tells.
	row := l.keys.rows[slices.IndexFunc(l.keys.rows, func(k ledger.Key) bool { return k.Person == "customer:c2" })]
	without := slices.DeleteFunc(slices.Clone(l.keys.rows), func(k ledger.Key) bool { return k.ID == row.ID })
	named(t, all(t, l.dir, audit.Options{Table: slicesOf(without)}), "log 0001", "key table", fmt.Sprintf("%x", row.ID), "no record says")
	// Attack: a row's secret is changed.
	changed := slices.Clone(l.keys.rows)
	changed[0].Secret = make([]byte, 32)
	named(t, all(t, l.dir, audit.Options{Table: slicesOf(changed)}), "log 0001", "was changed")
}

// Attack: with the stolen key of the second log, a record is sealed with a
// person's key that the first log has destroyed.
func TestAKeyThatAnOlderLogDestroyedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	id := l.keys.rows[slices.IndexFunc(l.keys.rows, func(k ledger.Key) bool { return k.Person == "customer:c1" })].ID
	if _, err := l.c.Destroy(t.Context(), "customer:c1"); err != nil {
		t.Fatal(err)
	}
	l.rotate(t)
	l.look(t, 1)
	sound(t, all(t, l.dir, audit.Options{Table: l.keys.all()}))
	at := l.at(1)
	l.close(t)
	leaves, err := indyJournal(at, public(t, at))
	if err != nil {
		t.Fatal(err)
	}
	forge(t, lastSegment(t, at), func(s *indySegment) {
		b := &s.batches[len(s.batches)-1]
		rec := b.records[len(b.records)-1].clone()
		rec.sealed[0] = append(slices.Clone(id[:]), rec.sealed[0][16:]...)
		rec.digest()
		b.records[len(b.records)-1] = rec
		b.resign(t, at, leaves[:b.first])
	})
	named(t, all(t, l.dir, audit.Options{}), "log 0002", fmt.Sprintf("sealed with key %x", id), "of log 0001 says was destroyed")
}

func TestADroppedLogIsToldAndWhatItLeavesVerifies(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	for _, person := range []string{"employee:gone", "employee:early", "employee:early2"} { // in the oldest log alone
		if _, err := l.c.Append(t.Context(), ledger.Entry{Kind: ledger.KindAct, Employee: ledger.Part{Person: person, Plain: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	l.rotate(t)
	l.look(t, 5)
	l.rotate(t)
	if _, err := l.c.Destroy(t.Context(), "employee:gone"); err != nil {
		t.Fatal(err)
	}
	l.look(t, 7)
	infos, table := l.c.Names(), slices.Clone(l.keys.rows)
	o := audit.Options{Memory: memory(t), Place: l.dir, Table: l.keys.all()}
	sound(t, all(t, l.dir, o))
	l.close(t)
	byHand := copyOf(t, l.dir)
	if _, err := chain.Drop(l.dir, "0001", l.o); err != nil {
		t.Fatal(err)
	}
	r := all(t, l.dir, o)
	sound(t, r)
	if r.First != infos[1].Base || r.Size != infos[1].Size+infos[2].Size {
		t.Errorf("from %d, %d records", r.First, r.Size)
	}
	says(t, r.Notes, fmt.Sprintf("records 0 to %d", infos[1].Base-1), infos[0].Origin)
	says(t, r.Notes, infos[0].Origin, "isn't here any more")
	for _, line := range r.Notes {
		if strings.Contains(line, "by hand") {
			t.Errorf("it was dropped properly: %s", line)
		}
	}
	says(t, r.Unknown, "dropped as the company's rules say or simply taken away")
	// The key of the log that was dropped still proves the rest.
	sound(t, all(t, l.dir, audit.Options{Key: infos[0].Key}))
	named(t, all(t, l.dir, audit.Options{Key: public(t, newLine(t, 1).at(0))}), "of another ledger")

	// Taken away by hand it looks the same, but for what the key table still holds.
	if err := os.RemoveAll(filepath.Join(byHand, "0001")); err != nil {
		t.Fatal(err)
	}
	r = all(t, byHand, audit.Options{Table: slicesOf(table)})
	sound(t, r)
	says(t, r.Notes, "2 keys are in the key table", "taken away by hand")
	says(t, r.Unknown, "dropped as the company's rules say or simply taken away")
}

// A reader who saw the ledger when its only log was the one that was dropped
// since can still tell that this is what follows it.
func TestAKeptCheckpointOfADroppedLogIsComparedWithWhatFollowsIt(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	early := audit.Options{Memory: memory(t), Place: l.dir}
	sound(t, all(t, l.dir, early))
	l.rotate(t)
	l.look(t, 4)
	l.close(t)
	if _, err := chain.Drop(l.dir, "0001", l.o); err != nil {
		t.Fatal(err)
	}
	r := all(t, l.dir, early)
	sound(t, r)
	says(t, r.Notes, "was dropped since", "signed the log that follows")
	other := newLine(t, 2)
	other.close(t)
	if _, err := chain.Drop(other.dir, "0001", other.o); err != nil {
		t.Fatal(err)
	}
	named(t, all(t, other.dir, early), "EXCHANGED")
}

// The server was stopped between freezing a log and making the next: no attack,
// and said plainly, for it looks like one.
func TestAFrozenLogWhoseNextIsBeingMadeIsTold(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	if _, err := l.c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.close(t)
	r := all(t, l.dir, audit.Options{})
	sound(t, r)
	says(t, r.Unknown, "where the next log is", "ROLLED BACK")
	l.open(t)
	r = all(t, l.dir, audit.Options{})
	sound(t, r)
	if len(r.Logs) != 2 {
		t.Errorf("%d logs", len(r.Logs))
	}
}

// Witnesses vouch for the last log's checkpoint, and so for all logs before it.
// A log that was begun just now has none: the one before then says up to where.
func TestWitnessesVouchForTheWholeLedger(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	works := newCouncil(t, "council.example")
	o := audit.Options{Witnesses: []string{works.vkey()}}
	named(t, all(t, l.dir, o), "log 0001", "cosigned by 0")
	if _, err := l.c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := l.publish(t)
	msg, err := p.Published()
	if err == nil {
		err = p.Publish(t.Context(), works.cosign(msg, 1_777_000_000))
	}
	if err == nil {
		err = p.Finish(t.Context()) // keeps the cosignature
	}
	if err != nil {
		t.Fatal(err)
	}
	l.close(t)
	l.open(t)
	next, _ := l.c.Last().Succession()
	if !strings.Contains(string(next.Checkpoint), "council.example") {
		t.Errorf("the next log was handed %q", next.Checkpoint)
	}
	r := all(t, l.dir, o)
	sound(t, r)
	says(t, r.Notes, "log 0001", "witness council.example saw")
	says(t, r.Unknown, fmt.Sprintf("records from %d on", l.c.Last().Base()))
	q := l.publish(t)
	named(t, all(t, l.dir, o), "log 0002", "cosigned by 0")
	if msg, err = q.Published(); err == nil {
		err = q.Publish(t.Context(), works.cosign(msg, 1_777_000_001))
	}
	if err != nil {
		t.Fatal(err)
	}
	r = all(t, l.dir, o)
	sound(t, r)
	says(t, r.Notes, "log 0002", "witness council.example saw")
	b, _ := check(t, l.bundle(t, 3), o)
	named(t, b, "log 0002", "cosigned by 0") // bundle publishes anew, without the witness
}

// Attack: the clock is set back while the ledger is rotated. The new log can't
// know it, whoever reads both can.
func TestAClockSetBackBetweenTwoLogsIsTold(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	if _, err := l.c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.close(t)
	l.now = l.now.Add(-time.Hour)
	l.open(t)
	l.look(t, 1)
	r := all(t, l.dir, audit.Options{})
	sound(t, r)
	says(t, r.Notes, "log 0002", "the clock was set back in between")
}

// An auditor looks at any moment of a running server's life, also while it turns
// its ledger over: nothing that is honest looks like an attack.
func TestALedgerIsSoundAtEveryMomentOfARotation(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	o := audit.Options{Memory: memory(t), Place: l.dir}
	done := make(chan struct{})
	var looks int
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			r, err := audit.Chain(t.Context(), l.dir, o)
			if err != nil || !r.Sound() {
				if t.Context().Err() == nil {
					t.Errorf("look %d: %v", looks, err)
					if r != nil {
						t.Errorf("%v", r.Problems)
					}
				}
				return
			}
			if looks++; len(r.Logs) >= 6 {
				return
			}
		}
	}()
	for range 5 {
		l.look(t, 3)
		l.publish(t)
		l.rotate(t)
	}
	<-done
	if looks < 2 {
		t.Errorf("%d looks only: the test shows nothing", looks)
	}
}
