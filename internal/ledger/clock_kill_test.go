package ledger_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// jumpingDir names the environment variable that makes this test binary the
// process with the jumping clock.
const jumpingDir = "PARAVENT_LEDGER_TEST_JUMPING"

// jumps are what the clock is off by, in turn: right, an hour back, right, a day
// ahead.
var jumps = []time.Duration{0, -time.Hour, 0, 24 * time.Hour}

// TestAppendWhileTheClockJumps is no test of its own: it's the process that
// TestAClockSetBackUnderFaultsKillsAndAReader kills. It says what was released,
// each with its signed head, and how far its reader has come.
func TestAppendWhileTheClockJumps(t *testing.T) {
	dir := os.Getenv(jumpingDir)
	if dir == "" {
		t.Skip("run by another test")
	}
	run := os.Getenv(jumpingDir + "_RUN")
	var seed uint64
	fmt.Sscan(run, &seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	var off atomic.Int64
	off.Store(int64(jumps[rng.IntN(len(jumps))])) // an hour between two runs, too
	var x ledger.Faults
	o := x.On(killOptions())
	o.SegmentBytes, o.Probe = 64<<10, time.Millisecond
	o.Clock = func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("open")
	for g := range 8 {
		go appendForEver(l, run, g)
	}
	go readForEver(l)
	for i := 0; ; i++ { // until killed
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
		off.Store(int64(jumps[i%len(jumps)]))
		if i%3 == 0 {
			x.Arm(rng.IntN(6), []string{"fails", "persists", "partial", "full", "lost"}[rng.IntN(5)])
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
			x.Disarm()
		}
	}
}

// appendForEver says what was released, one write a line.
func appendForEver(l *ledger.Ledger, run string, g int) {
	for i := 0; ; i++ {
		e := entry(g*7 + i)
		id := fmt.Sprintf("%s/%d/%d", run, g, i)
		e.Customer.Plain = []byte(id + strings.Repeat(" ", i%3*400))
		r, err := l.Append(context.Background(), e)
		if errors.Is(err, ledger.ErrUnavailable) {
			time.Sleep(500 * time.Microsecond) // refused, as it must be; nothing was released
			continue
		}
		if err == nil {
			err = r.Verify(l.Public())
		}
		if err != nil {
			fail("append %s: %v", id, err)
		}
		os.Stdout.WriteString(fmt.Sprintf("%d %s %d %s\n", r.Position, id, r.Head.Size, r.Head.Root))
	}
}

// readForEver follows from position 0 to the end and on, and begins again now
// and then. Every position is there once and in order.
func readForEver(l *ledger.Ledger) {
	ctx := context.Background()
	for {
		next, begun := uint64(0), time.Now()
		for time.Since(begun) < 30*time.Millisecond {
			for r, err := range l.Records(ctx, next) {
				if err != nil {
					fail("read %d: %v", next, err)
				}
				if r.Position != next {
					fail("read %d, and then %d", next-1, r.Position)
				}
				next++
			}
			if err := l.Wait(ctx, next); err != nil {
				fail("wait: %v", err)
			}
			os.Stdout.WriteString(fmt.Sprintf("read %d\n", next))
		}
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// G3, G4: the clock is set back an hour and ahead a day again and again, the disk
// fails in every way, a reader follows all the time, and the process is killed
// at any moment. After each kill: every released record is there once, times run
// backwards only at a leaf that says so, and the tree holds every head that was
// ever released or lies in the folder.
func TestAClockSetBackUnderFaultsKillsAndAReader(t *testing.T) {
	kills := 12
	if os.Getenv("PARAVENT_LONG") == "1" {
		kills = 150
	}
	o := killOptions()
	dir := create(t, o)
	rng := rand.New(rand.NewPCG(60, 26))
	w := &witnessed{told: map[uint64]string{}, heads: map[uint64]string{}}
	for kill := range kills {
		w.run(t, dir, kill, time.Duration(20+rng.IntN(60))*time.Millisecond)
		w.verify(t, dir)
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
	}
	if len(w.told) < kills || w.read < kills || w.back == 0 || w.resumed == 0 {
		t.Fatalf("%d records released, %d read, %d steps back of the clock, %d resumed: too little to prove anything", len(w.told), w.read, w.back, w.resumed)
	}
	t.Logf("%d kills, %d records released, %d read beside it, %d times the clock ran back, %d times recording resumed",
		kills, len(w.told), w.read, w.back, w.resumed)
}

// witnessed is all that the killed processes released.
type witnessed struct {
	told          map[uint64]string // by position
	heads         map[uint64]string // root of each released head, by size
	read          int               // records that readers came past
	back, resumed int               // in the journal, as of the last verify
}

// run starts the process, kills it that long after it opened the ledger, and
// notes what it said.
func (w *witnessed) run(t *testing.T, dir string, run int, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAppendWhileTheClockJumps$")
	cmd.Env = append(os.Environ(), jumpingDir+"="+dir, fmt.Sprintf("%s_RUN=%d", jumpingDir, run))
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
		rest, _ := io.ReadAll(lines)
		t.Fatalf("run %d said %q, %v: %s", run, line, err, rest)
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer kill.Stop()
	came := 0
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // an unfinished line was not released for sure
		}
		if err != nil {
			t.Fatal(err)
		}
		var position, size uint64
		var id, root string
		if n, ok := strings.CutPrefix(line, "read "); ok {
			fmt.Sscan(n, &came)
			w.read++
			continue
		}
		if _, err := fmt.Sscan(line, &position, &id, &size, &root); err != nil {
			t.Fatalf("run %d said %q: %v", run, line, err)
		}
		if was, twice := w.told[position]; twice {
			t.Errorf("position %d was released twice, for %s and %s", position, was, id)
		}
		w.told[position] = id
		if was := w.heads[size]; was != "" && was != root {
			t.Errorf("two heads of size %d were released", size)
		}
		w.heads[size] = root
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Errorf("run %d ended by itself: %v", run, err)
	}
}

// verify reads the folder as an outsider does and compares it with all that was
// ever released; then it opens the ledger, as the next start would.
func (w *witnessed) verify(t *testing.T, dir string) {
	t.Helper()
	o := killOptions()
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	records := all(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	w.outside(t, dir, l, records)
	seen := map[string]uint64{}
	var e ledger.Edge
	w.back, w.resumed = 0, 0
	for i, r := range records {
		e.Extend([]ledger.Hash{r.Hash})
		if root := w.heads[r.Position+1]; root != "" && root != e.Root().String() {
			t.Errorf("the released head of size %d is of another tree", r.Position+1)
		}
		if i > 0 && r.Time.Before(records[i-1].Time) {
			w.back++
			if r.Kind != ledger.KindClock {
				t.Errorf("record %d, a %s, is %s before the one before it", r.Position, r.Kind, records[i-1].Time.Sub(r.Time))
			}
		}
		if r.Kind == ledger.KindStart && strings.HasPrefix(string(r.Detail), "resumed") {
			w.resumed++
		}
		if r.Kind != ledger.KindIntent {
			continue
		}
		id := strings.TrimRight(string(r.Customer.Plain), " ")
		if at, twice := seen[id]; twice {
			t.Errorf("%s is recorded at %d and at %d", id, at, r.Position)
		}
		seen[id] = r.Position
	}
	for position, id := range w.told {
		if at, ok := seen[id]; !ok || at != position {
			t.Errorf("%s was released as record %d; there: %v, at %d", id, position, ok, at)
		}
	}
	consistent(t, dir, records)
}

// outside reads the folder without its keys: every batch is whole, every head
// signed, and every leaf is the one that the owner reads.
func (w *witnessed) outside(t *testing.T, dir string, l *ledger.Ledger, records []ledger.Record) {
	t.Helper()
	journal, err := ledger.Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	segments := journal.Segments()
	at := uint64(0)
	for i, number := range segments {
		limit := int64(-1)
		if i+1 < len(segments) {
			next, err := journal.Head(segments[i+1])
			if err != nil {
				t.Fatal(err)
			}
			limit = next.Previous
		}
		r, _, err := journal.Read(number, limit)
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Head.Origin = l.Origin()
			if err := b.Head.Verify(l.Public()); err != nil || b.First != at {
				t.Fatalf("the batch at %d, of which %d was expected: %v", b.First, at, err)
			}
			for j, rec := range b.Records {
				if !rec.Intact() || !slices.Equal(rec.Leaf, records[b.First+uint64(j)].Leaf) {
					t.Fatalf("record %d reads otherwise from outside", b.First+uint64(j))
				}
			}
			if root := w.heads[b.Head.Size]; root != "" && root != base64.StdEncoding.EncodeToString(b.Head.Root[:]) {
				t.Errorf("the journal's head of size %d is not the one that was released", b.Head.Size)
			}
			at = b.End()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if at != uint64(len(records)) {
		t.Errorf("%d records from outside, %d from inside", at, len(records))
	}
}
