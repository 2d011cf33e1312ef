package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Bounds of a group. A batch holds a little more: the leaves of new keys.
const (
	maxGroupRecords = 8192
	maxGroupBytes   = maxBatch / 4
)

// clockTolerance is how far the clock may be off before that is a leaf.
const clockTolerance = time.Second

// A prepared record is sealed and encoded up to its position and time.
type prepared struct {
	prefixed []byte // a zero byte and the leaf: what is hashed
	sealed   [2][]byte
	keys     [2]*sealer // of the sealed parts; nil where absent
	buffer   []byte     // holds the sealed parts
	commit   [2]Hash
	bench    workbench
	forgets  []KeyID // the keys that this KindForget leaf destroys
	refused  bool    // a key of it is destroyed by a leaf before it; set by living
	given    bool    // at was given with the entry
	at       int64   // microseconds; set by build unless given
	position uint64  // set by build
	hash     Hash    // set by build
}

// size returns about how many bytes of a batch the record takes, with the
// leaves of two new keys.
func (p *prepared) size() int {
	return len(p.prefixed) + len(p.sealed[0]) + len(p.sealed[1]) + 512
}

// A group is the entries that will share one batch. The first to join leads: he
// waits for his turn, and whoever comes meanwhile joins.
type group struct {
	records []*prepared
	bytes   int
	done    chan struct{}

	// Read after done.
	span *span
	head SignedHead
	err  error
}

// A built batch is ready to be written.
type built struct {
	bytes  []byte
	before edge // the tree's edge before it
	count  int
	span   *span
	head   SignedHead
	next   string  // verifier key of the log that follows, where the batch ends this one
	gone   []KeyID // keys that its KindForget leaves destroy
	goneAt int64   // time of these leaves, microseconds
}

// submit has the records committed, all in one batch, and returns their group
// when it's done. An error of ctx leaves open whether they are recorded.
func (l *Ledger) submit(ctx context.Context, records ...*prepared) (*group, error) {
	bytes := 0
	for _, p := range records {
		bytes += p.size()
	}
	l.mu.Lock()
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return nil, err
	}
	g, leads := l.open, false
	if g == nil || len(g.records)+len(records) > maxGroupRecords || g.bytes+bytes > maxGroupBytes {
		g, leads = &group{done: make(chan struct{})}, true
		l.open = g
	}
	g.records, g.bytes = append(g.records, records...), g.bytes+bytes
	l.mu.Unlock()
	if leads {
		// The others depend on the leader: his caller's end isn't theirs.
		l.commit(g)
		return g, g.err
	}
	select {
	case <-g.done:
		return g, g.err
	case <-ctx.Done():
		return nil, fmt.Errorf("gave up waiting, it may be recorded: %w", ctx.Err())
	}
}

// usable returns nil while entries are taken. l.mu is held.
func (l *Ledger) usable() error {
	if l.closed {
		return ErrClosed
	}
	if l.damage != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, l.damage)
	}
	if l.next != "" {
		return ErrFrozen
	}
	if !l.state.OK {
		return fmt.Errorf("%w: %s", ErrUnavailable, l.state.Reason)
	}
	return nil
}

// commit makes the group durable in one write and one sync. G3: nobody in the
// group hears of success before the sync has returned.
func (l *Ledger) commit(g *group) {
	l.turn.Lock()
	// The group first, the turn last: so the next leader is the first to run,
	// not behind the hundreds who are being released.
	defer l.turn.Unlock()
	defer close(g.done)
	// Whoever is ready to run may join before the group closes. It costs nothing
	// when nobody is, and doubles the records a sync when hundreds are.
	runtime.Gosched()
	l.mu.Lock()
	if l.open == g {
		l.open = nil // who comes from here on is in the next batch
	}
	g.err = l.usable()
	l.mu.Unlock()
	if g.err != nil {
		return
	}
	g.records = l.living(g.records)
	if len(g.records) == 0 {
		return
	}
	b := l.build(g.records)
	if err := l.write(b); err != nil {
		l.fail(begunFailed, b, err)
		g.err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		return
	}
	g.span, g.head = b.span, b.head
}

// build gives the records their positions and times, extends the tree and signs
// its new head. What it builds must be written before anything else is built:
// of each size there may be one signed head only (G4). l.turn is held.
func (l *Ledger) build(records []*prepared) *built {
	b := &built{before: l.edge}
	buffer := appendBatchHeader(l.buffer[:0])
	leaves := make([]Hash, 0, len(records)+4)
	now, jumped := l.readClock()
	add := func(p *prepared) {
		p.position = l.edge.size + uint64(len(leaves))
		if !p.given {
			p.at = now
		}
		stamp(p.prefixed[1:], p.position, p.at)
		p.hash = hashLeaf(p.prefixed)
		leaves = append(leaves, p.hash)
		buffer = appendRecord(buffer, p.prefixed[1:], p.sealed[0], p.sealed[1])
		if len(p.forgets) > 0 {
			l.keys.doom(p.forgets, doom{position: p.position, at: p.at})
			b.gone, b.goneAt = append(b.gone, p.forgets...), p.at
		}
	}
	if jumped != "" {
		add(l.own(KindClock, jumped))
	}
	for _, p := range records {
		for _, s := range p.keys {
			if s != nil && l.announce(s) {
				add(l.own(KindKey, string(s.detail())))
			}
		}
		add(p)
	}
	b.count = len(leaves)
	b.span = l.edge.extend(leaves)
	b.head = l.self.sign(b.span.size, b.span.root())
	b.bytes = finishBatch(buffer, 0, b.before.size, b.count, b.head.Root, b.head.Signature)
	l.buffer = b.bytes
	return b
}

