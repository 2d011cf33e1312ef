package witness

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Errors of Match that callers tell apart with errors.Is.
var (
	// ErrEarly says that a checkpoint is older than the record. A later one is to
	// be had soon; one that never comes is a reason to ask.
	ErrEarly = errors.New("the checkpoint is older than the record")
	// ErrMatch says that nothing shows that the checkpoint's tree contains the
	// record: the proof is wrong, or the receipt is of another story.
	ErrMatch = errors.New("the checkpoint is not shown to contain the record")
	// ErrFork says that the log signed two stories that can't both be true. The
	// receipt, the checkpoint and the proof prove it to anyone who has its key.
	ErrFork = errors.New("the log signed two stories")
)

// Match verifies that the record of a receipt is in the tree of a checkpoint
// that witnesses have cosigned: from then on no one can drop or change it
// unseen. The receipt alone has the log's word only (G4).
//
// The checkpoint is of the receipt's own log, with a size greater than the
// receipt's Position. proof is the consistency proof (RFC 6962, 2.1.2) between
// the tree of the receipt's Head and the checkpoint's, from the smaller to the
// larger; it's empty when they have one size.
//
// The error is ledger.ErrReceipt when the receipt doesn't verify, ErrNote when
// the checkpoint doesn't, ErrEarly, ErrMatch, or ErrFork (which is ErrMatch
// too); and ErrTooFew when all that is in order but fewer than need of witnesses
// have cosigned: checkpoint and cosignatures are then returned too.
func Match(r ledger.Receipt, checkpoint []byte, proof []tlog.Hash, log Log, witnesses []Verifier, need int) (Checkpoint, []Cosignature, error) {
	if err := r.Verify(log.pub); err != nil {
		return Checkpoint{}, nil, err
	}
	if r.Head.Origin != log.origin {
		return Checkpoint{}, nil, fmt.Errorf("%w: it is of %q, not of %q", ledger.ErrReceipt, r.Head.Origin, log.origin)
	}
	c, by, err := Verify(checkpoint, log, witnesses, need)
	if err != nil && !errors.Is(err, ErrTooFew) {
		return Checkpoint{}, nil, err
	}
	if c.Size <= r.Position {
		return Checkpoint{}, nil, fmt.Errorf("%w: it has %d records, and the record is at position %d", ErrEarly, c.Size, r.Position)
	}
	from, to := Checkpoint{Origin: r.Head.Origin, Size: r.Head.Size, Root: r.Head.Root}, c
	if from.Size > to.Size {
		from, to = to, from
	}
	if consistent(from, to, proof) {
		return c, by, err
	}
	if kind, _ := judge(from, to, request{old: from.Size, proof: proof}); kind == KindFork {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w: the trees of %d and of %d records", ErrMatch, ErrFork, from.Size, to.Size)
	}
	return Checkpoint{}, nil, fmt.Errorf("%w: the proof from %d to %d records does not verify", ErrMatch, from.Size, to.Size)
}
