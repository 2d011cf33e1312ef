package simulate

import (
	"container/heap"
	"time"

	"paravent/internal/access"
)

// Step is one thing that happens next: facts that other systems report, or an
// employee who asks to look.
type Step struct {
	At    time.Time
	Facts []access.Event
	Ask   *Ask
}

// Ask is what an employee asks for. An honest ask names an open task that is
// assigned to him or his team and nothing beyond its purpose.
type Ask struct {
	Employee   access.EmployeeID
	Task       access.TaskID
	Customer   access.CustomerID
	Categories []access.Category
	Order      access.OrderID
	Action     access.Action
	Reason     string
	Honest     bool // false: a snooper tries what is to be refused, or waits for a second person
}

// Live is traffic without end: tasks that come, are looked up for and closed
// within minutes, at about one and a half look-ups a second, and now and then
// somebody who tries what he may not. It knows of no state but its own: every
// task that it names was told of in an earlier step. Not safe for concurrent
// use.
type Live struct {
	s        *Shop
	d        dice
	from     int64 // seconds
	arrival  int64 // the next one, in nanoseconds since 1970
	snoop    int64
	guestAt  int64
	callEnds int64 // the visitor's call in progress
	queue    stepQueue
	seq      uint64
	base     uint64
	tasks    uint64
	contacts uint64
	busy     []int64 // by employee, in nanoseconds
	agents   []int32
	lately   []liveTask // for those who try what they may not
	guests   []liveTask // the visitor's own, not asked for by anybody else
}

// liveTask is a task as Live knows it.
type liveTask struct {
	id       access.TaskID
	customer int32
	order    int32
	purpose  purpose
	employee int32
	begin    int64 // opened; nanoseconds since 1970
	end      int64 // closed, once that is planned
}

const second = int64(time.Second)

// The mean time between arrivals and between tries of snoopers, and how often
// the visitor is given a task. Between four and five look-ups follow an arrival.
const (
	betweenArrivals = 2900 * int64(time.Millisecond)
	betweenSnoops   = 35 * second
	betweenGuest    = 150 * second
)

// Live returns traffic from a moment on; the same moment and seed give the same
// steps. Its tasks and contacts have numbers that the history doesn't use, and
// other numbers for every minute in which it begins.
func (s *Shop) Live(from time.Time, seed uint64) *Live {
	l := &Live{s: s, d: newDice(s.Options.Seed, 'L', seed), from: from.Unix(), busy: make([]int64, len(s.people))}
	start := from.UnixNano()
	l.arrival, l.snoop, l.guestAt = start, start+10*second, start
	l.base = 1_000_000 + uint64(max(0, l.from-s.start)/60)*1000
	day := s.dayOf(l.from)
	for e, p := range s.people {
		if p.role == access.RoleAgent && p.joined <= day && p.leaves > day && int32(e) != s.guest() {
			l.agents = append(l.agents, int32(e))
		}
	}
	return l
}

// Next returns the next step; At never goes back.
func (l *Live) Next() Step {
	for {
		next := min(l.arrival, l.snoop, l.guestAt)
		if len(l.queue) > 0 && l.queue[0].at < next {
			q := heap.Pop(&l.queue).(queued)
			return q.step
		}
		switch next {
		case l.arrival:
			l.arrive(next)
			l.arrival += l.d.wait(float64(betweenArrivals)) + 1
		case l.snoop:
			l.try(next)
			l.snoop += l.d.between(betweenSnoops/2, betweenSnoops*3/2)
		default:
			l.serveGuest(next)
			l.guestAt += l.d.between(betweenGuest/2, betweenGuest*3/2)
		}
	}
}

// queued is a step to come.
type queued struct {
	at   int64
	seq  uint64
	step Step
}

// stepQueue is a heap, earliest first.
type stepQueue []queued

