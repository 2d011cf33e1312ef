package witness_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/witness"
)

func golden(t *testing.T) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/golden.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, f := range a.Files {
		m[f.Name] = string(f.Data)
	}
	return m
}

func TestTheWireIsAsTheSpecificationSaysByteByByte(t *testing.T) {
	g := golden(t)
	log, err := witness.ParseLog(strings.TrimSpace(g["log.key"]))
	if err != nil {
		t.Fatal(err)
	}
	if log.String()+"\n" != g["log.key"] {
		t.Errorf("the log's key reads back as %s", log)
	}
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "w"), clock: newClock(), logs: []witness.Log{log}, said: &strings.Builder{}}
	r.clock.at = time.Unix(1679315147, 0)
	if err := witness.Create(r.dir, "other"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"public.key", "signing.key"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(g[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.open()
	defer r.stop()
	if got := r.w.Verifier().String() + "\n"; got != g["public.key"] {
		t.Errorf("verifier key: got %s, want %s", got, g["public.key"])
	}
	if got := r.post(g["request1"]); got.status != 200 || got.body != g["answer1"] {
		t.Fatalf("first: got %+v, want %s", got, g["answer1"])
	}
	r.clock.add(time.Second)
	if got := r.post(g["request2"]); got.status != 200 || got.body != g["answer2"] {
		t.Fatalf("second: got %+v, want %s", got, g["answer2"])
	}
}

func TestTheClientSpeaksTheSameBytes(t *testing.T) {
	g := golden(t)
	asked, err := witness.ParseRequest([]byte(g["request2"]))
	if err != nil || string(asked) != g["request2"] {
		t.Fatalf("request: got %q (%v), want %q", asked, err, g["request2"])
	}
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 4096)
		n, _ := r.Body.Read(b)
		got = r.Method + " " + r.URL.Path + "\n" + string(b[:n])
		_, err := w.Write([]byte(g["answer2"]))
		if err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	peer, err := witness.ParsePeer("w1 " + srv.URL + " " + g["public.key"])
	if err != nil {
		t.Fatal(err)
	}
	head, checkpoint, _ := strings.Cut(g["request2"], "\n\n")
	var proof tlog.TreeProof
	for _, l := range strings.Split(head, "\n")[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			t.Fatal(err)
		}
		proof = append(proof, h)
	}
	c := witness.NewClient(peer)
	defer c.Close()
	s, err := c.Cosign(t.Context(), 3, proof, []byte(checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	if want := "POST /add-checkpoint\n" + g["request2"]; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	if s.Line != g["answer2"] || s.Time.Unix() != 1679315148 || s.Name != "works-council.example/w1" {
		t.Errorf("got %+v", s)
	}
}

// Verifier keys of public witnesses and of sum.golang.org, as they are published.
func TestPublishedKeysOfOthersAreRead(t *testing.T) {
	for _, k := range []string{
		"transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
		"witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
		"witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
	} {
		v, err := witness.ParseVerifier(k)
		if err != nil || v.String() != k {
			t.Errorf("%s: got %s (%v)", k, v, err)
		}
		if _, err := witness.ParseLog(k); err == nil {
			t.Errorf("%s was taken for the key of a log", k)
		}
	}
	sum := "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
	if l, err := witness.ParseLog(sum); err != nil || l.String() != sum {
		t.Errorf("%s: got %s (%v)", sum, l, err)
	}
	for name, k := range map[string]string{
		"the key of a log":     sum,
		"a wrong hash":         "witness.stagemole.eu+67f7aea1+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
		"another name":         "witness.stagemole.se+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
		"cut short":            "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqk",
		"nothing":              "",
		"a space in its name":  "witness stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
		"an upper-case hash":   "witness.stagemole.eu+67F7AEA0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
		"a trailing character": "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv ",
	} {
		if _, err := witness.ParseVerifier(k); err == nil {
			t.Errorf("a key with %s was taken", name)
		}
	}
}

func TestEachAnswerHasTheStatusOfTheSpecification(t *testing.T) {
	l, stranger := newFakeLog(t, "paravent/a/01"), newFakeLog(t, "paravent/b/02").grow(9)
	l.grow(40)
	namesake := newFakeLog(t, l.origin).grow(40)
	r := newRig(t, l)
	r.mustCosign(l, 0, 7)
	ok := l.checkpoint(12)
	p := l.proof(7, 12)
	wrong := append(tlog.TreeProof{}, p...)
	wrong[0][0] ^= 1
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"an unknown log", body(0, nil, stranger.checkpoint(9)), 404},
		{"a log of that name with another key", body(7, namesake.proof(7, 12), namesake.checkpoint(12)), 403},
		{"a text that was changed under the signature", body(7, p, strings.Replace(ok, "\n12\n", "\n13\n", 1)), 403},
		{"a signature that was changed", body(7, p, flip(ok)), 403},
		{"signed by somebody else under the log's name", body(7, p, resign(t, l.text(12), stranger)), 403},
		{"an old size that isn't the known one", body(5, l.proof(5, 12), ok), 409},
		{"an old size of zero, to ask", body(0, nil, ok), 409},
		{"an old size beyond the known one", body(9, l.proof(9, 12), ok), 409},
		{"an old size beyond the checkpoint", body(13, nil, ok), 400},
		{"a wrong hash in the proof", body(7, wrong, ok), 422},
		{"a proof that is too short", body(7, p[:len(p)-1], ok), 422},
		{"a proof that is too long", body(7, append(append(tlog.TreeProof{}, p...), p[0]), ok), 422},
		{"no proof", body(7, nil, ok), 422},
		{"a proof with 64 hashes", body(7, make(tlog.TreeProof, 64), ok), 400},
		{"a proof for the same size", body(7, p, l.checkpoint(7)), 422},
		{"nothing", "", 400},
		{"no empty line", "old 7\n", 400},
		{"no old size", "\n" + ok, 400},
		{"a capital", "Old 7\n\n" + ok, 400},
		{"two spaces", "old  7\n\n" + ok, 400},
		{"a leading zero", "old 07\n\n" + ok, 400},
		{"a sign", "old +7\n\n" + ok, 400},
		{"a negative size", "old -7\n\n" + ok, 400},
		{"a size beyond 64 bits", "old 18446744073709551617\n\n" + ok, 400},
		{"a carriage return", "old 7\r\n\r\n" + ok, 400},
		{"a hash that isn't base64", "old 7\n*\n\n" + ok, 400},
		{"a hash of 31 bytes", "old 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n\n" + ok, 400},
		{"a hash in another base64 form", "old 7\n" + strings.Replace(p[0].String(), "=", "", 1) + "\n\n" + ok, 400},
		{"a checkpoint without signatures", body(7, p, l.text(12)), 400},
		{"a checkpoint that ends early", body(7, p, ok[:len(ok)-1]), 400},
		{"a checkpoint without root", body(7, p, l.sign(l.origin+"\n12\n")), 400},
		{"a checkpoint with a leading zero", body(7, p, l.sign(strings.Replace(l.text(12), "\n12\n", "\n012\n", 1))), 400},
		{"a checkpoint with an empty line", body(7, p, l.sign(l.text(12)+"\nmore\n")), 400},
		{"more bytes than allowed", body(7, p, ok) + strings.Repeat("x", witness.MaxRequest), 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			r.refused(r.post(c.body), c.status)
		})
	}
	r.t = t
	if rep := r.report(); rep.Logs[0].Size != 7 {
		t.Errorf("after all refusals the witness knows %d records, not 7", rep.Logs[0].Size)
	}
	r.mustCosign(l, 7, 12)
}

