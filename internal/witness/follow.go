package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"paravent/internal/ledger"
)

// maxFollowed bounds the logs that are followed: each is kept for ever, and
// whoever has a log's key can name a successor.
const maxFollowed = 1000

// An heir is a log on its way to being followed.
type heir struct {
	key  Log
	seen seen
}

// succession is a log's signed end, checked as far as the log's key goes.
type succession struct {
	ledger.Succession
	next   Log
	last   seen   // the log's last checkpoint, with its signature alone
	detail string // with the log's signatures alone: nothing that anybody could add
}

// follow decides about one succession (POST /add-log): a log that is cosigned
// here has signed that it ended and which log goes on. The witness holds that
// against what it knows, cosigns the last checkpoint, and from then on cosigns
// the log that follows, and nothing more of the one that ended (G4).
func (w *Witness) follow(ctx context.Context, body []byte) answer {
	if w.stay {
		return refuse(http.StatusForbidden, "this witness follows no log to another; who runs it must add the new key")
	}
	req, s, no := w.readSuccession(body)
	if no.status != 0 {
		return no
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.seen[s.Origin]
	switch {
	case known.next == s.Next && known.Checkpoint == s.last.Checkpoint:
		return answer{http.StatusOK, "text/plain; charset=utf-8", known.by.Line} // told again
	case known.next != "":
		return w.secondEnd(ctx, known, s)
	case s.Size < known.Size:
		w.raise(ctx, w.alarm(KindOutlived, known.Origin, outlivedText(s.Size, known.Size), Evidence{known.Size, known.Root, known.note}, s.evidence()))
		return refuse(http.StatusUnprocessableEntity, fmt.Sprintf("the log has signed %d records, and can't have ended with %d", known.Size, s.Size))
	}
	w.suspect(ctx, known, s.last, req)
	switch {
	case req.old > s.Size:
		return refuse(http.StatusBadRequest, "the old size is larger than the checkpoint's")
	case s.Size == known.Size && s.Root != known.Root:
		return refuse(http.StatusUnprocessableEntity, "the log has signed another tree of that size")
	case req.old != known.Size:
		return conflict(known)
	case !consistent(known.Checkpoint, s.last.Checkpoint, req.proof):
		return refuse(http.StatusUnprocessableEntity, "the consistency proof does not verify")
	case known.detail != "" && s.Base != known.base+s.Size:
		return refuse(http.StatusUnprocessableEntity, "the new log's records don't begin where the log's end")
	}
	return w.inherit(ctx, s)
}

// inherit takes a log as the one that follows. w.mu is held.
func (w *Witness) inherit(ctx context.Context, s succession) answer {
	after := fresh(s.next.origin)
	if old, ok := w.seen[s.next.origin]; ok {
		// Its operator may have added the key before, and it may have grown.
		if given, ok := w.logs[s.next.origin]; !ok || given.String() != s.Next || old.detail != "" || w.leadsTo(s.next.origin, s.Origin) {
			w.log.ErrorContext(ctx, "a log names as its successor what is known here as another log; it is not followed", "log", s.Origin, "successor", s.Next)
			return refuse(http.StatusForbidden, "the successor is known here as another log")
		}
		after = old
	} else if len(w.seen) >= maxFollowed {
		w.log.ErrorContext(ctx, "too many logs were followed; none is from now on", "log", s.Origin, "logs", len(w.seen))
		return refuse(http.StatusForbidden, "this witness has followed too many logs")
	}
	after.detail, after.after, after.base = s.detail, s.Origin, s.Base
	a := w.cosign(ctx, s.last, &heir{s.next, after})
	if a.status == http.StatusOK {
		w.logs[s.next.origin] = s.next
		w.outgrown(ctx, s)
		w.log.WarnContext(ctx, "the log has ended and named its successor: from now on that one is cosigned. If nobody rotated the ledger's key, ask why",
			"log", s.Origin, "records", s.Size, "successor", s.Next, "records_before", s.Base)
	}
	return a
}

// outgrown makes suspicions proofs: what the log signed beyond its end. w.mu is held.
func (w *Witness) outgrown(ctx context.Context, s succession) {
	for _, a := range slices.Clone(w.alarms.all) {
		if a.Open && a.Origin == s.Origin && !a.Proven() && a.Shown.Size > s.Size {
			w.raise(ctx, w.alarm(KindOutlived, s.Origin, outlivedText(s.Size, a.Shown.Size), s.evidence(), a.Shown))
		}
	}
}

// leadsTo reports whether the log of that origin leads, through its successors,
// to the other. w.mu is held.
func (w *Witness) leadsTo(origin, other string) bool {
	for at := other; ; {
		if at == origin {
			return true
		}
		s, ok := w.seen[at]
		if !ok || s.after == "" {
			return false
		}
		at = s.after
	}
}

// followed takes up the logs that were followed from given ones, in whatever
// order they're found. What was followed from a log that is left out is left out.
func (w *Witness) followed() error {
	for again := true; again; {
		again = false
		for origin, s := range w.seen {
			before, ok := w.logs[s.after]
			if _, have := w.logs[origin]; s.detail == "" || !ok || have {
				continue
			}
			from, err := ledger.ParseSuccession([]byte(s.detail))
			if err == nil {
				err = from.Verify(before.String())
			}
			var next Log
			if err == nil {
				next, err = ParseLog(from.Next)
			}
			if err == nil && s.note != "" {
				_, _, err = Verify([]byte(s.note), next, []Verifier{w.key.Verifier}, 1)
			}
			if err != nil {
				return fmt.Errorf("%w: the succession to %q: %w", ErrState, origin, err)
			}
			w.logs[origin], again = next, true
		}
	}
	return nil
}

// readSuccession reads the body of add-log: old size and proof as in
// add-checkpoint, and the succession in the checkpoint's place; or the
// succession alone, which begins with the text that the log signed. It checks
// form and signatures.
func (w *Witness) readSuccession(body []byte) (request, succession, answer) {
	req, bare := request{note: body}, !bytes.HasPrefix(body, []byte("old "))
	if !bare {
		var err error
		if req, err = parseRequest(body); err != nil {
			return req, succession{}, refuse(http.StatusBadRequest, err.Error())
		}
	}
	said, err := ledger.ParseSuccession(req.note)
	if err != nil {
		return req, succession{}, refuse(http.StatusBadRequest, err.Error())
	}
	if bare {
		req.old = said.Size
	}
	log, ok := w.cosigns(said.Origin)
	if !ok {
		return req, succession{}, refuse(http.StatusNotFound, "this witness doesn't know the log")
	}
	s, err := checkSuccession(said, log, w.key.Verifier)
	switch {
	case errors.Is(err, errSuccessor):
		return req, s, refuse(http.StatusBadRequest, err.Error())
	case err != nil:
		return req, s, refuse(http.StatusForbidden, "the succession is not signed by the log's key")
	}
	return req, s, answer{}
}

var errSuccessor = errors.New("the successor's key is malformed, or it's this witness's own")

// checkSuccession verifies the log's signatures on its end.
func checkSuccession(said ledger.Succession, log Log, own Verifier) (s succession, err error) {
	s.Succession = said
	if err := said.Verify(log.String()); err != nil {
		return s, err
	}
	if s.next, err = ParseLog(said.Next); err != nil || s.next.pub.Equal(own.pub) {
		return s, errSuccessor
	}
	end, err := openNote(said.Note, log)
	if err != nil {
		return s, err
	}
	last, err := openNote(said.Checkpoint, log)
	if err != nil {
		return s, err
	}
	s.last = seen{Checkpoint: Checkpoint{log.origin, said.Size, said.Root}, note: alone(last, log)}
	s.detail = alone(end, log) + "\n" + s.last.note
	return s, nil
}

// evidence is what the log signed at its end.
func (s succession) evidence() Evidence { return Evidence{s.Size, s.Root, s.detail} }

// endOf is the signed end of a log that has ended. w.mu is held.
func (w *Witness) endOf(known seen) Evidence {
	next, err := ParseLog(known.next)
	if err != nil {
		panic("witness: the successor's key was read before") // by checkSuccession or link
	}
	return Evidence{known.Size, known.Root, w.seen[next.origin].detail}
}

// secondEnd raises the alarm that another end of an ended log is due. w.mu is held.
func (w *Witness) secondEnd(ctx context.Context, known seen, s succession) answer {
	w.raise(ctx, w.alarm(KindSuccessors, known.Origin, "The log signed two different ends: another last tree, or another log that follows it. "+
		"Whoever has its key tries to lead this witness, or others, to a second story.", w.endOf(known), s.evidence()))
	return refuse(http.StatusUnprocessableEntity, "the log has signed another end, and another successor")
}

// outlived refuses a checkpoint that is larger than the log's signed end. w.mu is held.
func (w *Witness) outlived(ctx context.Context, known, shown seen) answer {
	w.raise(ctx, w.alarm(KindOutlived, known.Origin, outlivedText(known.Size, shown.Size), w.endOf(known), Evidence{shown.Size, shown.Root, shown.note}))
	return refuse(http.StatusGone, fmt.Sprintf("this log has ended with %d records; %s follows it", known.Size, known.next))
}

func outlivedText(end, more uint64) string {
	return fmt.Sprintf("The log signed that it had ended with %d records, and it signed a tree of %d. An old copy of the ledger goes on, "+
		"or whoever has its old key makes a second story.", end, more)
}

// alarm makes an alarm about two statements that the log signed, which needs no proof.
func (w *Witness) alarm(kind, origin, text string, known, shown Evidence) Alarm {
	return Alarm{Kind: kind, Time: w.clock().UTC(), Origin: origin, Text: text, Old: known.Size, Known: known, Shown: shown}
}
