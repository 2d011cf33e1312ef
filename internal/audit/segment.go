package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"paravent/internal/ledger"
)

// A stretch is what came of reading one segment of the journal by itself. What
// needs the segments before it is left to whoever joins them.
type stretch struct {
	number   uint64
	file     string // as problems name it
	head     ledger.SegmentHead
	headless bool // its header can't be read
	problems []Problem
	count    int
	notes    []string

	end       uint64            // size of the tree after its last batch
	tree      frontier          // after its last batch; of no use unless whole
	whole     bool              // every record was read and the tree is known
	last      ledger.SignedHead // the last batch's
	batches   int
	heads     int                    // whose signatures were checked
	unchecked []signedHead           // whose signatures are still to be checked
	torn      int64                  // bytes of an unfinished batch at the end
	hashes    []ledger.Hash          // of the leaves, where they were asked for and whole
	roots     map[uint64]ledger.Hash // of the sizes that were asked for
	keys      []keyLeaf
	used      map[ledger.KeyID]use
	start     moment // first and last times read from the clock
	stop      moment
	first     uint64             // its first record
	follows   bool               // record 0 says that there was a log before
	next      *ledger.Succession // what it says of that
	ending    *ending            // the record that froze the log
}

// An ending is the record that froze a log.
type ending struct {
	record uint64
	next   string // verifier key of the next log
}

// behindTheEnd is said of a record behind the one that froze its log.
const behindTheEnd = "it stands behind record %d, which froze this log: nothing may follow that"

// A moment is a time that was read from the ledger's clock.
type moment struct {
	at     int64 // microseconds since 1970 UTC
	record uint64
	jump   bool // the record is a clock leaf, which may step back
	known  bool
}

// A keyLeaf is a leaf that tells of a key: that it was made, or destroyed.
type keyLeaf struct {
	id     ledger.KeyID
	check  ledger.Hash
	record uint64
	gone   bool
	at     time.Time // of the leaf
}

// A use says where a key was used first and last, and how often.
type use struct {
	first, last uint64
	count       uint64
}

// A reading is what a segment is read for.
type reading struct {
	dir     string // of the log; "" over the network
	journal *ledger.Inspection
	*logKey
	sum    ledger.Hash     // SHA-256 of the key
	watch  map[uint64]bool // sizes of which the root is wanted
	hashes bool            // leaf hashes are wanted
	quick  bool            // of a segment's signatures, only the last is checked
	told   func(records int)
}

func (s *stretch) problem(p Problem) {
	s.count++
	if len(s.problems) < maxProblems {
		s.problems = append(s.problems, p)
	}
}

func newStretch(file string) *stretch {
	return &stretch{file: file, roots: map[uint64]ledger.Hash{}, used: map[ledger.KeyID]use{}}
}

// read reads one segment of which limit bytes count (below 0: it's the last).
// Where its header can't tell what tree it continues, before does, if that isn't
// nil; else nothing more is read.
//
// While its owner writes behind the end of the last segment, or gives back the
// room there, a reader may meet what is neither there nor missing. So what is
// wrong with it counts when it's found in the same place once more.
func (o *reading) read(ctx context.Context, number uint64, limit int64, before *stretch) *stretch {
	const tries = 20
	s := o.readOnce(ctx, number, limit, before)
	for range tries {
		if limit >= 0 || s.count == 0 || ctx.Err() != nil {
			break
		}
		again := o.readOnce(ctx, number, limit, before)
		if slices.Equal(s.problems, again.problems) {
			break
		}
		s = again
	}
	return s
}

