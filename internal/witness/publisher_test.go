package witness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// Consistency makes fakeLog a witness.Proofs.
func (l *fakeLog) Consistency(_ context.Context, old, n uint64) ([]tlog.Hash, error) {
	if old == 0 || old >= n {
		l.t.Errorf("asked for the proof from %d to %d", old, n)
	}
	return l.proof(int64(old), int64(n)), nil
}

// shelf is a Store in memory.
type shelf struct {
	mu   sync.Mutex
	note []byte
	n    int
	err  error
}

func (s *shelf) Publish(_ context.Context, note []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.note, s.n = append([]byte(nil), note...), s.n+1
	return nil
}

func (s *shelf) Published() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note, nil
}

// desk is a publisher with what it needs.
type desk struct {
	t     *testing.T
	log   *fakeLog
	clock *clock
	shelf *shelf
	rigs  []*rig
	opt   witness.PublisherOptions
	p     *witness.Publisher
}

func newDesk(t *testing.T, l *fakeLog, policy witness.Policy, rigs ...*rig) *desk {
	t.Helper()
	d := &desk{t: t, log: l, clock: newClock(), shelf: &shelf{}, rigs: rigs}
	for i, r := range rigs {
		r.clock = d.clock
		r.restart() // for the clock
		policy.Witnesses = append(policy.Witnesses, r.peer("w"+string(rune('1'+i))))
	}
	d.opt = witness.PublisherOptions{Heads: l, Proofs: l, Store: d.shelf, Policy: policy, Clock: d.clock.now}
	d.again()
	return d
}

// again starts a new publisher, as after a restart of the server.
func (d *desk) again() {
	d.t.Helper()
	p, err := witness.NewPublisher(d.opt)
	if err != nil {
		d.t.Fatal(err)
	}
	d.p = p
}

func (r *rig) peer(name string) witness.Peer {
	r.t.Helper()
	p, err := witness.NewPeer(name, r.srv.URL, r.w.Verifier().String())
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// after moves the clock and runs one round.
func (d *desk) after(by time.Duration) witness.State {
	d.clock.add(by)
	d.p.Round(d.t.Context())
	return d.p.State()
}

// published checks what is published, with its cosignatures.
func (d *desk) published(size uint64, cosigned int) {
	d.t.Helper()
	var keys []witness.Verifier
	for _, p := range d.opt.Policy.Witnesses {
		keys = append(keys, p.Key)
	}
	c, by, err := witness.Verify(d.shelf.note, d.log.log(), keys, 0)
	if err != nil || c.Size != size || len(by) != cosigned {
		d.t.Fatalf("published: %d records, %d cosignatures, want %d and %d (%v)\n%s", c.Size, len(by), size, cosigned, err, d.shelf.note)
	}
}

func TestPublishedCheckpointsCarryWhatTheWitnessesSigned(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 2}, newRig(t, l), newRig(t, l))
	if s := d.after(0); !s.OK || s.Cosigned != 5 || s.Published != 5 || s.Behind != 0 || !s.CosignedAt.Equal(start) {
		t.Fatalf("first: %+v", s)
	}
	d.published(5, 2)
	l.grow(9)
	if s := d.after(time.Second); !s.OK || s.Cosigned != 9 || s.Witnesses[1].Size != 9 {
		t.Fatalf("second: %+v", s)
	}
	d.published(9, 2)
	// Idle: nothing is written, until the time is told anew.
	n := d.shelf.n
	d.after(time.Second)
	if d.shelf.n != n {
		t.Error("an idle ledger is published again and again")
	}
	first := string(d.shelf.note)
	if s := d.after(time.Minute); !s.OK || string(d.shelf.note) == first {
		t.Errorf("after a minute the cosignatures have the old time: %+v", s)
	}
	d.published(9, 2)
	// A restart of the server needs no witness's memory.
	d.again()
	if s := d.p.State(); s.Cosigned != 9 || s.Published != 9 {
		t.Errorf("after a restart: %+v", s)
	}
	l.grow(12)
	if s := d.after(time.Second); !s.OK || s.Cosigned != 12 {
		t.Errorf("after a restart and a round: %+v", s)
	}
	for _, r := range d.rigs {
		r.noAlarm()
	}
}