// flip changes the last byte of the signature.
func flip(msg string) string {
	i := strings.LastIndex(msg, "=")
	for msg[i-1] == '=' {
		i--
	}
	c := byte('A')
	if msg[i-5] == c {
		c = 'B'
	}
	return msg[:i-5] + string(c) + msg[i-4:]
}

// resign signs text by another log, and puts the text's origin and key id before
// that signature.
func resign(t *testing.T, text string, by *fakeLog) string {
	t.Helper()
	msg, err := note.Sign(&note.Note{Text: text}, by.signer)
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(text, "\n")
	return strings.Replace(string(msg), "— "+by.origin, "— "+origin, 1)
}

func TestWhatIsAllowedIsCosigned(t *testing.T) {
	t.Run("the empty tree, and everything after it", func(t *testing.T) {
		l := newFakeLog(t, "paravent/a/01").grow(3)
		r := newRig(t, l)
		r.mustCosign(l, 0, 0)
		r.mustCosign(l, 0, 0)
		r.mustCosign(l, 0, 3)
		r.noAlarm()
	})
	t.Run("the same checkpoint again, with a new time", func(t *testing.T) {
		l := newFakeLog(t, "paravent/a/01").grow(3)
		r := newRig(t, l)
		first := r.mustCosign(l, 0, 3)
		r.clock.add(time.Hour)
		if r.mustCosign(l, 3, 3) == first {
			t.Error("the time didn't move")
		}
		r.noAlarm()
	})
	t.Run("every step between any two sizes", func(t *testing.T) {
		for old := range int64(9) {
			var logs []*fakeLog
			for n := old; n <= 9; n++ {
				logs = append(logs, newFakeLog(t, fmt.Sprintf("paravent/a/%d", n)).grow(n))
			}
			r := newRig(t, logs...)
			for _, l := range logs {
				r.mustCosign(l, 0, old)
				r.mustCosign(l, old, l.size)
			}
			r.noAlarm()
		}
	})
	t.Run("extension lines and signatures of others", func(t *testing.T) {
		l, other := newFakeLog(t, "paravent/a/01").grow(3), newFakeLog(t, "other")
		r := newRig(t, l)
		msg, err := note.Sign(&note.Note{Text: l.text(3) + "more\n"}, other.signer, l.signer)
		if err != nil {
			t.Fatal(err)
		}
		got := r.post(body(0, nil, string(msg)))
		if got.status != 200 {
			t.Fatalf("got %+v", got)
		}
		checkCosignature(t, r.w.Verifier().String(), string(msg)+got.body)
		r.restart() // what was kept of it is whole
	})
	t.Run("several logs, each by itself", func(t *testing.T) {
		a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/b/02").grow(9)
		r := newRig(t, a, b)
		r.mustCosign(a, 0, 5)
		r.mustCosign(b, 0, 7)
		r.mustCosign(a, 5, 9)
		r.mustCosign(b, 7, 8)
	})
}

