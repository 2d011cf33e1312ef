package witness_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// end is what a log of n records signs at its end, with the records before it.
func (l *fakeLog) end(n int64, before uint64, next *fakeLog) string {
	text := fmt.Sprintf("paravent/succession/v1\n%s\n%d\n%s\n%d\n%s\n", l.origin, n, l.root(n), before+uint64(n), next.vkey)
	return l.sign(text) + "\n" + l.checkpoint(n)
}

// tell posts a succession alone, as anyone may.
func (r *rig) tell(detail string) reply { return r.postTo("/add-log", detail) }

// mustFollow is tell that succeeds, with the old log's last checkpoint cosigned.
func (r *rig) mustFollow(l *fakeLog, n int64, detail string) {
	r.t.Helper()
	got := r.tell(detail)
	if got.status != http.StatusOK {
		r.t.Fatalf("got %+v", got)
	}
	checkCosignature(r.t, r.w.Verifier().String(), l.checkpoint(n)+got.body)
}

func TestAWitnessFollowsALogToItsSuccessor(t *testing.T) {
	a, b, c := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(20), newFakeLog(t, "paravent/a/03").grow(5)
	r := newRig(t, a)
	r.mustCosign(a, 0, 9)
	r.refused(r.add(b, 0, 4), 404)
	r.mustFollow(a, 9, a.end(9, 0, b))
	if said := r.said.String(); !strings.Contains(said, "level=WARN") || !strings.Contains(said, "has ended and named its successor") || !strings.Contains(said, b.vkey) {
		t.Errorf("the operator's log doesn't tell: %s", said)
	}
	r.mustCosign(b, 0, 4)
	// All of it is remembered: --log names the first one only.
	for range 2 {
		r.restart()
		r.mustCosign(a, 9, 9)
		r.refused(r.add(a.grow(12), 9, 12), 410)
		r.mustCosign(b, 4, 4)
	}
	r.mustCosign(b, 4, 20)
	r.mustFollow(b, 20, b.end(20, 9, c))
	r.mustCosign(c, 0, 5)
	r.restart()
	r.mustCosign(c, 5, 5)
	rep := r.report()
	if len(rep.Logs) != 3 || rep.Logs[0].Next != b.vkey || rep.Logs[1].After != a.origin || rep.Logs[1].Next != c.vkey || rep.Logs[2].Next != "" {
		t.Errorf("got %+v", rep.Logs)
	}
	if resp := r.postTo("/", ""); resp.status != 405 {
		t.Errorf("got %+v", resp)
	}
}

func TestAWitnessThatMissedTheEndIsShownIt(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	detail := a.end(9, 0, b)
	behind, never := newRig(t, a), newRig(t, a)
	behind.mustCosign(a, 0, 5)
	for r, known := range map[*rig]int64{behind: 5, never: 0} {
		if got := r.tell(detail); got.status != 409 || got.kind != "text/x.tlog.size" || got.body != fmt.Sprintln(known) {
			t.Fatalf("got %+v", got)
		}
		if got := r.postTo("/add-log", body(known, a.proof(known, 9), detail)); got.status != 200 {
			t.Fatalf("got %+v", got)
		}
		// A tree between what it knew and the end can't be put in any more.
		r.refused(r.add(a.fork(5).lie(2), known, 7), 409)
		r.mustCosign(b, 0, 3)
		// The log that follows answers for the one that has ended.
		if rep := r.report(); !rep.OK {
			t.Errorf("got %+v", rep)
		}
	}
}

func TestAWitnessThatFollowsNoLogSaysSo(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	r := newRig(t, a)
	r.mustCosign(a, 0, 9)
	r.noFollow = true
	r.restart()
	if got := r.tell(a.end(9, 0, b)); got.status != 403 || !strings.Contains(got.body, "must add the new key") {
		t.Fatalf("got %+v", got)
	}
	r.mustCosign(a, 9, 9)
	// What was followed before is left out as well, and not forgotten.
	r.noFollow = false
	r.restart()
	r.mustFollow(a, 9, a.end(9, 0, b))
	r.mustCosign(b, 0, 3)
	r.noFollow = true
	r.restart()
	r.refused(r.add(b, 3, 3), 404)
	r.refused(r.add(a.grow(10), 9, 10), 410)
	r.noFollow = false
	r.restart()
	r.mustCosign(b, 3, 3)
}

// The operator added the new log's key before the succession came.
func TestASuccessorMayBeKnownAlready(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	r := newRig(t, a, b)
	r.mustCosign(a, 0, 9)
	r.mustCosign(b, 0, 3)
	r.mustFollow(a, 9, a.end(9, 0, b))
	r.mustCosign(b, 3, 3)
	r.refused(r.add(a.grow(10), 9, 10), 410)
}

