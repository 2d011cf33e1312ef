package main

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"

	"paravent/internal/audit"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

// compareIndex holds the index of look-ups in a data folder against the journal
// and its keys, and adds to r what is wrong with it.
func compareIndex(ctx context.Context, data, journal string, keys iter.Seq2[ledger.Key, error], r *audit.Result) (*investigate.IndexReport, error) {
	const file = storeFolder + "/" + store.StateFile
	stored, err := store.OpenIndex(filepath.Join(data, storeFolder, store.StateFile))
	if err != nil {
		return nil, usageError{err}
	}
	defer stored.Close() // only read
	destroyed := make(map[ledger.KeyID]investigate.Destroyed, len(r.Destroyed))
	for id, d := range r.Destroyed {
		destroyed[id] = investigate.Destroyed(d)
	}
	index, err := investigate.CompareIndex(ctx, investigate.Comparison{
		Ledger: journal, Keys: keys, Destroyed: destroyed, Index: stored,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		r.Add(audit.Problem{File: file, Byte: -1, Record: -1, What: fmt.Sprintf("the index of look-ups can't be read: %v", err)})
		return nil, nil
	}
	for _, p := range index.Problems {
		r.Add(audit.Problem{File: file, Byte: -1, Record: p.Record, What: p.What})
	}
	r.Count += index.Count - len(index.Problems)
	r.Notes = append(r.Notes, index.Notes...)
	r.Unknown = append(r.Unknown, index.Unknown...)
	return index, nil
}
