package ledger

import (
	"context"
	"errors"
	"io"
	"iter"
)

// Leaves returns what the tree holds of the records from position from up to
// the end that was durable when it was called: the encoded leaves with their
// positions. It needs no key and opens nothing. A leaf is valid until the next.
// The sequence ends with its first error, a *Damage where the journal was changed.
func (l *Ledger) Leaves(ctx context.Context, from uint64) iter.Seq2[StoredRecord, error] {
	parts := l.stretches(from)
	return func(yield func(StoredRecord, error) bool) {
		for _, p := range parts {
			if err := l.leavesOf(ctx, p.chapter, p.offset, from, yield); err != nil {
				if !errors.Is(err, errStop) {
					yield(StoredRecord{}, err)
				}
				return
			}
		}
	}
}

// errStop says that the reader of a sequence wants no more.
var errStop = errors.New("stop")

// leavesOf yields the leaves of one segment from position from on.
func (l *Ledger) leavesOf(ctx context.Context, c chapter, offset int64, from uint64, yield func(StoredRecord, error) bool) error {
	f, err := l.disk.open(segmentName(c.number))
	if err != nil {
		return &Damage{Segment: segmentName(c.number), Position: c.first, What: "the segment can't be read", Err: err}
	}
	defer f.Close() // only read
	r := &batchReader{f: f, at: offset, end: c.end}
	for {
		at := r.at
		b, err := r.next()
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return &Damage{Segment: segmentName(c.number), Offset: at, Position: max(from, c.first), What: "a batch", Err: err}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range b.records {
			if b.first+uint64(i) < from {
				continue
			}
			if !yield(StoredRecord{Leaf: b.records[i].leaf, Sealed: b.records[i].sealed}, nil) {
				return errStop
			}
		}
	}
}
