package review

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// DefaultMemory is how many bytes of records each file may hold in memory
// before they are sorted and spilled to a temporary file: 64 MiB.
const DefaultMemory = 64 << 20

// sorter puts the records of one file in order. What fits in memory stays
// there; beyond that it sorts what it has into a run and spills it, so that
// memory is bounded whatever the size and the order of the file.
type sorter struct {
	dir   string // for runs
	limit int    // bytes in memory
	arena []byte
	index []place
	runs  []*os.File
	count int64
}

// A place says where in the arena a record stands, beside the time by which
// most comparisons are settled.
type place struct {
	time   uint64
	offset uint32
	length uint32
}

// placeSize is what one place adds to memory, in bytes.
const placeSize = 16

// newSorter returns a sorter that spills into dir when its records need more
// than limit bytes (at most 2 GiB).
func newSorter(dir string, limit int) *sorter {
	return &sorter{dir: dir, limit: min(limit, 2<<30)}
}

// add takes a copy of the record.
func (s *sorter) add(record []byte) error {
	if len(s.arena)+len(record)+placeSize*(len(s.index)+1) > s.limit && len(s.index) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.index = append(s.index, place{binary.BigEndian.Uint64(record), uint32(len(s.arena)), uint32(len(record))})
	s.arena = append(s.arena, record...)
	s.count++
	return nil
}

func (s *sorter) at(p place) []byte { return s.arena[p.offset : p.offset+p.length] }

// sort orders what is in memory; what is in order already costs one pass.
func (s *sorter) sort() {
	compare := func(a, b place) int {
		if c := cmp.Compare(a.time, b.time); c != 0 {
			return c
		}
		return bytes.Compare(s.at(a), s.at(b))
	}
	if !slices.IsSortedFunc(s.index, compare) {
		slices.SortFunc(s.index, compare)
	}
}

// spill writes what is in memory as a run and forgets it.
func (s *sorter) spill() error {
	s.sort()
	f, err := os.CreateTemp(s.dir, "run-*")
	if err != nil {
		return fmt.Errorf("make temporary file: %w", err)
	}
	s.runs = append(s.runs, f)
	w := bufio.NewWriterSize(f, 1<<20)
	var head [4]byte
	for _, p := range s.index {
		binary.BigEndian.PutUint32(head[:], p.length)
		if _, err = w.Write(head[:]); err == nil {
			_, err = w.Write(s.at(p))
		}
		if err != nil {
			return fmt.Errorf("write temporary file: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write temporary file: %w", err)
	}
	s.arena, s.index = s.arena[:0], s.index[:0]
	return nil
}

// cursors returns the sorted runs, from their beginnings. It may be called
// again for another pass once those returned before are no longer used.
func (s *sorter) cursors() ([]cursor, error) {
	s.sort()
	list := []cursor{&memoryRun{sorter: s}}
	for _, f := range s.runs {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read temporary file: %w", err)
		}
		list = append(list, &spilledRun{r: bufio.NewReaderSize(f, 256<<10)})
	}
	return list, nil
}

// close gives up the temporary files; their folder is removed by its owner.
func (s *sorter) close() error {
	var errs []error
	for _, f := range s.runs {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// A cursor goes through one sorted run. next returns io.EOF at its end; a
// record is valid until the following call.
type cursor interface{ next() ([]byte, error) }

type memoryRun struct {
	sorter *sorter
	i      int
}

func (c *memoryRun) next() ([]byte, error) {
	if c.i == len(c.sorter.index) {
		return nil, io.EOF
	}
	c.i++
	return c.sorter.at(c.sorter.index[c.i-1]), nil
}

type spilledRun struct {
	r   *bufio.Reader
	buf []byte
}

func (c *spilledRun) next() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err // io.EOF at the end of the run
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	c.buf = slices.Grow(c.buf[:0], n)[:n]
	if _, err := io.ReadFull(c.r, c.buf); err != nil {
		return nil, fmt.Errorf("read temporary file: %w", err)
	}
	return c.buf, nil
}

// merger goes through many sorted runs as one, by a binary heap.
type merger struct{ heap []head }

type head struct {
	time   uint64
	record []byte
	from   cursor
}

// newMerger returns a merger of the cursors.
func newMerger(cursors []cursor) (*merger, error) {
	m := &merger{}
	for _, c := range cursors {
		h := head{from: c}
		ok, err := h.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			m.heap = append(m.heap, h)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

// first returns the first record, nil when there is none left. It is valid
// until drop is called.
func (m *merger) first() []byte {
	if len(m.heap) == 0 {
		return nil
	}
	return m.heap[0].record
}

// drop moves on to the next record.
func (m *merger) drop() error {
	ok, err := m.heap[0].advance()
	if err != nil {
		return err
	}
	if !ok {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.down(0)
	return nil
}

func (h *head) advance() (bool, error) {
	record, err := h.from.next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h.record, h.time = record, binary.BigEndian.Uint64(record)
	return true, nil
}

func (m *merger) less(i, j int) bool {
	a, b := &m.heap[i], &m.heap[j]
	if a.time != b.time {
		return a.time < b.time
	}
	return bytes.Compare(a.record, b.record) < 0
}

// down restores the heap below i.
func (m *merger) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(m.heap) && m.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
