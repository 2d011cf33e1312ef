package ledger_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// childDir names the environment variable that makes this test binary the
// process that is killed.
const childDir = "PARAVENT_LEDGER_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childDir+"_RUN")))
	}
	os.Exit(m.Run())
}

// derived is a key table that is durable without a disk: keys are computed.
type derived struct{ persons []string }

func (derived) key(person string) ledger.Key {
	id, secret := sha256.Sum256([]byte("id"+person)), sha256.Sum256([]byte("secret"+person))
	return ledger.Key{Person: person, ID: ledger.KeyID(id[:16]), Secret: secret[:]}
}

func (d derived) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	out := map[string]ledger.Key{}
	for _, p := range persons {
		out[p] = d.key(p)
	}
	return out, nil
}

func (d derived) ByID(context.Context, []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	out := map[ledger.KeyID]ledger.Key{}
	for _, p := range d.persons {
		out[d.key(p).ID] = d.key(p)
	}
	return out, nil
}

func (derived) Create(context.Context, []ledger.Key) error { return nil }

func (derived) Destroy(context.Context, []ledger.KeyID) error { return nil }

// killOptions are those of the killed process and of who looks after it.
func killOptions() ledger.Options {
	var d derived
	for n := range 21 {
		e := entry(n)
		d.persons = append(d.persons, e.Customer.Person, e.Employee.Person)
	}
	o := options(nil)
	o.Keys, o.SegmentBytes = d, 256<<10
	return o
}

// child appends from many goroutines and says on standard output what was
// released, as soon as Append has returned, until it is killed.
func child(dir, run string) int {
	l, err := ledger.Open(dir, killOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("open")
	var wg sync.WaitGroup
	for g := range 24 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := entry(g*7 + i)
				id := fmt.Sprintf("%s/%d/%d", run, g, i)
				e.Customer.Plain = []byte(id + strings.Repeat(" ", i%3*400))
				r, err := l.Append(context.Background(), e)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				// One write, one line: what the parent reads was released.
				if _, err := os.Stdout.WriteString(fmt.Sprintf("%d %s\n", r.Position, id)); err != nil {
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	return 0
}

// G3: whatever was released before a kill -9 is in the journal after it. 50
// kills with fixed seeds; PARAVENT_LONG=1: 1,000, in 20 ledgers. Not parallel: a
// child that is being started holds the locks of all open ledgers for a moment.
func TestAKillAtAnyMomentLosesNoReleasedRecord(t *testing.T) {
	ledgers, kills := 1, 50
	if os.Getenv("PARAVENT_LONG") == "1" {
		ledgers = 20
	}
	if testing.Short() {
		kills = 5
	}
	for n := range ledgers {
		killMany(t, uint64(n), kills)
	}
}

// killMany kills the owner of one ledger again and again.
func killMany(t *testing.T, seed uint64, kills int) {
	t.Helper()
	o := killOptions()
	dir := create(t, o)
	rng := rand.New(rand.NewPCG(seed, 26))
	told, seen := map[uint64]string{}, map[string]bool{}
	var from, total uint64
	for kill := range kills {
		total += uint64(killOnce(t, dir, kill, time.Duration(rng.IntN(30000))*time.Microsecond, told))
		l, err := ledger.Open(dir, o)
		if err != nil {
			t.Fatalf("seed %d, after kill %d: %v", seed, kill, err)
		}
		look(t, l, from, told, seen)
		from = l.Size()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Fatal("nothing was released before any kill")
	}
	t.Logf("seed %d: %d kills, %d released records, %d records in all", seed, kills, total, from)
	l := open(t, dir, o)
	consistent(t, dir, all(t, l))
}

// look finds every released record from position from on, intact and once, and
// empties told.
func look(t *testing.T, l *ledger.Ledger, from uint64, told map[uint64]string, seen map[string]bool) {
	t.Helper()
	for r, err := range l.Records(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != ledger.KindIntent {
			continue
		}
		id := strings.TrimRight(string(r.Customer.Plain), " ")
		if want, ok := told[r.Position]; ok && id != want {
			t.Fatalf("record %d reads %q, want %q", r.Position, id, want)
		}
		delete(told, r.Position)
		if seen[id] {
			t.Fatalf("%q is recorded twice", id)
		}
		seen[id] = true
	}
	if len(told) > 0 {
		t.Fatalf("%d released records are lost", len(told))
	}
}

// killOnce runs the child, kills it that long after it opened the ledger, and
// notes what it released.
func killOnce(t *testing.T, dir string, run int, after time.Duration, told map[uint64]string) int {
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
	n := 0
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // an unfinished line was not released for sure
		}
		if err != nil {
			t.Fatal(err)
		}
		var position uint64
		var id string
		if _, err := fmt.Sscan(line, &position, &id); err != nil {
			t.Fatalf("the child said %q: %v", line, err)
		}
		if _, twice := told[position]; twice {
			t.Fatalf("position %d was released twice", position)
		}
		told[position] = id
		n++
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return n
}
