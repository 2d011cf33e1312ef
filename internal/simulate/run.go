package simulate

import (
	"cmp"
	"slices"
)

// warmUp is how many days of tasks precede the first day, so that it doesn't
// begin with an empty desk; look-ups of these days are dropped.
const warmUp = 7

// run is one making of the history. It holds the things planned for the days
// to come and what the honest and the others need to remember.
type run struct {
	s        *Shop
	dice     dice
	day      int
	pending  [][]item // by day + warmUp
	spare    []item   // room that a day no longer needs
	seq      uint32
	tasks    uint64
	contacts uint64
	lookups  uint64
	episodes int

	busy    []int64          // by employee: until when he is with a customer
	done    []ring           // by employee: tasks that he worked on
	closed  []ring           // by team: tasks that were closed in it
	armed   []*label         // by employee: will look too far in his next visit (S9)
	shadow  []int32          // by employee: the new colleague who watches, or none
	novice  []*label         // by employee: his episode of sitting beside others (N6)
	regular map[int32]*label // by customer served again and again: her episode (N3)
	outage  bool             // the telephone system records nothing today (N5)
	night   []int32          // agents who work nights
	job     job              // the task being planned; one at a time
}

// ring remembers the last few tasks.
type ring struct {
	list [12]past
	n    int
}

// past is a task of which the planning is over.
type past struct {
	task     uint64
	customer int32
	order    int32
	purpose  purpose
	opened   int64
	closed   int64 // 0: not closed
}

func (g *ring) add(p past) {
	g.list[g.n%len(g.list)] = p
	g.n++
}

// pick draws one that fits, or false.
func (g *ring) pick(d dice, fits func(past) bool) (past, bool) {
	n := min(g.n, len(g.list))
	if n == 0 {
		return past{}, false
	}
	first := d.IntN(n)
	for i := range n {
		if p := g.list[(first+i)%n]; fits(p) {
			return p, true
		}
	}
	return past{}, false
}

// run makes the history and hands it over in order of time until yield says no.
func (s *Shop) run(yield func(item) bool) {
	r := &run{s: s, tasks: 1000, pending: make([][]item, s.Options.Days+warmUp), regular: map[int32]*label{}}
	r.busy = make([]int64, len(s.people))
	r.done = make([]ring, len(s.people))
	r.closed = make([]ring, len(s.teams))
	r.armed = make([]*label, len(s.people))
	r.novice = make([]*label, len(s.people))
	r.shadow = make([]int32, len(s.people))
	for e := range r.shadow {
		r.shadow[e] = none
		if s.people[e].night {
			r.night = append(r.night, int32(e))
		}
	}
	r.job.r = r
	if !r.ordersBefore(yield) {
		return
	}
	plans := s.plans
	for d := -warmUp; d < s.Options.Days && s.dayStart(d) < s.until; d++ {
		n := 0
		for n < len(plans) && plans[n].day <= d {
			n++
		}
		r.make(d, plans[:n])
		plans = plans[n:]
		if !r.flush(d, yield) {
			return
		}
	}
}

// make plans what begins on day d.
func (r *run) make(d int, plans []plan) {
	r.day = d
	r.dice = newDice(r.s.Options.Seed, 'D', uint64(d+warmUp))
	r.ordered()
	r.customersCome()
	r.systemsFind()
	if d >= 0 {
		r.routines()
		for _, p := range plans {
			r.episode(p)
		}
	}
	if r.s.dayOf(r.s.until-1) == d {
		r.guestsDesk()
	}
}

// add puts an item in its day; what lies past the end is forgotten, and what
// would lie before the day that is being made begins with it.
func (r *run) add(it item) {
	it.at = max(it.at, r.s.dayStart(r.day))
	if it.at >= r.s.until {
		return
	}
	if it.end >= r.s.until {
		it.end = 0
	}
	r.seq++
	it.seq = r.seq
	d := r.s.dayOf(it.at) + warmUp
	if r.pending[d] == nil && d == r.day+warmUp {
		r.pending[d], r.spare = r.spare, nil
	}
	r.pending[d] = append(r.pending[d], it)
}

// flush yields day d in order of time.
func (r *run) flush(d int, yield func(item) bool) bool {
	day := r.pending[d+warmUp]
	r.pending[d+warmUp] = nil
	slices.SortFunc(day, func(a, b item) int {
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	})
	for _, it := range day {
		if it.kind == isLookup {
			if d < 0 {
				continue
			}
			r.lookups++
			it.number = r.lookups
		}
		if !yield(it) {
			return false
		}
	}
	r.spare = day[:0]
	return true
}

// ordersBefore yields the orders of the weeks before the warm-up.
func (r *run) ordersBefore(yield func(item) bool) bool {
	lo, hi := r.s.soldBefore(r.s.dayStart(-60)), r.s.soldBefore(r.s.dayStart(-warmUp))
	for i := lo; i < hi; i++ {
		if !yield(r.s.orderItem(int32(i))) {
			return false
		}
	}
	return true
}

func (s *Shop) orderItem(i int32) item {
	return item{at: s.sold[i].at, customer: s.sold[i].customer, order: i, employee: none, kind: isOrder}
}

// ordered adds the orders of the day.
func (r *run) ordered() {
	lo, hi := r.s.soldBefore(r.s.dayStart(r.day)), r.s.soldBefore(r.s.dayStart(r.day+1))
	for i := lo; i < hi; i++ {
		r.add(r.s.orderItem(int32(i)))
	}
}

// begin numbers a new episode.
func (r *run) begin(code Scenario) *label {
	r.episodes++
	return &label{number: r.episodes, scenario: code}
}
