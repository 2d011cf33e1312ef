package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Kind says what a record is. Apart from the ledger's own six (KindKey,
// KindForget, KindStart, KindClock, KindEnd, KindNext), which no Entry may carry,
// kinds are opaque to it.
type Kind string

// The kinds of records.
const (
	KindIntent   Kind = "intent"   // a look-up was allowed and is about to be disclosed
	KindOutcome  Kind = "outcome"  // how a disclosed look-up ended
	KindRefusal  Kind = "refusal"  // a look-up was refused
	KindAct      Kind = "act"      // somebody did something inside Paravent
	KindObserved Kind = "observed" // a look-up seen elsewhere, brought in afterwards
	KindKey      Kind = "key"      // a person's key was made; Detail: key id (16 bytes), check value (32)
	KindForget   Kind = "forget"   // keys were destroyed (G5); Detail: their ids (16 bytes each), which name nobody
	KindStart    Kind = "start"    // the ledger was created, opened or resumed; Detail: text
	KindClock    Kind = "clock"    // the clock jumped; Detail: text
	KindEnd      Kind = "end"      // the last record of a frozen log; Detail: the verifier key of the log that follows it
	KindNext     Kind = "next"     // the first record of a log that follows another; Detail: see Succession
)

// Limits of one entry, in bytes.
const (
	MaxPart    = 256 << 10 // of one part's plaintext
	MaxPerson  = 255       // of a person's name
	maxShort   = 255       // of node, kind and outcome
	maxDetail  = 1024      // of every kind but KindNext
	maxNext    = 32 << 10  // of KindNext's detail
	leafFixed  = 26
	leafFormat = 1
)

// A Part is what a record says of one person. Only that person's key opens it.
type Part struct {
	Person string // name of the key, such as "customer:c17"; "" when the part is absent
	Plain  []byte // opaque to the ledger; at most MaxPart bytes
}

// An Entry is what a caller asks the ledger to record.
type Entry struct {
	Kind     Kind
	Outcome  string    // a short word without personal data, at most 255 bytes
	Of       uint64    // 1 + Number of the record that this one belongs to; 0: none
	At       time.Time // when it happened, where that is known from elsewhere; zero: the ledger's clock
	Customer Part
	Employee Part
}

// A Frame is the part of a record that names nobody. It is hashed into the tree
// as it is and stays readable for ever.
type Frame struct {
	Position uint64    // index in the journal and in the tree of its log, from 0
	Time     time.Time // UTC, whole microseconds; never before the previous one's, unless Kind is KindClock or Given
	Given    bool      // Time was given with the entry, not read from the ledger's clock
	Node     string
	Kind     Kind
	Outcome  string
	Of       uint64 // 1 + Number of the record that this one belongs to, maybe in a log before this one; 0: none
	Detail   []byte // only in the ledger's own kinds; names nobody
}

// An Opened is a part of a record after opening.
type Opened struct {
	Person string // "" when the part is absent or erased
	Plain  []byte
	Salt   []byte // 32 bytes; with Plain it proves the commitment in the leaf
	Erased bool   // the part is there, but its key no longer is
	// ErasedAt is the time of the leaf that says that the key is destroyed. Zero
	// with Erased: no leaf says so, the key was taken behind the ledger's back.
	ErasedAt time.Time
}

// A Record is one record, opened as far as keys exist.
type Record struct {
	Frame
	Number   uint64 // of the record among all logs of the ledger: its log's Base + Position
	Customer Opened
	Employee Opened
	Hash     Hash   // the leaf's hash in the tree (RFC 6962)
	Leaf     []byte // what was hashed: frame and commitments, no personal data
}

// Flags of a leaf.
const (
	hasCustomer = 1 << iota
	hasEmployee
	timeGiven
	knownFlags = hasCustomer | hasEmployee | timeGiven
)