// G4: nothing is followed that is not on the disk.
func TestNothingIsFollowedThatIsNotOnTheDisk(t *testing.T) {
	for _, persists := range []bool{false, true} {
		t.Run(fmt.Sprint("persists: ", persists), func(t *testing.T) {
			a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
			detail := a.end(9, 0, b)
			r := newRig(t, a)
			r.mustCosign(a, 0, 9)
			r.w.FailSave(persists)
			if got := r.tell(detail); got.status != 500 || strings.Contains(got.body, "— ") {
				t.Fatalf("got %+v", got)
			}
			r.refused(r.add(b, 0, 3), 404)
			r.restart()
			// Whichever it has now, it's whole, and telling it again is right.
			r.mustFollow(a, 9, detail)
			r.mustCosign(b, 0, 3)
			r.refused(r.add(a.grow(10), 9, 10), 410)
		})
	}
	// And when it's answered, both logs are on the disk.
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	r := newRig(t, a)
	r.mustCosign(a, 0, 9)
	inTime := false
	r.w.OnSave(func() {
		content, err := os.ReadFile(filepath.Join(r.dir, "state"))
		inTime = err == nil && strings.Contains(string(content), `"origin": "paravent/a/02"`) && strings.Contains(string(content), "paravent/succession/v1")
	})
	r.mustFollow(a, 9, a.end(9, 0, b))
	if !inTime {
		t.Error("the state on the disk didn't hold the succession")
	}
}

