package witness_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/witness"
)

// G4: an administrator with the log's key and its disks makes a second, different
// tree of the same size and has it cosigned too.
func TestAttackSecondTreeOfTheSameSizeSignedWithTheRightKey(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	honest := r.mustCosign(l, 0, 9)
	forged := l.fork(4).lie(5)
	r.refused(r.add(forged, 9, 9), 409)
	a := r.lastAlarm(witness.KindFork)

	// Whoever has the log's key alone sees from the file that it lied.
	for _, e := range []witness.Evidence{a.Known, a.Shown} {
		c, _, err := witness.Verify([]byte(e.Note), l.log(), nil, 0)
		if err != nil || c.Size != 9 || c.Root != e.Root {
			t.Errorf("evidence %+v: %v", e, err)
		}
	}
	if a.Known.Root == a.Shown.Root || a.Known.Note != honest {
		t.Errorf("the evidence isn't the two signed notes: %+v", a)
	}

	// Asking with another old size gets no further, and isn't lost as evidence.
	r.refused(r.add(forged, 0, 9), 409)
	r.refused(r.add(forged, 3, 9), 409)
	if n := len(r.alarmLines()); n != 1 {
		t.Errorf("one fork was kept %d times", n)
	}
	// The honest branch goes on; the alarm stays.
	r.mustCosign(l.grow(10), 9, 10)
	r.lastAlarm(witness.KindFork)
	r.restart()
	if rep := r.report(); rep.OK || rep.Logs[0].Forks != 1 {
		t.Errorf("the alarm ended: %+v", rep)
	}
}

// G4: the rewritten tree is shown only after it has grown, with its own true proof.
func TestAttackRewrittenTreeThatHasGrown(t *testing.T) {
	for _, known := range []int64{3, 5, 6, 7, 9, 100} {
		t.Run(fmt.Sprint(known, " known"), func(t *testing.T) {
			l := newFakeLog(t, "paravent/a/01").grow(known)
			r := newRig(t, l)
			r.mustCosign(l, 0, known)
			forged := l.fork(known - 1).lie(4)
			r.refused(r.add(forged, known, forged.size), 422)
			a := r.lastAlarm(witness.KindFork)
			// Checkpoint and proof together say what the log now claims of the past.
			old, now, ok := witness.Implied(a.Proof, a.Old, a.Shown.Size)
			if !ok || now != a.Shown.Root || old == a.Known.Root || old != forged.root(known) {
				t.Errorf("the evidence doesn't prove the fork: %+v", a)
			}
		})
	}
	// From a power of two a proof begins at the known root itself: what's left is
	// that no proof was brought.
	l := newFakeLog(t, "paravent/a/01").grow(8)
	r := newRig(t, l)
	r.mustCosign(l, 0, 8)
	forged := l.fork(7).lie(4)
	r.refused(r.add(forged, 8, 11), 422)
	r.lastAlarm(witness.KindInconsistent)
	// When the honest tree reaches that size, the two are a fork.
	l.grow(11)
	r.mustCosign(l, 8, 11)
	r.lastAlarm(witness.KindFork)
}

// G4: the whole server folder is replaced by last week's copy, and goes on.
func TestAttackRollbackToLastWeeksCopy(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(53)
	copied := l.fork(53)
	r := newRig(t, l)
	r.mustCosign(l, 0, 53)
	r.mustCosign(l.grow(101), 53, 101)
	got := r.add(copied.lie(1), 53, 54)
	r.refused(got, 409)
	if got.body != "101\n" {
		t.Errorf("the size known: got %q", got.body)
	}
	r.lastAlarm(witness.KindRollback)
	// Even when it has outgrown the witness, it can't prove what isn't so.
	copied.lie(60)
	r.refused(r.add(copied, 101, copied.size), 422)
	r.lastAlarm(witness.KindFork)
}

// Anyone may repeat an old checkpoint, or bring a wrong proof with a real one.
// That raises an alarm; the log's going on answers it; it doesn't fill the disk.
func TestAttackOldCheckpointsRepeatedByAnyone(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(30)
	r := newRig(t, l)
	r.mustCosign(l, 0, 20)
	for range 100 {
		r.refused(r.add(l, 0, 10), 409)
		r.refused(r.post(body(20, nil, l.checkpoint(25))), 422)
	}
	if n := len(r.alarmLines()); n != 2 {
		t.Fatalf("the same was kept %d times", n)
	}
	r.mustCosign(l, 20, 20)
	if rep := r.report(); rep.OK || rep.Logs[0].Suspicions != 2 {
		t.Fatalf("repeating the newest one answered something: %+v", rep)
	}
	r.mustCosign(l, 20, 22)
	if rep := r.report(); rep.OK || rep.Logs[0].Suspicions != 1 {
		t.Fatalf("22 records answer for 10 and not for 25: %+v", rep)
	}
	r.mustCosign(l, 22, 25)
	r.restart()
	if rep := r.report(); !rep.OK || rep.Logs[0].Suspicions != 0 || len(rep.Alarms) != 4 {
		t.Fatalf("the log has gone on: %+v", rep)
	}
}

