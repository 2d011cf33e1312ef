package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/witness"
)

// witnessProcess is a witness that runs as users run it.
type witnessProcess struct {
	cmd  *exec.Cmd
	url  string
	vkey string
}

// startWitness starts the command and reads from what it prints where it is and
// which key the server is to be configured with.
func startWitness(t *testing.T, args ...string) *witnessProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &witnessProcess{cmd: exec.Command(exe, append([]string{"witness", "--listen", "127.0.0.1:0"}, args...)...)}
	p.cmd.Args[0] = "paravent" // TestMain then runs the command instead of the tests
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = t.Output()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if v, ok := strings.CutPrefix(line, "url: "); ok {
			p.url = v
		}
		if v, ok := strings.CutPrefix(line, "key: "); ok {
			p.vkey = v
		}
		if line == "Ctrl-C ends it." {
			return p
		}
	}
	t.Fatal("the witness ended before it was ready")
	return nil
}

// kill is kill -9.
func (p *witnessProcess) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // "signal: killed", as asked
}

// stories are two logs of one name and key: the first n leaves are the same.
type stories struct {
	signer note.Signer
	log    witness.Log
	hashes [2][]tlog.Hash
}

func newStories(t *testing.T, same, size int64) *stories {
	t.Helper()
	return newStoriesOf(t, "paravent/test/0123456789abcdef", same, size)
}

func newStoriesOf(t *testing.T, origin string, same, size int64) *stories {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	s := &stories{}
	if s.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if s.log, err = witness.ParseLog(vkey); err != nil {
		t.Fatal(err)
	}
	for story := range s.hashes {
		for i := range size {
			leaf := fmt.Sprint("leaf ", i)
			if i >= same {
				leaf += fmt.Sprint(" of story ", story)
			}
			more, err := tlog.StoredHashes(i, []byte(leaf), s.reader(story))
			if err != nil {
				t.Fatal(err)
			}
			s.hashes[story] = append(s.hashes[story], more...)
		}
	}
	return s
}

func (s *stories) reader(story int) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = s.hashes[story][x]
		}
		return out, nil
	})
}

// body is an add-checkpoint request.
func (s *stories) body(t *testing.T, story int, old, size int64) string {
	t.Helper()
	root, err := tlog.TreeHash(size, s.reader(story))
	if err != nil {
		t.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", s.signer.Name(), size, root)}, s.signer)
	if err != nil {
		t.Fatal(err)
	}
	lines := ""
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, s.reader(story))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range proof {
			lines += h.String() + "\n"
		}
	}
	return fmt.Sprintf("old %d\n%s\n%s", old, lines, msg)
}

func (p *witnessProcess) post(body string) (int, string, error) {
	return p.postTo("/add-checkpoint", body)
}