// readOnce is read of a file that stays as it is.
func (o *reading) readOnce(ctx context.Context, number uint64, limit int64, before *stretch) *stretch {
	s := newStretch(ledger.SegmentFile(number))
	s.number = number
	if err := regular(filepath.Join(o.dir, s.file)); err != nil {
		s.problem(Problem{File: s.file, Byte: unknown, Record: unknown, What: "the segment can't be read: " + err.Error()})
		s.headless = true
		return s
	}
	r, head, err := o.journal.Read(number, limit)
	if err != nil {
		s.problem(problemOf(err))
	}
	if r == nil {
		s.headless = true
		return s
	}
	defer r.Close() // only read
	s.head = head
	var ok bool
	s.tree, ok = frontierOf(head.Size, head.Edge)
	s.whole = true
	if head.Number == 0 || !ok {
		s.headless = true
		if before == nil {
			return s
		}
		s.tree, _ = frontierOf(before.tree.size, before.tree.nodes)
		s.tree.size, s.whole = before.end, before.whole
	}
	s.end = s.tree.size
	if o.watch[s.end] {
		s.roots[s.end] = s.tree.root()
	}
	for ctx.Err() == nil {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.problem(problemOf(err))
			s.whole = false
			continue
		}
		o.batch(s, b)
	}
	o.signed(s)
	s.torn = r.Unfinished()
	return s
}

// batch checks one batch.
func (o *reading) batch(s *stretch, b *ledger.Batch) {
	name := func(record uint64, format string, args ...any) {
		s.problem(Problem{File: b.File, Byte: b.Offset, Record: int64(record), What: fmt.Sprintf(format, args...)})
	}
	switch {
	case b.First > s.end:
		name(s.end, "records %d to %d are missing: the next batch begins with record %d", s.end, b.First-1, b.First)
		s.whole = false
	case b.First < s.end:
		name(b.First, "records %d to %d stand here a second time", b.First, min(s.end, b.End())-1)
		s.whole = false
	}
	if s.batches == 0 {
		s.first = b.First
	}
	for i := range b.Records {
		o.record(s, b, b.First+uint64(i), &b.Records[i])
	}
	s.end, s.last, s.batches = b.End(), b.Head, s.batches+1
	if s.whole && s.tree.root() != b.Head.Root {
		name(b.First, "records %d to %d don't hash to the root that their batch states", b.First, b.End()-1)
		s.whole = false
	}
	if o.quick {
		s.unchecked = s.unchecked[:0]
	}
	s.unchecked = append(s.unchecked, signedHead{SignedHead: b.Head, offset: b.Offset, first: b.First})
	s.unchecked[len(s.unchecked)-1].Origin = o.origin
	if len(s.unchecked) == together {
		o.signed(s)
	}
	if o.told != nil {
		o.told(len(b.Records))
	}
}

// record checks one record of a batch.
func (o *reading) record(s *stretch, b *ledger.Batch, at uint64, r *ledger.StoredRecord) {
	name := func(format string, args ...any) {
		s.problem(Problem{File: b.File, Byte: b.Offset, Record: int64(at), What: fmt.Sprintf(format, args...)})
	}
	if !o.leaf(s, at, r.Leaf, name) {
		return
	}
	if !r.Intact() {
		name("its sealed parts are not those that its leaf names")
	}
	for _, sealed := range r.Sealed {
		if id, ok := ledger.KeyOf(sealed); ok {
			u, known := s.used[id]
			if !known {
				u.first = at
			}
			u.last = at
			u.count++
			s.used[id] = u
		}
	}
}

// leaf adds a record to the tree and checks what its leaf says. It returns
// false when the leaf is malformed.
func (o *reading) leaf(s *stretch, at uint64, leaf []byte, name func(string, ...any)) bool {
	if s.whole {
		h := leafHash(leaf)
		if o.hashes {
			s.hashes = append(s.hashes, h)
		}
		s.tree.add(h)
		if o.watch[s.tree.size] {
			s.roots[s.tree.size] = s.tree.root()
		}
	}
	l, err := ledger.ParseLeaf(leaf)
	if err == nil && l.Position != at {
		err = fmt.Errorf("its leaf is that of record %d", l.Position)
	}
	if err != nil {
		name("%v", err)
		return false
	}
	o.time(s, &l, name)
	o.ownKind(s, &l, name)
	return true
}