// What anyone can provoke never displaces what only the log's key can make.
func TestAttackFloodOfSuspicionsHidesNoFork(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a thousand alarms")
	}
	n := int64(witness.MaxAlarms + 40)
	l := newFakeLog(t, "paravent/a/01").grow(n + 10)
	r := newRig(t, l)
	r.mustCosign(l, 0, n+5)
	for i := range n {
		r.refused(r.add(l, 0, i+1), 409)
	}
	if got := len(r.alarmLines()); got != witness.MaxAlarms {
		t.Errorf("%d were kept", got)
	}
	if rep := r.report(); rep.Logs[0].Suspicions != int(n) {
		t.Errorf("%d are shown, %d were raised", rep.Logs[0].Suspicions, n)
	}
	r.refused(r.add(l.fork(5).lie(int(n)), n+5, n+5), 409)
	r.lastAlarm(witness.KindFork)
}

// G4: of two forks that come at once, exactly one is cosigned.
func TestAttackTwoForksAtOnce(t *testing.T) {
	for range 10 {
		l := newFakeLog(t, "paravent/a/01").grow(7)
		r := newRig(t, l)
		r.mustCosign(l, 0, 7)
		var bodies []string
		for i := range 8 {
			f := l.fork(7)
			for range 2 {
				f.append(fmt.Sprintf("story %d", i))
			}
			bodies = append(bodies, body(7, f.proof(7, 9), f.checkpoint(9)))
		}
		var wg sync.WaitGroup
		got := make([]reply, len(bodies))
		for i, b := range bodies {
			wg.Go(func() { got[i] = r.post(b) })
		}
		wg.Wait()
		won := 0
		for _, g := range got {
			if g.status == http.StatusOK {
				won++
			} else if g.status != http.StatusConflict {
				t.Errorf("got %+v", g)
			}
		}
		if won != 1 {
			t.Fatalf("%d forks were cosigned", won)
		}
		if n := len(r.alarmLines()); n != len(bodies)-1 {
			t.Errorf("%d alarms for %d forks", n, len(bodies)-1)
		}
		r.stop()
	}
}

// G4: the witness dies after it wrote and before it answered. It must not sign
// another tree of that size afterwards.
func TestAttackForkAfterACrashBetweenWriteAndAnswer(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	r.mustCosign(l, 0, 5)
	r.w.FailSave(true) // on the disk, and never answered
	if got := r.add(l, 5, 9); got.status != 500 || strings.Contains(got.body, "— ") {
		t.Fatalf("got %+v", got)
	}
	r.restart()
	if rep := r.report(); rep.Logs[0].Size != 9 {
		t.Fatalf("after the crash it knows %d records, not 9", rep.Logs[0].Size)
	}
	forged := l.fork(5).lie(4)
	r.refused(r.add(forged, 5, 9), 409)
	r.lastAlarm(witness.KindFork)
	// The honest one asks again, hears the size, and has its cosignature.
	r.refused(r.add(l, 5, 9), 409)
	r.mustCosign(l, 9, 9)
}

// G4: nothing is released while the disk doesn't take it.
func TestNothingIsCosignedThatIsNotOnTheDisk(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	before := r.mustCosign(l, 0, 5)
	r.w.FailSave(false)
	for range 2 {
		if got := r.add(l, 5, 9); got.status != 500 || strings.Contains(got.body, "— ") {
			t.Fatalf("got %+v", got)
		}
	}
	r.restart()
	if rep := r.report(); rep.Logs[0].Checkpoint != before {
		t.Fatalf("it knows %q", rep.Logs[0].Checkpoint)
	}
	r.mustCosign(l, 5, 9)

	// And when a cosignature leaves, it's on the disk already.
	inTime := false
	r.w.OnSave(func() {
		content, err := os.ReadFile(filepath.Join(r.dir, "state"))
		inTime = err == nil && strings.Contains(string(content), `\n12\n`)
	})
	l.grow(12)
	r.mustCosign(l, 9, 12)
	if !inTime {
		t.Error("the state on the disk didn't hold what was cosigned")
	}
}

