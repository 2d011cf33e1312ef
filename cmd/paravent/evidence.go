package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

// nearby is how many records after an intent its outcome is looked for: an
// answer takes seconds, and what took longer has an intent alone.
const nearby = 20_000

// evidence writes a bundle about the records at these positions and the
// outcomes that belong to them.
func (s *system) evidence(ctx context.Context, w io.Writer, about string, positions []uint64) error {
	with, err := withOutcomes(ctx, s.ledger, positions)
	if err != nil {
		return err
	}
	return audit.Evidence(ctx, w, s.ledger, s.tiles, about, with)
}

// withOutcomes adds to the positions of intents those of their outcomes.
func withOutcomes(ctx context.Context, l *ledger.Ledger, positions []uint64) ([]uint64, error) {
	all := slices.Clone(positions)
	for _, at := range positions {
		for r, err := range l.Records(ctx, at) {
			if err != nil {
				return nil, fmt.Errorf("look for the outcome of record %d: %w", at, err)
			}
			if r.Position == at && r.Kind != ledger.KindIntent || r.Position > at+nearby {
				break
			}
			if r.Of == at+1 {
				all = append(all, r.Position)
				break
			}
		}
	}
	return all, nil
}
