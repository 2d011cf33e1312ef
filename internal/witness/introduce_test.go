package witness_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/witness"
)

// goesOn is the desk's server after a rotation: next is written to from now on.
func (d *desk) goesOn(next *fakeLog, links ...witness.Link) {
	d.t.Helper()
	d.log, d.shelf = next, &shelf{}
	d.opt.Heads, d.opt.Proofs, d.opt.Store = next, next, d.shelf
	d.opt.Successions = func(context.Context) ([]witness.Link, error) { return links, nil }
	d.again()
}

func TestTheServerTellsItsWitnessesOfTheSuccession(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(2)
	d := newDesk(t, a, witness.Policy{Need: 2}, newRig(t, a), newRig(t, a))
	if _, err := d.p.Last(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	d.goesOn(b, witness.Link{Succession: a.succession(9, 0, b)})
	if s := d.after(time.Second); !s.OK || s.Cosigned != 2 || s.Origin != b.origin || s.Key != b.vkey || !s.Witnesses[0].Current || !s.Witnesses[1].Current {
		t.Errorf("got %+v", s)
	}
	d.published(2, 2)
	b.grow(5)
	d.after(time.Second)
	d.published(5, 2)
	for _, r := range d.rigs {
		r.noAlarm()
	}
}

// A witness that was away while the ledger was rotated twice is told all of it.
func TestAWitnessThatMissedTwoRotationsCatchesUp(t *testing.T) {
	a, b, c := newFakeLog(t, "paravent/a/01").grow(5), newFakeLog(t, "paravent/a/02").grow(7), newFakeLog(t, "paravent/a/03").grow(3)
	d := newDesk(t, a, witness.Policy{Need: 1}, newRig(t, a))
	d.after(0)
	a.grow(9)
	d.goesOn(c, witness.Link{Succession: b.succession(7, 9, c), Before: b}, witness.Link{Succession: a.succession(9, 0, b), Before: a})
	if s := d.after(time.Second); !s.OK || s.Cosigned != 3 {
		t.Errorf("got %+v", s)
	}
	if rep := d.rigs[0].report(); !rep.OK || len(rep.Logs) != 3 || rep.Logs[0].Size != 9 || rep.Logs[1].Size != 7 {
		t.Errorf("got %+v", rep)
	}
}

func TestTheStateSaysWhichKeyToAddAtAWitnessThatCannotFollow(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(2)
	link := witness.Link{Succession: a.succession(9, 0, b)}
	stays := newRig(t, a)
	stays.noFollow = true
	foreign := func(answer http.HandlerFunc) func(*testing.T) witness.Peer {
		return func(t *testing.T) witness.Peer {
			mux := http.NewServeMux() // of C2SP alone
			mux.HandleFunc("POST /add-checkpoint", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "unknown log", 404) })
			mux.HandleFunc("/", answer)
			srv := httptest.NewServer(mux)
			t.Cleanup(srv.Close)
			p, err := witness.NewPeer("w1", srv.URL, newRig(t, a).w.Verifier().String())
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	for name, c := range map[string]struct {
		peer  func(*testing.T) witness.Peer
		links []witness.Link
		want  string
	}{
		"another make": {foreign(http.NotFound), []witness.Link{link}, "does not know this log"},
		"another make that answers to anything": {foreign(func(w http.ResponseWriter, _ *http.Request) { write(t, w, "<html>") }),
			[]witness.Link{link}, "does not follow it"},
		"another make that refuses": {foreign(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }), []witness.Link{link}, "does not follow it"},
		"ours with --no-follow": {func(t *testing.T) witness.Peer {
			stays.restart()
			stays.mustCosign(a, 0, 9)
			return stays.peer("w1")
		}, []witness.Link{link}, "must add the new key"},
		"a first log that it was never given": {func(t *testing.T) witness.Peer { return newRig(t, a).peer("w1") }, nil, "does not know this log"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, b, witness.Policy{Witnesses: []witness.Peer{c.peer(t)}, Need: 1})
			d.goesOn(b, c.links...)
			if c.links == nil {
				d.opt.Successions = nil
				d.again()
			}
			d.after(0)
			s := d.after(11 * time.Second)
			if w := s.Witnesses[0]; s.OK || w.Accuses || w.Current || !strings.Contains(w.Problem, c.want) || !strings.HasSuffix(w.Problem, "whoever runs it must add the key "+b.vkey) {
				t.Errorf("got %+v", s)
			}
			if !strings.Contains(s.Reason, b.vkey) {
				t.Errorf("the reason doesn't tell: %s", s.Reason)
			}
		})
	}
}