// A cosignature holds for one text and one time: taken from one checkpoint it
// proves nothing for another, and its time can't be changed.
func TestAttackCosignatureReplayed(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	old := r.mustCosign(l, 0, 5)
	r.mustCosign(l, 5, 9)
	line := old[strings.LastIndex(old, "— "):]
	keys := []witness.Verifier{r.w.Verifier()}
	if c, by, err := witness.Verify([]byte(old), l.log(), keys, 1); err != nil || c.Size != 5 || len(by) != 1 || !by[0].Time.Equal(start) {
		t.Fatalf("the true one: %+v %+v %v", c, by, err)
	}
	if _, _, err := witness.Verify([]byte(l.checkpoint(9)+line), l.log(), keys, 0); !errors.Is(err, witness.ErrNote) {
		t.Errorf("moved to another checkpoint: %v", err)
	}
	forged := l.fork(2).lie(3)
	if _, _, err := witness.Verify([]byte(forged.checkpoint(5)+line), l.log(), keys, 1); !errors.Is(err, witness.ErrNote) {
		t.Errorf("moved to a fork: %v", err)
	}
	name, b64, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "— "), " ")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		t.Fatal(err)
	}
	raw[11]++ // the time's last byte
	later := "— " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
	if _, _, err := witness.Verify([]byte(l.checkpoint(5)+later), l.log(), keys, 1); !errors.Is(err, witness.ErrNote) {
		t.Errorf("with another time: %v", err)
	}
	// Repeated in one note it counts once.
	if _, by, err := witness.Verify([]byte(old+line+line), l.log(), keys, 2); !errors.Is(err, witness.ErrTooFew) || len(by) != 1 {
		t.Errorf("repeated: %v %v", by, err)
	}
	if _, _, err := witness.Verify([]byte(old), l.log(), []witness.Verifier{keys[0], keys[0]}, 2); err == nil {
		t.Error("one witness configured twice counts twice")
	}
}

func TestVerifyWantsTheLogItself(t *testing.T) {
	l, other := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/b/02").grow(9)
	r := newRig(t, l)
	whole := r.mustCosign(l, 0, 9)
	keys := []witness.Verifier{r.w.Verifier()}
	alone := l.text(9) + "\n" + whole[strings.LastIndex(whole, "— "):]
	both, err := note.Sign(&note.Note{Text: other.text(9)}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, msg := range map[string]string{
		"cosigned but not signed by the log":  alone,
		"another log's":                       other.checkpoint(9),
		"another origin signed with this key": string(both),
		"nothing":                             "",
		"no checkpoint":                       l.sign("hello\n"),
		"a changed size":                      strings.Replace(whole, "\n9\n", "\n8\n", 1),
		"cut short":                           whole[:len(whole)-1],
	} {
		if _, _, err := witness.Verify([]byte(msg), l.log(), keys, 0); !errors.Is(err, witness.ErrNote) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The log's signature has two spare bits in base64: they count as well.
	spare := strings.Index(whole, "=\n— "+r.w.Verifier().Name()) - 1
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	digit := digits[strings.IndexByte(digits, whole[spare])+1]
	if _, _, err := witness.Verify([]byte(whole[:spare]+string(digit)+whole[spare+1:]), l.log(), keys, 1); !errors.Is(err, witness.ErrNote) {
		t.Errorf("a spare bit changed: %v", err)
	}
	if c, by, err := witness.Verify([]byte(l.checkpoint(9)), l.log(), keys, 1); !errors.Is(err, witness.ErrTooFew) || c.Size != 9 || len(by) != 0 {
		t.Errorf("not cosigned: %+v %v %v", c, by, err)
	}
	for i := range whole {
		changed := []byte(whole)
		changed[i] ^= 1
		if _, by, err := witness.Verify(changed, l.log(), keys, 1); err == nil {
			t.Fatalf("byte %d changed, and it verifies: %v\n%s", i, by, changed)
		}
	}
}

// A proof says the same to our reading of RFC 9162 as to tlog's.
func TestImpliedRootsAreThoseThatTlogChecks(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(70)
	for n := int64(2); n <= 70; n++ {
		for old := int64(1); old < n; old++ {
			p := l.proof(old, n)
			if err := tlog.CheckTree(p, n, l.root(n), old, l.root(old)); err != nil {
				t.Fatal(err)
			}
			was, now, ok := witness.Implied(p, uint64(old), uint64(n))
			if power := old&(old-1) == 0; ok == power {
				t.Fatalf("%d -> %d: ok is %v", old, n, ok)
			}
			if ok && (was != l.root(old) || now != l.root(n)) {
				t.Fatalf("%d -> %d: other roots", old, n)
			}
			if _, _, ok := witness.Implied(append(p, p[0]), uint64(old), uint64(n)); ok {
				t.Fatalf("%d -> %d: a longer proof has its form", old, n)
			}
			if _, _, ok := witness.Implied(p[:len(p)-1], uint64(old), uint64(n)); ok {
				t.Fatalf("%d -> %d: a shorter proof has its form", old, n)
			}
		}
	}
}

func TestAClockWithoutATimeSignsNothing(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	r.clock.at = time.Unix(-5, 0)
	if got := r.add(l, 0, 5); got.status != 500 {
		t.Errorf("got %+v", got)
	}
}
