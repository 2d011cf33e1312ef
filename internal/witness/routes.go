package witness

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// routes lists every route of the witness. None of them asks who the caller is:
// what goes in is signed by the log, what comes out is meant for everyone.
func (w *Witness) routes() {
	w.mux = http.NewServeMux()
	w.mux.HandleFunc("POST /add-checkpoint", w.handle(w.add))
	w.mux.HandleFunc("POST /add-log", w.handle(w.follow)) // ours, not of C2SP
	w.mux.HandleFunc("GET /state", w.handleState)
	w.mux.HandleFunc("GET /{$}", w.handlePage)
	w.mux.HandleFunc("GET /page.css", w.handleStyle)
}

// ServeHTTP answers one request.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	h := rw.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	if !w.limit.allow(address, w.clock()) {
		h.Set("Retry-After", "1")
		http.Error(rw, "too many requests", http.StatusTooManyRequests)
		return
	}
	w.mux.ServeHTTP(rw, r)
}

// handle handles the POST routes: decide answers one body.
func (w *Witness) handle(decide func(context.Context, []byte) answer) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxRequest))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(rw, fmt.Sprintf("a request has at most %d bytes", maxRequest), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(rw, "the request ended early", http.StatusBadRequest)
			return
		}
		a := decide(r.Context(), body)
		rw.Header().Set("Content-Type", a.kind)
		w.write(rw, r, a.status, []byte(a.body))
	}
}

// handleState handles the GET /state route.
func (w *Witness) handleState(rw http.ResponseWriter, r *http.Request) {
	body, err := json.MarshalIndent(w.Report(), "", "  ")
	if err != nil {
		http.Error(rw, "internal error", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	w.write(rw, r, http.StatusOK, append(body, '\n'))
}

//go:embed page.html page.css
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
}).ParseFS(files, "page.html"))

// handlePage handles the GET / route.
func (w *Witness) handlePage(rw http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := page.Execute(&b, w.Report()); err != nil {
		w.log.ErrorContext(r.Context(), "page failed", "error", err)
		http.Error(rw, "internal error", http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.write(rw, r, http.StatusOK, b.Bytes())
}

// handleStyle handles the GET /page.css route.
func (w *Witness) handleStyle(rw http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(rw, r, files, "page.css")
}

func (w *Witness) write(rw http.ResponseWriter, r *http.Request, status int, body []byte) {
	rw.WriteHeader(status)
	if _, err := rw.Write(body); err != nil {
		w.log.WarnContext(r.Context(), "answer not delivered", "path", r.URL.Path, "error", err)
	}
}

// A Report is what a witness tells everyone.
type Report struct {
	Witness string      `json:"witness"` // name
	Key     string      `json:"key"`     // verifier key
	OK      bool        `json:"ok"`      // no alarm is open
	Time    time.Time   `json:"time"`    // now, by the witness's clock
	Logs    []LogReport `json:"logs"`
	Alarms  []Alarm     `json:"alarms"` // newest first, at most 50
	Unread  int         `json:"unread"` // lines of the alarm file that can't be read
}

// A LogReport is what a witness knows of one log.
type LogReport struct {
	Origin     string    `json:"origin"`
	OK         bool      `json:"ok"`
	Size       uint64    `json:"size"` // records; 0 before the first checkpoint
	Root       tlog.Hash `json:"root"`
	Time       time.Time `json:"time"`       // of the last cosignature; zero before the first
	Checkpoint string    `json:"checkpoint"` // as signed by the log and cosigned
	Forks      int       `json:"forks"`      // proven
	Suspicions int       `json:"suspicions"` // not answered yet
	// After is the log that this one was followed from, "" where the operator
	// named it; Next is the verifier key of the log that follows, "" while it goes on.
	After string `json:"after,omitempty"`
	Next  string `json:"next,omitempty"`
}

// Seen reports whether the log ever showed a checkpoint.
func (l LogReport) Seen() bool { return l.Checkpoint != "" }

// Report returns what the witness knows and which alarms there are.
func (w *Witness) Report() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	rep := Report{
		Witness: w.key.name, Key: w.key.Verifier.String(), OK: w.alarms.unread == 0, Time: w.clock().UTC(),
		Alarms: []Alarm{}, Unread: w.alarms.unread,
	}
	for _, origin := range slices.Sorted(maps.Keys(w.logs)) {
		s := w.seen[origin]
		l := LogReport{Origin: origin, Size: s.Size, Root: s.Root, Time: s.by.Time, Checkpoint: s.note, After: s.after, Next: s.next}
		l.Forks, l.Suspicions = w.alarms.open(origin)
		l.OK = l.Forks+l.Suspicions == 0
		rep.OK = rep.OK && l.OK
		rep.Logs = append(rep.Logs, l)
	}
	for _, a := range slices.Backward(w.alarms.all) {
		if len(rep.Alarms) == 50 {
			break
		}
		rep.Alarms = append(rep.Alarms, a)
	}
	return rep
}
