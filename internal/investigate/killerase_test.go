package investigate_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/ledger"
	"paravent/internal/store"
)

// childFolder names the environment variable that makes this test binary the
// process that is killed.
const childFolder = "PARAVENT_ERASE_TEST_CHILD"

// reopened opens the store and the ledger of a folder.
func reopened(ctx context.Context, dir string, fresh bool) (*store.Store, *ledger.Ledger, error) {
	s, err := store.Open(ctx, dir, time.Now)
	if err != nil {
		return nil, nil, err
	}
	o := ledger.Options{Node: "n1", Clock: time.Now, Keys: s.Keys(), SegmentBytes: 64 << 10}
	path := filepath.Join(dir, "ledger")
	if fresh {
		if err := ledger.Create(path, o); err != nil {
			return nil, nil, errors.Join(err, s.Close())
		}
	}
	l, err := ledger.Open(path, o)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, l, nil
}

// TestEraseUntilKilled is no test of its own: it's the process that
// TestG5AKillWhileAKeyIsDestroyed kills.
func TestEraseUntilKilled(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		t.Skip("run by another test")
	}
	_, l, err := reopened(t.Context(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		person := fmt.Sprint("customer:c", i%5)
		e := ledger.Entry{Kind: ledger.KindIntent, Customer: ledger.Part{Person: person, Plain: []byte("x")}}
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Destroy(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	}
}

// The process is killed again and again while it destroys keys. Afterwards each
// key is either there and no leaf says that it's destroyed, or gone with its
// leaf; and of what is gone no byte is left.
func TestG5AKillWhileAKeyIsDestroyedLeavesItWholeOrGone(t *testing.T) {
	t.Parallel()
	kills := 15
	if os.Getenv("PARAVENT_LONG") == "1" {
		kills = 300
	}
	dir := t.TempDir()
	s, l, err := reopened(t.Context(), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 26))
	destroyed := 0
	for kill := range kills {
		killEraser(t, dir, time.Duration(rng.IntN(60_000))*time.Microsecond)
		s, l, err := reopened(t.Context(), dir, false)
		if err != nil {
			t.Fatalf("after kill %d: %v", kill, err)
		}
		destroyed = keysAddUp(t, dir, s, l, kill)
		if err := errors.Join(l.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if destroyed == 0 {
		t.Error("no key was ever destroyed: the test shows nothing")
	}
	t.Logf("%d kills, %d keys destroyed", kills, destroyed)
}

// keysAddUp compares leaves with the key table and returns how many keys are
// destroyed.
func keysAddUp(t *testing.T, dir string, s *store.Store, l *ledger.Ledger, kill int) int {
	t.Helper()
	made, gone := map[ledger.KeyID]bool{}, map[ledger.KeyID]bool{}
	for r, err := range l.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch r.Kind {
		case ledger.KindKey:
			made[ledger.KeyID(r.Detail[:16])] = true
		case ledger.KindForget:
			ids, err := ledger.ForgottenKeys(r.Detail)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				gone[id] = true
			}
		}
		if r.Customer.Erased && r.Customer.ErasedAt.IsZero() {
			t.Errorf("after kill %d: record %d: its key is gone without a leaf", kill, r.Number)
		}
	}
	for id := range made {
		there, err := s.Keys().ByID(t.Context(), []ledger.KeyID{id})
		if err != nil {
			t.Fatal(err)
		}
		if (len(there) == 1) == gone[id] {
			t.Errorf("after kill %d: key %x: there %v, destroyed by a leaf %v", kill, id, len(there) == 1, gone[id])
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, store.KeysFile))
	wal, err2 := os.ReadFile(filepath.Join(dir, store.KeysFile+"-wal"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for id := range gone {
		if bytes.Contains(b, id[:]) || bytes.Contains(wal, id[:]) {
			t.Errorf("after kill %d: the row of key %x is still on the disk", kill, id)
		}
	}
	return len(gone)
}

// killEraser runs the child and kills it that long after it opened the folder.
func killEraser(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestEraseUntilKilled$", "-test.v")
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "open" {
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer kill.Stop()
	for lines.Scan() {
		complaints.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v %s", err, complaints.String())
	}
}
