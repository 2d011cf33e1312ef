package witness_test

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// keyTable is a table of keys in memory.
type keyTable struct {
	ledger.Keys // what isn't called here
	mu          sync.Mutex
	rows        map[string]ledger.Key
}

func (k *keyTable) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]ledger.Key{}
	for _, p := range persons {
		if row, ok := k.rows[p]; ok {
			out[p] = row
		}
	}
	return out, nil
}

func (k *keyTable) ByID(context.Context, []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	return nil, nil
}

func (k *keyTable) Create(_ context.Context, keys []ledger.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		if _, ok := k.rows[key.Person]; !ok {
			k.rows[key.Person] = key
		}
	}
	return nil
}

// The heads that the ledger signs for itself are checkpoints as they stand: no
// second signature, no second key.
func TestTheLedgersOwnHeadsAreCosigned(t *testing.T) {
	o := ledger.Options{Node: "till1", Clock: time.Now, Keys: &keyTable{rows: map[string]ledger.Key{}}}
	dir := filepath.Join(t.TempDir(), "ledger")
	if err := ledger.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log, err := witness.LogOf(l.Origin(), l.Public())
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.logs, r.clock = []witness.Log{log}, &clock{at: time.Now()}
	r.open()
	tiles := audit.NewPublisher(l, audit.PublisherOptions{Dir: dir, Witnessed: true})
	p, err := witness.NewPublisher(witness.PublisherOptions{
		Heads: l, Proofs: tiles, Store: tiles, Clock: r.clock.now,
		Policy: witness.Policy{Witnesses: []witness.Peer{r.peer("w1")}, Need: 1, IfMissing: witness.Refuse},
	})
	if err != nil {
		t.Fatal(err)
	}
	j := witness.Guard(l, p)
	for range 20 {
		if _, err := j.Append(t.Context(), ledger.Entry{Kind: ledger.KindIntent, Employee: ledger.Part{Person: "employee:e1", Plain: []byte("looked")}}); err != nil {
			t.Fatal(err)
		}
		p.Round(t.Context())
	}
	r.clock.add(2 * time.Minute)
	p.Round(t.Context()) // the same checkpoint, with a new time
	if s := p.State(); !s.OK || s.Cosigned != l.Size() {
		t.Fatalf("got %+v, the ledger has %d", s, l.Size())
	}
	published, err := tiles.Published()
	if err != nil {
		t.Fatal(err)
	}
	c, by, err := witness.Verify(published, log, []witness.Verifier{r.w.Verifier()}, 1)
	if err != nil || c.Size != l.Size() || c.Root != l.Head().Root || len(by) != 1 || by[0].Time.Unix() != r.clock.now().Unix() {
		t.Errorf("got %+v %+v %v", c, by, err)
	}
	head := l.Head()
	head.Size++
	if _, err := log.Checkpoint(head); err == nil {
		t.Error("a head that isn't signed became a checkpoint")
	}
	if _, err := witness.LogOf("a b", ed25519.PublicKey(nil)); err == nil {
		t.Error("a log without name and key was taken")
	}
	r.noAlarm()
}

// The ledger is rotated as users rotate it: its last checkpoint is cosigned, the
// next log begins with it, and the witnesses follow.
func TestTheLedgersOwnSuccessionIsFollowed(t *testing.T) {
	o := newOpened(t)
	r := newRigOf(t, o)
	p := o.publisher(r, witness.Policy{Need: 1})
	o.record()
	p.Round(t.Context())
	nextDir := filepath.Join(t.TempDir(), "0002")
	if err := os.Mkdir(nextDir, 0o700); err != nil {
		t.Fatal(err)
	}
	nextKey, err := ledger.NewKey(nextDir, ledgerOptions())
	if err != nil {
		t.Fatal(err)
	}
	head, err := o.l.Freeze(t.Context(), nextKey)
	if err != nil {
		t.Fatal(err)
	}
	last, err := p.Last(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if c, by, err := witness.Verify(last, o.log, []witness.Verifier{r.w.Verifier()}, 1); err != nil || c.Size != head.Size || len(by) != 1 {
		t.Fatalf("got %+v %v", c, err)
	}
	if err := ledger.CreateNext(nextDir, ledgerOptions(), o.l, last); err != nil {
		t.Fatal(err)
	}
	next := openAt(t, nextDir)
	s, ok := next.l.Succession()
	if !ok {
		t.Fatal("the next log follows none")
	}
	next.record()
	q, err := witness.NewPublisher(witness.PublisherOptions{
		Heads: next.l, Proofs: next.tiles, Store: next.tiles, Clock: r.clock.now,
		Policy: witness.Policy{Witnesses: []witness.Peer{r.peer("w1")}, Need: 1},
		Successions: func(context.Context) ([]witness.Link, error) {
			return []witness.Link{{Succession: s, Before: o.tiles}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	q.Round(t.Context())
	if state := q.State(); !state.OK || state.Cosigned != next.l.Size() || state.Key != nextKey {
		t.Errorf("got %+v", state)
	}
	r.restart()
	if rep := r.report(); !rep.OK || len(rep.Logs) != 2 {
		t.Errorf("got %+v", rep)
	}
}