// time checks that times which the ledger's clock gave don't run backwards
// unless a clock leaf says so.
func (o *reading) time(s *stretch, l *ledger.Leaf, name func(string, ...any)) {
	if l.Given {
		return
	}
	us := l.Time.UnixMicro()
	if l.Time.IsZero() {
		us = 0
	}
	m := moment{at: us, record: l.Position, jump: l.Kind == ledger.KindClock, known: true}
	if s.stop.known && m.at < s.stop.at && !m.jump {
		name("its time is before that of record %d, and no clock leaf says why", s.stop.record)
	}
	if !s.start.known {
		s.start = m
	}
	s.stop = m
}

// ownKind checks what a leaf of the ledger's own kinds says.
func (o *reading) ownKind(s *stretch, l *ledger.Leaf, name func(string, ...any)) {
	if l.Position == 0 && l.Kind != ledger.KindNext && (l.Kind != ledger.KindStart || string(l.Detail) != "created") {
		name("the first record doesn't say that the ledger was created, or which log it follows")
	}
	if s.ending != nil && s.ending.record+1 == l.Position {
		name(behindTheEnd, s.ending.record)
	}
	switch l.Kind {
	case ledger.KindKey:
		id, check, ok := ledger.Announced(l.Detail)
		if !ok {
			name("a leaf of kind %q that doesn't hold a key id and a check value", l.Kind)
			return
		}
		s.keys = append(s.keys, keyLeaf{id: id, check: check, record: l.Position})
	case ledger.KindForget:
		ids, err := ledger.ForgottenKeys(l.Detail)
		if err != nil {
			name("a leaf of kind %q: %v", l.Kind, err)
			return
		}
		for _, id := range ids {
			s.keys = append(s.keys, keyLeaf{id: id, record: l.Position, gone: true, at: l.Time})
		}
	case ledger.KindClock:
		var expected, read int64
		if n, err := fmt.Sscanf(string(l.Detail), "expected=%d read=%d", &expected, &read); n != 2 || err != nil || read != l.Time.UnixMicro() {
			name("a leaf of kind %q that doesn't say what the clock did", l.Kind)
		} else if len(s.notes) < maxNotes {
			s.notes = append(s.notes, fmt.Sprintf("record %d: the clock was set from %s to %s", l.Position, clockText(expected), clockText(read)))
		}
	case ledger.KindStart:
		if len(s.notes) < maxNotes && string(l.Detail) != "opened" && string(l.Detail) != "created" {
			s.notes = append(s.notes, fmt.Sprintf("record %d: recording resumed after a failed write (%s)", l.Position, l.Detail))
		}
	case ledger.KindNext, ledger.KindEnd:
		o.succession(s, l, name)
	default:
		if len(l.Detail) > 0 {
			name("a record of kind %q with the ledger's own detail", l.Kind)
		}
	}
}

// succession checks a leaf that says which log comes before or behind. What it
// says of the other log is checked by whoever has that log.
func (o *reading) succession(s *stretch, l *ledger.Leaf, name func(string, ...any)) {
	if l.Kind == ledger.KindEnd {
		if _, err := parseKey(string(l.Detail)); err != nil {
			name("it freezes the log, but doesn't say which log is next: %v", err)
		}
		if s.ending == nil {
			s.ending = &ending{record: l.Position, next: string(l.Detail)}
		}
		return
	}
	if l.Position != 0 {
		name("only a log's first record may say which log it follows")
		return
	}
	s.follows = true
	next, err := ledger.ParseSuccession(l.Detail)
	if err != nil {
		name("what it says of the log before can't be read: %v", err)
		return
	}
	if next.Next != o.vkey {
		name("the log that it begins is another one than this: %s", next.Next)
	}
	s.next = &next
}

// maxNotes bounds how many notes a segment, and a report, makes.
const maxNotes = 20

// leafHash returns the hash of a record in the tree (RFC 6962).
func leafHash(leaf []byte) ledger.Hash {
	var room [1024]byte
	return sha256.Sum256(append(append(room[:0], 0), leaf...))
}
