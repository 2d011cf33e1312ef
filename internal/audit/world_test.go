package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

// keys is a key table in memory.
type keys struct {
	mu   sync.Mutex
	rows []ledger.Key // oldest first
}

func (k *keys) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]ledger.Key{}
	for _, row := range k.rows {
		if slices.Contains(persons, row.Person) {
			out[row.Person] = row
		}
	}
	return out, nil
}

func (k *keys) ByID(_ context.Context, ids []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[ledger.KeyID]ledger.Key{}
	for _, row := range k.rows {
		if slices.Contains(ids, row.ID) {
			out[row.ID] = row
		}
	}
	return out, nil
}

func (k *keys) Create(_ context.Context, fresh []ledger.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range fresh {
		if !slices.ContainsFunc(k.rows, func(r ledger.Key) bool { return r.Person == n.Person }) {
			k.rows = append(k.rows, n)
		}
	}
	return nil
}

func (k *keys) Destroy(_ context.Context, ids []ledger.KeyID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = slices.DeleteFunc(k.rows, func(r ledger.Key) bool { return slices.Contains(ids, r.ID) })
	return nil
}

// all yields the rows as the store does.
func (k *keys) all() iter.Seq2[ledger.Key, error] {
	return func(yield func(ledger.Key, error) bool) {
		for _, row := range k.rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// world is a ledger under test, open.
type world struct {
	dir  string
	keys *keys
	log  *ledger.Ledger
	now  time.Time
	o    ledger.Options
}

// newWorld makes a ledger whose segments hold about ten records each.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "ledger"), keys: &keys{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.o = ledger.Options{Node: "n1", Keys: w.keys, SegmentBytes: 8 << 10, Clock: func() time.Time { return w.now }}
	if err := ledger.Create(w.dir, w.o); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	return w
}

func (w *world) open(t testing.TB) {
	t.Helper()
	var err error
	if w.log, err = ledger.Open(w.dir, w.o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close(t) })
}

func (w *world) close(t testing.TB) {
	t.Helper()
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
}

// look records n look-ups, one after the other.
func (w *world) look(t testing.TB, n int) []ledger.Receipt {
	t.Helper()
	var receipts []ledger.Receipt
	for range n {
		w.now = w.now.Add(time.Second)
		r, err := w.log.Append(t.Context(), w.entry(len(receipts)))
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	return receipts
}

// bulk records n look-ups at once: many share one head.
func (w *world) bulk(t testing.TB, n int) {
	t.Helper()
	entries := make([]ledger.Entry, n)
	for i := range entries {
		entries[i] = w.entry(i)
	}
	if _, err := w.log.AppendAll(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

func (w *world) entry(i int) ledger.Entry {
	return ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
		Customer: ledger.Part{Person: fmt.Sprintf("customer:c%d", i%5), Plain: fmt.Appendf(nil, `{"customer":"c%d","categories":["orders"],"number":%d}`, i%5, i)},
		Employee: ledger.Part{Person: fmt.Sprintf("employee:e%d", i%3), Plain: fmt.Appendf(nil, `{"employee":"e%d","number":%d}`, i%3, i)}}
}

// verify verifies the folder and must get an answer.
func verify(t testing.TB, dir string, o audit.Options) *audit.Result {
	t.Helper()
	r, err := audit.Folder(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// memory is a reader's memory, empty.
func memory(t testing.TB) *audit.Memory {
	return &audit.Memory{Dir: filepath.Join(t.TempDir(), "state"), Now: func() time.Time { return time.Date(2026, 5, 8, 9, 0, 0, 0, time.UTC) }}
}

// sound fails the test when a problem was found.
func sound(t testing.TB, r *audit.Result) {
	t.Helper()
	if !r.Sound() {
		t.Fatalf("not sound: %v", r.Problems)
	}
}

// named fails the test unless a problem says all of these words.
func named(t testing.TB, r *audit.Result, words ...string) {
	t.Helper()
	for _, p := range r.Problems {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(p.String(), w) }) {
			return
		}
	}
	t.Errorf("no problem names %q: %v", words, r.Problems)
}

// copyOf copies a folder. Its signing keys stay readable for their owner alone.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	err := os.CopyFS(to, os.DirFS(dir))
	if err == nil {
		err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "signing.key" {
				err = os.Chmod(path, 0o600)
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// change rewrites a file.
func change(t testing.TB, path string, how func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, how(b), 0o600)); err != nil {
		t.Fatal(err)
	}
}
