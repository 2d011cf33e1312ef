package witness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A peer is a witness that the publisher asks. Its fields below client belong
// to the publisher's lock; known to the one round that runs.
type peer struct {
	Peer
	client *Client

	known    uint64    // size of the last checkpoint that it cosigned, as far as we know
	size     uint64    // of the last checkpoint that it cosigned for us
	at       time.Time // when it did
	tried    time.Time // when it was asked last
	next     time.Time // not to be asked before
	failures int       // since it cosigned last
	err      error     // what went wrong then; nil after a cosignature
	accuses  bool      // err says that the ledger isn't what it was
}

// An accusation is a witness's answer that the ledger contradicts what it knows.
type accusation struct{ text string }

func (a accusation) Error() string { return a.text }

// unproven is our own failure to prove the ledger to a witness.
type unproven struct{ error }

func (u unproven) Unwrap() error { return u.error }

// askAll asks every witness that is due to cosign the draft, all at once. What
// it returns is our own failure, not theirs.
func (p *Publisher) askAll(ctx context.Context) error {
	p.mu.Lock()
	d, now := p.current, p.o.Clock()
	var due []*peer
	for _, w := range p.peers {
		_, have := d.lines[w.Name]
		fresh := have && !w.tried.IsZero() && now.Sub(w.at) < refresh && !now.Before(w.at)
		if now.Before(w.next) && w.next.Sub(now) <= maxPause || fresh {
			continue
		}
		w.tried = now
		due = append(due, w)
	}
	p.mu.Unlock()
	var all sync.WaitGroup
	ours := make([]error, len(due))
	for i, w := range due {
		all.Go(func() {
			s, err := p.ask(ctx, w, d)
			if errors.As(err, new(unproven)) {
				ours[i] = err
			}
			p.tell(ctx, w, d, s, err)
		})
	}
	all.Wait()
	for _, err := range ours {
		if err != nil {
			return err // the same for all: one head, one set of tiles
		}
	}
	return nil
}

// ask asks one witness. When the proof started from the wrong size, it says
// which is right, and is asked once more; so it is when it didn't know the log,
// and has followed its succession.
func (p *Publisher) ask(ctx context.Context, w *peer, d draft) (Cosignature, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	introduced := false
	for again := false; ; again = true {
		proof, err := p.proof(ctx, w.known, d.Size)
		if err != nil {
			return Cosignature{}, unproven{err}
		}
		s, err := w.client.Cosign(ctx, w.known, proof, d.note)
		var conflict *ConflictError
		var refused *RefusedError
		switch {
		case err == nil:
			return s, p.timely(s)
		case errors.As(err, &conflict) && conflict.Size > d.Size:
			return s, accusation{fmt.Sprintf("the witness has seen %d records of this log, and the ledger has only %d: records are missing, or an old copy was restored", conflict.Size, d.Size)}
		case errors.As(err, &conflict) && conflict.Size == w.known && w.known == d.Size:
			return s, accusation{fmt.Sprintf("the witness has seen another tree of %d records of this log: the ledger was rewritten, or runs twice", d.Size)}
		case errors.As(err, &conflict) && !again:
			w.known = conflict.Size
			continue
		case errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity:
			return s, accusation{fmt.Sprintf("the witness finds that the ledger does not begin with the %d records that it has seen: the ledger was rewritten, or its tiles are damaged", w.known)}
		case errors.As(err, &refused) && refused.Status == http.StatusGone:
			return s, accusation{"the witness holds this log's signed end, and another log goes on: an old copy of the ledger was restored, or it runs twice. It says " + refused.Said}
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound && !introduced:
			if err := p.introduce(ctx, w.client); err != nil {
				return s, err
			}
			introduced, w.known = true, 0
			continue
		}
		return s, err
	}
}

// timely refuses a cosignature whose time isn't about now: one of the clocks is
// wrong, or an old answer was replayed, and the time is what a cosignature states.
func (p *Publisher) timely(s Cosignature) error {
	if off := s.Time.Sub(p.o.Clock()); off.Abs() > maxSkew {
		return worded{fmt.Errorf("the cosignature's time is %s off: a clock is wrong, or an old answer was repeated", off.Abs().Round(time.Second))}
	}
	return nil
}

// tell takes in what a witness answered.
func (p *Publisher) tell(ctx context.Context, w *peer, d draft, s Cosignature, err error) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Clock()
	if err == nil {
		if w.err != nil {
			p.o.Log.InfoContext(ctx, "witness cosigns again", "witness", w.Name)
		}
		w.known, w.size, w.at = d.Size, d.Size, now
		w.next, w.failures, w.err, w.accuses = time.Time{}, 0, nil, false
		p.current.lines[w.Name], p.current.news = s, true
		return
	}
	if w.err == nil || w.err.Error() != err.Error() {
		p.o.Log.ErrorContext(ctx, "witness does not cosign", "witness", w.Name, "error", err)
	}
	w.next = now.Add(min(maxPause, interval<<min(w.failures, 8)))
	w.failures++
	w.err, w.accuses = err, errors.As(err, new(accusation))
}
