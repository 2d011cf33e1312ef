package detect

import (
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/explain"
)

// Microseconds.
const (
	minute = int64(60 * 1_000_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// Engine turns events into findings. It is not safe for concurrent use.
type Engine struct {
	o                Options
	facts            *explain.Facts
	st               state
	open             map[uint64]int32 // pair → its open visit
	pairs            map[uint64]int32 // pair → its history
	raised           map[string]int   // key of an episode → place in st.Raised
	findings         []Finding        // raised since the last Take
	samples          []Finding
	base             uint64 // the categories that every purpose shows
	scratch          []int32
	notables, recent []trace
	stamps           []uint32 // by customer: the round in which it was last counted
	round            uint32
}

// New returns an engine that knows nothing yet.
func New(o Options) (*Engine, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	e := &Engine{o: o, facts: explain.New(o.Templates)}
	e.st.Explained = make([]int, len(e.facts.Templates()))
	e.index()
	return e, nil
}

// Feed takes in the next event. Events come in order of When; facts may come
// late (they count from then on), a look-up that comes late is judged as of its
// own time. An event of an unknown kind is an error and changes nothing.
func (e *Engine) Feed(ev access.Event) error {
	at := access.Micros(ev.When())
	if at > e.st.Now {
		e.tick(at)
	}
	if l, ok := ev.(*access.Lookup); ok {
		e.lookup(l)
		return nil
	}
	if err := e.facts.Add(ev); err != nil {
		return fmt.Errorf("feed detection: %w", err)
	}
	if t, ok := ev.(*access.TaskOpened); ok {
		if by, _ := e.facts.Opened(e.facts.TaskNumber(t.ID)); by >= 0 {
			e.person(by).openedTask(at)
		}
	}
	return nil
}

// Advance tells that time has passed: what is due before now is judged and, if
// it deserves it, raised.
func (e *Engine) Advance(now time.Time) error {
	at := access.Micros(now)
	if at > e.st.Now {
		e.tick(at)
	}
	return nil
}

// Finish ends a review of files: what still waits is judged with what is known
// at now, and raised then. An engine that goes on afterwards works as before,
// but its findings may differ from an uninterrupted run's.
func (e *Engine) Finish(now time.Time) {
	at := max(access.Micros(now), e.st.Now)
	e.tick(at)
	for len(e.st.Due) > 0 {
		if d := e.pop(); e.st.Visits[d.Visit].Seq == d.Seq && len(e.st.Visits[d.Visit].Looks) > 0 {
			e.judge(d.Visit, at)
		}
	}
	e.offPathOfDay(at)
	e.endDay(at, true)
}

// Take returns the findings and samples raised since the last Take, in the order
// in which they were raised. The caller owns them.
func (e *Engine) Take() (findings, samples []Finding) {
	findings, samples = e.findings, e.samples
	e.findings, e.samples = nil, nil
	for _, list := range [][]Finding{findings, samples} {
		for i := range list {
			list[i].fill()
		}
	}
	return findings, samples
}

// tick lets time pass to at: judges every visit due before it, in order of due
// time, and turns the days over in between. An event at the very moment at
// which something is due still counts for it, so it is fed first.
func (e *Engine) tick(at int64) {
	if e.st.Now == 0 {
		e.st.Day, e.st.Start = at/day, at
	}
	for {
		next := (e.st.Day + 1) * day
		if len(e.st.Due) > 0 && e.st.Due[0].At < at && e.st.Due[0].At < next {
			d := e.pop()
			v := &e.st.Visits[d.Visit]
			if v.Seq != d.Seq || len(v.Looks) == 0 {
				continue // judged already
			}
			if due := e.dueOf(v); due > d.At {
				e.push(dueItem{At: due, Seq: d.Seq, Visit: d.Visit})
				continue
			}
			// A look-up that came late is judged now, not in the past.
			e.judge(d.Visit, max(d.At, e.st.Now))
			continue
		}
		if next >= at {
			break
		}
		e.endDay(next, false)
		if len(e.st.Due) == 0 && len(e.st.Backlog) == 0 {
			e.st.Day = max(e.st.Day, (at-1)/day)
		}
	}
	e.st.Now = at
}

// dueOf returns when a visit is judged: HoldFor after its last look-up, but no
// later than eight holds after its first. An export waits for nothing: the data
// have left.
func (e *Engine) dueOf(v *visit) int64 {
	if v.Urgent {
		return v.Last
	}
	hold := e.o.HoldFor.Microseconds()
	return min(v.Last+hold, v.First+8*hold)
}
