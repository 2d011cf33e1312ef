package witness

import (
	"fmt"
	"time"

	"paravent/internal/ledger"
)

// A State says how far the ledger is witnessed.
type State struct {
	OK       bool
	Reason   string // for the operator, no personal data; "" while OK
	Refusing bool   // by policy, nobody may look now

	Size       uint64        // records in the ledger
	Published  uint64        // records of the published checkpoint
	Cosigned   uint64        // records of the last checkpoint that enough witnesses cosigned
	CosignedAt time.Time     // when that was; zero: never
	Behind     time.Duration // how long the oldest record that isn't cosigned has waited; 0: none waits
	Need       int           // how many witnesses must cosign
	Witnesses  []PeerState   // in the order of the configuration
}

// A PeerState says how one witness does.
type PeerState struct {
	Name, URL string
	Size      uint64    // records of the last checkpoint that it cosigned
	At        time.Time // when that was; zero: not since the start
	Tried     time.Time // when it was asked last; zero: not since the start
	Err       string    // why the last asking failed; "" when it didn't
	Accuses   bool      // Err says that the ledger contradicts what the witness has seen
}

// State says how far the ledger is witnessed now.
func (p *Publisher) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Clock()
	s := State{
		Size: p.o.Heads.Head().Size, Published: p.published.Size, Cosigned: p.cosigned, CosignedAt: p.at,
		Behind: p.behind(now), Need: p.o.Policy.Need,
	}
	for _, w := range p.peers {
		one := PeerState{Name: w.Name, URL: w.URL, Size: w.size, At: w.at, Tried: w.tried, Accuses: w.accuses}
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
			return fmt.Sprintf("witness %s: %s", w.Name, w.Err)
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
		if w.Err != "" {
			text += fmt.Sprintf("; witness %s: %s", w.Name, w.Err)
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