// announce reports whether the key's leaf is still to be written, and notes
// that it now is. l.turn is held.
func (l *Ledger) announce(s *sealer) bool {
	if s.announced {
		return false
	}
	s.announced = true
	_, known := l.announced[s.id]
	l.announced[s.id] = struct{}{}
	return !known
}

// own prepares a record of the ledger's own.
func (l *Ledger) own(kind Kind, detail string) *prepared {
	f := Frame{Node: l.self.node, Kind: kind, Detail: []byte(detail)}
	return &prepared{prefixed: appendLeaf([]byte{0}, f, Hash{}, [2]*Hash{})}
}

// readClock returns the time for the next batch in microseconds, and what to
// record when the clock jumped: by more than a second against its own monotonic
// part, or backwards. Without a jump, time stands still rather than run backwards.
func (l *Ledger) readClock() (at int64, jumped string) {
	now := l.o.Clock()
	at = now.UnixMicro()
	expected := l.lastAt
	if !l.last.IsZero() {
		steady := now.Sub(l.last) // monotonic, where the clock is
		if off := now.Round(0).Sub(l.last.Round(0)) - steady; off.Abs() > clockTolerance {
			expected = l.lastAt + steady.Microseconds()
			jumped = "jumped"
		}
	}
	l.last = now
	if l.lastAt-at > clockTolerance.Microseconds() {
		jumped = "jumped"
	}
	if jumped != "" {
		jumped = fmt.Sprintf("expected=%d read=%d", expected, at)
	} else {
		at = max(at, l.lastAt)
	}
	l.lastAt = at
	return at, jumped
}

// write appends the batch to the segment, or begins the next when it's full.
// l.turn is held.
func (l *Ledger) write(b *built) error {
	size := int64(len(b.bytes))
	if l.written+size > l.room && (l.written+size > l.o.SegmentBytes || l.hasSpare()) {
		filled := l.last.Sub(l.begun)
		if err := l.begin(begunFull, b); err != nil {
			return err
		}
		if filled > worthwhile {
			l.prepareSpare()
		}
		return nil
	}
	if _, err := l.file.WriteAt(b.bytes, l.written); err != nil {
		return fmt.Errorf("write %s: %w", segmentName(l.number), err)
	}
	if err := l.file.sync(); err != nil {
		return fmt.Errorf("sync %s: %w", segmentName(l.number), err)
	}
	l.publish(b, l.written)
	l.written += size
	return nil
}

// begin makes the batch durable as the first of the next segment. The segment
// before ends where its durable bytes do; what follows them there is void.
// l.turn is held.
func (l *Ledger) begin(begun byte, b *built) error {
	h := &segmentHead{number: l.number + 1, edge: b.before, previous: l.written, begun: begun,
		at: fromMicros(l.lastAt), key: keyHash(l.self.public), origin: l.self.origin}
	s := l.takeSpare()
	if s == nil {
		var err error
		if s, err = makeSpare(l.disk, segmentName(h.number)+newSuffix, min(firstRoom, l.o.SegmentBytes), nil); err != nil {
			return err
		}
	}
	end, err := startSegment(l.disk, s, h, b.bytes)
	if err != nil {
		return err
	}
	if l.file != nil {
		// Give back the room that was left over. A failure costs disk space, nothing else.
		if err := errors.Join(l.file.Truncate(l.written), l.file.Close()); err != nil {
			l.o.Log.Warn("could not trim a full segment", "segment", segmentName(l.number), "error", err)
		}
	}
	l.file, l.number, l.written, l.room, l.begun = s.file, h.number, end, s.room, l.last
	start := end - int64(len(b.bytes))
	l.mu.Lock()
	l.chapter = append(l.chapter, chapter{number: h.number, first: b.before.size, start: start, end: start})
	l.mu.Unlock()
	l.publish(b, start)
	return nil
}

// publish makes a durable batch, which begins at offset of the last segment,
// visible to readers. l.turn is held.
func (l *Ledger) publish(b *built, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(b.before.size, offset, int64(len(b.bytes)))
	l.size, l.head = b.span.size, b.head
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
	// G5: the leaf counts from here on, so from here on the keys open nothing in
	// the logs before this one either.
	for _, before := range l.before {
		if len(b.gone) > 0 {
			before.Forgot(b.gone, fromMicros(b.goneAt))
		}
	}
}

// markEvery is how many bytes of journal one mark stands for.
const markEvery = 64 << 10

// note adds a batch to the last chapter. l.mu is held.
func (l *Ledger) note(first uint64, offset, size int64) {
	at := len(l.chapter) - 1
	l.chapter[at].end = offset + size
	if n := len(l.marks); n == 0 || l.marks[n-1].chapter != at || offset-l.marks[n-1].offset >= markEvery {
		l.marks = append(l.marks, mark{position: first, chapter: at, offset: offset})
	}
}
