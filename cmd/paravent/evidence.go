package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// nearby is how many records after an intent its outcome is looked for: an
// answer takes seconds, and what took longer has an intent alone.
const nearby = 20_000

// evidence writes a bundle about the records of these numbers and the
// outcomes that belong to them.
func (s *system) evidence(ctx context.Context, w io.Writer, about string, numbers []uint64) error {
	with, err := withOutcomes(ctx, s.ledger, numbers)
	if err != nil {
		return err
	}
	var logs []audit.Source
	for i, served := range s.served() {
		logs = append(logs, audit.Source{Served: served, Records: s.ledger.Logs()[i]})
	}
	return audit.ChainEvidence(ctx, w, logs, about, with)
}

// withOutcomes adds to the numbers of intents those of their outcomes.
func withOutcomes(ctx context.Context, l *chain.Chain, numbers []uint64) ([]uint64, error) {
	all := slices.Clone(numbers)
	for _, at := range numbers {
		for r, err := range l.Records(ctx, at) {
			if err != nil {
				return nil, fmt.Errorf("look for the outcome of record %d: %w", at, err)
			}
			if r.Number == at && r.Kind != ledger.KindIntent || r.Number > at+nearby {
				break
			}
			if r.Of == at+1 {
				all = append(all, r.Number)
				break
			}
		}
	}
	return all, nil
}
