package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// Attacks on how logs follow each other, by someone with the disk and the stolen
// signing keys of some of them.
func TestALogThatDoesNotFollowTheOneBeforeIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	first, second := l.at(0), l.at(1)
	next, _ := l.c.Last().Succession()
	l.close(t)
	old, stranger := steal(t, first), steal(t, newLine(t, 1).at(0))
	text, _, _ := strings.Cut(string(next.Note), "\n\n")
	text += "\n"
	lines := strings.Split(text, "\n")
	with := func(line int, value string) string {
		out := append([]string(nil), lines...)
		out[line] = value
		return strings.Join(out, "\n")
	}
	otherRoot := strings.Split(string(next.Checkpoint), "\n")
	otherRoot[2] = "AAAA" + otherRoot[2][4:]
	forgedCheckpoint := old.sign(strings.Join(otherRoot[:3], "\n")+"\n", next.Origin)
	smaller := append([]string(nil), strings.Split(string(next.Checkpoint), "\n")...)
	smaller[1] = fmt.Sprint(next.Size - 2)
	cases := []struct {
		name, detail string
		words        []string
	}{
		{"signed by a stranger's key", stranger.sign(text, next.Origin) + "\n" + string(next.Checkpoint), []string{"log 0002", "not what that log's key signed"}},
		{"signed by the new key itself", steal(t, second).sign(text, next.Origin) + "\n" + string(next.Checkpoint), []string{"log 0002", "not what that log's key signed"}},
		{"of another root", old.sign(with(3, otherRoot[2]), next.Origin) + "\n" + forgedCheckpoint, []string{"log 0002", "REWRITTEN", "ended with the root"}},
		{"of another size", old.sign(with(2, smaller[1]), next.Origin) + "\n" + old.sign(strings.Join(smaller[:3], "\n")+"\n", next.Origin), []string{"log 0002", "ended with " + smaller[1] + " records"}},
		{"counted from elsewhere", old.sign(with(4, fmt.Sprint(next.Base+7)), next.Origin) + "\n" + string(next.Checkpoint), []string{"log 0002", "number " + fmt.Sprint(next.Base+7)}},
		{"the checkpoint of another root", old.sign(text, next.Origin) + "\n" + forgedCheckpoint, []string{"log 0002", "not what that log's key signed"}},
		{"of another log", stranger.sign(with(1, stranger.origin), stranger.origin) + "\n" + stranger.sign(strings.Replace(string(next.Checkpoint[:bytes.Index(next.Checkpoint, []byte("\n\n"))+1]), next.Origin, stranger.origin, 1), stranger.origin), []string{"log 0002", "it follows the log " + stranger.origin}},
		{"nonsense", "nonsense", []string{"log 0002", "can't be read"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := copyOf(t, l.dir)
			rewriteFirst(t, filepath.Join(dir, "0002"), c.detail)
			named(t, all(t, dir, audit.Options{}), c.words...)
			if _, err := indyChain(dir); err == nil {
				t.Error("the independent verifier found nothing")
			}
		})
	}
	dir := copyOf(t, l.dir)
	rewriteFirst(t, filepath.Join(dir, "0002"), string(next.Note)+"\n"+string(next.Checkpoint))
	sound(t, all(t, dir, audit.Options{})) // the forger's hand changes nothing else
}