func TestASuccessionInTheStateThatDoesNotFitIsFatal(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	r := newRig(t, a)
	r.mustCosign(a, 0, 9)
	r.mustFollow(a, 9, a.end(9, 0, b))
	r.mustCosign(b, 0, 3)
	r.stop()
	path := filepath.Join(r.dir, "state")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Even with a right hash: as if the witness's own disk were edited by someone
	// who has none of the keys.
	for name, change := range map[string]func(string) string{
		"another size": func(s string) string { return strings.ReplaceAll(s, `a/01\n9\n`, `a/01\n8\n`) },
		"another log": func(s string) string {
			return strings.Replace(s, `"origin": "paravent/a/02"`, `"origin": "paravent/a/04"`, 1)
		},
		"the old one gone": func(s string) string {
			return strings.Replace(s, `"origin": "paravent/a/01"`, `"origin": "paravent/a/00"`, 1)
		},
		"a stranger's end": func(s string) string {
			x := newFakeLog(t, a.origin).grow(9)
			return strings.Replace(s, signatureOf(a.end(9, 0, b)), signatureOf(x.end(9, 0, b)), 1)
		},
	} {
		_, rows, _ := strings.Cut(string(content), "\n")
		changed := change(rows)
		if changed == rows {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(witness.StateOf(strings.TrimSuffix(changed, "\n"))), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := r.tryOpen()
		if err == nil {
			t.Errorf("%s: it starts", name)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
}

// signatureOf is the base64 of the first signature.
func signatureOf(detail string) string {
	_, rest, _ := strings.Cut(detail, "\n\n")
	line, _, _ := strings.Cut(rest, "\n")
	return line[strings.LastIndex(line, " ")+1:]
}

// succession reads what a log signed at its end.
func (l *fakeLog) succession(n int64, before uint64, next *fakeLog) ledger.Succession {
	l.t.Helper()
	s, err := ledger.ParseSuccession([]byte(l.end(n, before, next)))
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// attack is a witness that knows a log of 9 records, of which it cosigned so many.
func attacked(t *testing.T, cosigned int64) (*rig, *fakeLog, *fakeLog) {
	t.Helper()
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(3)
	r := newRig(t, a)
	r.mustCosign(a, 0, cosigned)
	return r, a, b
}

// stays checks that the log goes on as if nothing had been told.
func (r *rig) stays(l *fakeLog, known int64, stranger *fakeLog) {
	r.t.Helper()
	r.mustCosign(l.grow(known+1), known, known+1)
	r.refused(r.add(stranger, 0, 1), 404)
	if rep := r.report(); len(rep.Logs) != 1 || rep.Logs[0].Next != "" {
		r.t.Fatalf("got %+v", rep.Logs)
	}
}

// G4: someone who has no key of the log says that it has ended.
func TestAttackSuccessionSignedByAStranger(t *testing.T) {
	r, a, b := attacked(t, 9)
	namesake := newFakeLog(t, a.origin).grow(9)
	r.refused(r.tell(namesake.end(9, 0, b)), 403)
	// The log's own last checkpoint, with a stranger's statement before it.
	note, _, _ := strings.Cut(namesake.fork(9).end(9, 0, b), "\n\n"+a.origin)
	r.refused(r.tell(note+"\n\n"+a.checkpoint(9)), 403)
	// The successor signs for itself.
	r.refused(r.tell(b.end(3, 0, a)), 404)
	r.noAlarm()
	r.stays(a, 9, b)
}

// G4: who has the log's key ends it at an earlier record, and goes on differently
// in the log that follows.
func TestAttackSuccessionBeforeWhatWasCosigned(t *testing.T) {
	r, a, b := attacked(t, 9)
	r.refused(r.tell(a.end(7, 0, b)), 422)
	alarm := r.lastAlarm(witness.KindOutlived)
	if s, err := ledger.ParseSuccession([]byte(alarm.Shown.Note)); err != nil || s.Verify(a.vkey) != nil || s.Size != 7 {
		t.Errorf("the evidence isn't the signed end: %+v %v", alarm, err)
	}
	if c, _, err := witness.Verify([]byte(alarm.Known.Note), a.log(), nil, 0); err != nil || c.Size != 9 {
		t.Errorf("the evidence isn't the signed checkpoint: %+v %v", alarm, err)
	}
	// Of the same size, with another tree; and longer, with another beginning.
	forged := a.fork(5).lie(4)
	r.refused(r.tell(forged.end(9, 0, b)), 422)
	r.lastAlarm(witness.KindFork)
	forged.lie(4)
	r.refused(r.postTo("/add-log", body(9, forged.proof(9, 13), forged.end(13, 0, b))), 422)
	r.lastAlarm(witness.KindFork)
	r.stays(a, 9, b)
}

// G4: who has the old key leads the witness, or another one, to a second story.
func TestAttackTwoSuccessors(t *testing.T) {
	r, a, b := attacked(t, 9)
	r.mustFollow(a, 9, a.end(9, 0, b))
	r.mustCosign(b, 0, 2)
	thief := newFakeLog(t, "paravent/a/66").grow(3)
	r.refused(r.tell(a.end(9, 0, thief)), 422)
	alarm := r.lastAlarm(witness.KindSuccessors)
	for _, e := range []witness.Evidence{alarm.Known, alarm.Shown} {
		if s, err := ledger.ParseSuccession([]byte(e.Note)); err != nil || s.Verify(a.vkey) != nil {
			t.Errorf("the evidence isn't two signed ends: %+v %v", e, err)
		}
	}
	r.refused(r.add(thief, 0, 3), 404)
	// The same successor after another end is no less a second story.
	r.refused(r.tell(a.grow(11).end(11, 0, b)), 422)
	r.lastAlarm(witness.KindSuccessors)
	r.mustCosign(b, 2, 3)
	r.restart()
	if rep := r.report(); rep.OK || rep.Logs[0].Forks != 2 {
		t.Errorf("the alarms ended: %+v", rep)
	}
}

// G4: an old copy of the server goes on as if the log had not ended.
func TestAttackOldLogGoesOnAfterItsEnd(t *testing.T) {
	r, a, b := attacked(t, 9)
	r.mustFollow(a, 9, a.end(9, 0, b))
	r.mustCosign(b, 0, 2)
	got := r.add(a.grow(12), 9, 12)
	r.refused(got, 410)
	if !strings.Contains(got.body, "ended with 9 records") || !strings.Contains(got.body, b.vkey) {
		t.Errorf("got %q", got.body)
	}
	alarm := r.lastAlarm(witness.KindOutlived)
	if s, err := ledger.ParseSuccession([]byte(alarm.Known.Note)); err != nil || s.Verify(a.vkey) != nil || s.Size != 9 || alarm.Shown.Size != 12 {
		t.Errorf("the evidence doesn't prove it: %+v %v", alarm, err)
	}
	// Its server hears it, and says so.
	d := &desk{t: t, log: a, clock: r.clock, shelf: &shelf{}, rigs: []*rig{r}}
	d.opt = witness.PublisherOptions{Heads: a, Proofs: a, Store: d.shelf, Clock: d.clock.now, Policy: witness.Policy{Witnesses: []witness.Peer{r.peer("w1")}, Need: 1}}
	d.again()
	if s := d.after(time.Second); s.OK || !s.Witnesses[0].Accuses || !strings.Contains(s.Reason, "another log goes on") {
		t.Errorf("got %+v", s)
	}
	// What was only suspected before the end is proven by it.
	r, a, b = attacked(t, 8)
	r.refused(r.post(body(8, nil, a.grow(20).checkpoint(20))), 422)
	r.lastAlarm(witness.KindInconsistent)
	if got := r.postTo("/add-log", body(8, a.proof(8, 9), a.end(9, 0, b))); got.status != 200 {
		t.Fatalf("got %+v", got)
	}
	r.lastAlarm(witness.KindOutlived)
}

// Anyone may repeat a succession, and old checkpoints of a log that has ended:
// it changes nothing, and no alarm of it stays for ever.
func TestAttackSuccessionReplayed(t *testing.T) {
	r, a, b := attacked(t, 9)
	detail := a.end(9, 0, b)
	r.mustFollow(a, 9, detail)
	r.mustCosign(b, 0, 2)
	before := r.report().Logs
	r.clock.add(time.Hour)
	for range 3 {
		r.mustFollow(a, 9, detail)
		if got := r.postTo("/add-log", body(4, a.proof(4, 9), detail)); got.status != 200 {
			t.Fatalf("got %+v", got)
		}
	}
	// With signatures that anyone can add, it's still the same.
	extra := "— paravent/x " + strings.Repeat("A", 40) + "\n"
	r.mustFollow(a, 9, detail+extra)
	if after := r.report().Logs; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("it changed: %+v, was %+v", after, before)
	}
	r.noAlarm()
	r.refused(r.add(a, 0, 5), 409)
	r.lastAlarm(witness.KindRollback)
	r.mustCosign(b, 2, 3)
	if rep := r.report(); !rep.OK {
		t.Errorf("the log that follows doesn't answer: %+v", rep)
	}
}

func TestAttackHugeAndMalformedSuccessions(t *testing.T) {
	r, a, b := attacked(t, 9)
	good := a.end(9, 0, b)
	own := "paravent/succession/v1\n" + a.origin + "\n9\n" + a.root(9).String() + "\n9\n"
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing":                  {"", 400},
		"words":                    {"hello\n\nworld\n", 400},
		"a checkpoint":             {a.checkpoint(9), 400},
		"huge":                     {good + strings.Repeat("x", witness.MaxRequest), 413},
		"no checkpoint":            {good[:strings.LastIndex(good, a.origin+"\n9\n")], 400},
		"another checkpoint":       {strings.TrimSuffix(good, a.checkpoint(9)) + a.checkpoint(8), 403},
		"no signature":             {own + b.vkey + "\n\n" + a.checkpoint(9), 400},
		"a size with a zero":       {strings.Replace(good, "\n9\n", "\n09\n", 1), 400},
		"a size without end":       {strings.Replace(good, "\n9\n", "\n99999999999999999999\n", 1), 400},
		"itself as the successor":  {a.end(9, 0, a), 400},
		"a witness as successor":   {a.sign(own+r.w.Verifier().String()+"\n") + "\n" + a.checkpoint(9), 400},
		"no key as the successor":  {a.sign(own+"nobody\n") + "\n" + a.checkpoint(9), 400},
		"a seventh line":           {a.sign(own+b.vkey+"\nmore\n") + "\n" + a.checkpoint(9), 400},
		"too many hashes":          {body(9, make(tlog.TreeProof, 64), good), 400},
		"a proof that's not one":   {body(9, make(tlog.TreeProof, 3), good), 422},
		"a smaller base":           {a.sign(own[:len(own)-2]+"3\n"+b.vkey+"\n") + "\n" + a.checkpoint(9), 400},
		"an old size beyond it":    {body(10, nil, good), 400},
		"control characters":       {"paravent/succession/v1\n\x00\n\n\n\n", 400},
		"a changed new key":        {strings.Replace(good, b.vkey, newFakeLog(t, b.origin).vkey, 1), 403},
		"spare bits in the base64": {spare(good), 400},
	} {
		got := r.tell(c.body)
		if got.status != c.status || strings.Contains(got.body, "— ") {
			t.Errorf("%s: got %+v, want %d", name, got, c.status)
		}
	}
	if got := r.report(); len(got.Logs) != 1 {
		t.Errorf("got %+v", got.Logs)
	}
}

// spare changes a bit of the first signature's base64 that stands for nothing.
func spare(detail string) string {
	sig := signatureOf(detail) // 68 bytes: one "=" and two spare bits
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := len(sig) - 2
	changed := sig[:at] + string(digits[strings.IndexByte(digits, sig[at])+1]) + sig[at+1:]
	return strings.Replace(detail, sig, changed, 1)
}

func TestAttackAddLogForALogNeverKnown(t *testing.T) {
	r, a, b := attacked(t, 9)
	stranger := newFakeLog(t, "paravent/x/99").grow(4)
	r.refused(r.tell(stranger.end(4, 0, b)), 404)
	// Nor can a log be led into another that is known here.
	r2 := newRig(t, a, stranger)
	r2.mustCosign(a, 0, 9)
	r2.mustCosign(stranger, 0, 4)
	namesake := newFakeLog(t, a.origin).grow(2)
	r2.refused(r2.tell(stranger.end(4, 0, namesake)), 403)
	r2.mustFollow(stranger, 4, stranger.end(4, 0, a))
	r2.refused(r2.tell(a.end(9, 4, stranger)), 403) // in a circle
	r2.refused(r2.tell(a.end(9, 5, b)), 422)        // records that neither log has
	r2.mustFollow(a, 9, a.end(9, 4, b))
	r.noAlarm()
	r.stays(a, 9, b)
}
