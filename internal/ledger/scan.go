package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// scan reads the journal, of a long one its end: checksums, positions, the tree,
// and the last signed head. It sets up everything that the next batch needs.
func (l *Ledger) scan() error {
	names, err := l.disk.list()
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	if err := l.removeLeftovers(names); err != nil {
		return err
	}
	var number uint64
	for _, name := range names {
		n, ok := segmentNumber(name)
		if !ok {
			continue
		}
		if number++; n != number {
			return &Damage{Segment: segmentName(number), What: "the segment is missing"}
		}
	}
	if number == 0 {
		return fmt.Errorf("%w: there are keys, but no journal", ErrMissing)
	}
	if err := l.skip(number); err != nil {
		return err
	}
	for n := uint64(len(l.chapter)) + 1; n <= number; n++ {
		if err := l.scanSegment(n, n == number); err != nil {
			return err
		}
	}
	if err := l.head.Verify(l.self.public); err != nil {
		return &Damage{Segment: segmentName(number), Offset: l.written, Position: l.head.Size, What: "the last head", Err: err}
	}
	return l.scanBorders()
}

// scanSegment reads one segment. Only in the last may there be an unfinished
// batch; of the others, the next one's header says how far they count.
func (l *Ledger) scanSegment(number uint64, last bool) (err error) {
	name := segmentName(number)
	damage := func(at int64, what string, err error) error {
		return &Damage{Segment: name, Offset: at, Position: l.edge.size, What: what, Err: err}
	}
	f, err := l.disk.open(name)
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if last {
		// What a killed process had written may still be in memory only; and
		// what a failed sync left in memory may not be on disk.
		if err := errors.Join(f.sync(), f.uncache()); err != nil {
			return fmt.Errorf("ledger: open: sync %s: %w", name, err)
		}
	}
	size, err := f.size()
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	head, start, err := readSegmentHead(f, size)
	if err != nil {
		return damage(0, "the header", err)
	}
	if head.number != number || head.origin != l.self.origin || head.key != keyHash(l.self.public) {
		return damage(0, "the segment is of another place or ledger", nil)
	}
	if head.edge.size != l.edge.size || head.edge.root() != l.edge.root() {
		return damage(0, "the segment does not continue the one before", nil)
	}
	if !last {
		if size, err = l.limit(number+1, size); err != nil {
			return err
		}
	}
	l.number = number
	l.chapter = append(l.chapter, chapter{number: number, first: l.edge.size, start: start, end: start})
	r := &batchReader{f: f, at: start, end: size}
	for {
		at := r.at
		b, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && last && at > start {
			if torn(f, at, size) {
				break
			}
		}
		if err != nil {
			return damage(at, "a batch", err)
		}
		if what := l.take(b, at); what != "" {
			return damage(at, what, nil)
		}
	}
	l.written = l.chapter[len(l.chapter)-1].end
	if !last && l.written != size {
		return damage(l.written, "the segment ends before the next one begins", nil)
	}
	return nil
}

// limit returns how many bytes of a segment count, as the next one's header says.
func (l *Ledger) limit(next uint64, size int64) (int64, error) {
	f, err := l.disk.open(segmentName(next))
	if err != nil {
		return 0, fmt.Errorf("ledger: open: %w", err)
	}
	nextSize, err := f.size()
	var h *segmentHead
	if err == nil {
		h, _, err = readSegmentHead(f, nextSize)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, &Damage{Segment: segmentName(next), Position: l.edge.size, What: "the header", Err: err}
	}
	if h.previous > size || h.previous < 0 {
		return 0, &Damage{Segment: segmentName(next - 1), Offset: size, Position: h.edge.size,
			What: "the segment was cut short"}
	}
	return h.previous, nil
}

// take adds a batch that was read to the tree, or says what is wrong with it.
func (l *Ledger) take(b *batch, at int64) (wrong string) {
	if b.first != l.edge.size {
		return fmt.Sprintf("the batch begins with position %d", b.first)
	}
	leaves := make([]Hash, len(b.records))
	var scratch []byte
	if l.next != "" {
		return fmt.Sprintf("record %d stands behind the one that ends this log", b.first)
	}
	for i := range b.records {
		leaf := b.records[i].leaf
		scratch = append(append(scratch[:0], 0), leaf...)
		leaves[i] = hashLeaf(scratch)
		if !b.records[i].intact() {
			return fmt.Sprintf("the sealed parts of record %d are not those that its leaf names", b.first+uint64(i))
		}
		if leaf[25]&timeGiven == 0 {
			l.lastAt = int64(binary.LittleEndian.Uint64(leaf[9:]))
		}
		if isKeyLeaf(leaf) {
			d, err := decodeLeaf(leaf)
			if err != nil || len(d.Detail) != keyIDSize+len(Hash{}) {
				return "the leaf of a key is malformed"
			}
			l.announced[KeyID(d.Detail[:keyIDSize])] = struct{}{}
		}
		if wrong := l.takeBorder(leaf, b, i); wrong != "" {
			return wrong
		}
	}
	l.edge.extend(leaves)
	if l.edge.root() != b.root {
		return "the tree has another root than its head says"
	}
	l.size = b.end()
	l.head = SignedHead{Origin: l.self.origin, Size: l.size, Root: b.root, Signature: bytes.Clone(b.signature)}
	l.note(b.first, at, b.size)
	return ""
}

// isKeyLeaf says whether an encoded leaf is of kind KindKey.
func isKeyLeaf(leaf []byte) bool {
	at := leafFixed + 1 + int(leaf[leafFixed])
	return len(leaf) > at && bytes.HasPrefix(leaf[at+1:], []byte(KindKey)) && int(leaf[at]) == len(KindKey)
}

// readSegmentHead reads the header of a segment of that many bytes.
func readSegmentHead(f io.ReaderAt, size int64) (*segmentHead, int64, error) {
	b := make([]byte, min(size, int64(maxHeader)))
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	h, n, err := decodeSegmentHead(b)
	return h, int64(n), err
}

// sector is the smallest piece that a disk writes whole, in bytes.
const sector = 512

// torn says whether what stands at offset at, and isn't a batch, is a write
// that never came to its end, or no write at all. Reserved room reads as zeros,
// so such a write lacks its end, or a whole sector of it reads as zeros; and
// nothing was written after it. Anything else is damage.
func torn(f io.ReaderAt, at, size int64) bool {
	rest := make([]byte, size-at)
	if n, err := f.ReadAt(rest, at); err != nil && n < len(rest) {
		return false
	}
	for next := batchAlign; next+batchHeader <= len(rest); next += batchAlign {
		if string(rest[next:next+4]) == batchMagic {
			if _, err := decodeBatchHead(rest[next:]); err == nil {
				return false
			}
		}
	}
	written := bytes.TrimRight(rest, "\x00")
	if len(written) < batchHeader {
		return true
	}
	h, err := decodeBatchHead(rest)
	if err != nil {
		// Its header was not written: one of the sectors that hold it is empty.
		edge := int(sector - at%sector)
		return empty(rest, 0, edge) || edge < batchHeader && empty(rest, edge, edge+sector)
	}
	if len(written) < h.length {
		return true // the last byte of a batch is never zero
	}
	for from := 0; from < h.length; {
		to := min(from+int(sector-(at+int64(from))%sector), h.length)
		if empty(rest, from, to) {
			return true
		}
		from = to
	}
	return false
}

// empty says whether b[from:to], as far as there is any, is all zeros.
func empty(b []byte, from, to int) bool {
	to = min(to, len(b))
	return from < to && len(bytes.TrimLeft(b[from:to], "\x00")) == 0
}
