package audit_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"paravent/internal/audit"
)

// serve serves a handler until the test ends.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(http.StripPrefix("/ledger", h))
	t.Cleanup(s.Close)
	return s.URL + "/ledger"
}

func remote(t testing.TB, address string, o audit.Options) *audit.Result {
	t.Helper()
	r, err := audit.Remote(t.Context(), address, audit.NewClient(5*time.Second), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAServedLedgerVerifiesAndGrowsUnderItsReadersEyes(t *testing.T) {
	w, p := published(t, 700)
	at := serve(t, audit.Handler(p, false))
	o := audit.Options{Memory: memory(t), Place: at}
	r := remote(t, at, o)
	sound(t, r)
	if r.Size != w.log.Size() || !strings.Contains(strings.Join(r.Unknown, " "), "sealed parts") {
		t.Errorf("got %+v", r.Report)
	}
	w.bulk(t, 300)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := remote(t, at, o)
	sound(t, again)
	if !strings.Contains(strings.Join(again.Notes, " "), "contains all 7") {
		t.Errorf("nothing was compared: %v", again.Notes)
	}
}

func TestWhatIsServedCarriesTheRightHeaders(t *testing.T) {
	_, p := published(t, 300)
	at := serve(t, audit.Handler(p, true))
	for path, want := range map[string][3]string{
		"/checkpoint":           {"200 OK", "text/plain; charset=utf-8", "public, max-age=1"},
		"/tile/0/000":           {"200 OK", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/1/000.p/1":       {"200 OK", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/entries/000":     {"200 OK", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/entries/001.p/7": {"200 OK", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/0/001":           {"404 Not Found", "", ""}, // not full yet
		"/tile/0/000.p/0":       {"404 Not Found", "", ""},
		"/tile/0/000.p/256":     {"404 Not Found", "", ""},
		"/tile/0/0":             {"404 Not Found", "", ""},
		"/tile/00/000":          {"404 Not Found", "", ""},
		"/tile/64/000":          {"404 Not Found", "", ""},
		"/tile/0/..%2f..%2fx":   {"404 Not Found", "", ""},
		"/signing.key":          {"404 Not Found", "", ""},
		"/tile/0/x999/x999/999": {"404 Not Found", "", ""},
	} {
		resp, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.Status != want[0] || want[1] != "" && (resp.Header.Get("Content-Type") != want[1] || resp.Header.Get("Cache-Control") != want[2]) {
			t.Errorf("%s: %s, %v", path, resp.Status, resp.Header)
		}
	}
	resp, err := http.Post(at+"/checkpoint", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close() != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %s", resp.Status)
	}
}

// tampering changes one answer of a handler.
func tampering(h http.Handler, path string, change func([]byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			h.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if _, err := w.Write(change(rec.Body.Bytes())); err != nil {
			return
		}
	})
}

// Attack: one byte of anything served is changed on its way.
func TestOneByteFlippedInWhatIsServedIsNamed(t *testing.T) {
	w, p := published(t, 520)
	honest := audit.Handler(p, false)
	key := verify(t, w.dir, audit.Options{}).Key
	for _, path := range []string{"/checkpoint", "/tile/0/000", "/tile/0/002.p/18", "/tile/1/000.p/2", "/tile/entries/001", "/tile/entries/002.p/18"} {
		for step := range 4 {
			at := serve(t, tampering(honest, path, func(b []byte) []byte {
				b[(len(b)-1)*step/3] ^= 1 << step
				return b
			}))
			r := remote(t, at, audit.Options{Key: key})
			if r.Sound() {
				t.Errorf("%s, step %d: nobody noticed", path, step)
			}
			named(t, r, path[1:])
		}
	}
}

func TestServedEntriesDroppedDoubledOrSwappedAreNamed(t *testing.T) {
	_, p := published(t, 40)
	split := func(b []byte) (parts [][]byte) {
		for len(b) > 0 {
			n := 2 + int(b[0])<<8 + int(b[1])
			parts, b = append(parts, b[:n]), b[n:]
		}
		return parts
	}
	partial := "/tile/entries/000.p/" + strings.TrimSpace(sizeOf(t, p))
	for name, change := range map[string]func([][]byte) [][]byte{
		"dropped": func(e [][]byte) [][]byte { return append(e[:20:20], e[21:]...) },
		"doubled": func(e [][]byte) [][]byte { return append(append(e[:20:20], e[19]), e[20:]...) },
		"swapped": func(e [][]byte) [][]byte { e[20], e[21] = e[21], e[20]; return e },
		"none":    func([][]byte) [][]byte { return nil },
	} {
		at := serve(t, tampering(audit.Handler(p, false), partial, func(b []byte) []byte { return bytes.Join(change(split(b)), nil) }))
		r := remote(t, at, audit.Options{})
		if r.Sound() {
			t.Errorf("%s: nobody noticed", name)
		}
		named(t, r, "tile/entries/000.p/")
	}
}

// sizeOf returns the published checkpoint's size.
func sizeOf(t testing.TB, p *audit.Publisher) string {
	t.Helper()
	msg, err := p.Published()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(msg), "\n")[1]
}

// Attack: the server rolls back to an older state between two visits.
func TestAServerThatRolledBackIsNamed(t *testing.T) {
	w, p := published(t, 20)
	old := &world{dir: copyOf(t, w.dir), keys: w.keys, o: w.o, now: w.now}
	w.look(t, 9)
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := audit.Options{Memory: memory(t), Place: "https://shop.example/ledger"}
	sound(t, remote(t, serve(t, audit.Handler(p, false)), o))
	old.open(t)
	op := audit.NewPublisher(old.log, audit.PublisherOptions{Dir: old.dir})
	if err := op.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	named(t, remote(t, serve(t, audit.Handler(op, false)), o), "ROLLED BACK")
}

// Attack: a server that is slow, endless, silent or sends its reader elsewhere
// must not make a verification hang.
func TestASlowOrEndlessServerEndsWithTheDeadline(t *testing.T) {
	_, p := published(t, 300)
	honest := audit.Handler(p, false)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	cases := map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-stop:
			}
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"a byte at a time": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-time.After(20 * time.Millisecond):
				case <-stop:
					return
				}
			}
		},
		"in circles": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	}
	for name, bad := range cases {
		for _, where := range []string{"/checkpoint", "/tile/0/000", "/tile/entries/000"} {
			at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == where {
					bad(w, r)
					return
				}
				honest.ServeHTTP(w, r)
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			begun := time.Now()
			r, err := audit.Remote(ctx, at, audit.NewClient(300*time.Millisecond), audit.Options{})
			cancel()
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s at %s: it took %s", name, where, took)
			}
			if err == nil && r.Sound() {
				t.Errorf("%s at %s: sound", name, where)
			}
			if err != nil && !errors.Is(err, audit.ErrUsage) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s at %s: %v", name, where, err)
			}
		}
	}
}

func TestAFolderIsLeftWhenItsDeadlineEnds(t *testing.T) {
	w := newWorld(t)
	w.bulk(t, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.Folder(ctx, w.dir, audit.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
