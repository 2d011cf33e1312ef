package ledger

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// An Opener opens records as an outsider reads them, with the keys that he was
// given. It isn't safe for use by several goroutines at once.
type Opener struct {
	keys    map[KeyID]Key
	gone    map[KeyID]time.Time
	sealers map[KeyID]*sealer // of keys that were used lately
}

// NewOpener returns an Opener without keys.
func NewOpener() *Opener {
	return &Opener{keys: map[KeyID]Key{}, gone: map[KeyID]time.Time{}, sealers: map[KeyID]*sealer{}}
}

// Add gives it a key.
func (o *Opener) Add(k Key) { o.keys[k.ID] = k }

// Destroyed tells it that a leaf of that time says that the key was destroyed:
// it then opens nothing, whether it's there or not (G5).
func (o *Opener) Destroyed(id KeyID, at time.Time) { o.gone[id] = at }

// Open opens a record as far as there are keys, and checks each opened part
// against its commitment.
func (o *Opener) Open(s *StoredRecord) (Record, error) {
	found := map[KeyID]*sealer{}
	for _, sealed := range s.Sealed {
		id, ok := KeyOf(sealed)
		if !ok {
			continue
		}
		k, err := o.sealer(id)
		if err != nil {
			return Record{}, err
		}
		if k != nil {
			found[id] = k
		}
	}
	r, err := openRecord(&stored{leaf: s.Leaf, sealed: s.Sealed}, found)
	if err != nil {
		return Record{}, err
	}
	for i, part := range [...]*Opened{&r.Customer, &r.Employee} {
		if part.Erased {
			part.ErasedAt = o.gone[KeyID(s.Sealed[i][:keyIDSize])]
		}
	}
	return r, nil
}

// sealer returns the key's sealer, nil where there is none.
func (o *Opener) sealer(id KeyID) (*sealer, error) {
	if s := o.sealers[id]; s != nil {
		return s, nil
	}
	k, ok := o.keys[id]
	if _, gone := o.gone[id]; gone || !ok {
		return nil, nil
	}
	s, err := newSealer(k)
	if err != nil {
		return nil, err
	}
	if len(o.sealers) >= defaultCachedKeys {
		clear(o.sealers)
	}
	o.sealers[id] = s
	return s, nil
}

// Records yields the records from position from on, opened by o. What is damaged
// is a *Damage, or the error of a part that doesn't open, and the next that can be read follows.
func (i *Inspection) Records(ctx context.Context, o *Opener, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		base, err := i.Base()
		if err != nil && !yield(Record{}, err) {
			return
		}
		for n := range i.segments {
			limit, skip := int64(-1), false
			if n+1 < len(i.segments) && i.segments[n+1] == i.segments[n]+1 {
				if h, err := i.Head(i.segments[n+1]); err == nil {
					limit, skip = h.Previous, h.Size <= from
				}
			}
			if !skip && !i.recordsOf(ctx, o, i.segments[n], limit, from, numbered(base, yield)) {
				return
			}
		}
	}
}

// numbered fills in the numbers of the records of the log of that base.
func numbered(base uint64, yield func(Record, error) bool) func(Record, error) bool {
	return func(r Record, err error) bool {
		r.Number = base + r.Position
		return yield(r, err)
	}
}

// recordsOf is Records for one segment; it says whether to go on.
func (i *Inspection) recordsOf(ctx context.Context, o *Opener, number uint64, limit int64, from uint64, yield func(Record, error) bool) bool {
	r, _, err := i.Read(number, limit)
	if err != nil && !yield(Record{}, err) {
		return false
	}
	if r == nil {
		return true
	}
	defer r.Close() // only read
	for {
		if err := ctx.Err(); err != nil {
			yield(Record{}, err)
			return false
		}
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			if !yield(Record{}, err) {
				return false
			}
			continue
		}
		for n := range b.Records {
			if b.First+uint64(n) < from {
				continue
			}
			rec, err := o.Open(&b.Records[n])
			if err != nil {
				err = &Damage{Segment: b.File, Offset: b.Offset, Position: b.First + uint64(n), What: "the record", Err: err}
			}
			if !yield(rec, err) {
				return false
			}
		}
	}
}