func (q stepQueue) Len() int      { return len(q) }
func (q stepQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q stepQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q *stepQueue) Push(x any) { *q = append(*q, x.(queued)) }
func (q *stepQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (l *Live) push(at int64, s Step) {
	l.seq++
	s.At = time.Unix(0, at).UTC()
	heap.Push(&l.queue, queued{at, l.seq, s})
}

// tell queues facts. Their own times are set by the caller to the same moment.
func (l *Live) tell(at int64, facts ...access.Event) { l.push(at, Step{Facts: facts}) }

// pause returns nanoseconds of from lo to hi seconds.
func (l *Live) pause(lo, hi float64) int64 {
	return int64((lo + (hi-lo)*l.d.Float64()) * float64(second))
}

func nano(at int64) time.Time { return time.Unix(0, at).UTC() }

// free draws an agent who isn't busy, or none.
func (l *Live) free(at int64) int32 {
	for range 12 {
		if len(l.agents) == 0 {
			break
		}
		if e := pickOne(l.d, l.agents); l.busy[e] <= at {
			return e
		}
	}
	return none
}

// someone draws an order and its customer whom nothing stands in the way of
// serving.
func (l *Live) someone(e int32) (c, order int32, ok bool) {
	for range 20 {
		order = l.s.recent(l.d, l.from)
		if order == none {
			order = int32(l.d.IntN(len(l.s.sold)))
		}
		c = l.s.sold[order].customer
		if l.ordinary(e, c) {
			return c, order, true
		}
	}
	return none, none, false
}

// ordinary reports whether the employee may look at the customer alone.
func (l *Live) ordinary(e, c int32) bool {
	known := &l.s.Customers[c]
	return !known.Notable && known.Employee == "" && !l.s.knows(e, c) && l.s.buyers[c].household != l.s.people[e].household &&
		l.s.people[e].surname != l.s.buyers[c].surname
}

// newTask numbers a task.
func (l *Live) newTask(c, order int32, p purpose, e int32) liveTask {
	l.tasks++
	if !purposes[p].about {
		order = none
	}
	return liveTask{id: taskID(l.base + l.tasks), customer: c, order: order, purpose: p, employee: e}
}

// opened is the fact that a task was opened.
func (l *Live) opened(t liveTask, at int64, ch channel, by string) access.Event {
	task := access.Task{ID: t.id, Customer: l.s.customerID(t.customer), Purpose: purposes[t.purpose].name, Channel: channels[ch], OpenedAt: nano(at), OpenedBy: by}
	if t.order != none {
		task.Order = orderID(t.order)
	}
	return &access.TaskOpened{Task: task}
}

func (l *Live) assigned(t liveTask, at int64, e int32, team access.TeamID, by string) access.Event {
	return &access.Assigned{Assignment: access.Assignment{Task: t.id, Employee: l.s.employeeID(e), Team: team, Since: nano(at), By: by}}
}

// contact is a customer's trace; a call in progress has no end yet.
func (l *Live) contact(c, e int32, at int64, ch channel) access.Contact {
	l.contacts++
	return access.Contact{ID: contactID(l.base + l.contacts), Customer: l.s.customerID(c), At: nano(at), Channel: channels[ch], Direction: "in", Employee: l.s.employeeID(e)}
}

// arrive plans a customer's coming: contact, task, assignment, look-ups, work
// and closing, all within some minutes.
func (l *Live) arrive(at int64) {
	e := l.free(at)
	if e == none {
		return
	}
	c, order, ok := l.someone(e)
	if !ok {
		return
	}
	t := l.newTask(c, order, purpose(l.d.weighted(callerWeights)), e)
	if l.d.chance(0.6) {
		l.calls(t, at)
	} else {
		l.writes(t, at)
	}
}

// calls plans a call and the task that the telephone system makes of it.
func (l *Live) calls(t liveTask, at int64) {
	call := l.contact(t.customer, t.employee, at, byCall)
	l.tell(at, &access.Contacted{Contact: call})
	begin := at + l.pause(1, 4)
	l.tell(begin, l.opened(t, begin, byCall, access.BySystem), l.assigned(t, begin, t.employee, "", access.BySystem))
	end := l.looks(t, begin+l.pause(2, 8))
	call.Until = nano(end)
	l.tell(end, &access.Contacted{Contact: call})
	l.ends(t, begin, end)
}

// writes plans a mail or a form, which waits with the team first.
func (l *Live) writes(t liveTask, at int64) {
	ch := byForm
	if l.d.chance(0.7) {
		ch = byMail
		l.tell(at, &access.Contacted{Contact: l.contact(t.customer, none, at, byMail)})
	}
	team := l.s.teams[l.s.people[t.employee].team].id
	begin := at + l.pause(1, 4)
	l.tell(begin, l.opened(t, begin, ch, access.ByCustomer), l.assigned(t, begin, none, team, access.BySystem))
	taken := begin + l.pause(3, 40)
	if l.d.chance(0.7) {
		l.tell(taken, l.assigned(t, taken, t.employee, "", access.BySystem))
	}
	l.ends(t, begin, l.looks(t, taken+l.pause(2, 10)))
}

// looks plans the honest look-ups of one visit and returns when it is over.
func (l *Live) looks(t liveTask, at int64) int64 {
	need := purposes[t.purpose].needs
	for _, part := range [...]cats{identity | contact, orders, items, delivery, payment} {
		if need&part == 0 || (part&identity == 0 && l.d.chance(0.12)) {
			continue
		}
		a := l.ask(t, part, true)
		if part != identity|contact && part != orders && t.order != none {
			a.Order = orderID(t.order)
		}
		l.push(at, Step{Ask: a})
		at += l.pause(3, 18)
	}
	if l.d.chance(0.5) {
		l.push(at, Step{Ask: l.ask(t, identity|contact, true)})
		at += l.pause(2, 9)
	}
	return at
}

func (l *Live) ask(t liveTask, set cats, honest bool) *Ask {
	return &Ask{Employee: l.s.employeeID(t.employee), Task: t.id, Customer: l.s.customerID(t.customer), Categories: categoryLists[set],
		Action: access.ActionView, Reason: reasons[purposes[t.purpose].reason], Honest: honest}
}

// ends plans the work and the closing.
func (l *Live) ends(t liveTask, begin, at int64) {
	id := l.s.employeeID(t.employee)
	l.tell(at, &access.Worked{Work: access.Work{Task: t.id, Employee: id, At: nano(at), Kind: workKinds[t.purpose.result(l.d)]}})
	end := at + l.pause(3, 40)
	l.tell(end, &access.Worked{Work: access.Work{Task: t.id, Employee: id, At: nano(end), Kind: workKinds[workClose]}},
		&access.TaskClosed{Task: t.id, At: nano(end), By: string(id)})
	l.busy[t.employee] = end
	t.begin, t.end = begin, end
	l.lately = append(l.lately, t)
	if len(l.lately) > 160 {
		l.lately = append(l.lately[:0], l.lately[80:]...)
	}
}
