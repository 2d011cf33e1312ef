package detect

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"hash/fnv"

	"paravent/internal/access"
)

// The state behind an Engine. Fields are exported for encoding/gob alone. Times
// are microseconds since 1970 UTC; people are the numbers of explain.Facts.
type (
	state struct {
		Now, Day   int64 // Day: the UTC day (Now/day) in which findings are being raised
		Start      int64 // the first moment heard of
		Seq        int64
		Visits     []visit
		FreeVisit  []int32
		Due        []dueItem // a heap
		Pairs      []history
		FreePair   []int32
		People     []person  // by employee
		Records    []record  // by customer
		Raised     []raising // the last of each episode, in order of first raising
		Backlog    []Finding
		Favours    []favour
		NewFavours bool // a favour waits to be looked at
		Today      int  // findings raised on Day
		Sampled    []sampled
		SampleN    int
		Lookups    int
		NotShown   int
		Explained  []int
		Nothing    int
		Weak       int
		Days       []TallyDay
		Kinds      map[Kind]int
	}
	// visit is the look-ups of one employee at one customer without a longer
	// break, not judged yet.
	visit struct {
		E, C        int32
		First, Last int64
		Looks       []look
		Moved       uint8 // bit 0: the device, bit 1: the site changed within the session
		Urgent      bool  // something was exported
		Home        bool  // begun right after somebody else of the customer's household
		Seq         int64
		More        int // statements for which one in Looks stands
	}
	look struct {
		ID     access.LookupID
		At     int64
		Cats   uint64
		Action uint8
		Record access.OrderID
		Task   access.TaskID
	}
	dueItem struct {
		At, Seq int64
		Visit   int32
	}
	// history is what is remembered of one employee at one customer: the visits
	// that leave a question.
	history struct {
		E, C   int32
		Visits []judged
		Calm   int32 // visits that left no question
	}
	// person is what is remembered of one employee.
	person struct {
		Open     []trace // visits without a reason, across customers, in order of time
		Days     int32   // days on which he looked at anybody
		LastDay  int64
		Day      int64   // the day that Today counts
		Today    float64 // visits without a reason on Day
		Sum      float64 // the same, over all days before
		Session  access.SessionID
		Device   string
		Site     string
		Moved    uint8
		Opened   []int64  // when he opened tasks, the last few, in order of time
		Served   [4]int32 // the customers he looked at last
		ServedAt [4]int64
		Off      []look // reads past Paravent that no finding names yet, in the order in which they were told
	}
	// trace is one visit without a reason.
	trace struct {
		C      int32
		At     int64
		Export bool
		Worth  float64
		Number int64 // at the end of the customer's id, -1 for none
		Looks  []look
	}
	// record is what is remembered of who looked at one customer.
	record struct {
		Recent  []viewer // the last days, one per visit
		Viewers float64  // people who looked unexplained, over all time
		Since   int64
	}
	viewer struct {
		E     int32
		At    int64
		Visit int32 // number of the open visit, -1 once judged
		Seq   int64
		Open  float64 // how far the visit stays unexplained
		Worth float64 // how much it counts, 0.5 or 1
	}
	raising struct {
		Key   string
		At    int64
		Sum   float64
		N     int
		Crowd bool // with C: the customer
		C     int32
	}
	sampled struct {
		Order uint64
		F     Finding
	}
	snapshot struct {
		Format int
		Seed   uint64
		Facts  []byte
		State  state
		Ready  []Finding
		Picked []Finding
	}
)

// formatOfSnapshot changes whenever the state does: an older snapshot is then
// refused and the events are fed anew.
const formatOfSnapshot = 1

// Snapshot returns the whole state, for Restore.
func (e *Engine) Snapshot() ([]byte, error) {
	facts, err := e.facts.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("snapshot detection: %w", err)
	}
	s := snapshot{Format: formatOfSnapshot, Seed: e.o.Seed, Facts: facts, State: e.st, Ready: e.findings, Picked: e.samples}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(s); err != nil {
		return nil, fmt.Errorf("snapshot detection: %w", err)
	}
	return buf.Bytes(), nil
}

// Restore returns an engine that goes on where the snapshot was taken, under
// these options. A snapshot of another format is an error.
func Restore(o Options, data []byte) (*Engine, error) {
	e, err := New(o)
	if err != nil {
		return nil, err
	}
	var s snapshot
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&s); err != nil {
		return nil, fmt.Errorf("restore detection: %w", err)
	}
	if s.Format != formatOfSnapshot {
		return nil, fmt.Errorf("restore detection: snapshot of format %d, want %d", s.Format, formatOfSnapshot)
	}
	if err := e.facts.UnmarshalBinary(s.Facts); err != nil {
		return nil, fmt.Errorf("restore detection: %w", err)
	}
	e.st, e.findings, e.samples = s.State, s.Ready, s.Picked
	if len(e.st.Explained) != len(e.facts.Templates()) {
		return nil, fmt.Errorf("restore detection: snapshot has %d templates, the options %d", len(e.st.Explained), len(e.facts.Templates()))
	}
	e.index()
	return e, nil
}

// index rebuilds the maps that find numbers.
func (e *Engine) index() {
	if e.st.Kinds == nil {
		e.st.Kinds = make(map[Kind]int)
	}
	e.open = make(map[uint64]int32)
	e.pairs = make(map[uint64]int32)
	e.indexRaised()
	e.base = e.facts.Mask(baseCategories)
	for i := range e.st.Visits {
		if v := &e.st.Visits[i]; len(v.Looks) > 0 {
			e.open[pairOf(v.E, v.C)] = int32(i)
		}
	}
	for i := range e.st.Pairs {
		if h := &e.st.Pairs[i]; len(h.Visits) > 0 {
			e.pairs[pairOf(h.E, h.C)] = int32(i)
		}
	}
}

func pairOf(e, c int32) uint64 { return uint64(uint32(e))<<32 | uint64(uint32(c)) }

// hash64 mixes texts into a number; the same texts give the same number on
// every machine.
func hash64(seed uint64, texts ...string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(seed >> (8 * i))
	}
	h.Write(b[:])
	for _, t := range texts {
		h.Write([]byte(t))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// push and pop keep Due a heap by time, then by the order of first look-ups.
func (e *Engine) push(d dueItem) {
	q := append(e.st.Due, d)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !before(q[i], q[up]) {
			break
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
	e.st.Due = q
}

func (e *Engine) pop() dueItem {
	q := e.st.Due
	top := q[0]
	n := len(q) - 1
	q[0] = q[n]
	q = q[:n]
	for i := 0; ; {
		kid := 2*i + 1
		if kid >= n {
			break
		}
		if kid+1 < n && before(q[kid+1], q[kid]) {
			kid++
		}
		if !before(q[kid], q[i]) {
			break
		}
		q[i], q[kid] = q[kid], q[i]
		i = kid
	}
	e.st.Due = q
	return top
}

func before(a, b dueItem) bool { return a.At < b.At || a.At == b.At && a.Seq < b.Seq }