func TestWhenWitnessesAreMissing(t *testing.T) {
	for _, c := range []struct {
		missing witness.Missing
		refuses bool
	}{{witness.Warn, false}, {witness.Refuse, true}, {"", false}} {
		t.Run(string(c.missing), func(t *testing.T) {
			l := newFakeLog(t, "paravent/a/01").grow(5)
			r := newRig(t, l)
			d := newDesk(t, l, witness.Policy{Need: 1, IfMissing: c.missing, Grace: 10 * time.Second}, r)
			d.after(0)
			d.published(5, 1)
			r.down.Store(true)
			// Nothing waits: nothing is wrong, however long.
			if s := d.after(time.Hour); !s.OK || s.Refusing || s.Witnesses[0].Err == "" {
				t.Errorf("idle: %+v", s)
			}
			l.grow(6)
			if s := d.after(time.Second); !s.OK || s.Refusing {
				t.Errorf("within the grace: %+v", s)
			}
			d.published(5, 1) // still the cosigned one
			s := d.after(11 * time.Second)
			if s.OK || s.Refusing != c.refuses || s.Behind != 11*time.Second || !strings.Contains(s.Reason, "1 records wait for a cosignature") {
				t.Errorf("after the grace: %+v", s)
			}
			d.published(6, 0)
			err := d.p.Refusing()
			if errors.Is(err, ledger.ErrUnavailable) != c.refuses {
				t.Errorf("refusing: %v", err)
			}
			j := &journal{}
			g := witness.Guard(j, d.p)
			for _, kind := range []ledger.Kind{ledger.KindIntent, ledger.KindOutcome, ledger.KindRefusal, ledger.KindAct} {
				_, err := g.Append(t.Context(), ledger.Entry{Kind: kind})
				if want := c.refuses && kind == ledger.KindIntent; errors.Is(err, ledger.ErrUnavailable) != want {
					t.Errorf("%s: got %v", kind, err)
				}
			}
			if want := 4; c.refuses && j.n != want-1 || !c.refuses && j.n != want {
				t.Errorf("%d entries were passed on", j.n)
			}
			// The witness is back.
			r.down.Store(false)
			if s := d.after(5 * time.Second); !s.OK || s.Refusing || s.Cosigned != 6 {
				t.Errorf("back again: %+v", s)
			}
			d.published(6, 1)
		})
	}
}

// A publisher that stands still protects nothing, so it refuses too.
func TestAPublisherThatStandsStillRefuses(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1, IfMissing: witness.Refuse, Grace: 10 * time.Second}, newRig(t, l))
	d.after(0)
	l.grow(6)
	if err := d.p.Refusing(); err != nil {
		t.Fatal(err)
	}
	d.clock.add(11 * time.Second)
	if err := d.p.Refusing(); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	// Setting the clock back doesn't help for longer than the grace.
	d.clock.add(-time.Hour)
	if err := d.p.Refusing(); err != nil {
		t.Errorf("counting anew: %v", err)
	}
	d.clock.add(11 * time.Second)
	if err := d.p.Refusing(); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

type journal struct{ n int }

func (j *journal) Append(context.Context, ledger.Entry) (ledger.Receipt, error) {
	j.n++
	return ledger.Receipt{}, nil
}

// G4: the server's whole folder is replaced by last week's copy; the published
// checkpoint, elsewhere, isn't.
func TestAttackLedgerOlderThanWhatWasPublished(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	d := newDesk(t, l, witness.Policy{Need: 1, IfMissing: witness.Refuse}, newRig(t, l))
	d.after(0)
	evidence := string(d.shelf.note)
	for name, c := range map[string]struct {
		log  *fakeLog
		want string
	}{
		"shorter":          {l.fork(7), "the ledger has only 7"},
		"another, same":    {l.fork(7).lie(2), "does not begin with the 9"},
		"another, longer":  {l.fork(7).lie(9), "does not begin with the 9"},
		"a damaged shelf":  {l, "not as this log signed it"},
		"the shelf of two": {l, "not as this log signed it"},
	} {
		t.Run(name, func(t *testing.T) {
			d.shelf.note = []byte(evidence)
			switch name {
			case "a damaged shelf":
				d.shelf.note[40] ^= 1
			case "the shelf of two":
				d.shelf.note = []byte(newFakeLog(t, "paravent/b/02").grow(9).checkpoint(9))
			}
			before := string(d.shelf.note)
			d.opt.Heads, d.opt.Proofs = c.log, c.log
			d.again()
			s := d.after(time.Second)
			if s.OK || !s.Refusing || !strings.Contains(s.Reason, c.want) {
				t.Errorf("got %+v", s)
			}
			if string(d.shelf.note) != before {
				t.Error("the evidence was written over")
			}
		})
	}
	d.rigs[0].noAlarm() // nobody else was shown the fork
}

