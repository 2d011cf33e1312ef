package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// While everybody looks, the log is frozen and the next one opened, twice. Nobody
// gets an error, each look-up that was released is there once with its receipts,
// and the whole ledger verifies with the key of any of its logs.
func TestTheLedgerTurnsOverWhileEverybodyLooks(t *testing.T) {
	f := newStormFolder(t)
	server := f.start(t)
	defer server.Process.Kill()
	w := f.work(t)
	for turn := range 2 {
		before := w.released.Load()
		f.rotate(t, fmt.Sprintf("%04d", turn+2))
		w.await(t, before+20)
	}
	w.end(t)
	young := f.post(t, "/v1/ledger/drops", f.admin, `{"log":"0001","reason":"room is short"}`, http.StatusConflict)
	if !strings.Contains(string(young), "too young to be dropped") {
		t.Errorf("dropping a log of today answers %s", young)
	}
	f.stop(t, server)
	f.check(t, w.got, 0)
	for log := 1; log <= 3; log++ {
		key := filepath.Join(f.dir, "data", "ledger", fmt.Sprintf("%04d", log), "public.key")
		out, err := f.command("ledger", "verify", "--data", filepath.Join(f.dir, "data"), "--key", key, "--state", t.TempDir()).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "\nSOUND\n") {
			t.Errorf("with the key of log %d: %v\n%s", log, err, out)
		}
	}
	receipt := filepath.Join(f.dir, "receipt.json")
	text, err := json.Marshal(w.got[0].Recorded)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(receipt, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := f.command("ledger", "receipt", receipt, "--at", filepath.Join(f.dir, "data", "ledger")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "VERIFIED") || !strings.Contains(string(out), "still holds it") {
		t.Errorf("a receipt of the first log: %v\n%s", err, out)
	}
}

// workers look without end.
type workers struct {
	released atomic.Int64
	stop     chan struct{}
	done     sync.WaitGroup
	mu       sync.Mutex
	got      []disclosed
	failed   []error
}

// work lets eight people look until end is called.
func (f *stormFolder) work(t *testing.T) *workers {
	t.Helper()
	w := &workers{stop: make(chan struct{})}
	for n := range 8 {
		w.done.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			for i := n; ; i++ {
				select {
				case <-w.stop:
					return
				default:
				}
				d, err := f.look(client, f.people[i%len(f.people)])
				w.mu.Lock()
				if err != nil && strings.Contains(err.Error(), "403 Forbidden") {
					err = nil // this one needs a second person; that's an answer
				} else if err != nil {
					w.failed = append(w.failed, err)
				} else {
					w.got = append(w.got, d)
				}
				w.mu.Unlock()
				if err == nil {
					w.released.Add(1)
				}
			}
		})
	}
	return w
}

// await waits until so many look-ups were released.
func (w *workers) await(t *testing.T, count int64) {
	t.Helper()
	for began := time.Now(); w.released.Load() < count; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("only %d look-ups were released, %d failed", w.released.Load(), len(w.failed))
		}
	}
}

func (w *workers) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.done.Wait()
	if len(w.failed) > 0 {
		t.Errorf("%d look-ups failed, the first with: %v", len(w.failed), w.failed[0])
	}
}

// rotate asks for the next log, has it agreed to, and waits until it is there.
func (f *stormFolder) rotate(t *testing.T, next string) {
	t.Helper()
	f.changeLedger(t, "rotations", `{"reason":"a year is over"}`)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(f.dir, "data", "ledger", next, "public.key")); err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("log %s isn't there", next)
		}
	}
}

// changeLedger asks as the administrator and agrees as the privacy officer.
func (f *stormFolder) changeLedger(t *testing.T, what, body string) {
	t.Helper()
	var asked struct{ ID string }
	if err := json.Unmarshal(f.post(t, "/v1/ledger/"+what, f.admin, body, http.StatusAccepted), &asked); err != nil {
		t.Fatal(err)
	}
	f.post(t, "/v1/requests/"+asked.ID, f.officer, `{"agree":true}`, http.StatusOK)
}

func (f *stormFolder) post(t *testing.T, path, token, body string, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+f.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Fatalf("POST %s answers %s, wanted %d: %s %v", path, resp.Status, want, text, err)
	}
	return text
}

// stop ends the server as Ctrl-C does.
func (f *stormFolder) stop(t *testing.T, server *exec.Cmd) {
	t.Helper()
	if err := server.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatalf("the server ends with %v:\n%s", err, server.Stderr.(*bytes.Buffer))
	}
}

// command is the program itself.
func (f *stormFolder) command(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err) // only where the test binary was removed
	}
	c := exec.Command(exe, args...)
	c.Args[0] = "paravent"
	c.Env = append(os.Environ(), "HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir)
	return c
}
