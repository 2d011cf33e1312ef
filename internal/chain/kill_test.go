package chain_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// childDir names the environment variable that makes this test binary the
// process that is killed.
const childDir = "PARAVENT_CHAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childDir+"_RUN")))
	}
	os.Exit(m.Run())
}

// derived is a key table that is durable without a disk: keys are computed.
type derived struct{}

func (derived) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	out := map[string]ledger.Key{}
	for _, p := range persons {
		id, secret := sha256.Sum256([]byte("id"+p)), sha256.Sum256([]byte("secret"+p))
		out[p] = ledger.Key{Person: p, ID: ledger.KeyID(id[:16]), Secret: secret[:]}
	}
	return out, nil
}

func (d derived) ByID(ctx context.Context, ids []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	out := map[ledger.KeyID]ledger.Key{}
	rows, err := d.Lookup(ctx, []string{"customer:c", "employee:e"})
	for _, k := range rows {
		out[k.ID] = k
	}
	return out, err
}

func (derived) Create(context.Context, []ledger.Key) error    { return nil }
func (derived) Destroy(context.Context, []ledger.KeyID) error { return nil }

// killOptions are those of the killed process and of who looks after it.
func killOptions() chain.Options {
	return chain.Options{Ledger: ledger.Options{Node: "n1", Clock: time.Now, Keys: derived{}, SegmentBytes: 64 << 10}}
}

// child rotates the chain without end while others append, and says on standard
// output what was released, as soon as Append has returned, until it is killed.
func child(dir, run string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for first := true; ; first = false {
		c, err := chain.Open(dir, killOptions())
		if err != nil {
			return fail(err)
		}
		if first {
			fmt.Println("open")
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("%s/%d/%d/%d", run, len(c.Logs()), g, i)
					r, err := c.Append(context.Background(), entry(ledger.KindIntent, 0, "c", "e", id))
					if errors.Is(err, ledger.ErrFrozen) {
						return
					}
					if err != nil {
						os.Exit(fail(err))
					}
					// One write, one line: what the parent reads was released.
					if _, err := os.Stdout.WriteString(strconv.FormatUint(r.Number, 10) + " " + id + "\n"); err != nil {
						os.Exit(1)
					}
				}
			})
		}
		if err := c.Wait(context.Background(), c.Size()+20); err != nil {
			return fail(err)
		}
		if _, err := c.Freeze(context.Background()); err != nil {
			return fail(err)
		}
		wg.Wait()
		if err := c.Close(); err != nil {
			return fail(err)
		}
	}
}

// G3: whatever was released before a kill -9, in the midst of rotations, is in one
// of the logs after it, once, and every log follows the one before it. 30 kills
// with fixed seeds; PARAVENT_LONG=1: 300. Not parallel: a child that is being
// started holds the locks of all open ledgers for a moment.
func TestG3AKillDuringRotationsLosesNoReleasedRecord(t *testing.T) {
	kills := 30
	switch {
	case os.Getenv("PARAVENT_LONG") == "1":
		kills = 300
	case testing.Short():
		kills = 5
	}
	dir := create(t, killOptions())
	rng := rand.New(rand.NewPCG(0, 26))
	told := map[uint64]string{}
	released := 0
	for kill := range kills {
		killOnce(t, dir, kill, time.Duration(rng.IntN(60000))*time.Microsecond, told)
		c, err := chain.Open(dir, killOptions())
		if err != nil {
			t.Fatalf("after kill %d: %v", kill, err)
		}
		released += len(told)
		seen := map[string]bool{}
		for _, r := range all(t, c, c.Logs()[0].Base()) {
			id := string(r.Customer.Plain)
			if want, ok := told[r.Number]; ok && id != want {
				t.Fatalf("record %d reads %q, want %q", r.Number, id, want)
			}
			delete(told, r.Number)
			if r.Kind == ledger.KindIntent && seen[id] {
				t.Fatalf("%q is recorded twice", id)
			}
			seen[id] = true
		}
		if len(told) > 0 {
			t.Fatalf("after kill %d: %d released records are lost", kill, len(told))
		}
		if kill == kills-1 {
			t.Logf("%d kills, %d released records, %d in all, in %d logs", kills, released, c.Size(), len(c.Logs()))
		}
		closed(t, c)
		// Old logs are dropped, as they are in life; it also keeps the test short.
		for _, info := range c.Names()[:max(0, len(c.Names())-3)] {
			if _, err := chain.Drop(dir, info.Name, killOptions()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if released == 0 {
		t.Fatal("nothing was released before any kill")
	}
}

// killOnce runs the child, kills it that long after it opened the chain, and
// notes what it released.
func killOnce(t *testing.T, dir string, run int, after time.Duration, told map[uint64]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_RUN=%d", childDir, run))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "open\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer kill.Stop()
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // an unfinished line was not released for sure
		}
		var number uint64
		var id string
		if _, err2 := fmt.Sscan(line, &number, &id); err != nil || err2 != nil {
			t.Fatalf("the child said %q: %v, %v", line, err, err2)
		}
		if _, twice := told[number]; twice {
			t.Fatalf("number %d was released twice", number)
		}
		told[number] = id
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}
