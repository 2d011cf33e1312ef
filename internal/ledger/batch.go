package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
)

// The form of a batch (DESIGN.md, "Batch"). All integers are little endian.
const (
	batchMagic   = "PVB1"
	batchHeader  = 24                                      // magic, length, first, count, CRC of these
	batchTrailer = len(Hash{}) + ed25519.SignatureSize + 8 // root, signature, CRC of all before, end
	batchEnd     = "END\xA5"
	batchAlign   = 16
	recordHeader = 10 // lengths of leaf, customer part, employee part
	maxBatch     = 8 << 20
	maxLeaf      = leafFixed + 3*(1+maxShort) + 2 + maxNext + 3*len(Hash{})
	maxRecord    = recordHeader + maxLeaf + 2*sealedMax
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errBatch says that bytes aren't a batch as it was written.
var errBatch = errors.New("malformed batch")

// A stored record is one record of a batch, not yet opened. It points into the
// batch's bytes.
type stored struct {
	leaf   []byte
	sealed [2][]byte // customer's, employee's; nil where absent
}

// A batch is the decoded form of one group commit.
type batch struct {
	first     uint64
	records   []stored
	root      Hash // of the tree after the batch
	signature []byte
	size      int64 // in the file, in bytes
}

// end returns the size of the tree after the batch.
func (b *batch) end() uint64 { return b.first + uint64(len(b.records)) }

// appendBatchHeader leaves room for the header of a batch, to be filled by sealBatch.
func appendBatchHeader(b []byte) []byte {
	return append(b, make([]byte, batchHeader)...)
}

// appendRecord adds one record to a batch.
func appendRecord(b, leaf, customer, employee []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(leaf)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(customer)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(employee)))
	b = append(b, leaf...)
	b = append(b, customer...)
	return append(b, employee...)
}

// finishBatch fills the header of the batch that starts at b[at:] and appends
// padding and trailer.
func finishBatch(b []byte, at int, first uint64, count int, root Hash, signature []byte) []byte {
	for (len(b)-at+batchTrailer)%batchAlign != 0 {
		b = append(b, 0)
	}
	h := b[at : at+batchHeader]
	copy(h, batchMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(b)-at+batchTrailer))
	binary.LittleEndian.PutUint64(h[8:], first)
	binary.LittleEndian.PutUint32(h[16:], uint32(count))
	binary.LittleEndian.PutUint32(h[20:], crc32.Checksum(h[:20], castagnoli))
	b = append(b, root[:]...)
	b = append(b, signature...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
	return append(b, batchEnd...)
}

// A batchHead is a batch's decoded header.
type batchHead struct {
	length int
	first  uint64
	count  int
}

// decodeBatchHead reads the header at the start of b.
func decodeBatchHead(b []byte) (batchHead, error) {
	if len(b) < batchHeader || string(b[:4]) != batchMagic {
		return batchHead{}, fmt.Errorf("%w: no header", errBatch)
	}
	if crc32.Checksum(b[:20], castagnoli) != binary.LittleEndian.Uint32(b[20:]) {
		return batchHead{}, fmt.Errorf("%w: checksum of the header", errBatch)
	}
	length, count := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[16:])
	h := batchHead{length: int(length), first: binary.LittleEndian.Uint64(b[8:]), count: int(count)}
	if length > maxBatch || length%batchAlign != 0 || count == 0 || h.first > math.MaxInt64-maxBatch ||
		int64(length) < int64(batchHeader+batchTrailer)+int64(count)*int64(recordHeader+leafFixed) {
		return batchHead{}, fmt.Errorf("%w: impossible header", errBatch)
	}
	return h, nil
}

// decodeBatch decodes the batch that fills b, and checks all that can be
// checked without a key: checksums, canonical form, positions. The result
// points into b.
func decodeBatch(b []byte) (*batch, error) {
	h, err := decodeBatchHead(b)
	if err != nil {
		return nil, err
	}
	if len(b) != h.length {
		return nil, fmt.Errorf("%w: %d bytes where the header says %d", errBatch, len(b), h.length)
	}
	if string(b[len(b)-4:]) != batchEnd {
		return nil, fmt.Errorf("%w: no end", errBatch)
	}
	if crc32.Checksum(b[:len(b)-8], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-8:]) {
		return nil, fmt.Errorf("%w: checksum", errBatch)
	}
	body, trailer := b[batchHeader:len(b)-batchTrailer], b[len(b)-batchTrailer:]
	out := &batch{first: h.first, records: make([]stored, h.count), size: int64(len(b)),
		root: Hash(trailer[:len(Hash{})]), signature: trailer[len(Hash{}):][:ed25519.SignatureSize]}
	for i := range out.records {
		if body, err = out.records[i].decode(body, h.first+uint64(i)); err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", errBatch, h.first+uint64(i), err)
		}
	}
	if len(body) >= batchAlign || len(bytes.Trim(body, "\x00")) != 0 {
		return nil, fmt.Errorf("%w: bytes left over", errBatch)
	}
	return out, nil
}

// intact says whether the sealed parts are those that the leaf names, which
// needs no key.
func (s *stored) intact() bool {
	hashes := bits.OnesCount8(s.leaf[25] & (hasCustomer | hasEmployee))
	if hashes == 0 {
		return true
	}
	at := len(s.leaf) - (1+hashes)*len(Hash{})
	return at >= leafFixed && Hash(s.leaf[at:at+len(Hash{})]) == digest(s.sealed)
}

// decode reads one record, which must be the one of that position, and returns
// what follows it.
func (s *stored) decode(b []byte, position uint64) ([]byte, error) {
	if len(b) < recordHeader {
		return nil, errors.New("cut short")
	}
	lengths := [3]int{int(binary.LittleEndian.Uint16(b)),
		int(binary.LittleEndian.Uint32(b[2:])), int(binary.LittleEndian.Uint32(b[6:]))}
	b = b[recordHeader:]
	var fields [3][]byte
	for i, n := range lengths {
		if n > len(b) || n > sealedMax {
			return nil, errors.New("cut short")
		}
		fields[i], b = b[:n:n], b[n:]
	}
	s.leaf = fields[0]
	if len(s.leaf) < leafFixed || s.leaf[0] != leafFormat || binary.LittleEndian.Uint64(s.leaf[1:]) != position {
		return nil, errors.New("the leaf is of another position or format")
	}
	for i, flag := range [...]byte{hasCustomer, hasEmployee} {
		s.sealed[i] = fields[1+i]
		present := s.leaf[25]&flag != 0
		if present != (len(s.sealed[i]) > 0) || present && len(s.sealed[i]) < sealedMin {
			return nil, errSealed
		}
	}
	return b, nil
}