func TestAFrozenLogThatWasCutOrWrittenBehindIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	l.close(t)
	leaves, err := indyJournal(l.at(0), public(t, l.at(0)))
	if err != nil {
		t.Fatal(err)
	}
	cut := copyOf(t, l.dir)
	forge(t, lastSegment(t, filepath.Join(cut, "0001")), func(s *indySegment) { s.batches = s.batches[:len(s.batches)-1] })
	named(t, all(t, cut, audit.Options{}), "log 0001", "CUT OFF")
	named(t, all(t, cut, audit.Options{}), "log 0002", fmt.Sprintf("ended with %d records, and that has %d", len(leaves), len(leaves)-1))

	behind := copyOf(t, l.dir)
	forge(t, lastSegment(t, filepath.Join(behind, "0001")), func(s *indySegment) {
		last := s.batches[len(s.batches)-1]
		end := last.first + uint64(len(last.records))
		more := indyBatch{first: end, records: []indyRecord{s.batches[0].records[0].move(end)}}
		copy(more.records[0].leaf[9:17], last.records[len(last.records)-1].leaf[9:17])
		more.resign(t, filepath.Join(behind, "0001"), leaves)
		s.batches = append(s.batches, more)
	})
	r := all(t, behind, audit.Options{})
	named(t, r, "log 0001", fmt.Sprintf("record %d ", len(leaves)), "stands behind")
	named(t, r, "log 0002", "ended with")
	named(t, all(t, filepath.Join(behind, "0001"), audit.Options{}), "stands behind")
	for _, dir := range []string{cut, behind} {
		if _, err := indyChain(dir); err == nil {
			t.Error("the independent verifier found nothing")
		}
	}
}

func TestALogThatWasRemovedIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 3)
	next, _ := l.c.Logs()[1].Frozen()
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, all(t, l.dir, o))
	l.close(t)
	remove := func(name string) string {
		dir := copyOf(t, l.dir)
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	last := remove("0003")
	named(t, all(t, last, audit.Options{}), "log 0002", "ROLLED BACK", next)
	named(t, all(t, last, o), "kept checkpoint", "ROLLED BACK", l.c.Origin())
	// The thief makes it look as if the next log were just being made.
	err := errors.Join(os.Mkdir(filepath.Join(last, ".next"), 0o700), os.WriteFile(filepath.Join(last, ".next", "public.key"), []byte(next), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	says(t, all(t, last, audit.Options{}).Unknown, "where the next log is")
	named(t, all(t, last, o), "kept checkpoint", "ROLLED BACK")

	middle := remove("0002")
	named(t, all(t, middle, audit.Options{}), "log 0002 is missing")
	named(t, all(t, middle, audit.Options{}), "log 0001", "EXCHANGED")
	// And renamed, so that there's no gap.
	if err := os.Rename(filepath.Join(middle, "0003"), filepath.Join(middle, "0002")); err != nil {
		t.Fatal(err)
	}
	named(t, all(t, middle, audit.Options{}), "log 0002", "it follows the log")

	// Two logs are exchanged, and one is emptied.
	swapped := copyOf(t, l.dir)
	err = errors.Join(os.Rename(filepath.Join(swapped, "0001"), filepath.Join(swapped, "0004")),
		os.Rename(filepath.Join(swapped, "0002"), filepath.Join(swapped, "0001")), os.Rename(filepath.Join(swapped, "0004"), filepath.Join(swapped, "0002")))
	if err != nil {
		t.Fatal(err)
	}
	named(t, all(t, swapped, audit.Options{}), "log 0002", "doesn't say which log it follows")
	empty := remove("0002")
	if err := os.Mkdir(filepath.Join(empty, "0002"), 0o700); err != nil {
		t.Fatal(err)
	}
	named(t, all(t, empty, audit.Options{}), "log 0002", "no journal")
	for _, dir := range []string{last, middle, swapped, empty} {
		if _, err := indyChain(dir); err == nil {
			t.Error("the independent verifier found nothing")
		}
	}
}

// Attack: the log is frozen twice, from a copy, and so has two successors.
func TestTwoSuccessorsOfOneLogAreNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	l.close(t)
	fork := &line{dir: copyOf(t, l.dir), keys: l.keys, now: l.now}
	fork.o = l.o
	fork.open(t)
	l.open(t)
	l.rotate(t)
	l.look(t, 3)
	fork.rotate(t)
	fork.look(t, 12)
	fork.close(t)
	l.close(t)
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, all(t, l.dir, o))
	sound(t, all(t, fork.dir, audit.Options{})) // by itself it's sound
	r := all(t, fork.dir, o)
	named(t, r, "log 0001", "REWRITTEN")
	named(t, r, "kept checkpoint", "ROLLED BACK")
	// The other successor behind the first log.
	mixed := copyOf(t, l.dir)
	err := errors.Join(os.RemoveAll(filepath.Join(mixed, "0002")), os.CopyFS(filepath.Join(mixed, "0002"), os.DirFS(filepath.Join(fork.dir, "0002"))))
	if err != nil {
		t.Fatal(err)
	}
	named(t, all(t, mixed, audit.Options{}), "log 0001", "EXCHANGED")
	// Both successors, one behind the other.
	both := copyOf(t, l.dir)
	if err := os.CopyFS(filepath.Join(both, "0003"), os.DirFS(filepath.Join(fork.dir, "0002"))); err != nil {
		t.Fatal(err)
	}
	named(t, all(t, both, audit.Options{}), "log 0003", "it follows the log")
}

