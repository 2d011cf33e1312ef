package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// An Inspection reads a ledger's folder as an outsider does: without its lock,
// its keys or any trust in it, and beside the process that owns it. Where
// something is damaged it says so and goes on behind it.
type Inspection struct {
	dir      string
	segments []uint64
}

// Inspect lists the segments of the ledger in dir. The error is ErrMissing
// where there are none.
func Inspect(dir string) (*Inspection, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	i := &Inspection{dir: dir}
	for _, e := range entries {
		if n, ok := segmentNumber(e.Name()); ok {
			i.segments = append(i.segments, n)
		}
	}
	if len(i.segments) == 0 {
		return nil, fmt.Errorf("%w: %s holds no journal", ErrMissing, dir)
	}
	slices.Sort(i.segments)
	return i, nil
}

// Segments returns the numbers of the segments that are there, lowest first.
func (i *Inspection) Segments() []uint64 { return i.segments }

// A SegmentHead is the decoded header of a segment: which log it's part of, and
// what of the segment before it counts.
type SegmentHead struct {
	Number   uint64 // from 1
	Size     uint64 // of the tree before the segment's first record, which is that record's position
	Edge     []Hash // roots of the complete subtrees of that tree, highest first: one for each bit set in Size
	Previous int64  // bytes of the segment before that count; what follows them is void
	Time     time.Time
	Key      Hash // SHA-256 of the log's public key
	Origin   string
}

// SegmentFile returns the file name of a segment.
func SegmentFile(number uint64) string { return segmentName(number) }

// Head reads the header of one segment. What is wrong with it is a *Damage.
func (i *Inspection) Head(number uint64) (SegmentHead, error) {
	f, size, err := i.open(number)
	if err != nil {
		return SegmentHead{}, err
	}
	defer f.Close() // only read
	h, _, err := headOf(f, number, size)
	return h, err
}