// G4: everything on the server is replaced by last week's copy, the published
// checkpoint too. Only the witness knows.
func TestAttackWholeServerRolledBackIsNamedByTheWitness(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l))
	d.after(0)
	lastWeek, copied := d.shelf.note, l.fork(9)
	l.grow(20)
	d.after(time.Second)

	d.shelf.note = lastWeek
	d.opt.Heads, d.opt.Proofs = copied.lie(1), copied
	d.again()
	s := d.after(time.Second)
	if s.OK || !s.Witnesses[0].Accuses || !strings.Contains(s.Reason, "has seen 20 records of this log, and the ledger has only 10") {
		t.Errorf("rolled back: %+v", s)
	}
	d.rigs[0].lastAlarm(witness.KindRollback)
	copied.lie(15)
	if s := d.after(10 * time.Second); s.OK || !s.Witnesses[0].Accuses || !strings.Contains(s.Reason, "does not begin with the 20 records that it has seen") {
		t.Errorf("outgrown: %+v", s)
	}
	d.rigs[0].lastAlarm(witness.KindFork)
	if s := d.after(time.Second); s.Cosigned != 9 {
		t.Errorf("cosigned: %+v", s)
	}
}

// G4: the same size, another root.
func TestAttackTwinServersAreNamed(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	d := newDesk(t, l, witness.Policy{Need: 1}, r)
	d.after(0)
	twin := l.fork(8).lie(1)
	d.opt.Heads, d.opt.Proofs, d.opt.Store = twin, twin, &shelf{}
	d.again()
	if s := d.after(time.Second); s.OK || !strings.Contains(s.Reason, "another tree of 9 records") {
		t.Errorf("got %+v", s)
	}
	r.lastAlarm(witness.KindFork)
}

func TestAFailureOfTheShelfIsToldAndTriedAgain(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{})
	d.shelf.err = errors.New("disk full")
	if s := d.after(0); s.OK || !strings.Contains(s.Reason, "disk full") || s.Published != 0 {
		t.Errorf("got %+v", s)
	}
	d.shelf.err = nil
	if s := d.after(time.Second); !s.OK || s.Published != 5 || s.Behind != 0 {
		t.Errorf("got %+v", s)
	}
	d.published(5, 0)
}

func TestWitnessesThatLie(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	good := newRig(t, l)
	old := good.mustCosign(l, 0, 3)
	asked := 0
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"with another checkpoint's cosignature": {func(w http.ResponseWriter, _ *http.Request) {
			write(t, w, old[strings.LastIndex(old, "— "):])
		}, "no cosignature of this checkpoint"},
		"with nothing": {func(w http.ResponseWriter, _ *http.Request) {}, "no cosignature of this checkpoint"},
		"with words":   {func(w http.ResponseWriter, _ *http.Request) { write(t, w, "fine\n") }, "no cosignature of this checkpoint"},
		"with another place": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, good.srv.URL+"/add-checkpoint", http.StatusTemporaryRedirect)
		}, "307"},
		"with a size that changes": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(409)
			asked++
			write(t, w, fmt.Sprintf("%d\n", asked%4))
		}, "the witness knows a checkpoint of"},
		"with a size that's none": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(409)
			write(t, w, "-1\n")
		}, "409"},
		"with control characters": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			write(t, w, "\x1b[2J"+strings.Repeat("x", 1000))
		}, `403 Forbidden: "\x1b[2Jxxx`},
		"without end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, "no cosignature of this checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(c.answer))
			defer srv.Close()
			peer, err := witness.NewPeer("liar", srv.URL, good.w.Verifier().String())
			if err != nil {
				t.Fatal(err)
			}
			d := newDesk(t, l, witness.Policy{Witnesses: []witness.Peer{peer}, Need: 1})
			d.after(0)
			s := d.after(time.Minute)
			if s.OK || s.Cosigned != 0 || !strings.Contains(s.Witnesses[0].Err, c.want) || len(s.Witnesses[0].Err) > 1200 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func write(t *testing.T, w http.ResponseWriter, text string) {
	if _, err := w.Write([]byte(text)); err != nil {
		t.Error(err)
	}
}

