package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// The form of a segment's header (DESIGN.md, "Segment").
const (
	segmentMagic  = "PVLEDGER"
	segmentFormat = 1
	segmentFixed  = 96
	maxOrigin     = 200
	maxHeader     = segmentFixed + 64*len(Hash{}) + maxOrigin + batchAlign + 4
	segmentSuffix = ".journal"
	newSuffix     = ".new" // while a segment isn't durable yet
)

// Why a segment was begun.
const (
	begunCreated = 1 // the ledger is new
	begunOpened  = 2 // the ledger was opened; the segment before is never written again
	begunFull    = 3 // the segment before was full
	begunFailed  = 4 // a write to the segment before failed; it's never written again
)

var errHeader = errors.New("malformed segment header")

// A segmentHead says where a segment stands: which log it's part of, and what
// of the segment before it counts.
type segmentHead struct {
	number   uint64 // from 1
	edge     edge   // of the tree before the segment's first record
	previous int64  // bytes of the segment before that count; what follows them is void
	begun    byte
	at       time.Time
	key      Hash // SHA-256 of the log's public key
	origin   string
}

// segmentName returns the file name of a segment, which sorts by number.
func segmentName(number uint64) string {
	return fmt.Sprintf("%010d%s", number, segmentSuffix)
}

// segmentNumber is the inverse of segmentName.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0 && segmentName(n) == name
}

// encode returns the header's bytes, a multiple of batchAlign.
func (h *segmentHead) encode() []byte {
	b := append(make([]byte, 0, maxHeader), segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentFormat)
	b = binary.LittleEndian.AppendUint32(b, 0) // length, below
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.edge.size)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.previous))
	b = binary.LittleEndian.AppendUint64(b, uint64(micros(h.at)))
	b = append(b, h.key[:]...)
	b = append(b, h.begun, byte(len(h.origin)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for level := 63; level >= 0; level-- {
		if h.edge.size>>level&1 != 0 {
			b = append(b, h.edge.nodes[level][:]...)
		}
	}
	b = append(b, h.origin...)
	for (len(b)+4)%batchAlign != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)+4))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeSegmentHead decodes the header at the start of b and returns its length
// in bytes.
func decodeSegmentHead(b []byte) (*segmentHead, int, error) {
	if len(b) < segmentFixed || string(b[:8]) != segmentMagic {
		return nil, 0, fmt.Errorf("%w: this is not a segment", errHeader)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != segmentFormat {
		return nil, 0, fmt.Errorf("%w: format %d is not known to this version", errHeader, v)
	}
	n := int(binary.LittleEndian.Uint32(b[12:]))
	if n < segmentFixed+4 || n > len(b) || n > maxHeader {
		return nil, 0, fmt.Errorf("%w: length", errHeader)
	}
	if crc32.Checksum(b[:n-4], castagnoli) != binary.LittleEndian.Uint32(b[n-4:]) {
		return nil, 0, fmt.Errorf("%w: checksum", errHeader)
	}
	h := &segmentHead{number: binary.LittleEndian.Uint64(b[16:]), previous: int64(binary.LittleEndian.Uint64(b[32:])),
		at: fromMicros(int64(binary.LittleEndian.Uint64(b[40:]))), begun: b[80]}
	h.edge.size = binary.LittleEndian.Uint64(b[24:])
	copy(h.key[:], b[48:])
	origin := int(b[81])
	if segmentFixed+bits.OnesCount64(h.edge.size)*len(Hash{})+origin > n-4 {
		return nil, 0, fmt.Errorf("%w: cut short", errHeader)
	}
	rest := b[segmentFixed:]
	for level := 63; level >= 0; level-- {
		if h.edge.size>>level&1 != 0 {
			rest = rest[copy(h.edge.nodes[level][:], rest):]
		}
	}
	h.origin = string(rest[:origin])
	return h, n, nil
}

// keyHash names a public key in segment headers.
func keyHash(pub ed25519.PublicKey) Hash { return sha256.Sum256(pub) }

// startSegment turns a spare into the segment of that header, durable with its
// first batch already in it: written and synced under the temporary name, then
// given its own. So a segment that has its name has a whole header and a whole
// batch. On an error the spare's file is closed.
func startSegment(d disk, s *spare, h *segmentHead, firstBatch []byte) (end int64, err error) {
	name := segmentName(h.number)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.file.Close())
		}
	}()
	b := append(h.encode(), firstBatch...)
	if _, err = s.file.WriteAt(b, 0); err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	if err = s.file.sync(); err != nil {
		return 0, fmt.Errorf("sync %s: %w", name, err)
	}
	if err = d.rename(s.name, name); err != nil {
		return 0, fmt.Errorf("name %s: %w", name, err)
	}
	if err = d.sync(); err != nil {
		return 0, fmt.Errorf("sync the folder: %w", err)
	}
	return int64(len(b)), nil
}

// trim cuts what follows a segment's end.
func trim(d disk, name string, end int64) error {
	f, err := d.open(name)
	if err != nil {
		return err
	}
	size, err := f.size()
	if err == nil && size > end {
		err = f.Truncate(end)
	}
	return errors.Join(err, f.Close())
}
