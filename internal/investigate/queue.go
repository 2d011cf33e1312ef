package investigate

import (
	"container/heap"
	"time"

	"paravent/internal/access"
)

// item is something that waits for its turn to be fed to the engine.
type item struct {
	at    time.Time
	fact  int64    // its Seq; 0 for a look-up
	row   *Indexed // of a look-up
	event access.Event
}

// queue is a heap of items in order of time; at the same moment facts come
// before look-ups, and each of them in the order in which they were recorded.
type queue []item

// Len is part of heap.Interface.
func (q queue) Len() int { return len(q) }

// Less is part of heap.Interface.
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case (a.row == nil) != (b.row == nil):
		return a.row == nil
	case a.row == nil:
		return a.fact < b.fact
	}
	return a.row.Number < b.row.Number
}

// Swap is part of heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is part of heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(item)) }

// Pop is part of heap.Interface.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = item{}
	*q = old[:len(old)-1]
	return last
}

// addFact puts a fact in its place.
func (q *queue) addFact(f Fact) {
	heap.Push(q, item{at: f.Event.When(), fact: f.Seq, event: f.Event})
}

// addLookup puts a look-up in its place. What was erased can't be judged.
func (q *queue) addLookup(row Indexed) {
	l := row.Lookup
	if l.Employee == "" || l.Customer == "" {
		return
	}
	heap.Push(q, item{at: l.At, row: &row, event: &l})
}

// next takes the first item that isn't after at.
func (q *queue) next(at time.Time) (item, bool) {
	if len(*q) == 0 || (*q)[0].at.After(at) {
		return item{}, false
	}
	return heap.Pop(q).(item), true
}
