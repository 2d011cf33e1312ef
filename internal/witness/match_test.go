package witness_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/audit"
	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// opened is a real ledger with its tiles.
type opened struct {
	t     *testing.T
	dir   string
	l     *ledger.Ledger
	log   witness.Log
	tiles *audit.Publisher
}

var keys = &keyTable{rows: map[string]ledger.Key{}}

func ledgerOptions() ledger.Options {
	return ledger.Options{Node: "till1", Clock: time.Now, Keys: keys}
}

func newOpened(t *testing.T) *opened {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	if err := ledger.Create(dir, ledgerOptions()); err != nil {
		t.Fatal(err)
	}
	return openAt(t, dir)
}

func openAt(t *testing.T, dir string) *opened {
	t.Helper()
	l, err := ledger.Open(dir, ledgerOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it may be closed
	log, err := witness.LogOf(l.Origin(), l.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &opened{t, dir, l, log, audit.NewPublisher(l, audit.PublisherOptions{Dir: dir, Witnessed: true})}
}

// record adds a record and returns its receipt.
func (o *opened) record() ledger.Receipt {
	o.t.Helper()
	r, err := o.l.Append(o.t.Context(), ledger.Entry{Kind: ledger.KindIntent, Employee: ledger.Part{Person: "employee:e1", Plain: []byte("looked")}})
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

// publisher publishes it with what the rig cosigns.
func (o *opened) publisher(r *rig, policy witness.Policy) *witness.Publisher {
	o.t.Helper()
	policy.Witnesses = []witness.Peer{r.peer("w1")}
	p, err := witness.NewPublisher(witness.PublisherOptions{Heads: o.l, Proofs: o.tiles, Store: o.tiles, Clock: r.clock.now, Policy: policy})
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func newRigOf(t *testing.T, o *opened) *rig {
	t.Helper()
	r := newRig(t)
	r.logs, r.clock = []witness.Log{o.log}, &clock{at: time.Now()}
	r.open()
	return r
}

// Who holds a receipt checks later that a cosigned checkpoint contains its record,
// with the log's key, the witnesses' keys and the published tiles.
func TestAReceiptIsMatchedWithALaterCosignedCheckpoint(t *testing.T) {
	o := newOpened(t)
	r := newRigOf(t, o)
	p := o.publisher(r, witness.Policy{Need: 1})
	var receipts []ledger.Receipt
	var notes [][]byte
	for range 9 {
		receipts = append(receipts, o.record())
		p.Round(t.Context())
		note, err := o.tiles.Published()
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, note)
	}
	council := []witness.Verifier{r.w.Verifier()}
	for i, receipt := range receipts {
		for k, note := range notes {
			published, _, err := witness.Verify(note, o.log, council, 1)
			if err != nil {
				t.Fatal(err)
			}
			from, to := min(receipt.Head.Size, published.Size), max(receipt.Head.Size, published.Size)
			proof, err := o.tiles.Consistency(t.Context(), from, to)
			if err != nil {
				t.Fatal(err)
			}
			c, by, err := witness.Match(receipt, note, proof, o.log, council, 1)
			if early := k < i; errors.Is(err, witness.ErrEarly) != early || !early && (err != nil || c != published || len(by) != 1) {
				t.Fatalf("receipt %d, checkpoint %d: %+v %v", i, k, c, err)
			}
			if k > i+1 {
				if _, _, err := witness.Match(receipt, note, nil, o.log, council, 1); !errors.Is(err, witness.ErrMatch) {
					t.Fatalf("without a proof: %v", err)
				}
			}
		}
	}
	r.noAlarm()
}

func TestAttackAReceiptThatIsNotInTheCheckpoint(t *testing.T) {
	o, other := newOpened(t), newOpened(t)
	r := newRigOf(t, o)
	p := o.publisher(r, witness.Policy{Need: 1})
	receipt := o.record()
	for range 6 {
		o.record()
	}
	p.Round(t.Context())
	note, err := o.tiles.Published()
	if err != nil {
		t.Fatal(err)
	}
	council := []witness.Verifier{r.w.Verifier()}
	proof, err := o.tiles.Consistency(t.Context(), receipt.Head.Size, o.l.Size())
	if err != nil {
		t.Fatal(err)
	}
	match := func(r ledger.Receipt, note []byte, proof []tlog.Hash, log witness.Log, need int) error {
		_, _, err := witness.Match(r, note, proof, log, council, need)
		return err
	}
	if err := match(receipt, note, proof, o.log, 1); err != nil {
		t.Fatal(err)
	}
	changed, moved := receipt, receipt
	changed.Position++
	moved.Head.Origin = other.l.Origin()
	bent := append([]tlog.Hash{}, proof...)
	bent[0][0] ^= 1
	for name, c := range map[string]struct{ got, want error }{
		"a changed receipt":         {match(changed, note, proof, o.log, 1), ledger.ErrReceipt},
		"another log's name":        {match(moved, note, proof, o.log, 1), ledger.ErrReceipt},
		"another log's receipt":     {match(other.record(), note, nil, o.log, 1), ledger.ErrReceipt},
		"another log's key":         {match(receipt, note, proof, other.log, 1), ledger.ErrReceipt},
		"a changed checkpoint":      {match(receipt, append([]byte("x"), note...), proof, o.log, 1), witness.ErrNote},
		"a changed proof":           {match(receipt, note, bent, o.log, 1), witness.ErrMatch},
		"a proof that is too long":  {match(receipt, note, append(bent[:0:0], append(proof, proof...)...), o.log, 1), witness.ErrMatch},
		"more witnesses are needed": {match(receipt, note, proof, o.log, 2), witness.ErrTooFew},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: got %v", name, c.got)
		}
	}
}

// G4: the log gives one story to who looks, and another one to the witnesses.
func TestAttackAReceiptOfAnotherStoryProvesTheFork(t *testing.T) {
	o := newOpened(t)
	receipt := o.record()
	for receipt.Head.Size != 7 { // no power of two: the proof shows what it claims of the past
		receipt = o.record()
	}
	story := newFakeLog(t, "x")
	story.origin, story.key = o.l.Origin(), privateOf(t, o.dir)
	story.grow(12)
	note, err := o.log.Checkpoint(story.Head())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := witness.Match(receipt, note, story.proof(7, 12), o.log, nil, 0); !errors.Is(err, witness.ErrFork) || !errors.Is(err, witness.ErrMatch) {
		t.Errorf("longer: got %v", err)
	}
	same := newFakeLog(t, "x")
	same.origin, same.key = story.origin, story.key
	note, err = o.log.Checkpoint(same.grow(7).Head())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := witness.Match(receipt, note, nil, o.log, nil, 0); !errors.Is(err, witness.ErrFork) {
		t.Errorf("of one size: got %v", err)
	}
}

// G4: the journal is set back behind what was published and cosigned. Whatever
// is left of the rest, the state names it.
func TestAttackARolledBackLedgerShowsInTheState(t *testing.T) {
	for name, keeps := range map[string]string{
		"with everything":       "",
		"without its tiles":     audit.TilesFolder,
		"and the tiles are new": "none",
	} {
		t.Run(name, func(t *testing.T) { rollBack(t, keeps) })
	}
}

func rollBack(t *testing.T, keeps string) {
	o := newOpened(t)
	r := newRigOf(t, o)
	p := o.publisher(r, witness.Policy{Need: 1, IfMissing: witness.Refuse})
	o.record()
	p.Round(t.Context())
	if s := p.State(); !s.OK || !s.Witnesses[0].Current {
		t.Fatalf("got %+v", s)
	}
	if err := o.l.Close(); err != nil {
		t.Fatal(err)
	}
	lastWeek := filepath.Join(t.TempDir(), "lastweek")
	copyFolder(t, o.dir, lastWeek)
	o = openAt(t, o.dir)
	for range 5 {
		o.record()
	}
	p = o.publisher(r, witness.Policy{Need: 1, IfMissing: witness.Refuse})
	p.Round(t.Context())
	if s := p.State(); !s.OK {
		t.Fatalf("got %+v", s)
	}
	if err := o.l.Close(); err != nil {
		t.Fatal(err)
	}
	switch keeps {
	case "none":
		remove(t, filepath.Join(lastWeek, audit.TilesFolder))
	case audit.TilesFolder:
		remove(t, filepath.Join(lastWeek, audit.TilesFolder))
		copyFolder(t, filepath.Join(o.dir, audit.TilesFolder), filepath.Join(lastWeek, audit.TilesFolder))
	}
	o = openAt(t, lastWeek)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p = o.publisher(r, witness.Policy{Need: 1, IfMissing: witness.Refuse, Grace: time.Second})
	stepErr := o.tiles.Step(ctx)
	p.Round(ctx)
	s := p.State()
	if s.OK || s.Reason == "" {
		t.Errorf("the step says %v, and the state: %+v", stepErr, s)
	}
	t.Log(s.Reason)
	r.clock.add(2 * time.Second)
	if err := p.Refusing(); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("nobody is kept from looking: %v", err)
	}
}

// privateOf reads a ledger's private key, as only who has its disks can.
func privateOf(t *testing.T, dir string) ed25519.PrivateKey {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(content))
	parts := strings.SplitN(strings.TrimPrefix(line, "PRIVATE+KEY+"), "+", 3)
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed[1:])
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(to, "signing.key")
	if _, err := os.Stat(key); err == nil {
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}
