package simulate

// job plans the life of one task: its items are gathered until the end is
// known, then added together.
type job struct {
	r        *run
	id       uint64
	customer int32
	order    int32
	purpose  purpose
	items    []item
	opened   int // index of its opening
	assigned int // index of the assignment that holds, or none
	team     int16
	closedAt int64
}

// open begins a task. It must be ended with finish before the next is begun.
func (r *run) open(t int64, c, order int32, p purpose, ch channel, by int32) *job {
	j := &r.job
	r.tasks++
	if !purposes[p].about {
		order = none
	}
	*j = job{r: r, id: r.tasks, customer: c, order: order, purpose: p, items: j.items[:0], assigned: none, team: none}
	j.opened = len(j.items)
	j.add(item{at: t, kind: isOpened, by: by, closer: byUnknown, employee: none, code: uint8(p), channel: ch})
	return j
}

// add gathers a fact about this task.
func (j *job) add(it item) {
	it.task, it.customer, it.order, it.device = j.id, j.customer, j.order, none
	j.items = append(j.items, it)
}

// look gathers a look-up of the task's customer under this task; its order is
// the record opened, or none.
func (j *job) look(it item) {
	it.kind, it.task, it.customer, it.device = isLookup, j.id, j.customer, none
	j.items = append(j.items, it)
}

// assign gives the task to an employee, or with e none to a team, and ends the
// assignment before.
func (j *job) assign(t int64, e int32, team int16, by int32) {
	if j.assigned != none {
		a := &j.items[j.assigned]
		a.end = t
		j.add(item{at: t, kind: isUnassigned, employee: a.employee, team: a.team, by: by})
	}
	j.assigned = len(j.items)
	j.team = team
	j.add(item{at: t, kind: isAssigned, employee: e, team: team, by: by})
}

// work leaves a trace of work done.
func (j *job) work(t int64, e int32, k workKind) {
	j.add(item{at: t, kind: isWork, employee: e, code: uint8(k)})
}

// close ends the task.
func (j *job) close(t int64, e int32) {
	j.closedAt = t
	j.items[j.opened].end, j.items[j.opened].closer = t, e
	j.work(t, e, workClose)
	j.add(item{at: t, kind: isClosed, by: e, employee: e})
}

// finish adds the task to the history. The employees who worked on it will
// remember it.
func (j *job) finish() {
	p := past{j.id, j.customer, j.order, j.purpose, j.items[j.opened].at, j.closedAt}
	last := int32(none)
	for _, it := range j.items {
		if it.kind == isWork && it.employee != last && it.employee >= 0 {
			j.r.done[it.employee].add(p)
			last = it.employee
		}
		j.r.add(it)
	}
	if j.closedAt != 0 && last != none {
		j.r.closed[j.r.s.people[last].team].add(p)
	}
}

// contact records a trace of a customer: from t on for so many seconds.
func (r *run) contact(t, seconds int64, c, e int32, ch channel, out bool) {
	r.contacts++
	it := item{at: t, kind: isContact, number: r.contacts, customer: c, employee: e, order: none, channel: ch, out: out, device: none}
	if seconds > 0 {
		it.end = t + seconds
	}
	r.add(it)
}

// visit is one sitting of an employee with a customer's record.
type visit struct {
	at       int64
	employee int32
	reason   reason
	label    *label
	depth    float64 // the share of the purpose's categories that he opens besides identity
	unnamed  bool    // he doesn't name the task
	aside    bool    // it isn't his task
}

// visit plans the look-ups of one sitting and returns when the last was made.
func (j *job) visit(v visit) int64 {
	r, d := j.r, j.r.dice
	t := v.at
	if v.label == nil {
		v.label = r.alike(j, v)
	}
	look := func(set cats, order int32, a action) {
		it := item{at: t, employee: v.employee, order: order, cats: set, action: a, reason: v.reason, label: v.label}
		if a == search && d.chance(0.5) {
			it.reason = noReason
		}
		j.look(it)
		if v.unnamed {
			j.items[len(j.items)-1].task = 0
		}
		t += d.between(4, 40)
	}
	if d.chance(0.22) {
		r.wrongNames(j, v, t)
		look(identity, none, search)
	}
	look(identity|contact, none, view)
	need := purposes[j.purpose].needs
	if need&orders != 0 && d.chance(v.depth) {
		look(orders, none, view)
	} else if need&orders == 0 && d.chance(0.04) { // more than he needs, by habit
		look(orders, none, view)
	}
	record := j.order
	for _, part := range [...]cats{items, delivery, payment} {
		if need&part == 0 || !d.chance(v.depth) {
			continue
		}
		if part == items && need&delivery != 0 && d.chance(0.3) {
			part |= delivery
		}
		look(part, record, view)
	}
	if r.s.buyers[j.customer].wholesale && need&items != 0 {
		for _, o := range r.someOrders(j.customer, v.at, 5, 12) {
			look(items, o, view)
		}
	}
	if d.chance(0.2) { // back to the first page
		look(identity|contact, none, view)
	}
	r.trail(j, v, t)
	return t
}

// trail adds what follows a visit: a new colleague who watched, and the one
// who goes on looking because the page is open.
func (r *run) trail(j *job, v visit, t int64) {
	d := r.dice
	if newcomer := r.shadow[v.employee]; newcomer != none && d.chance(0.4) && !r.s.knows(newcomer, j.customer) {
		if from, to, ok := r.s.shift(newcomer, r.s.dayOf(v.at)); ok && v.at >= from && v.at < to {
			label := r.shadowLabel(newcomer)
			for i, set := range [...]cats{identity | contact, orders} {
				j.look(item{at: v.at + 10 + int64(i)*20, employee: newcomer, order: none, cats: set, reason: becauseTraining, label: label})
			}
		}
	}
	if label := r.armed[v.employee]; label != nil && purposes[j.purpose].needs != everything && v.label == nil && !v.aside {
		r.armed[v.employee] = nil
		r.creep(j, v.employee, t, label)
	}
}

// someOrders returns from lo to hi of a customer's orders before t, as many as
// there are.
func (r *run) someOrders(c int32, t int64, lo, hi int64) []int32 {
	all := r.s.ordersBefore(c, t)
	n := min(int(r.dice.between(lo, hi)), len(all))
	return all[len(all)-n:]
}

// lastOrder returns the newest order before t, or none.
func (r *run) lastOrder(c int32, t int64) int32 {
	if all := r.s.ordersBefore(c, t); len(all) > 0 {
		return all[len(all)-1]
	}
	return none
}