// Attack: a log gets the signing key of an older one, which was thought to be retired.
func TestAnOldSigningKeyThatIsUsedAgainIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	first := l.at(0)
	if _, err := l.c.Last().Freeze(t.Context(), l.c.Logs()[0].Key()); err != nil {
		t.Fatal(err)
	}
	third := filepath.Join(l.dir, "0003")
	err := os.Mkdir(third, 0o700)
	for _, name := range []string{"signing.key", "public.key"} {
		b, readErr := os.ReadFile(filepath.Join(first, name))
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(third, name), b, 0o600))
	}
	if err = errors.Join(err, ledger.CreateNext(third, l.o.Ledger, l.c.Last(), nil)); err != nil {
		t.Fatal(err)
	}
	named(t, all(t, l.dir, audit.Options{}), "log 0003", "the signing key of log 0001")
}

// Attack: the whole ledger is replaced by last week's copy, from before the rotation.
func TestALedgerReplacedByItsCopyFromBeforeTheRotationIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	l.close(t)
	old := copyOf(t, l.dir)
	l.open(t)
	l.rotate(t)
	l.look(t, 2)
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, all(t, l.dir, o))
	r := all(t, old, o)
	named(t, r, "log 0001", "ROLLED BACK")
	named(t, r, "kept checkpoint", "ROLLED BACK", l.c.Origin())
	named(t, all(t, old, o), "ROLLED BACK") // and again
	sound(t, all(t, old, audit.Options{}))  // nobody else can tell
	// A bundle of evidence from the copy isn't what was verified either.
	if _, err := chain.Inspect(old); err != nil {
		t.Fatal(err)
	}
}

// Attack: one byte of any file of any log is changed.
func TestOneByteFlippedInAnyFileOfAnyLogIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	l.close(t)
	key := public(t, l.at(1))
	work := copyOf(t, l.dir)
	for _, pattern := range []string{"*/*.journal", "*/public.key", "*/tlog/checkpoint", "*/tlog/tile/0/*/*"} {
		names, err := filepath.Glob(filepath.Join(work, pattern))
		if err != nil || len(names) < 2 {
			t.Fatal(pattern, names, err)
		}
		for _, name := range names {
			whole, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < len(whole)-1; at += 1 + len(whole)/5 {
				change(t, name, func(b []byte) []byte { b[at] ^= 1 << (at % 7); return b })
				r := all(t, work, audit.Options{Key: key})
				if r.Sound() {
					t.Errorf("%s, byte %d: nobody noticed", name, at)
				}
				named(t, r, "log "+filepath.Base(strings.SplitN(strings.TrimPrefix(name, work+"/"), "/", 2)[0]))
				change(t, name, func([]byte) []byte { return whole })
			}
		}
	}
	sound(t, all(t, work, audit.Options{Key: key}))
}
