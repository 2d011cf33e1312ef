//go:build unix

package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"paravent/internal/ledger"
	"paravent/internal/store"
)

// keyFolder names the environment variable that makes this test binary a
// process of its own: one whose disk is full, or one that is killed.
const keyFolder = "PARAVENT_KEYS_TEST_CHILD"

// another runs a test of this binary in a process of its own, in dir.
func another(test, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), keyFolder+"="+dir)
	return cmd
}

// secretOf is a key whose bytes can be searched for.
func secretOf(person string, n int) ledger.Key {
	k := ledger.Key{Person: person, Secret: fmt.Appendf(nil, "secret-%025d", n)}
	copy(k.ID[:], fmt.Appendf(nil, "key-id-%09d", n))
	return k
}

// The operating system refuses every byte behind a bound, which moves through
// all that making keys and destroying them writes. What was said to be made is
// there; of what wasn't, all or nothing; and as soon as there is room both work.
func TestG3NoFullDiskLosesAKeyOrHalvesAChange(t *testing.T) {
	out, err := another("TestKeysOnAFullDisk", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestKeysOnAFullDisk is no test of its own.
func TestKeysOnAFullDisk(t *testing.T) {
	dir := os.Getenv(keyFolder)
	if dir == "" {
		t.Skip("run by another test")
	}
	signal.Ignore(syscall.SIGXFSZ) // the write then fails, as on a full disk
	ctx := context.Background()
	s := mustOpen(t, dir)
	made := map[string]ledger.Key{}
	refused, kept := 0, 0
	for n := range 120 {
		keys := make([]ledger.Key, 1+n%3*20) // up to several pages
		var persons []string
		for i := range keys {
			keys[i] = secretOf(fmt.Sprintf("customer:c%d-%d", n, i), n*100+i)
			persons = append(persons, keys[i].Person)
		}
		full := bound(t, dir, int64(n%40*2048))
		err := s.Keys().Create(ctx, keys)
		full()
		found, lookup := s.Keys().Lookup(ctx, persons)
		if lookup != nil || len(found) != 0 && len(found) != len(keys) || err == nil && len(found) == 0 {
			t.Fatalf("round %d: Create says %v, %d of %d keys are there, %v", n, err, len(found), len(keys), lookup)
		}
		if err != nil {
			refused++
			if err := s.Keys().Create(ctx, keys); err != nil {
				t.Fatalf("round %d: with room again: %v", n, err)
			}
		} else {
			kept++
		}
		for _, k := range keys {
			made[k.Person] = k
		}
		if n%3 == 0 {
			destroyInLittleRoom(t, s, dir, keys[0], int64(n%40*512))
			delete(made, keys[0].Person)
		}
		if n%20 == 19 {
			mustClose(t, s)
			s = mustOpen(t, dir)
			areThere(t, s, made)
		}
	}
	mustClose(t, s)
	if refused < 20 || kept < 20 {
		t.Fatalf("%d refused, %d kept: the bound was never in the way, or always", refused, kept)
	}
}

// bound makes writes behind so many bytes after the end of the write-ahead log
// fail, until the returned function is called.
func bound(t *testing.T, dir string, room int64) (free func()) {
	t.Helper()
	size := room
	if info, err := os.Stat(filepath.Join(dir, store.KeysFile+"-wal")); err == nil {
		size += info.Size()
	}
	return limit(t, size)
}

func limit(t *testing.T, size int64) (free func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(size), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}
}

// destroyInLittleRoom destroys a key where writes behind a bound fail, and then
// without it. In the end nothing of the key is in any file (G5).
func destroyInLittleRoom(t *testing.T, s *store.Store, dir string, k ledger.Key, room int64) {
	t.Helper()
	ctx := context.Background()
	full := limit(t, room)
	err := s.Keys().Destroy(ctx, []ledger.KeyID{k.ID})
	full()
	if err != nil {
		if err := s.Keys().Destroy(ctx, []ledger.KeyID{k.ID}); err != nil {
			t.Fatalf("destroy %s with room again: %v", k.Person, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, k.Secret) || bytes.Contains(b, k.ID[:]) {
			t.Errorf("%s still holds the key of %s", f.Name(), k.Person)
		}
	}
}

// areThere says that the table holds these keys as they were made.
func areThere(t *testing.T, s *store.Store, made map[string]ledger.Key) {
	t.Helper()
	var persons []string
	for p := range made {
		persons = append(persons, p)
	}
	found, err := s.Keys().Lookup(t.Context(), persons)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range made {
		if got := found[p]; got.ID != want.ID || !bytes.Equal(got.Secret, want.Secret) {
			t.Errorf("the key of %s was made and is %x", p, got.ID)
		}
	}
}

// TestMakeKeysUntilKilled is no test of its own. It says which keys were made,
// as soon as Create has returned.
func TestMakeKeysUntilKilled(t *testing.T) {
	dir := os.Getenv(keyFolder)
	if dir == "" {
		t.Skip("run by another test")
	}
	s := mustOpen(t, dir)
	from := time.Now().UnixNano() % 1_000_000_000_000 * 100
	fmt.Println("open")
	for n := int(from); ; n += 2 {
		keys := []ledger.Key{secretOf(fmt.Sprint("p", n), n), secretOf(fmt.Sprint("p", n+1), n+1)}
		for i := range keys {
			copy(keys[i].ID[:], fmt.Appendf(nil, "%016d", n+i))
		}
		if err := s.Keys().Create(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(fmt.Sprintf("made %d\n", n))
	}
}

// G3: a key that was said to be made is there after a kill -9, whole, with the
// other one of its change. 15 kills; PARAVENT_LONG=1: 300.
func TestG3AKillLosesNoKeyThatWasMade(t *testing.T) {
	kills := 15
	if os.Getenv("PARAVENT_LONG") == "1" {
		kills = 300
	}
	dir := t.TempDir()
	mustClose(t, mustOpen(t, dir))
	rng := rand.New(rand.NewPCG(11, 26))
	made := map[string]ledger.Key{}
	for kill := range kills {
		for _, n := range untilKilled(t, dir, time.Duration(rng.IntN(30))*time.Millisecond) {
			for i := range 2 {
				k := secretOf(fmt.Sprint("p", n+i), n+i)
				copy(k.ID[:], fmt.Appendf(nil, "%016d", n+i))
				made[k.Person] = k
			}
		}
		s := mustOpen(t, dir)
		areThere(t, s, made)
		mustClose(t, s)
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
	}
	if len(made) < kills {
		t.Fatalf("only %d keys were made", len(made))
	}
	t.Logf("%d kills, %d keys made", kills, len(made))
}

// untilKilled runs the process that makes keys, kills it that long after it
// opened the store, and returns what it said was made.
func untilKilled(t *testing.T, dir string, after time.Duration) (made []int) {
	t.Helper()
	cmd := another("TestMakeKeysUntilKilled", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for opened := false; ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // an unfinished line was not said
		}
		if err != nil {
			t.Fatal(err)
		}
		var n int
		switch {
		case line == "open\n":
			opened = true
			defer time.AfterFunc(after, func() { cmd.Process.Kill() }).Stop()
		case opened:
			if _, err := fmt.Sscanf(line, "made %d\n", &n); err != nil {
				t.Fatalf("the process said %q", line)
			}
			made = append(made, n)
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return made
}
