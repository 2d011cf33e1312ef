package chain_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// frozenTwo makes a chain of two logs, closed.
func frozenTwo(t testing.TB, o chain.Options) (dir string, infos []chain.LogInfo) {
	t.Helper()
	dir = create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	c = rotate(t, dir, c, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	infos = c.Names()
	closed(t, c)
	return dir, infos
}

// Attack: the end of a frozen log is cut off, so that it could be written on.
func TestAFrozenLogWithoutItsEndIsNamedAndNotWrittenTo(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir, _ := frozenTwo(t, o)
	journal := filepath.Join(dir, "0001", "0000000002.journal")
	i, err := ledger.Inspect(filepath.Join(dir, "0001"))
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := i.Read(2, -1)
	if err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for b, err := r.Next(); err == nil; b, err = r.Next() {
		end = b.Offset
	}
	if err := errors.Join(r.Close(), os.Truncate(journal, end)); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	_, err = chain.Open(dir, o)
	if err == nil || !strings.Contains(err.Error(), "log 0001") || !strings.Contains(err.Error(), "ends this log") {
		t.Errorf("opened with %v", err)
	}
	if after := listing(t, dir); len(after) != len(before) {
		t.Errorf("%v became %v", before, after)
	}
}

// Attack: between freezing and opening, the prepared log is exchanged for one
// with another key, which the attacker holds.
func TestAnExchangedNextLogIsRefusedByName(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	if _, err := c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	named, _ := c.Last().Frozen()
	closed(t, c)
	next := filepath.Join(dir, ".next")
	if err := os.RemoveAll(next); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), named) {
		t.Errorf("without the next log: %v", err)
	}
	if _, err := ledger.NewKey(next, o.Ledger); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), named) {
		t.Errorf("with another next log: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "0002")); err == nil {
		t.Error("a log was made of it")
	}
}

// Attack: the log behind a frozen one is exchanged for one of another chain.
func TestALogOfAnotherChainIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir, infos := frozenTwo(t, o)
	foreign, _ := frozenTwo(t, o)
	kept := filepath.Join(t.TempDir(), "kept")
	if err := errors.Join(os.Rename(filepath.Join(dir, "0002"), kept),
		os.Rename(filepath.Join(foreign, "0002"), filepath.Join(dir, "0002"))); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), infos[1].Key) {
		t.Errorf("opened with %v", err)
	}
	if after := listing(t, dir); len(after) != len(before) {
		t.Errorf("%v became %v", before, after)
	}
	// One that was never part of a chain, under the right name.
	alone := create(t, o)
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "0002")),
		os.Rename(filepath.Join(alone, "0001"), filepath.Join(dir, "0002"))); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) {
		t.Errorf("opened with %v", err)
	}
	// Alone, as if the first had been dropped.
	if err := os.RemoveAll(filepath.Join(dir, "0001")); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) {
		t.Errorf("opened with %v", err)
	}
	// The second under the first's name.
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "0002")), os.Rename(kept, filepath.Join(dir, "0001"))); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) {
		t.Errorf("opened with %v", err)
	}
}

func TestAMissingLogIsFatalAndNamed(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	for range 3 {
		c = rotate(t, dir, c, o)
	}
	closed(t, c)
	for missing, want := range map[string]string{"0002": "0002", "0003": "0003", "0004": "0004"} {
		hurt := copyOf(t, dir)
		if err := os.RemoveAll(filepath.Join(hurt, missing)); err != nil {
			t.Fatal(err)
		}
		if _, err := chain.Open(hurt, o); !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", missing, err)
		}
		if missing == "0004" {
			continue
		}
		if logs, err := chain.Inspect(hurt); !errors.Is(err, chain.ErrBroken) || !strings.Contains(err.Error(), want) || len(logs) != 3 {
			t.Errorf("inspected without %s: %d logs, %v", missing, len(logs), err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, ledger.ErrMissing) {
		t.Errorf("without any: %v", err)
	}
}

// Attack: the last log is put back to what it was before it was frozen, and the
// one behind it is hidden.
func TestALastLogThatWasPutBackIsNamedWhereTheNextIsAtHand(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	closed(t, open(t, dir, o))
	old := copyOf(t, dir)
	c := rotate(t, dir, open(t, dir, o), o)
	closed(t, c)
	if err := os.Rename(filepath.Join(dir, "0002"), filepath.Join(old, ".next")); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(old, o); !errors.Is(err, chain.ErrBroken) {
		t.Errorf("opened with %v", err)
	}
	if err := os.Rename(filepath.Join(old, ".next"), filepath.Join(old, "0002")); err != nil {
		t.Fatal(err)
	}
	var damage *ledger.Damage
	if _, err := chain.Open(old, o); !errors.As(err, &damage) {
		t.Errorf("opened with %v", err)
	}
}

func TestAFrozenLogTakesNothingEverAgain(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	head, err := c.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Freeze(t.Context())
	if err != nil || again.Size != head.Size || again.Root != head.Root {
		t.Errorf("frozen again: %+v, %v; want %+v", again, err, head)
	}
	refused := func(l *ledger.Ledger) {
		t.Helper()
		_, err := l.Append(t.Context(), entry(ledger.KindIntent, 0, "c1", "e1", "late"))
		_, err2 := l.AppendAll(t.Context(), []ledger.Entry{entry(ledger.KindIntent, 0, "c1", "e1", "late")})
		_, err3 := l.Destroy(t.Context(), "customer:c1")
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, ledger.ErrFrozen) || !errors.Is(err, ledger.ErrUnavailable) {
				t.Errorf("refused with %v", err)
			}
		}
		if state := l.State(); state.OK || l.Size() != head.Size {
			t.Errorf("state %+v, size %d", state, l.Size())
		}
	}
	refused(c.Last())
	closed(t, c)
	c = open(t, dir, o)
	refused(c.Logs()[0])
	if next, frozen := c.Logs()[0].Frozen(); !frozen || next != c.Key() {
		t.Errorf("the frozen log names %s, the next is %s", next, c.Key())
	}
	if state := c.State(); !state.OK {
		t.Errorf("the chain's state is %+v", state)
	}
	closed(t, c)
	files := listing(t, filepath.Join(dir, "0001"))
	// Opened for writing by itself: it is read, nothing more; it needs no signing key.
	if err := os.Remove(filepath.Join(dir, "0001", "signing.key")); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(filepath.Join(dir, "0001"), o.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	refused(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, filepath.Join(dir, "0001")); len(after) != len(files)-1 {
		t.Errorf("%v became %v", files, after)
	}
	open(t, dir, o)
}

