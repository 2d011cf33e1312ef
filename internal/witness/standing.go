package witness

import (
	"fmt"
	"time"

	"paravent/internal/ledger"
)

// A State says how far the log that is written to is witnessed. Every text in it
// is for the operator, in plain words and without personal data.
type State struct {
	OK       bool
	Reason   string // the worst of what is wrong; "" while OK
	Refusing bool   // because of it nobody may look now (by policy)

	Origin      string        // the log's name
	Key         string        // its verifier key: what a witness is configured with
	Size        uint64        // its records
	Published   uint64        // records of the published checkpoint; 0 with PublishedAt zero: none is
	PublishedAt time.Time     // when it was; after a restart, when it was cosigned last; zero: unknown
	Cosigned    uint64        // records of the last checkpoint that enough witnesses cosigned
	CosignedAt  time.Time     // when that was; zero: never
	Behind      time.Duration // how long the oldest record that isn't cosigned has waited; 0: none waits
	Need        int           // how many witnesses must cosign
	IfMissing   Missing       // what happens when fewer do: Warn or Refuse
	Grace       time.Duration // how long a record may wait before it does
	Witnesses   []PeerState   // in the order of the configuration; none: the ledger isn't witnessed
}

// A PeerState says how one witness does.
type PeerState struct {
	Name, URL string
	Current   bool      // it has cosigned the newest checkpoint
	Size      uint64    // records of the last checkpoint that it cosigned, of this log
	At        time.Time // when that was; zero: never, as far as is known
	Tried     time.Time // when it was asked last; zero: not since the start
	Problem   string    // why the last asking failed, in plain words; "" when it didn't
	Err       string    // the same with the technical cause
	Accuses   bool      // it says that the ledger contradicts what it has seen
}

// State says how far the ledger is witnessed now.
func (p *Publisher) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Clock()
	s := State{
		Origin: p.log.origin, Key: p.log.String(), Size: p.o.Heads.Head().Size,
		Published: p.published.Size, PublishedAt: p.shown, Cosigned: p.cosigned, CosignedAt: p.at, Behind: p.behind(now),
		Need: p.o.Policy.Need, IfMissing: p.o.Policy.IfMissing, Grace: p.o.Policy.Grace,
	}
	for _, w := range p.peers {
		_, have := p.current.lines[w.Name]
		one := PeerState{
			Name: w.Name, URL: w.URL, Current: have && p.current.Size == s.Size, Size: w.size, At: w.at,
			Tried: w.tried, Accuses: w.accuses, Problem: plain(w.err),
		}
		if w.err != nil {
			one.Err = w.err.Error()
		}
		s.Witnesses = append(s.Witnesses, one)
	}
	s.Reason = p.reason(s)
	s.OK, s.Refusing = s.Reason == "", p.refusing(s.Behind) != nil
	return s
}

// reason says what is wrong, the worst first. p.mu is held.
func (p *Publisher) reason(s State) string {
	if p.broken != nil {
		return p.broken.Error()
	}
	for _, w := range s.Witnesses {
		if w.Accuses {
			return fmt.Sprintf("witness %s: %s", w.Name, w.Problem)
		}
	}
	if p.failed != nil {
		return p.failed.Error()
	}
	if s.Behind <= p.o.Policy.Grace {
		return ""
	}
	text := fmt.Sprintf("%d records wait for a cosignature, for %s", s.Size-s.Cosigned, s.Behind.Round(time.Second))
	for _, w := range s.Witnesses {
		if w.Problem != "" {
			text += fmt.Sprintf("; witness %s: %s", w.Name, w.Problem)
		}
	}
	return text
}

// Refusing returns nil, or an error that is ledger.ErrUnavailable while the
// policy lets nobody look.
func (p *Publisher) Refusing() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusing(p.behind(p.o.Clock()))
}

// refusing decides by how long records have waited, and not by what the
// witnesses last said: a publisher that stands still refuses too. p.mu is held.
func (p *Publisher) refusing(behind time.Duration) error {
	switch {
	case p.o.Policy.IfMissing != Refuse:
		return nil
	case p.broken != nil:
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, p.broken)
	case behind > p.o.Policy.Grace:
		return fmt.Errorf("%w: records have waited %s for the witnesses", ledger.ErrUnavailable, behind.Round(time.Second))
	}
	return nil
}

// behind returns how long the oldest record that isn't cosigned has waited.
// p.mu is held.
func (p *Publisher) behind(now time.Time) time.Duration {
	if len(p.peers) == 0 || p.o.Heads.Head().Size <= p.cosigned {
		p.waiting = time.Time{}
		return 0
	}
	if p.waiting.IsZero() || now.Before(p.waiting) { // the clock was set back: count anew
		p.waiting = now
	}
	return now.Sub(p.waiting)
}
