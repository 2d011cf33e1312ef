package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"

	"golang.org/x/mod/sumdb/tlog"
)

// A batchReader reads batches one after the other.
type batchReader struct {
	f       io.ReaderAt
	at, end int64  // what is left to read
	have    []byte // read, not yet decoded; begins at offset at
}

const readAhead = 256 << 10

// next returns the next batch, which is valid until the next call; io.EOF at
// the end. at stays where it was on an error.
func (r *batchReader) next() (*batch, error) {
	if r.at >= r.end {
		return nil, io.EOF
	}
	if err := r.fill(batchHeader); err != nil {
		return nil, err
	}
	h, err := decodeBatchHead(r.have)
	if err != nil {
		return nil, err
	}
	if err := r.fill(h.length); err != nil {
		return nil, err
	}
	b, err := decodeBatch(r.have[:h.length])
	if err != nil {
		return nil, err
	}
	r.at, r.have = r.at+int64(h.length), r.have[h.length:]
	return b, nil
}

// fill reads until n bytes are at hand.
func (r *batchReader) fill(n int) error {
	if len(r.have) >= n {
		return nil
	}
	if int64(n) > r.end-r.at {
		return fmt.Errorf("%w: it ends after %d bytes of %d", errBatch, r.end-r.at, n)
	}
	b := make([]byte, min(max(int64(n), readAhead), r.end-r.at))
	kept := copy(b, r.have)
	if got, err := r.f.ReadAt(b[kept:], r.at+int64(kept)); err != nil && got < len(b)-kept {
		return err
	}
	r.have = b
	return nil
}

// Records returns the records from position from up to the end that was durable
// when it was called, opened as far as their keys exist. Each is checked against
// its batch's checksum and each opened part against its commitment: what was
// changed or exchanged is a *Damage that names the record. The sequence ends
// with its first error. A record shares no memory with the next.
func (l *Ledger) Records(ctx context.Context, from uint64) iter.Seq2[Record, error] {
	parts := l.stretches(from)
	return func(yield func(Record, error) bool) {
		for _, p := range parts {
			if !l.readChapter(ctx, p.chapter, p.offset, from, yield) {
				return
			}
		}
	}
}

// stretch is the durable part of a segment from a batch's offset on.
type stretch struct {
	chapter
	offset int64
}

// stretches returns where a reader of the records from position from up to the end
// that is durable now has to look; nothing where there are none.
func (l *Ledger) stretches(from uint64) []stretch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from >= l.size {
		return nil
	}
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].position > from })
	var at mark
	if i > 0 {
		at = l.marks[i-1]
	}
	var parts []stretch
	for _, c := range l.chapter[at.chapter:] {
		parts = append(parts, stretch{chapter: c, offset: c.start})
	}
	if len(parts) > 0 {
		parts[0].offset = at.offset
	}
	return parts
}

// readChapter yields the records of one segment from position from on. It says
// whether to go on.
func (l *Ledger) readChapter(ctx context.Context, c chapter, offset int64, from uint64, yield func(Record, error) bool) bool {
	f, err := l.disk.open(segmentName(c.number))
	if err != nil {
		yield(Record{}, fmt.Errorf("ledger: read: %w", err))
		return false
	}
	defer f.Close() // only read
	r := &batchReader{f: f, at: offset, end: c.end}
	expected := uint64(0)
	for {
		at := r.at
		b, err := r.next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err == nil && expected != 0 && b.first != expected {
			err = fmt.Errorf("%w: out of order", errBatch)
		}
		if err != nil {
			yield(Record{}, &Damage{Segment: segmentName(c.number), Offset: at, Position: max(expected, c.first), What: "a batch", Err: err})
			return false
		}
		expected = b.end()
		if b.end() <= from {
			continue
		}
		sealers, err := l.sealersOf(ctx, b)
		if err != nil {
			yield(Record{}, err)
			return false
		}
		for i := range b.records {
			if b.first+uint64(i) < from {
				continue
			}
			rec, err := openRecord(&b.records[i], sealers)
			l.dateErased(&rec, &b.records[i])
			rec.Number = l.base + rec.Position
			if err != nil {
				err = &Damage{Segment: segmentName(c.number), Offset: at, Position: b.first + uint64(i), What: "the record", Err: err}
			}
			if err == nil {
				err = ctx.Err()
			}
			if !yield(rec, err) || err != nil {
				return false
			}
		}
	}
}

// sealersOf returns the keys of a batch that still exist.
func (l *Ledger) sealersOf(ctx context.Context, b *batch) (map[KeyID]*sealer, error) {
	var ids []KeyID
	for i := range b.records {
		for _, sealed := range b.records[i].sealed {
			if len(sealed) >= keyIDSize {
				ids = append(ids, KeyID(sealed[:keyIDSize]))
			}
		}
	}
	return l.keys.opened(ctx, ids)
}

// dateErased fills in when the parts that can't be opened were erased.
func (l *Ledger) dateErased(r *Record, s *stored) {
	for i, part := range [...]*Opened{&r.Customer, &r.Employee} {
		if !part.Erased {
			continue
		}
		if d, doomed := l.keys.fate(KeyID(s.sealed[i][:keyIDSize])); doomed {
			part.ErasedAt = fromMicros(d.at)
		}
	}
}

// openRecord opens a stored record with the keys that exist.
func openRecord(s *stored, sealers map[KeyID]*sealer) (Record, error) {
	leaf, err := decodeLeaf(s.leaf)
	if err != nil {
		return Record{}, err
	}
	if leaf.flags&(hasCustomer|hasEmployee) != 0 && digest(s.sealed) != leaf.digest {
		return Record{}, errDigest
	}
	r := Record{Frame: leaf.Frame, Hash: tlog.RecordHash(s.leaf), Leaf: append([]byte(nil), s.leaf...)}
	for i, part := range [...]*Opened{&r.Customer, &r.Employee} {
		sealed := s.sealed[i]
		if len(sealed) == 0 {
			continue
		}
		k := sealers[KeyID(sealed[:keyIDSize])]
		if k == nil {
			part.Erased = true
			continue
		}
		part.Person = k.person
		if part.Salt, part.Plain, err = k.open(sealed, byte(i), leaf.commitments[i]); err != nil {
			return Record{}, err
		}
	}
	return r, nil
}
