package witness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Options are the settings of a witness.
type Options struct {
	// Dir is the folder that Create made. Needed.
	Dir string
	// Logs are the logs that are cosigned; everything else is answered with
	// 404. At least one. A log that is left out keeps its memory.
	Logs []Log
	// Clock tells the time that stands in cosignatures. Needed.
	Clock func() time.Time
	// Log is the operator's log; nil: none.
	Log *slog.Logger
	// NoFollow refuses to follow a log to the one that it signs as its successor,
	// and leaves out those that were followed before: Logs are all there are.
	NoFollow bool
	// PerSecond bounds the requests of one address, in a second; ten times as
	// many may come at once. 0: 20.
	PerSecond float64
}

// A Witness remembers the last checkpoint of each log and cosigns only what
// contains it (C2SP tlog-witness). It is an http.Handler.
type Witness struct {
	key   signer
	dir   string
	clock func() time.Time
	log   *slog.Logger
	stay  bool // no succession is followed
	lock  *os.File
	limit *limiter
	mux   *http.ServeMux

	// save makes the memory durable; tests put faults there.
	save func(map[string]seen) error

	mu     sync.Mutex
	logs   map[string]Log  // by origin; given, or followed from one that was
	seen   map[string]seen // by origin; also of logs that aren't cosigned any more
	alarms *alarms
}

// Open opens the witness in o.Dir and becomes its only owner. It never makes
// one: a key, memory or alarm file that is missing, damaged or doesn't belong
// together is ErrState. A log that it never saw begins with the empty tree.
func Open(o Options) (_ *Witness, err error) {
	if o.Clock == nil || len(o.Logs) == 0 {
		return nil, errors.New("open witness: a clock and at least one log are needed")
	}
	w := &Witness{dir: o.Dir, clock: o.Clock, log: o.Log, stay: o.NoFollow, logs: map[string]Log{}, limit: newLimiter(o.PerSecond)}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.save = func(all map[string]seen) error { return replace(w.dir, stateFile, encodeState(all), 0o600) }
	for _, l := range o.Logs {
		if _, ok := w.logs[l.origin]; ok || l.origin == "" {
			return nil, fmt.Errorf("open witness: the log %q is given twice or has no name", l.origin)
		}
		w.logs[l.origin] = l
	}
	if w.key, err = readKey(o.Dir); err != nil {
		return nil, err
	}
	if w.lock, err = takeLock(o.Dir); err != nil {
		return nil, fmt.Errorf("open witness: %w", err)
	}
	if err := w.remember(); err != nil {
		return nil, errors.Join(err, w.lock.Close())
	}
	w.routes()
	return w, nil
}

// remember reads what the witness knew, and writes down which logs are new.
func (w *Witness) remember() (err error) {
	if w.seen, err = readState(w.dir, w.key.Verifier, w.logs); err != nil {
		return err
	}
	if w.alarms, err = readAlarms(w.dir); err != nil {
		return err
	}
	if !w.stay {
		if err := w.followed(); err != nil {
			return err
		}
	}
	added := false
	for origin := range w.logs {
		if _, ok := w.seen[origin]; !ok {
			w.seen[origin], added = fresh(origin), true
		}
	}
	if !added {
		return nil
	}
	return w.save(w.seen)
}

