package ledger

import (
	"errors"
	"fmt"
	"io"
)

// takeBorder looks at the i-th record of a batch that is being read for what may
// stand only at a log's borders: KindNext first, KindEnd last. It says what is wrong.
func (l *Ledger) takeBorder(leaf []byte, b *batch, i int) (wrong string) {
	position := b.first + uint64(i)
	switch {
	case isOfKind(leaf, KindNext) && position != 0:
		return fmt.Sprintf("record %d says that a log begins with it", position)
	case isOfKind(leaf, KindEnd):
		if i != len(b.records)-1 {
			return fmt.Sprintf("record %d stands behind the one that ends this log", position+1)
		}
		d, err := decodeLeaf(leaf)
		if err == nil {
			_, err = canonicalKey(string(d.Detail))
		}
		if err != nil {
			return "the record that ends this log is malformed"
		}
		l.next = string(d.Detail)
	}
	return ""
}

// scanBorders finds out what the log's first record says of a log before it,
// and makes sure that a frozen log really ends with its end.
func (l *Ledger) scanBorders() error {
	c := l.chapter[0]
	f, err := l.disk.open(segmentName(c.number))
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	s, damage := firstRecord(f, c.start, c.end)
	if err := f.Close(); err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	if s != nil && s.Next != l.self.verifier {
		damage = fmt.Errorf("it is the first record of %s", s.Next)
	}
	if damage != nil {
		return &Damage{Segment: segmentName(c.number), Offset: c.start, What: "the first record", Err: damage}
	}
	if s != nil {
		l.first, l.base = s, s.Base
	}
	if l.next == "" {
		return nil
	}
	return l.scanEnd()
}

// scanEnd makes sure that nothing was written behind the end of a frozen log.
func (l *Ledger) scanEnd() (err error) {
	f, err := l.disk.open(segmentName(l.number))
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.size()
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	written, err := lastWritten(f, l.written, size)
	if err != nil {
		return fmt.Errorf("ledger: open: %w", err)
	}
	if written != l.written {
		return &Damage{Segment: segmentName(l.number), Offset: l.written, Position: l.size, What: "something stands behind the record that ends this log"}
	}
	return nil
}

// firstRecord returns what the record at that offset, the first of a log, says
// of the log before it; nil where it follows none.
func firstRecord(f io.ReaderAt, at, end int64) (*Succession, error) {
	b, err := (&batchReader{f: f, at: at, end: end}).next()
	if err != nil {
		return nil, err
	}
	if len(b.records) == 0 || !isOfKind(b.records[0].leaf, KindNext) {
		return nil, nil
	}
	d, err := decodeLeaf(b.records[0].leaf)
	if err != nil {
		return nil, err
	}
	s, err := ParseSuccession(d.Detail)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// Succession reads what the log's first record says of the log before it; false
// where it follows none. What can't be read is a *Damage.
func (i *Inspection) Succession() (s Succession, follows bool, err error) {
	number := i.segments[0]
	if number != 1 {
		return s, false, &Damage{Segment: segmentName(1), What: "the segment is missing"}
	}
	f, size, err := i.open(number)
	if err != nil {
		return s, false, err
	}
	defer f.Close() // only read
	_, start, err := headOf(f, number, size)
	if err != nil {
		return s, false, err
	}
	found, err := firstRecord(f, start, size)
	if err != nil {
		return s, false, &Damage{Segment: segmentName(number), Offset: start, What: "the first record", Err: err}
	}
	if found == nil {
		return s, false, nil
	}
	return *found, true, nil
}

// Base returns the Number of the log's first record, which its succession says;
// 0 where it follows no log. What can't be read is a *Damage.
func (i *Inspection) Base() (uint64, error) {
	s, _, err := i.Succession()
	return s.Base, err
}