// open opens a segment for reading only.
func (i *Inspection) open(number uint64) (*os.File, int64, error) {
	f, err := os.Open(filepath.Join(i.dir, segmentName(number)))
	if err != nil {
		return nil, 0, &Damage{Segment: segmentName(number), What: "the segment can't be read", Err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, 0, errors.Join(&Damage{Segment: segmentName(number), What: "the segment can't be read", Err: err}, f.Close())
	}
	return f, info.Size(), nil
}

func headOf(f io.ReaderAt, number uint64, size int64) (SegmentHead, int64, error) {
	h, start, err := readSegmentHead(f, size)
	if err != nil {
		return SegmentHead{}, 0, &Damage{Segment: segmentName(number), What: "the header", Err: err}
	}
	out := SegmentHead{Number: h.number, Size: h.edge.size, Previous: h.previous, Time: h.at, Key: h.key, Origin: h.origin}
	for level := 63; level >= 0; level-- {
		if h.edge.size>>level&1 != 0 {
			out.Edge = append(out.Edge, h.edge.nodes[level])
		}
	}
	if h.number != number {
		return out, start, &Damage{Segment: segmentName(number), Position: out.Size, What: fmt.Sprintf("it is segment %d, under another name", h.number)}
	}
	if !bytes.Equal(h.encode(), headBytes(f, start)) {
		return out, start, &Damage{Segment: segmentName(number), Position: out.Size, What: "the header is not in its one form"}
	}
	return out, start, nil
}

// headBytes returns the header as it lies in the file, nil when it can't be read.
func headBytes(f io.ReaderAt, length int64) []byte {
	b := make([]byte, length)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b
}

// A SegmentReader reads the batches of one segment.
type SegmentReader struct {
	name string
	f    *os.File
	last bool // an unfinished batch may stand at its end
	next uint64
	r    batchReader
	torn int64
}

// Read opens a segment for reading its batches. Its first limit bytes count; a
// limit below 0 says that this is the last segment, of which all counts up to
// an unfinished batch. A damaged header is returned as *Damage together with
// the reader, which then looks for the first batch itself; without a reader the
// segment can't be read at all.
func (i *Inspection) Read(number uint64, limit int64) (*SegmentReader, SegmentHead, error) {
	f, size, err := i.open(number)
	if err != nil {
		return nil, SegmentHead{}, err
	}
	r := &SegmentReader{name: segmentName(number), f: f, last: limit < 0}
	head, start, err := headOf(f, number, size)
	r.next = head.Size
	if limit > size {
		err = errors.Join(err, &Damage{Segment: r.name, Offset: size, Position: head.Size, What: fmt.Sprintf("the segment was cut short: %d of %d bytes are there", size, limit)})
	}
	if limit >= 0 {
		size = min(size, limit)
	}
	r.r = batchReader{f: f, at: start, end: size}
	if start == 0 {
		r.r.at = batchAlign
		if !r.resync() {
			r.r.at = size
		}
	}
	return r, head, err
}

// Close closes the segment.
func (r *SegmentReader) Close() error { return r.f.Close() }

// A Batch is one group commit as it lies in the journal: records that share one
// signed head. Its records are valid until the reader's next call.
type Batch struct {
	File    string
	Offset  int64  // of the batch in the file, in bytes
	First   uint64 // position of its first record
	Records []StoredRecord
	Head    SignedHead // of the tree after the batch; Origin is not filled in
}

// End returns the size of the tree after the batch.
func (b *Batch) End() uint64 { return b.First + uint64(len(b.Records)) }

// A StoredRecord is one record as it lies in the journal.
type StoredRecord struct {
	Leaf   []byte    // frame and commitments: what the tree holds
	Sealed [2][]byte // the customer's part and the employee's: key id (16 bytes) and ciphertext; nil where absent
}

// Intact says whether the sealed parts are those that the leaf names. It needs
// no key (G4).
func (s *StoredRecord) Intact() bool { return (&stored{leaf: s.Leaf, sealed: s.Sealed}).intact() }

// KeyOf returns the id of the key that sealed a part; false for an absent part.
func KeyOf(sealed []byte) (KeyID, bool) {
	if len(sealed) < keyIDSize {
		return KeyID{}, false
	}
	return KeyID(sealed[:keyIDSize]), true
}

// Next returns the next batch, which is checked for form, checksums and the
// positions in its leaves, not for anything that needs the tree. At the end it
// returns io.EOF. What is wrong is a *Damage; the next call goes on behind it.
func (r *SegmentReader) Next() (*Batch, error) {
	at := r.r.at
	b, err := r.r.next()
	if r.last && errors.Is(err, errBatch) {
		// What was read ahead may be older than what a running server has written
		// there since.
		r.r.have = nil
		b, err = r.r.next()
	}
	switch {
	case err == nil:
		r.next = b.end()
		out := &Batch{File: r.name, Offset: at, First: b.first, Head: SignedHead{Size: b.end(), Root: b.root, Signature: bytes.Clone(b.signature)}}
		out.Records = make([]StoredRecord, len(b.records))
		for i, s := range b.records {
			out.Records[i] = StoredRecord{Leaf: s.leaf, Sealed: s.sealed}
		}
		return out, nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case !errors.Is(err, errBatch):
		r.r.at = r.r.end // the disk itself can't be read here
		return nil, &Damage{Segment: r.name, Offset: at, Position: r.next, What: "the segment can't be read", Err: err}
	}
	if torn, ok := r.unfinished(); r.last && ok {
		r.torn, r.r.at = torn, r.r.end
		return nil, io.EOF
	}
	d := r.diagnose(at, err)
	if !r.resync() {
		r.r.at = r.r.end
	}
	return nil, d
}

// Unfinished returns how many bytes at the end of the last segment are of a batch
// whose write never ended, known after io.EOF. Room that was written ahead isn't counted.
func (r *SegmentReader) Unfinished() int64 { return r.torn }

// unfinished says whether what stands at the reader's place is a write that
// never came to its end, and of how many bytes. It reads no more than one batch
// may take.
func (r *SegmentReader) unfinished() (int64, bool) {
	at, end := r.r.at, r.r.end
	written, err := lastWritten(r.f, at, end)
	if err != nil || written-at > maxBatch {
		return 0, false
	}
	return written - at, torn(r.f, at, min(end, written+sector))
}

// lastWritten returns the offset behind the last byte of f[at:end] that isn't zero.
func lastWritten(f io.ReaderAt, at, end int64) (int64, error) {
	b := make([]byte, 256<<10)
	for end > at {
		n := min(end-at, int64(len(b)))
		if got, err := f.ReadAt(b[:n], end-n); err != nil && int64(got) < n {
			return 0, err
		}
		if rest := bytes.TrimRight(b[:n], "\x00"); len(rest) > 0 {
			return end - n + int64(len(rest)), nil
		}
		end -= n
	}
	return at, nil
}

// diagnose says as exactly as it can what is wrong with the batch at the
// reader's place.
func (r *SegmentReader) diagnose(at int64, err error) *Damage {
	d := &Damage{Segment: r.name, Offset: at, Position: r.next, What: "a batch", Err: err}
	h, headErr := decodeBatchHead(r.r.have)
	if headErr != nil || len(r.r.have) < h.length {
		return d
	}
	d.Position = h.first
	d.What = fmt.Sprintf("the batch of records %d to %d", h.first, h.first+uint64(h.count)-1)
	body := r.r.have[batchHeader : h.length-batchTrailer]
	for i := range h.count {
		var s stored
		position := h.first + uint64(i)
		before := len(body)
		rest, err := s.decode(body, position)
		if err == nil {
			_, err = decodeLeaf(s.leaf)
		}
		if err == nil && !s.intact() {
			err = errDigest
		}
		if err != nil {
			d.Position, d.Offset = position, at+int64(h.length-batchTrailer-before)
			d.What, d.Err = fmt.Sprintf("record %d", position), fmt.Errorf("%w; and the batch's checksum: %w", err, d.Err)
			return d
		}
		body = rest
	}
	return d
}

// resync moves to the next batch behind the reader's place.
func (r *SegmentReader) resync() bool {
	if h, err := decodeBatchHead(r.r.have); err == nil && r.r.at+int64(h.length) <= r.r.end {
		// The header is whole, so its length can be trusted.
		r.r.at += int64(h.length)
		r.r.have = nil
		return true
	}
	b := make([]byte, 64<<10+batchHeader)
	for at := (r.r.at/batchAlign + 1) * batchAlign; at < r.r.end; at += 64 << 10 {
		n, err := r.f.ReadAt(b[:min(int64(len(b)), r.r.end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		for i := 0; i+batchHeader <= n && i < 64<<10; i += batchAlign {
			if string(b[i:i+4]) != batchMagic {
				continue
			}
			if _, err := decodeBatchHead(b[i:n]); err == nil {
				r.r.at, r.r.have = at+int64(i), nil
				return true
			}
		}
	}
	return false
}

// A Leaf is what the tree holds of a record, decoded.
type Leaf struct {
	Frame
	Digest      Hash    // of the sealed parts; zero where there are none
	Commitments [2]Hash // the customer's part's, the employee's; zero where absent
	Has         [2]bool // which parts the record has
}

// ParseLeaf decodes a leaf. It accepts each leaf's one canonical form only.
func ParseLeaf(b []byte) (Leaf, error) {
	l, err := decodeLeaf(b)
	if err != nil {
		return Leaf{}, err
	}
	return Leaf{Frame: l.Frame, Digest: l.digest, Commitments: l.commitments,
		Has: [2]bool{l.flags&hasCustomer != 0, l.flags&hasEmployee != 0}}, nil
}

// Commitment returns what the leaf holds of a part: HMAC-SHA256(salt, plain).
// The salt is 32 bytes.
func Commitment(salt [32]byte, plain []byte) Hash { return new(workbench).commit(&salt, plain) }

// Announced decodes the Detail of a KindKey leaf.
func Announced(detail []byte) (id KeyID, check Hash, ok bool) {
	if len(detail) != keyIDSize+len(check) {
		return id, check, false
	}
	copy(id[:], detail)
	copy(check[:], detail[keyIDSize:])
	return id, check, true
}

// Check returns the key's check value, which its KindKey leaf holds: it proves
// to the tree which secret and person the id stands for, and tells neither.
func (k Key) Check() (check Hash) {
	copy(check[:], derive(k.Secret, []byte("paravent key v1\x00"), k.ID[:], []byte(k.Person)))
	return check
}