func TestAWitnessThatCannotBeToldIsNotBlamed(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(5), newFakeLog(t, "paravent/a/02").grow(2)
	d := newDesk(t, a, witness.Policy{Need: 1}, newRig(t, a))
	d.after(0)
	a.grow(9)
	// The old log's tiles aren't there any more.
	d.goesOn(b, witness.Link{Succession: a.succession(9, 0, b)})
	if s := d.after(time.Second); s.Witnesses[0].Accuses || !strings.Contains(s.Witnesses[0].Problem, "has missed the end of paravent/a/01: it knows 5 records") {
		t.Errorf("got %+v", s)
	}
	// The succession itself can't be read: that's ours.
	d.opt.Successions = func(context.Context) ([]witness.Link, error) { return nil, errors.New("the disk is gone") }
	d.again()
	if s := d.after(time.Second); s.OK || !strings.Contains(s.Reason, "the disk is gone") || s.Witnesses[0].Accuses {
		t.Errorf("got %+v", s)
	}
}

// G4: the server is rolled back to before the rotation, and rotated again.
func TestAttackAnotherSuccessionAfterARollbackIsNamed(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/a/02").grow(2)
	copied, other := a.fork(7), newFakeLog(t, "paravent/a/07").grow(2)
	d := newDesk(t, a, witness.Policy{Need: 1}, newRig(t, a))
	d.after(0)
	d.goesOn(b, witness.Link{Succession: a.succession(9, 0, b)})
	d.after(time.Second)
	copied.lie(1)
	d.goesOn(other, witness.Link{Succession: copied.succession(8, 0, other), Before: copied})
	if s := d.after(time.Second); s.OK || !s.Witnesses[0].Accuses || !strings.Contains(s.Reason, "contradicts the end of the log before this one") {
		t.Errorf("got %+v", s)
	}
	d.rigs[0].lastAlarm(witness.KindSuccessors)
}

func TestTheLastCheckpointIsCosignedByAllBeforeTheLogEnds(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l), newRig(t, l))
	d.after(0)
	l.grow(9)
	note, err := d.p.Last(t.Context(), time.Minute)
	if err != nil || string(note) != string(d.shelf.note) {
		t.Fatalf("got %s (%v)", note, err)
	}
	d.published(9, 2)
	// Again, after a restart: nobody needs to be asked.
	for _, r := range d.rigs {
		r.down.Store(true)
	}
	n := d.shelf.n
	d.again()
	if again, err := d.p.Last(t.Context(), time.Minute); err != nil || string(again) != string(note) || d.shelf.n != n {
		t.Errorf("again: %s (%v), published %d times", again, err, d.shelf.n-n)
	}
	// A log without witnesses has a last checkpoint as well.
	alone := newDesk(t, l, witness.Policy{})
	if _, err := alone.p.Last(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	alone.published(9, 0)
}

func TestTheLastCheckpointIsPublishedWithoutWitnessesThatAreAway(t *testing.T) {
	for _, c := range []struct {
		need int
		few  bool
	}{{1, false}, {2, true}} {
		l := newFakeLog(t, "paravent/a/01").grow(5)
		d := newDesk(t, l, witness.Policy{Need: c.need, IfMissing: witness.Refuse}, newRig(t, l), newRig(t, l))
		d.after(0)
		d.rigs[1].down.Store(true)
		l.grow(9)
		began := time.Now()
		note, err := d.p.Last(t.Context(), 300*time.Millisecond)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		var missing *witness.MissingError
		if !errors.As(err, &missing) || len(missing.Missing) != 1 || missing.Missing[0].Name != "w2" || missing.Have != 1 || errors.Is(err, witness.ErrTooFew) != c.few {
			t.Errorf("need %d: got %v", c.need, err)
		}
		if !strings.Contains(err.Error(), "w2 (it can't be reached)") {
			t.Errorf("got %v", err)
		}
		if string(note) != string(d.shelf.note) {
			t.Errorf("got %s", note)
		}
		d.published(9, 1)
		// The witness comes back while there's still time.
		go func() {
			time.Sleep(100 * time.Millisecond)
			d.rigs[1].down.Store(false)
		}()
		if _, err := d.p.Last(t.Context(), time.Minute); err != nil {
			t.Error(err)
		}
		d.published(9, 2)
	}
}