func readKey(dir string) (signer, error) {
	private, err := os.ReadFile(filepath.Join(dir, signingFile))
	if err != nil {
		return signer{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	public, err := os.ReadFile(filepath.Join(dir, publicFile))
	if err != nil {
		return signer{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	key, err := parseSigner(strings.TrimSpace(string(private)))
	if err != nil {
		return signer{}, fmt.Errorf("%w: %s: %w", ErrState, signingFile, err)
	}
	if strings.TrimSpace(string(public)) != key.Verifier.String() {
		return signer{}, fmt.Errorf("%w: %s and %s don't belong together", ErrState, signingFile, publicFile)
	}
	return key, nil
}

// Close gives the witness up.
func (w *Witness) Close() error {
	w.mu.Lock() // waits for a cosignature in the making
	defer w.mu.Unlock()
	return w.lock.Close()
}

// Verifier returns the key that the log's server is configured with.
func (w *Witness) Verifier() Verifier { return w.key.Verifier }

// An answer is what add-checkpoint answers.
type answer struct {
	status int
	kind   string // content type
	body   string
}

func refuse(status int, text string) answer {
	return answer{status, "text/plain; charset=utf-8", text + "\n"}
}

// conflict tells the size that a proof must start from.
func conflict(s seen) answer {
	return answer{http.StatusConflict, "text/x.tlog.size", fmt.Sprintf("%d\n", s.Size)}
}

// add decides about one checkpoint (C2SP tlog-witness, add-checkpoint).
func (w *Witness) add(ctx context.Context, body []byte) answer {
	req, err := parseRequest(body)
	if err != nil {
		return refuse(http.StatusBadRequest, err.Error())
	}
	shown, no := w.read(req.note)
	if no.status != 0 {
		return no
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.seen[shown.Origin]
	if known.next != "" && shown.Size > known.Size {
		return w.outlived(ctx, known, shown)
	}
	w.suspect(ctx, known, shown, req)
	switch {
	case req.old > shown.Size:
		return refuse(http.StatusBadRequest, "the old size is larger than the checkpoint's")
	case req.old != known.Size, shown.Size == known.Size && shown.Root != known.Root:
		return conflict(known)
	case !consistent(known.Checkpoint, shown.Checkpoint, req.proof):
		return refuse(http.StatusUnprocessableEntity, "the consistency proof does not verify")
	}
	return w.cosign(ctx, shown, nil)
}

// read checks the note: that it's a checkpoint, of a log that is cosigned,
// signed by it. What it returns has the log's signature alone.
func (w *Witness) read(msg []byte) (seen, answer) {
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(msg, nil); !errors.As(err, &unverified) {
		return seen{}, refuse(http.StatusBadRequest, "the checkpoint is not a signed note")
	}
	text := unverified.Note.Text
	c, err := parseCheckpoint(text)
	if err != nil {
		return seen{}, refuse(http.StatusBadRequest, err.Error())
	}
	log, ok := w.cosigns(c.Origin)
	if !ok {
		return seen{}, refuse(http.StatusNotFound, "this witness doesn't know the log")
	}
	n, err := openNote(msg, log)
	if err != nil {
		return seen{}, refuse(http.StatusForbidden, "the checkpoint is not signed by the log's key")
	}
	return seen{Checkpoint: c, note: alone(n, log)}, answer{}
}

// alone is a note with the log's signature alone, without what others added.
func alone(n *note.Note, log Log) string {
	return n.Text + "\n— " + log.origin + " " + find(n, log).Base64 + "\n"
}

// cosigns returns the log of that origin, if it's one that is cosigned.
func (w *Witness) cosigns(origin string) (Log, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.logs[origin]
	return l, ok
}

// suspect raises the alarm that shown is due. The refusal doesn't wait for it
// to be kept. w.mu is held.
func (w *Witness) suspect(ctx context.Context, known, shown seen, req request) {
	kind, text := judge(known.Checkpoint, shown.Checkpoint, req)
	if kind == "" {
		return
	}
	w.raise(ctx, Alarm{
		Kind: kind, Time: w.clock().UTC(), Origin: shown.Origin, Text: text, Old: req.old, Proof: req.proof,
		Known: Evidence{known.Size, known.Root, known.note}, Shown: Evidence{shown.Size, shown.Root, shown.note},
	})
}

// raise keeps an alarm and tells the operator. w.mu is held.
func (w *Witness) raise(ctx context.Context, a Alarm) {
	isNew, err := w.alarms.raise(a)
	if isNew {
		w.log.ErrorContext(ctx, "alarm: "+a.Text, "kind", a.Kind, "log", a.Origin, "known_size", a.Known.Size,
			"known_root", a.Known.Root.String(), "shown_size", a.Shown.Size, "shown_root", a.Shown.Root.String())
	}
	if err != nil {
		w.log.ErrorContext(ctx, "alarm could not be kept", "kind", a.Kind, "log", a.Origin, "error", err)
	}
}

// cosign signs, remembers durably, and only then releases the cosignature: a
// witness that forgot what it signed could be made to sign the opposite (G4).
// With heir, shown is the log's last checkpoint, and heir the log that follows:
// both are remembered at once. w.mu is held.
func (w *Witness) cosign(ctx context.Context, shown seen, heir *heir) answer {
	now, known := w.clock(), w.seen[shown.Origin]
	text, _, _ := strings.Cut(shown.note, "\n\n")
	line, err := w.key.cosign(text+"\n", now)
	signed := shown
	if err == nil {
		signed, err = readSeen(shown.note+line, w.key.Verifier)
	}
	if err != nil {
		w.log.ErrorContext(ctx, "cosign failed", "log", shown.Origin, "error", err)
		return refuse(http.StatusInternalServerError, "the witness can't sign now")
	}
	after := known // how it came about, and how it went on
	after.Checkpoint, after.note, after.by = signed.Checkpoint, signed.note, signed.by
	all := maps.Clone(w.seen)
	if heir != nil {
		after.next = heir.key.String()
		all[heir.key.origin] = heir.seen
	}
	all[shown.Origin] = after
	if err := w.save(all); err != nil {
		// Disk or memory may have either. Nothing was released of the new one,
		// so going on from the old one can't contradict anything.
		w.log.ErrorContext(ctx, "the witness can't keep its memory; nothing is cosigned", "log", shown.Origin, "error", err)
		return refuse(http.StatusInternalServerError, "the witness can't keep its memory now")
	}
	w.seen = all
	if shown.Size > known.Size {
		w.answer(ctx, after, now)
	}
	return answer{http.StatusOK, "text/plain; charset=utf-8", line}
}

// answer ends the suspicions that the log has answered by going on to c. What
// was suspected and turns out to be another tree of the same size is a fork.
// For a log that has ended, the one that follows it answers. w.mu is held.
func (w *Witness) answer(ctx context.Context, c seen, now time.Time) {
	for ; ; c = w.seen[c.after] {
		w.answerOne(ctx, c, now)
		if c.after == "" {
			return
		}
	}
}

// answerOne does so for one log. w.mu is held.
func (w *Witness) answerOne(ctx context.Context, c seen, now time.Time) {
	other, err := w.alarms.answer(c, now.UTC())
	if err != nil {
		w.log.ErrorContext(ctx, "the end of an alarm could not be kept", "log", c.Origin, "error", err)
	}
	if other == nil {
		return
	}
	w.raise(ctx, Alarm{
		Kind: KindFork, Time: now.UTC(), Origin: c.Origin, Text: twoTrees(c.Size),
		Known: Evidence{c.Size, c.Root, c.note}, Shown: other.Shown,
	})
}
