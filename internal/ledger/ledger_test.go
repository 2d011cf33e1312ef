package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// table is a key table in memory. It outlives the ledgers that use it.
type table struct {
	mu      sync.Mutex
	rows    map[string]ledger.Key
	creates int
	fails   error
}

func newTable() *table { return &table{rows: map[string]ledger.Key{}} }

func (k *table) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return nil, k.fails
	}
	out := map[string]ledger.Key{}
	for _, p := range persons {
		if row, ok := k.rows[p]; ok {
			out[p] = row
		}
	}
	return out, nil
}

func (k *table) ByID(_ context.Context, ids []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
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

func (k *table) Create(_ context.Context, keys []ledger.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.creates++
	for _, row := range keys {
		if _, ok := k.rows[row.Person]; !ok {
			k.rows[row.Person] = row
		}
	}
	return k.fails
}

func (k *table) Destroy(_ context.Context, ids []ledger.KeyID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return k.fails
	}
	for person, row := range k.rows {
		if slices.Contains(ids, row.ID) {
			delete(k.rows, person)
		}
	}
	return nil
}

func (k *table) destroy(person string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.rows, person)
}

// options are those of most tests: the real clock and a key table in memory.
func options(k *table) ledger.Options {
	return ledger.Options{Node: "n1", Clock: time.Now, Keys: k, Probe: 5 * time.Millisecond}
}

// create makes a ledger in a new folder.
func create(t testing.TB, o ledger.Options) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "ledger")
	if err := ledger.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// entry is the n-th look-up of a test.
func entry(n int) ledger.Entry {
	return ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
		Customer: ledger.Part{Person: fmt.Sprintf("customer:c%d", n%7), Plain: fmt.Appendf(nil, `{"n":%d}`, n)},
		Employee: ledger.Part{Person: fmt.Sprintf("employee:e%d", n%3), Plain: fmt.Appendf(nil, `{"who":%d}`, n)}}
}

// all reads every record.
func all(t testing.TB, l *ledger.Ledger) []ledger.Record {
	t.Helper()
	var out []ledger.Record
	for r, err := range l.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Position != uint64(len(out)) {
			t.Fatalf("record %d reads as position %d", len(out), r.Position)
		}
		out = append(out, r)
	}
	return out
}

// kinds are the kinds of records, as strings.
func kinds(records []ledger.Record) (out []string) {
	for _, r := range records {
		out = append(out, string(r.Kind))
	}
	return out
}

func TestARecordReadsAsItWasWrittenAndItsReceiptVerifiesOffline(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	e := entry(1)
	e.Of = 3
	got, err := l.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(l.Public()); err != nil {
		t.Fatal(err)
	}
	records := all(t, l)
	want := []string{"start", "start", "key", "key", "intent"}
	if !slices.Equal(kinds(records), want) {
		t.Fatalf("kinds %v, want %v", kinds(records), want)
	}
	r := records[4]
	if r.Position != got.Position || r.Hash != got.Hash || !r.Time.Equal(got.Time) || r.Node != "n1" || r.Of != 3 || r.Outcome != "allowed" {
		t.Errorf("record %+v does not match receipt %+v", r.Frame, got)
	}
	if r.Customer.Person != "customer:c1" || string(r.Customer.Plain) != `{"n":1}` || r.Employee.Person != "employee:e1" || string(r.Employee.Plain) != `{"who":1}` {
		t.Errorf("parts %+v %+v", r.Customer, r.Employee)
	}
}

func TestEveryReceiptOfManyAppendersVerifiesAndNoPositionIsGivenTwice(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	o := options(k)
	o.SegmentBytes = 64 << 10 // many segments
	l := open(t, dir, o)
	const appenders, each = 32, 30
	receipts := make([][]ledger.Receipt, appenders)
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := range each {
				r, err := l.Append(t.Context(), entry(a*each+i))
				if err != nil {
					t.Error(err)
					return
				}
				receipts[a] = append(receipts[a], r)
			}
		})
	}
	wg.Wait()
	records := all(t, l)
	seen := map[uint64]bool{}
	for a := range receipts {
		for i, r := range receipts[a] {
			if err := r.Verify(l.Public()); err != nil {
				t.Fatal(err)
			}
			if seen[r.Position] {
				t.Fatalf("position %d given twice", r.Position)
			}
			seen[r.Position] = true
			if got, want := string(records[r.Position].Customer.Plain), fmt.Sprintf(`{"n":%d}`, a*each+i); got != want {
				t.Fatalf("record %d reads %s, want %s", r.Position, got, want)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, o)
	after := all(t, again)
	if len(after) != len(records)+1 || after[len(records)].Kind != ledger.KindStart {
		t.Errorf("%d records after %d: want one more, the start", len(after), len(records))
	}
	for i, r := range records {
		if after[i].Hash != r.Hash {
			t.Fatalf("record %d changed over a restart", i)
		}
	}
	tail := 0
	for _, err := range again.Records(t.Context(), uint64(len(records))-5) {
		if err != nil {
			t.Fatal(err)
		}
		tail++
	}
	if tail != 6 {
		t.Errorf("%d records from the sixth last on", tail)
	}
}

func TestALedgerIsNeverMadeInSilenceNorOwnedTwice(t *testing.T) {
	k := newTable()
	_, err := ledger.Open(t.TempDir(), options(k))
	if !errors.Is(err, ledger.ErrMissing) {
		t.Errorf("an empty folder: %v", err)
	}
	dir := create(t, options(k))
	if err := ledger.Create(dir, options(k)); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("a second creation: %v", err)
	}
	l := open(t, dir, options(k))
	if _, err := ledger.Open(dir, options(k)); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("a second owner: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), entry(1)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	other := options(k)
	other.Node = "n2"
	if _, err := ledger.Open(dir, other); err == nil {
		t.Error("another node's ledger opened")
	}
	journals, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(journals) == 0 {
		t.Fatal("no journal", err)
	}
	for _, path := range journals {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ledger.Open(dir, options(k)); !errors.Is(err, ledger.ErrMissing) {
		t.Errorf("a ledger without its journal: %v", err)
	}
}

// The people of the tests.
var customers, employees = people("customer:c", 5000), people("employee:e", 80)

func people(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}