// A leaf is the decoded form of what the tree holds of a record.
type leaf struct {
	Frame
	flags       byte
	digest      Hash    // of the sealed parts; zero where there are none
	commitments [2]Hash // customer's, employee's; zero where absent
}

// appendLeaf appends the canonical encoding of f, the digest of the sealed parts
// and the given commitments (DESIGN.md, "Leaf") to b. Position and time may be
// filled in later by stamp.
func appendLeaf(b []byte, f Frame, digest Hash, commitments [2]*Hash) []byte {
	var flags byte
	if commitments[0] != nil {
		flags |= hasCustomer
	}
	if commitments[1] != nil {
		flags |= hasEmployee
	}
	if f.Given {
		flags |= timeGiven
	}
	b = append(b, leafFormat)
	b = binary.LittleEndian.AppendUint64(b, f.Position)
	b = binary.LittleEndian.AppendUint64(b, uint64(micros(f.Time)))
	b = binary.LittleEndian.AppendUint64(b, f.Of)
	b = append(b, flags)
	for _, s := range [...]string{f.Node, string(f.Kind), f.Outcome} {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(f.Detail)))
	b = append(b, f.Detail...)
	if flags&(hasCustomer|hasEmployee) != 0 {
		b = append(b, digest[:]...)
	}
	for _, c := range commitments {
		if c != nil {
			b = append(b, c[:]...)
		}
	}
	return b
}

// stamp writes position and time (microseconds since 1970 UTC) into an encoded leaf.
func stamp(leaf []byte, position uint64, at int64) {
	binary.LittleEndian.PutUint64(leaf[1:], position)
	binary.LittleEndian.PutUint64(leaf[9:], uint64(at))
}

var errLeaf = errors.New("malformed leaf")

// decodeLeaf is the inverse of appendLeaf. It accepts canonical encodings only,
// so that one leaf has one hash. The result shares no memory with b.
func decodeLeaf(b []byte) (leaf, error) {
	var l leaf
	if len(b) < leafFixed || b[0] != leafFormat {
		return l, fmt.Errorf("%w: format", errLeaf)
	}
	l.Position = binary.LittleEndian.Uint64(b[1:])
	l.Time = fromMicros(int64(binary.LittleEndian.Uint64(b[9:])))
	l.Of = binary.LittleEndian.Uint64(b[17:])
	l.flags = b[25]
	if l.flags&^knownFlags != 0 {
		return l, fmt.Errorf("%w: unknown flags", errLeaf)
	}
	l.Given = l.flags&timeGiven != 0
	rest := b[leafFixed:]
	var kind string
	for _, s := range [...]*string{&l.Node, &kind, &l.Outcome} {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return l, fmt.Errorf("%w: cut short", errLeaf)
		}
		n := int(rest[0])
		*s, rest = string(rest[1:1+n]), rest[1+n:]
	}
	l.Kind = Kind(kind)
	if len(rest) < 2 {
		return l, fmt.Errorf("%w: cut short", errLeaf)
	}
	n := int(binary.LittleEndian.Uint16(rest))
	most := maxDetail
	if l.Kind == KindNext {
		most = maxNext
	}
	if rest = rest[2:]; n > most || len(rest) < n {
		return l, fmt.Errorf("%w: detail", errLeaf)
	}
	if n > 0 {
		l.Detail = append([]byte(nil), rest[:n]...)
	}
	rest = rest[n:]
	for i, h := range [...]*Hash{&l.digest, &l.commitments[0], &l.commitments[1]} {
		if l.flags&[...]byte{hasCustomer | hasEmployee, hasCustomer, hasEmployee}[i] == 0 {
			continue
		}
		if len(rest) < len(h) {
			return l, fmt.Errorf("%w: commitment", errLeaf)
		}
		rest = rest[copy(h[:], rest):]
	}
	if len(rest) != 0 {
		return l, fmt.Errorf("%w: bytes left over", errLeaf)
	}
	return l, nil
}

// micros returns t as microseconds since 1970 UTC.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros, in UTC.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
