package ledger

import (
	"errors"
	"fmt"
)

// readAtStart is how many bytes of journal Open reads before it returns, at
// least; about a tenth of a second. What lies before is checked behind it.
const readAtStart = 64 << 20

// A rest is the part of the journal that Open has not read: the segments before
// the one with which it began. Their headers it has read.
type rest struct {
	until uint64 // number of the first segment that was read
	edge  edge   // of the tree before that one, as its header says
	marks int    // how many of Ledger.marks stand for segments of the rest
}

// skip finds the segment with which Open begins and takes over, from headers
// alone, what lies before it. G4: nothing is trusted by that. The last head's
// signature covers every record; if the edge in the header weren't the one of
// the records before, the tail wouldn't hash to what was signed. Whether the
// records before are still those, checkRest finds out.
func (l *Ledger) skip(last uint64) error {
	first, have := last, int64(0)
	for first > 1 && have < l.o.readAtStart {
		size, err := l.sizeOf(first)
		if err != nil {
			return err
		}
		if have += size; have < l.o.readAtStart {
			first--
		}
	}
	for n := uint64(1); n < first; n++ {
		if err := l.skipSegment(n); err != nil {
			return err
		}
	}
	if first == 1 {
		return nil
	}
	h, _, err := l.headOf(first)
	if err != nil {
		return err
	}
	l.edge, l.lastAt = h.edge, micros(h.at)
	l.rest = &rest{until: first, edge: h.edge, marks: len(l.marks)}
	return nil
}

// skipSegment takes over a segment from its header and the next one's.
func (l *Ledger) skipSegment(number uint64) error {
	h, start, err := l.headOf(number)
	if err != nil {
		return err
	}
	size, err := l.sizeOf(number)
	if err != nil {
		return err
	}
	end, err := l.limit(number+1, size)
	if err != nil {
		return err
	}
	l.chapter = append(l.chapter, chapter{number: number, first: h.edge.size, start: start, end: end})
	l.marks = append(l.marks, mark{position: h.edge.size, chapter: len(l.chapter) - 1, offset: start})
	return nil
}

// headOf reads a segment's header, which must be this ledger's.
func (l *Ledger) headOf(number uint64) (*segmentHead, int64, error) {
	name := segmentName(number)
	f, err := l.disk.open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("ledger: open: %w", err)
	}
	size, err := f.size()
	var h *segmentHead
	var start int64
	if err == nil {
		h, start, err = readSegmentHead(f, size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, 0, &Damage{Segment: name, What: "the header", Err: err}
	}
	if h.number != number || h.origin != l.self.origin || h.key != keyHash(l.self.public) {
		return nil, 0, &Damage{Segment: name, Position: h.edge.size, What: "the segment is of another place or ledger"}
	}
	if n := len(l.chapter); n > 0 && h.edge.size <= l.chapter[n-1].first || n == 0 && h.edge.size != 0 {
		return nil, 0, &Damage{Segment: name, Position: h.edge.size, What: "the segment does not continue the one before"}
	}
	return h, start, nil
}

// sizeOf returns how long a segment's file is, in bytes.
func (l *Ledger) sizeOf(number uint64) (int64, error) {
	f, err := l.disk.open(segmentName(number))
	if err != nil {
		return 0, fmt.Errorf("ledger: open: %w", err)
	}
	size, err := f.size()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("ledger: open: %w", err)
	}
	return size, nil
}

// checking is held by the one log of the process whose rest is being checked.
var checking = make(chan struct{}, 1)

// checkRest reads, behind Open, what Open has skipped: every checksum, position,
// sealed part and root. Damage stops the ledger as it would have stopped Open.
// Until it is done, a key that was made known long ago may be made known once more.
func (l *Ledger) checkRest() {
	// One log at a time, oldest first or not: they share the disk with who records.
	select {
	case checking <- struct{}{}:
		defer func() { <-checking }()
	case <-l.stop:
		return
	}
	begun := l.o.Clock()
	shadow := newLedger(l.o, l.self, l.disk)
	for n := uint64(1); n < l.rest.until; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		if err := shadow.scanSegment(n, false); err != nil {
			l.damaged(err)
			return
		}
	}
	if shadow.edge.size != l.rest.edge.size || shadow.edge.root() != l.rest.edge.root() {
		l.damaged(&Damage{Segment: segmentName(l.rest.until), Position: shadow.edge.size, What: "the segment does not continue the one before"})
		return
	}
	if shadow.next != "" {
		l.damaged(&Damage{Segment: segmentName(l.rest.until), Position: shadow.edge.size, What: "records stand behind the one that ends this log"})
		return
	}
	l.turn.Lock()
	for id := range shadow.announced {
		if l.announced == nil {
			break // a frozen log announces no more
		}
		l.announced[id] = struct{}{}
	}
	l.turn.Unlock()
	l.mu.Lock()
	l.marks = append(shadow.marks, l.marks[l.rest.marks:]...)
	l.mu.Unlock()
	l.o.Log.Info("the whole journal is checked", "records", shadow.edge.size, "took", l.o.Clock().Sub(begun).String())
}

// damaged stops the ledger for good, and the one that follows it: what is
// damaged is never written on in silence. It names the damage.
func (l *Ledger) damaged(err error) {
	l.o.Log.Error("the journal is damaged: every look-up is refused until it is restored", "log", l.self.origin, "error", err)
	l.mu.Lock()
	l.damage = err
	l.state = State{Reason: "the journal is damaged", Since: l.o.Clock().UTC()}
	after := l.after
	l.mu.Unlock()
	if after != nil {
		after.damaged(fmt.Errorf("in the log %s before this one: %w", l.self.origin, err))
	}
}