func TestTheNextLogHoldsTheLastCheckpointWithItsCosignatures(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	private, public, err := note.GenerateKey(nil, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		publish func(key string, private ed25519.PrivateKey, head ledger.SignedHead) ([]byte, error)
		cosigns int
	}{
		{"published and cosigned", func(key string, private ed25519.PrivateKey, head ledger.SignedHead) ([]byte, error) {
			return note.Sign(&note.Note{Text: string(head.Body())}, logSigner{key, private}, witness)
		}, 1},
		{"an older one", func(key string, private ed25519.PrivateKey, head ledger.SignedHead) ([]byte, error) {
			head.Size--
			return note.Sign(&note.Note{Text: string(head.Body())}, logSigner{key, private}, witness)
		}, 0},
		{"not published", func(string, ed25519.PrivateKey, ledger.SignedHead) ([]byte, error) { return nil, os.ErrNotExist }, 0},
		{"too long", func(key string, private ed25519.PrivateKey, head ledger.SignedHead) ([]byte, error) {
			b, err := note.Sign(&note.Note{Text: string(head.Body())}, logSigner{key, private}, witness)
			for len(b) < 40<<10 {
				b = append(b, "— w+x "+strings.Repeat("A", 1000)+"\n"...)
			}
			return b, err
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := o
			dir := create(t, o)
			c := open(t, dir, o)
			head, err := c.Freeze(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			old, private := c.Key(), signingKey(t, filepath.Join(dir, "0001"))
			closed(t, c)
			asked := ""
			o.Checkpoint = func(logDir string) ([]byte, error) {
				asked = logDir
				return tt.publish(old, private, head)
			}
			c = open(t, dir, o)
			if asked != filepath.Join(dir, "0001") {
				t.Errorf("asked for the checkpoint in %q", asked)
			}
			s, ok := c.Last().Succession()
			if !ok {
				t.Fatal("it follows nothing")
			}
			if err := s.Verify(old); err != nil {
				t.Error(err)
			}
			n, err := note.Open(s.Checkpoint, note.VerifierList(verifier))
			if got := 1; tt.cosigns == 0 {
				if err == nil {
					t.Error("it is cosigned")
				}
			} else if err != nil || len(n.Sigs) != got {
				t.Errorf("%v; %s", err, s.Checkpoint)
			}
			if s.Size != head.Size || s.Root != head.Root || s.Base != head.Size || s.Next != c.Key() {
				t.Errorf("%+v", s)
			}
		})
	}
}

// logSigner signs notes as a log does.
type logSigner struct {
	key     string
	private ed25519.PrivateKey
}

func (s logSigner) verifier() note.Verifier {
	v, err := note.NewVerifier(s.key)
	if err != nil {
		panic(err)
	}
	return v
}
func (s logSigner) Name() string                    { return s.verifier().Name() }
func (s logSigner) KeyHash() uint32                 { return s.verifier().KeyHash() }
func (s logSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// signingKey reads the private key in a log's folder, as a thief would.
func signingKey(t testing.TB, dir string) ed25519.PrivateKey {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(string(b)), "PRIVATE+KEY+"), "+", 3)
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed[1:])
}