func TestTheLastCheckpointOfALedgerThatWasRewrittenIsNotPublished(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l))
	d.after(0)
	before := string(d.shelf.note)
	d.opt.Heads, d.opt.Proofs = l.fork(7).lie(4), l.fork(7).lie(4)
	d.again()
	note, err := d.p.Last(t.Context(), time.Minute)
	if err == nil || !strings.Contains(err.Error(), "does not begin with the 9") || string(note) != before {
		t.Errorf("got %s %v", note, err)
	}
	d.shelf.err = errors.New("disk full")
	d.opt.Heads, d.opt.Proofs = l.grow(12), l
	d.again()
	if note, err = d.p.Last(t.Context(), 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "disk full") || string(note) != before {
		t.Errorf("got %s %v", note, err)
	}
}

func TestTheLastCheckpointIsMadeBesideRun(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.p.Run(ctx) }()
	if _, err := d.p.Last(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.grow(7)
	if _, err := d.p.Last(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	d.published(7, 1)
}

// After a restart a cosigned checkpoint isn't replaced by one that lacks what
// it had, and the witnesses are asked at once.
func TestARestartKeepsWhatWasCosigned(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l), newRig(t, l))
	d.after(0)
	d.rigs[0].down.Store(true)
	d.again()
	d.clock.add(time.Hour)
	s := d.after(0)
	d.published(5, 2)
	if w := s.Witnesses; w[0].Size != 5 || !w[0].At.Equal(start) || w[0].Problem != "it can't be reached" || !w[0].Tried.Equal(start.Add(time.Hour)) ||
		w[1].Problem != "" || !w[1].At.Equal(start.Add(time.Hour)) || !s.OK || !s.PublishedAt.Equal(start.Add(time.Hour)) {
		t.Errorf("got %+v", s)
	}
}

// lame proves nothing.
type lame struct{ err error }

func (p lame) Consistency(context.Context, uint64, uint64) ([]tlog.Hash, error) { return nil, p.err }

// What the server itself can't do is told at once, and no witness is blamed.
func TestAProofThatCannotBeMadeIsToldAtOnce(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l))
	d.after(0)
	d.shelf.note = nil // nothing to compare with here: only the proof for the witness fails
	d.opt.Heads, d.opt.Proofs = l.grow(9), lame{errors.New("the checkpoint on disk has 12 records, the journal only 9")}
	d.again()
	s := d.after(time.Second)
	if s.OK || !strings.Contains(s.Reason, "the journal only 9") || s.Witnesses[0].Accuses || !strings.Contains(s.Witnesses[0].Problem, "this server could not prove") {
		t.Errorf("got %+v", s)
	}
}

// A page shows what is wrong in words that need no programmer.
func TestTheStateNamesEachTroubleInPlainWords(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	key := newRig(t, l).w.Verifier().String()
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	plain, secure := httptest.NewServer, httptest.NewTLSServer
	for name, c := range map[string]struct {
		serve  func(http.Handler) *httptest.Server
		answer http.HandlerFunc
		want   string
	}{
		"a certificate of its own": {secure, status(200), "it can't be asked: its TLS certificate is not trusted here"},
		"another key of the log":   {plain, status(403), "it knows the log by another key"},
		"too often":                {plain, status(429), "it was asked too often"},
		"its disk is full":         {plain, status(500), "something is wrong at the witness itself (500)"},
		"an odd answer":            {plain, status(418), "it refused (418 I'm a teapot)"},
		"hanging up":               {plain, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "it can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := c.serve(c.answer)
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			defer srv.Close()
			peer, err := witness.NewPeer("w1", srv.URL, key)
			if err != nil {
				t.Fatal(err)
			}
			d := newDesk(t, l, witness.Policy{Witnesses: []witness.Peer{peer}, Need: 1, IfMissing: witness.Refuse})
			d.after(0)
			s := d.after(11 * time.Second)
			if w := s.Witnesses[0]; !strings.HasPrefix(w.Problem, c.want) || w.Err == "" || !s.Refusing || !strings.HasSuffix(s.Reason, "witness w1: "+w.Problem) {
				t.Errorf("got %+v", s)
			}
			if s.IfMissing != witness.Refuse || s.Grace != 10*time.Second || s.Need != 1 {
				t.Errorf("the policy: %+v", s)
			}
		})
	}
}