func (p *witnessProcess) postTo(path, body string) (int, string, error) {
	resp, err := http.Post(p.url+path, "text/plain", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// G4: a witness that is killed at any moment never signs two stories.
func TestAKilledWitnessSignsOneStory(t *testing.T) {
	kills := 10
	if testing.Short() {
		kills = 2
	}
	if long() {
		kills = 200
	}
	const same = 5
	size := same + int64(kills)*100
	s := newStories(t, same, size)
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "public.key")
	if err := os.WriteFile(keyFile, []byte(s.log.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, vkey := int64(0), ""
	for i := range kills {
		p := startWitness(t, "--dir", filepath.Join(dir, "w"), "--log", keyFile)
		if vkey != "" && p.vkey != vkey {
			t.Fatal("the witness has another key now")
		}
		vkey = p.vkey
		killed := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(20+7*i%40) * time.Millisecond)
			p.kill()
			close(killed)
		}()
		for known < size-2 {
			status, text, err := p.post(s.body(t, 0, known, max(known+1, same+1)))
			if err != nil {
				break // killed
			}
			switch status {
			case http.StatusOK:
				known = max(known+1, same+1)
			case http.StatusConflict:
				var n int64
				if _, err := fmt.Sscanf(text, "%d\n", &n); err != nil || n < known || n > known+1 && n != same+1 {
					t.Fatalf("it knows %q after %d were cosigned", text, known)
				}
				known = n
			case http.StatusTooManyRequests:
				time.Sleep(time.Millisecond)
			default:
				t.Fatalf("%d %s", status, text)
			}
		}
		<-killed
	}
	p := startWitness(t, "--dir", filepath.Join(dir, "w"), "--log", keyFile)
	// The last kill may have come between the write and the answer.
	if status, text, err := p.post(s.body(t, 0, 0, known+1)); err != nil || status != http.StatusConflict {
		t.Fatalf("%d %s %v", status, text, err)
	} else if _, err := fmt.Sscanf(text, "%d\n", &known); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{known - 1, known, known + 1, known + 2} {
		if status, text, err := p.post(s.body(t, 1, known, size)); err != nil || status == http.StatusOK {
			t.Errorf("the other story of %d records: %d %s %v", size, status, text, err)
		}
	}
	alarms, err := os.ReadFile(filepath.Join(dir, "w", "alarm.jsonl"))
	if err != nil || !strings.Contains(string(alarms), `"kind":"fork"`) {
		t.Errorf("the alarms: %s (%v)", alarms, err)
	}
	if status, text, err := p.post(s.body(t, 0, known, known)); err != nil || status != http.StatusOK {
		t.Errorf("the first story: %d %s %v", status, text, err)
	}
	t.Logf("%d records cosigned over %d kills", known, kills)
	if known < int64(kills) {
		t.Errorf("only %d cosignatures over %d kills: the storm is too weak to prove anything", known, kills)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// end is the succession of the first story's tree of that size to another log.
func (s *stories) end(t *testing.T, size int64, next witness.Log) string {
	t.Helper()
	root, err := tlog.TreeHash(size, s.reader(0))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("paravent/succession/v1\n%s\n%d\n%s\n%d\n%s\n", s.signer.Name(), size, root, size, next)
	msg, err := note.Sign(&note.Note{Text: text}, s.signer)
	if err != nil {
		t.Fatal(err)
	}
	_, checkpoint, _ := strings.Cut(s.body(t, 0, size, size), "\n\n")
	return string(msg) + "\n" + checkpoint
}

// G4: a witness that is killed while it follows a log has followed it wholly or
// not at all, and what it followed it still knows.
func TestAKilledWitnessRemembersWhatItFollowed(t *testing.T) {
	old, next := newStories(t, 5, 9), newStories(t, 5, 9)
	dir := t.TempDir()
	args := []string{"--dir", filepath.Join(dir, "w"), "--log", old.log.String()}
	// The two have one name in newStories, as a forger's would: it's no successor.
	p := startWitness(t, args...)
	if status, text, err := p.post(old.body(t, 0, 0, 9)); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	if status, _, err := p.postTo("/add-log", old.end(t, 9, next.log)); err != nil || status != http.StatusBadRequest {
		t.Fatalf("%d %v", status, err)
	}
	next = newStoriesOf(t, "paravent/test/0002", 5, 9)
	p.kill()
	for i := range 6 {
		p = startWitness(t, args...)
		killed := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(i) * 2 * time.Millisecond)
			p.kill()
			close(killed)
		}()
		if status, text, err := p.postTo("/add-log", old.end(t, 9, next.log)); err == nil && status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		<-killed
	}
	p = startWitness(t, args...)
	if status, text, err := p.postTo("/add-log", old.end(t, 9, next.log)); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	p.kill()
	p = startWitness(t, args...)
	if status, text, err := p.post(next.body(t, 0, 0, 9)); err != nil || status != http.StatusOK {
		t.Fatalf("the log that follows: %d %s %v", status, text, err)
	}
	p.kill()
	p = startWitness(t, append(args, "--no-follow")...)
	if status, _, err := p.post(next.body(t, 0, 9, 9)); err != nil || status != http.StatusNotFound {
		t.Errorf("--no-follow: %d %v", status, err)
	}
}
