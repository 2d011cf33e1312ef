package chain_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// table is a key table in memory. It outlives the chains that use it.
type table struct {
	mu    sync.Mutex
	rows  map[string]ledger.Key
	fails error // of Destroy
}

func newTable() *table { return &table{rows: map[string]ledger.Key{}} }

func (k *table) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
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
	for _, row := range keys {
		if _, ok := k.rows[row.Person]; !ok {
			k.rows[row.Person] = row
		}
	}
	return nil
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

// copied returns the rows as a backup holds them.
func (k *table) copied() map[string]ledger.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]ledger.Key{}
	for p, row := range k.rows {
		out[p] = row
	}
	return out
}

// has says whether the person has a key.
func (k *table) has(person string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.rows[person]
	return ok
}

func options(k *table) chain.Options {
	return chain.Options{Ledger: ledger.Options{Node: "n1", Clock: time.Now, Keys: k, Probe: 5 * time.Millisecond, SegmentBytes: 256 << 10}}
}

// create makes a chain in a new folder.
func create(t testing.TB, o chain.Options) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "ledger")
	if err := chain.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open opens a chain; the test's end closes it.
func open(t testing.TB, dir string, o chain.Options) *chain.Chain {
	t.Helper()
	c, err := chain.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// rotate freezes the last log and opens the chain again.
func rotate(t testing.TB, dir string, c *chain.Chain, o chain.Options) *chain.Chain {
	t.Helper()
	if _, err := c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
	return open(t, dir, o)
}

func closed(t testing.TB, c *chain.Chain) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// look records a look-up of employee e at customer c, or what belongs to one.
func look(t testing.TB, c *chain.Chain, kind ledger.Kind, of uint64, customer, employee, plain string) ledger.Receipt {
	t.Helper()
	r, err := c.Append(t.Context(), entry(kind, of, customer, employee, plain))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func entry(kind ledger.Kind, of uint64, customer, employee, plain string) ledger.Entry {
	return ledger.Entry{Kind: kind, Of: of, Customer: ledger.Part{Person: "customer:" + customer, Plain: []byte(plain)},
		Employee: ledger.Part{Person: "employee:" + employee, Plain: []byte(plain)}}
}

// all reads every record from that Number on.
func all(t testing.TB, c *chain.Chain, from uint64) (records []ledger.Record) {
	t.Helper()
	for r, err := range c.Records(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		if want := from + uint64(len(records)); r.Number != want {
			t.Fatalf("record %d comes where %d should", r.Number, want)
		}
		records = append(records, r)
	}
	return records
}

func TestALookUpMayBeginInOneLogAndEndInTheNext(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	intent := look(t, c, ledger.KindIntent, 0, "c1", "e1", "before")
	size := c.Size()
	c = rotate(t, dir, c, o)
	outcome := look(t, c, ledger.KindOutcome, 1+intent.Number, "c1", "e1", "after")
	if intent.Number != intent.Position || outcome.Number <= intent.Number || outcome.Number == outcome.Position {
		t.Errorf("intent is %d (position %d), outcome %d (position %d)", intent.Number, intent.Position, outcome.Number, outcome.Position)
	}
	if err := errors.Join(intent.Verify(c.Logs()[0].Public()), outcome.Verify(c.Public())); err != nil {
		t.Error(err)
	}
	records := all(t, c, 0)
	if got, want := uint64(len(records)), c.Size(); got != want {
		t.Errorf("%d records, size %d", got, want)
	}
	of := records[records[outcome.Number].Of-1]
	if of.Kind != ledger.KindIntent || string(of.Customer.Plain) != "before" || string(records[outcome.Number].Customer.Plain) != "after" {
		t.Errorf("the outcome belongs to %s %q", of.Kind, of.Customer.Plain)
	}
	if records[size].Kind != ledger.KindEnd || records[size+1].Kind != ledger.KindNext || records[size+2].Kind != ledger.KindStart {
		t.Errorf("around the border: %s, %s, %s", records[size].Kind, records[size+1].Kind, records[size+2].Kind)
	}
	for from := range c.Size() + 1 {
		if got := uint64(len(all(t, c, from))); got != c.Size()-from {
			t.Errorf("from %d on: %d records of %d", from, got, c.Size()-from)
		}
	}
}

func TestNumbersWaitAndSizeRunThroughTheWholeChain(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	for range 3 {
		for n := range 5 {
			look(t, c, ledger.KindIntent, 0, fmt.Sprint("c", n), "e1", "x")
		}
		c = rotate(t, dir, c, o)
	}
	infos := c.Names()
	if len(infos) != 4 || infos[3].Name != "0004" || infos[3].Frozen || !infos[2].Frozen {
		t.Fatalf("the logs are %+v", infos)
	}
	for i := 1; i < len(infos); i++ {
		if infos[i].Base != infos[i-1].Base+infos[i-1].Size || infos[i].Origin == infos[i-1].Origin {
			t.Errorf("%+v doesn't follow %+v", infos[i], infos[i-1])
		}
	}
	for size := range c.Size() {
		if err := c.Wait(t.Context(), size); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx, c.Size()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a record that doesn't come ends with %v", err)
	}
	waited := make(chan error)
	go func(size uint64) { waited <- c.Wait(t.Context(), size) }(c.Size())
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	if err := <-waited; err != nil {
		t.Error(err)
	}
	inspected, err := chain.Inspect(dir)
	if err != nil || len(inspected) != 4 {
		t.Fatalf("%d logs inspected: %v", len(inspected), err)
	}
	for i, log := range inspected {
		if base, err := log.Base(); err != nil || base != infos[i].Base || log.Name != infos[i].Name {
			t.Errorf("%s: base %d, %v; want %d", log.Name, base, err, infos[i].Base)
		}
	}
}