func TestAnswersAreBoundedByAddress(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(3)
	r := newRig(t, l)
	r.stop()
	w, err := witness.Open(witness.Options{Dir: r.dir, Logs: r.logs, Clock: r.clock.now, PerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(address string) int {
		req := httptest.NewRequest("GET", "/state", nil)
		req.RemoteAddr = address
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, req)
		return rec.Code
	}
	for i := range 10 {
		if got := ask("192.0.2.1:1"); got != 200 {
			t.Fatalf("request %d: got %d", i, got)
		}
	}
	if got := ask("192.0.2.1:2"); got != 429 {
		t.Errorf("one too many: got %d", got)
	}
	if got := ask("192.0.2.2:1"); got != 200 {
		t.Errorf("another address: got %d", got)
	}
	r.clock.add(time.Second)
	if got := ask("192.0.2.1:3"); got != 200 {
		t.Errorf("a second later: got %d", got)
	}
	for i := range 10000 {
		req := httptest.NewRequest("GET", "/state", nil)
		req.RemoteAddr = strings.Repeat("x", i%50) + string(rune('a'+i%26)) + ":1"
		w.ServeHTTP(httptest.NewRecorder(), req)
	}
	r.w, r.srv = w, httptest.NewServer(w)
}

func TestThePageTellsInPlainWords(t *testing.T) {
	l := newFakeLog(t, "paravent/a/<b>").grow(9)
	r := newRig(t, l)
	page := func() string {
		rec := httptest.NewRecorder()
		r.w.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		if rec.Code != 200 || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("got %d, %v", rec.Code, rec.Header())
		}
		return rec.Body.String()
	}
	if got := page(); !strings.Contains(got, "never") || !strings.Contains(got, "No alarm") || strings.Contains(got, "<b>\n") {
		t.Errorf("a new witness: %s", got)
	}
	r.mustCosign(l, 0, 5)
	if got := page(); !strings.Contains(got, "2026-11-23 12:00:00") || !strings.Contains(got, "in order") || !strings.Contains(got, "paravent/a/&lt;b&gt;") {
		t.Errorf("after a cosignature: %s", got)
	}
	r.add(l.fork(3).lie(3), 5, 6)
	if got := page(); !strings.Contains(got, "ALARM") || !strings.Contains(got, "It has been rewritten") {
		t.Errorf("after a fork: %s", got)
	}
	next := newFakeLog(t, "paravent/a/02").grow(1)
	r.mustFollow(l, 5, l.fork(5).end(5, 0, next))
	if got := page(); !strings.Contains(got, "ended; followed by <code>paravent/a/02") || !strings.Contains(got, "follows paravent/a/&lt;b&gt;, which signed that") {
		t.Errorf("after a succession: %s", got)
	}
	for path, want := range map[string]int{"/page.css": 200, "/nothing": 404, "/add-checkpoint": 405, "/signing.key": 404, "/page.html": 404} {
		rec := httptest.NewRecorder()
		r.w.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != want {
			t.Errorf("GET %s: got %d, want %d", path, rec.Code, want)
		}
	}
}
