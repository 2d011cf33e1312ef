package ledger_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"paravent/internal/ledger"
)

func TestAReceiptSurvivesJSONAndAnyChangeToItIsFound(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	var r ledger.Receipt
	for i := range 5 {
		var err error
		if r, err = l.Append(t.Context(), entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(r *ledger.Receipt){
		"position":       func(r *ledger.Receipt) { r.Position-- },
		"node":           func(r *ledger.Receipt) { r.Node = "n2" },
		"time":           func(r *ledger.Receipt) { r.Time = r.Time.Add(time.Microsecond) },
		"hash":           func(r *ledger.Receipt) { r.Hash[0]++ },
		"leaf":           func(r *ledger.Receipt) { r.Leaf[len(r.Leaf)-1]++ },
		"no leaf":        func(r *ledger.Receipt) { r.Leaf = nil },
		"path":           func(r *ledger.Receipt) { r.Path[0][3]++ },
		"short path":     func(r *ledger.Receipt) { r.Path = r.Path[1:] },
		"size":           func(r *ledger.Receipt) { r.Head.Size++ },
		"enormous size":  func(r *ledger.Receipt) { r.Head.Size = 1 << 63 },
		"root":           func(r *ledger.Receipt) { r.Head.Root[0]++ },
		"origin":         func(r *ledger.Receipt) { r.Head.Origin += "x" },
		"signature":      func(r *ledger.Receipt) { r.Head.Signature[5]++ },
		"empty receipt":  func(r *ledger.Receipt) { *r = ledger.Receipt{} },
		"short key size": nil,
	}
	for name, change := range tests {
		var got ledger.Receipt
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		pub := l.Public()
		if err := got.Verify(pub); err != nil {
			t.Fatalf("after JSON: %v", err)
		}
		if change == nil {
			pub = pub[:5]
		} else {
			change(&got)
		}
		if err := got.Verify(pub); !errors.Is(err, ledger.ErrReceipt) {
			t.Errorf("a changed %s: %v", name, err)
		}
	}
}

// A head is the body and signature of a C2SP checkpoint: the standard library's
// relative for signed notes must accept it as it lies in the journal.
func TestAHeadIsASignedCheckpointWithoutThePrivateKey(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	line, err := os.ReadFile(filepath.Join(dir, "public.key"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(line)))
	if err != nil {
		t.Fatal(err)
	}
	h := l.Head()
	sig := binary.BigEndian.AppendUint32(nil, v.KeyHash())
	text := string(h.Body()) + "\n— " + h.Origin + " " + base64.StdEncoding.EncodeToString(append(sig, h.Signature...)) + "\n"
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if n.Text != string(h.Body()) || v.Name() != l.Origin() || h.Size != l.Size() {
		t.Errorf("the note says %q", n.Text)
	}
}

func TestWhatCanNotBeRecordedIsRefusedForGood(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	long := strings.Repeat("x", 256)
	tests := map[string]ledger.Entry{
		"no kind":            {},
		"the ledger's kind":  {Kind: ledger.KindKey},
		"a long outcome":     {Kind: ledger.KindAct, Outcome: long},
		"a long person":      {Kind: ledger.KindAct, Customer: ledger.Part{Person: long}},
		"a long part":        {Kind: ledger.KindAct, Employee: ledger.Part{Person: "p", Plain: make([]byte, ledger.MaxPart+1)}},
		"nobody's plaintext": {Kind: ledger.KindAct, Customer: ledger.Part{Plain: []byte("x")}},
	}
	before := l.Size()
	for name, e := range tests {
		if _, err := l.Append(t.Context(), e); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.Size() != before || len(k.rows) != 0 {
		t.Errorf("a refused entry left %d records and %d keys", l.Size()-before, len(k.rows))
	}
	most := ledger.Entry{Kind: ledger.KindAct, Customer: ledger.Part{Person: "c", Plain: make([]byte, ledger.MaxPart)},
		Employee: ledger.Part{Person: "e", Plain: make([]byte, ledger.MaxPart)}}
	if _, err := l.AppendAll(t.Context(), []ledger.Entry{most, most, most, most, most, most, most, most, most}); err != nil {
		t.Errorf("the largest entries: %v", err)
	}
	all(t, l)
}

func TestWithoutTheKeyTableNothingIsRecorded(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	before := l.Size()
	k.fails = errors.New("the key table is gone")
	if _, err := l.Append(t.Context(), entry(1)); !errors.Is(err, ledger.ErrUnavailable) || !errors.Is(err, k.fails) {
		t.Errorf("append: %v", err)
	}
	if l.Size() != before || !l.State().OK {
		t.Errorf("size %d, want %d; state %+v", l.Size(), before, l.State())
	}
	k.fails = nil
	if _, err := l.Append(t.Context(), entry(1)); err != nil {
		t.Error(err)
	}
}

func TestManyNewPersonsAtOnceAskTheTableTogether(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	o := options(k)
	o.Keys = slow{k}
	o.CachedKeys = 8 // far fewer than people
	l := open(t, dir, o)
	var wg sync.WaitGroup
	for _, person := range customers[:100] {
		wg.Go(func() {
			if _, err := l.Append(t.Context(), ledger.Entry{Kind: ledger.KindAct, Customer: ledger.Part{Person: person}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if k.creates > 20 {
		t.Errorf("100 new persons took %d writes to the table", k.creates)
	}
	leaves := 0
	for _, r := range all(t, l) {
		if r.Kind == ledger.KindKey {
			leaves++
		}
	}
	if leaves != 100 {
		t.Errorf("%d leaves of keys, want 100", leaves)
	}
}

// slow is a key table that takes its time.
type slow struct{ *table }

func (s slow) Create(ctx context.Context, keys []ledger.Key) error {
	time.Sleep(5 * time.Millisecond)
	return s.table.Create(ctx, keys)
}

func TestAFullDiskIsToldAndTheLedgerResumesByItself(t *testing.T) {
	k := newTable()
	var x ledger.Faults
	o := x.On(options(k))
	dir := create(t, options(k))
	l := open(t, dir, o)
	x.Break("full")
	if _, err := l.Append(t.Context(), entry(1)); !errors.Is(err, ledger.ErrUnavailable) {
		t.Fatalf("append on a full disk: %v", err)
	}
	if s := l.State(); s.OK || s.Reason != "the disk is full" {
		t.Errorf("state %+v", s)
	}
	begun := time.Now()
	if _, err := l.Append(t.Context(), entry(2)); !errors.Is(err, ledger.ErrUnavailable) || time.Since(begun) > time.Second {
		t.Errorf("the next append: %v after %v", err, time.Since(begun))
	}
	size := l.Size()
	x.Disarm()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Wait(ctx, size); err != nil {
		t.Fatal(err)
	}
	for !l.State().OK {
		time.Sleep(time.Millisecond)
	}
	r, err := l.Append(t.Context(), entry(3))
	if err != nil {
		t.Fatal(err)
	}
	records := all(t, l)
	said := string(records[r.Position-3].Detail) // then two new keys
	if !strings.HasPrefix(said, "resumed unanswered=") {
		t.Errorf("the leaf says %q: %v", said, kinds(records))
	}
}

func TestWaitEndsWithTheContextOrTheLedger(t *testing.T) {
	k := newTable()
	dir := create(t, options(k))
	l := open(t, dir, options(k))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Wait(ctx, l.Size()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	if _, err := l.Append(ctx, entry(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append: %v", err)
	}
	done := make(chan error)
	go func() { done <- l.Wait(context.Background(), l.Size()) }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("wait on a closed ledger: %v", err)
	}
}