// An answer that was recorded and is repeated later, or a clock that is wrong.
func TestAttackCosignatureFromAnotherTimeIsNotCounted(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	r := newRig(t, l)
	d := newDesk(t, l, witness.Policy{Need: 1}, r)
	d.clock = newClock() // the server's, apart from the witness's from now on
	d.clock.add(time.Hour)
	d.opt.Clock = d.clock.now
	d.again()
	d.after(0)
	if s := d.after(time.Minute); s.OK || s.Cosigned != 0 || !strings.Contains(s.Witnesses[0].Err, "off: a clock is wrong") {
		t.Errorf("got %+v", s)
	}
}

func TestASlowWitnessHoldsNobodyUpForLong(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	l := newFakeLog(t, "paravent/a/01").grow(5)
	end := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer srv.Close()
	defer close(end)
	slow, err := witness.NewPeer("slow", srv.URL, newRig(t, l).w.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, l, witness.Policy{Witnesses: []witness.Peer{slow}, Need: 1}, newRig(t, l))
	began := time.Now()
	s := d.after(0)
	if took := time.Since(began); took > 3*time.Second || !s.OK || s.Cosigned != 5 || s.Witnesses[0].Problem != "it did not answer within 2s" {
		t.Errorf("took %s: %+v", took, s)
	}
	l.grow(6)
	began = time.Now()
	if s := d.after(0); time.Since(began) > time.Second || s.Cosigned != 6 {
		t.Errorf("and at once again: %+v", s)
	}
}

func TestRunFollowsUntilItIsEnded(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	d := newDesk(t, l, witness.Policy{Need: 1}, newRig(t, l))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.p.Run(ctx) }()
	for s := d.p.State(); s.Cosigned != 5; s = d.p.State() {
		if t.Context().Err() != nil {
			t.Fatal("never cosigned")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAPolicyThatCannotHoldIsRefused(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(5)
	g := golden(t)
	w1, err := witness.ParsePeer("w1 http://127.0.0.1:1/ " + g["public.key"])
	if err != nil || w1.URL != "http://127.0.0.1:1" || w1.String() != "w1 http://127.0.0.1:1 "+strings.TrimSpace(g["public.key"]) {
		t.Fatalf("%+v %v", w1, err)
	}
	same := w1
	same.Name = "w2"
	for name, p := range map[string]witness.Policy{
		"more needed than there are":   {Witnesses: []witness.Peer{w1}, Need: 2},
		"one key under two names":      {Witnesses: []witness.Peer{w1, same}, Need: 1},
		"one name twice":               {Witnesses: []witness.Peer{w1, w1}, Need: 1},
		"refusing without need":        {Witnesses: []witness.Peer{w1}, IfMissing: witness.Refuse},
		"an unknown word":              {Witnesses: []witness.Peer{w1}, IfMissing: "ignore"},
		"a negative need":              {Need: -1},
		"a negative grace":             {Grace: -1},
		"a witness that is no witness": {Witnesses: []witness.Peer{{Name: "x"}, {Name: "y"}}},
	} {
		if _, err := witness.NewPublisher(witness.PublisherOptions{Heads: l, Proofs: l, Store: &shelf{}, Clock: newClock().now, Policy: p}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, line := range []string{
		"", "w1", "w1 http://h", "w1 ftp://h " + g["public.key"], "w1 http://user:pw@h " + g["public.key"],
		"w1 http:// " + g["public.key"], "w1 http://h?x=1 " + g["public.key"], "w1 http://h " + g["log.key"],
	} {
		if _, err := witness.ParsePeer(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}
