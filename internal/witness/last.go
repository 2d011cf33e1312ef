package witness

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A MissingError says which witnesses have not cosigned a log's last checkpoint.
// It is ErrTooFew when fewer than needed have.
type MissingError struct {
	Missing    []PeerState // in the order of the configuration
	Have, Need int         // cosignatures
}

// Error names the witnesses, and why each is missing.
func (e *MissingError) Error() string {
	var each []string
	for _, w := range e.Missing {
		why := w.Problem
		if why == "" {
			why = "it did not answer in time"
		}
		each = append(each, fmt.Sprintf("%s (%s)", w.Name, why))
	}
	return fmt.Sprintf("the last checkpoint has %d cosignatures, %d are needed; these witnesses have not cosigned it: %s",
		e.Have, e.Need, strings.Join(each, ", "))
}

// Is makes it ErrTooFew when fewer witnesses than needed have cosigned.
func (e *MissingError) Is(target error) bool { return target == ErrTooFew && e.Have < e.Need }

// Last has the last head of a frozen log cosigned and published, and returns the
// published note: as soon as every witness has cosigned it, or when timeout is
// over, with what came until then. The error is a *MissingError when witnesses
// are missing; the note stands then all the same. With any other error the note
// is what was published before, if anything. It may run beside Run and after it;
// called again it asks only whom it lacks.
func (p *Publisher) Last(ctx context.Context, timeout time.Duration) ([]byte, error) {
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	again := time.NewTicker(interval / 4)
	defer again.Stop()
	for {
		p.hurry()
		p.round(asking)
		if p.complete() || asking.Err() != nil {
			break
		}
		select {
		case <-asking.Done():
		case <-again.C:
		}
	}
	err := p.settle(ctx)
	note, readErr := p.o.Store.Published()
	if err == nil {
		err = p.missing()
	}
	return note, errors.Join(err, readErr)
}

// hurry lets every witness that hasn't cosigned the draft be asked at once.
func (p *Publisher) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.peers {
		w.next = time.Time{}
	}
}

// complete reports whether there's nothing more to come: all have cosigned the
// newest head and it's published, or nothing will ever be.
func (p *Publisher) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return true
	}
	d := p.current
	return d.note != nil && d.Size == p.o.Heads.Head().Size && p.published == d.Checkpoint && !d.news && len(d.lines) == len(p.peers)
}

// settle publishes the newest head with the cosignatures that it has.
func (p *Publisher) settle(ctx context.Context) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	err := p.draft(ctx)
	if err == nil {
		err = p.publish(ctx, true)
	}
	if ctx.Err() == nil {
		p.note(ctx, err)
	}
	return err
}

// missing returns a *MissingError, or nil when every witness has cosigned.
func (p *Publisher) missing() error {
	all := p.State().Witnesses
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &MissingError{Have: len(p.current.lines), Need: p.o.Policy.Need}
	for _, w := range all {
		if _, ok := p.current.lines[w.Name]; !ok {
			e.Missing = append(e.Missing, w)
		}
	}
	if len(e.Missing) == 0 {
		return nil
	}
	return e
}
