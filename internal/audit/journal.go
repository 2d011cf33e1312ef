package audit

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"

	"paravent/internal/ledger"
)

// A journal joins the stretches of one log's journal in their order.
type journal struct {
	report *Report
	o      *reading
	before *stretch // nil before the first
	keys   *keyBook
	roots  map[uint64]ledger.Hash
	broken bool // from some record on the leaf hashes aren't all known
	sink   func(hashes []ledger.Hash)
	next   *ledger.Succession // what its first record says of the log that it follows; nil: it follows none
	end    *ending            // the record that froze it; nil: none
	start  moment             // the first time read from the clock
}

// run reads all segments, as many at once as there are processors, and joins
// what came of each in order.
func (j *journal) run(ctx context.Context) error {
	numbers := j.o.journal.Segments()
	type slot struct {
		number uint64
		limit  int64
		done   chan *stretch
	}
	// What is read ahead of the joining is bounded.
	workers := runtime.GOMAXPROCS(0)
	slots, ahead := make(chan slot), make(chan slot, 2*workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		defer close(slots)
		defer close(ahead)
		for i, n := range numbers {
			s := slot{number: n, limit: j.limit(numbers, i), done: make(chan *stretch, 1)}
			select {
			case ahead <- s:
			case <-ctx.Done():
				return
			}
			select {
			case slots <- s:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		wg.Go(func() {
			for s := range slots {
				s.done <- j.o.read(ctx, s.number, s.limit, nil)
			}
		})
	}
	for s := range ahead {
		select {
		case got := <-s.done:
			if got.headless && j.before != nil {
				got = j.o.read(ctx, s.number, s.limit, j.before)
			}
			j.join(got)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// limit returns how many bytes of the segment numbers[i] count: the next one's
// header says it. Below 0: nobody does.
func (j *journal) limit(numbers []uint64, i int) int64 {
	if i+1 == len(numbers) || numbers[i+1] != numbers[i]+1 {
		return -1
	}
	if regular(filepath.Join(j.o.dir, ledger.SegmentFile(numbers[i+1]))) != nil {
		return -1
	}
	h, err := j.o.journal.Head(numbers[i+1])
	if err != nil || h.Previous < 0 {
		return -1
	}
	return h.Previous
}

// join checks how a stretch continues the one before it.
func (j *journal) join(s *stretch) {
	r := j.report
	r.Segments++
	r.Heads += s.heads
	r.Count += s.count - len(s.problems)
	r.Add(s.problems...)
	for _, n := range s.notes {
		if len(r.Notes) < maxNotes {
			r.Notes = append(r.Notes, n)
		}
	}
	j.joinPlace(s)
	j.joinTime(s)
	j.joinEnds(s)
	j.keys.join(r, s)
	for size, root := range s.roots {
		j.roots[size] = root
	}
	if j.broken = j.broken || !s.whole; !j.broken && j.sink != nil {
		j.sink(s.hashes)
	}
	s.hashes, s.used, s.keys = nil, nil, nil
	j.before = s
}

// joinEnds takes over what the segment says of the log before and the one behind.
func (j *journal) joinEnds(s *stretch) {
	if j.end != nil && s.batches > 0 {
		j.report.problem(s.file, unknown, int64(s.first), behindTheEnd, j.end.record)
	}
	if j.end == nil {
		j.end = s.ending
	}
	if j.next == nil {
		j.next = s.next
	}
	if !j.start.known {
		j.start = s.start
	}
	j.keys.early = j.keys.early || s.follows && len(j.keys.names) == 1
}

// joinPlace checks which ledger the segment is of and what tree it continues.
func (j *journal) joinPlace(s *stretch) {
	r, file := j.report, s.file
	var end uint64
	var root *ledger.Hash // of the tree before, as a signed head states it
	next := uint64(1)
	if b := j.before; b != nil {
		next, end = b.number+1, b.end
		if b.batches > 0 {
			root = &b.last.Root
		}
	}
	if s.number != next {
		r.problem(ledger.SegmentFile(next), unknown, int64(end), "the segment is missing")
		j.broken = true
	}
	if s.headless {
		return
	}
	if s.head.Origin != j.o.origin || s.head.Key != j.o.sum {
		r.problem(file, 0, int64(s.head.Size), "the segment is of another ledger (%q)", s.head.Origin)
	}
	before, _ := frontierOf(s.head.Size, s.head.Edge)
	switch {
	case s.head.Size > end && s.number == next:
		r.problem(file, 0, int64(end), "records %d to %d are missing before the segment", end, s.head.Size-1)
		j.broken = true
	case s.head.Size < end:
		r.problem(file, 0, int64(s.head.Size), "the segment begins with record %d, though the one before ends with record %d", s.head.Size, end-1)
		j.broken = true
	case s.head.Size == end && root != nil && before.root() != *root:
		r.problem(file, 0, int64(end), "the segment continues another tree than the one before it")
		j.broken = true
	}
}

// joinTime checks that time goes on from segment to segment.
func (j *journal) joinTime(s *stretch) {
	if j.before == nil || !j.before.stop.known {
		return
	}
	last := j.before.stop
	if !s.start.known {
		s.stop = last
		return
	}
	if s.start.at < last.at && !s.start.jump {
		j.report.problem(s.file, unknown, int64(s.start.record),
			"its time is before that of record %d, and no clock leaf says why", last.record)
	}
}
