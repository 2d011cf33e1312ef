package witness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paravent/internal/ledger"
)

// Missing says what happens when too few witnesses cosign for longer than the
// grace.
type Missing string

const (
	// Warn goes on and says so wherever the state is shown.
	Warn Missing = "warn"
	// Refuse lets no one look any more until the witnesses are back.
	Refuse Missing = "refuse"
)

// A Policy says how many witnesses must have cosigned what.
type Policy struct {
	Witnesses []Peer
	// Need is how many of them must cosign, 0 to all. With 0 they're asked, and
	// nothing depends on the answer.
	Need int
	// IfMissing is what happens when fewer do. Empty: Warn.
	IfMissing Missing
	// Grace is how long a record may wait for its cosignatures before IfMissing
	// holds. 0: 10 s.
	Grace time.Duration
}

// Check returns what is wrong with the policy for that log, and nil if nothing
// is.
func (p Policy) Check(log Log) error {
	switch {
	case p.Need < 0 || p.Need > len(p.Witnesses):
		return fmt.Errorf("%d witnesses are needed of %d", p.Need, len(p.Witnesses))
	case p.IfMissing != "" && p.IfMissing != Warn && p.IfMissing != Refuse:
		return fmt.Errorf("%q is not warn or refuse", p.IfMissing)
	case p.IfMissing == Refuse && p.Need == 0:
		return errors.New("to refuse while witnesses are missing, at least one must be needed")
	case p.Grace < 0:
		return errors.New("the grace is negative")
	}
	names := map[string]bool{}
	for _, w := range p.Witnesses {
		if names[w.Name] {
			return fmt.Errorf("two witnesses are called %s", w.Name)
		}
		names[w.Name] = true
	}
	return distinct(log, p.keys())
}

func (p Policy) keys() []Verifier {
	keys := make([]Verifier, len(p.Witnesses))
	for i, w := range p.Witnesses {
		keys[i] = w.Key
	}
	return keys
}

// A Journal records. *ledger.Ledger is one.
type Journal interface {
	// Append returns once e is durable.
	Append(ctx context.Context, e ledger.Entry) (ledger.Receipt, error)
}

// Guard returns a Journal that passes everything on to j, except that no intent
// to look is recorded, with ledger.ErrUnavailable, while p's policy refuses.
// So nothing is disclosed that no witness would ever vouch for (G4). Refusals,
// outcomes and acts are always recorded.
func Guard(j Journal, p *Publisher) Journal { return guard{j, p} }

type guard struct {
	Journal
	publisher *Publisher
}

// Append records e unless the policy refuses it.
func (g guard) Append(ctx context.Context, e ledger.Entry) (ledger.Receipt, error) {
	if e.Kind == ledger.KindIntent {
		if err := g.publisher.Refusing(); err != nil {
			return ledger.Receipt{}, err
		}
	}
	return g.Journal.Append(ctx, e)
}
