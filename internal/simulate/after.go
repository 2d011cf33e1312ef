package simulate

// settle plans what follows the first visit: most tasks are done soon; some are
// handed over, some need another day, some come back after they were closed.
func (r *run) settle(j *job, e int32, t int64, label *label) {
	d := r.dice
	t += d.between(20, 240)
	if d.chance(0.06) {
		r.helped(j, e, t)
	}
	if d.chance(0.62) {
		r.conclude(j, e, t, label)
		return
	}
	j.work(t, e, workNote)
	e, t = r.takeUp(j, e, t)
	if e == none {
		j.finish() // nobody came back to it
		return
	}
	end := j.visit(visit{at: t, employee: e, reason: r.again(), label: label, depth: 0.7})
	if d.chance(0.3) {
		r.contact(end, d.between(40, 400), j.customer, e, byCall, true)
	}
	if d.chance(0.2) { // and once more
		j.work(end+60, e, workNote)
		if e, t = r.takeUp(j, e, end); e == none {
			j.finish()
			return
		}
		end = j.visit(visit{at: t, employee: e, reason: r.again(), label: label, depth: 0.6})
	}
	r.conclude(j, e, end+d.between(20, 300), label)
}

// again draws the reason of somebody who takes a task up once more.
func (r *run) again() reason {
	return [...]reason{noReason, noReason, becauseFollowUp, becauseTicket, becauseCallback}[r.dice.IntN(5)]
}

// takeUp returns who goes on with a task and when, hours or days later: the
// same employee, or a colleague or another team that it is handed over to.
func (r *run) takeUp(j *job, e int32, t int64) (int32, int64) {
	d := r.dice
	next := t + d.between(1800, 6*3600)
	if d.chance(0.6) {
		day := r.s.dayOf(t) + int(d.between(1, 3))
		next = r.s.dayStart(day) + d.between(8*3600, 17*3600)
	}
	if r.atWork(e, next) && d.chance(0.7) {
		return e, next
	}
	k := r.s.teams[r.s.people[e].team].kind
	if d.chance(0.3) {
		k = [...]teamKind{ofReturns, ofBilling, ofMail, ofService}[d.IntN(4)]
	}
	to, at := r.later(k, next, j.customer)
	if to == none || to == e {
		return to, at
	}
	by := e
	if !r.atWork(e, at) { // he is away: a lead or the system passes it on
		by = bySystem
		if lead := r.s.teams[r.s.people[e].team].lead; d.chance(0.5) {
			by = lead
		}
	} else {
		j.work(t+5, e, workTransfer)
	}
	if d.chance(0.3) {
		j.assign(min(at, t+d.between(10, 600)), none, r.s.people[to].team, by)
	}
	j.assign(at, to, none, by)
	return to, at + d.between(10, 300)
}

// conclude ends a task with a result, and now and then it comes back (N9).
func (r *run) conclude(j *job, e int32, t int64, label *label) {
	d := r.dice
	result := j.purpose.result(d)
	j.work(t, e, result)
	if result == workReply || d.chance(0.3) {
		r.contact(t+2, 0, j.customer, e, byMail, true)
	}
	if !d.chance(0.94) {
		j.finish() // never closed
		return
	}
	t += d.between(10, 900)
	j.close(t, e)
	if !d.chance(0.045) {
		j.finish()
		return
	}
	t += d.between(20, 130) * 3600
	to, at := r.later(r.s.teams[r.s.people[e].team].kind, t, j.customer)
	if d.chance(0.6) && r.atWork(e, at) {
		to = e
	}
	if to != none {
		r.contact(at-d.between(60, 1800), d.between(60, 400), j.customer, to, byCall, false)
		j.assign(at, to, none, bySystem)
		if label == nil {
			label = r.begin("N9")
		}
		end := j.visit(visit{at: at + d.between(5, 60), employee: to, reason: r.again(), label: label, depth: 0.7})
		j.work(end+40, to, workNote)
	}
	j.finish()
}

// helped lets a colleague look because he was asked; the task isn't his.
func (r *run) helped(j *job, e int32, t int64) {
	d := r.dice
	agents := r.s.teams[r.s.people[e].team].agents
	if len(agents) == 0 {
		return
	}
	m := agents[d.IntN(len(agents))]
	if m == e || !r.atWork(m, t) || r.s.knows(m, j.customer) {
		return
	}
	v := visit{at: t - d.between(0, 15), employee: m, reason: becauseColleague, depth: 0.4, unnamed: d.chance(0.5), aside: true}
	if !d.chance(0.5) {
		v.reason = noReason
	}
	j.visit(v)
}

// wrongNames adds the search hits of people with the same name, and sometimes
// the wrong one is opened.
func (r *run) wrongNames(j *job, v visit, t int64) {
	d := r.dice
	same := r.s.bySurname[r.s.buyers[j.customer].surname]
	n := d.between(1, 3)
	for i := range n {
		c := same[d.IntN(len(same))]
		if c == j.customer || r.s.knows(v.employee, c) {
			continue
		}
		it := item{at: t, kind: isLookup, employee: v.employee, customer: c, cats: identity, action: search, reason: v.reason, order: none, device: none, task: j.id}
		if v.unnamed {
			it.task = 0
		}
		j.items = append(j.items, it)
		if i == 0 && d.chance(0.06) {
			it.action, it.cats, it.at = view, identity|contact, t+2
			j.items = append(j.items, it)
		}
	}
}

// alike returns the label of an honest visit that resembles snooping for what
// it is, or nil.
func (r *run) alike(j *job, v visit) *label {
	s, e, c := r.s, v.employee, j.customer
	switch {
	case s.people[e].role.Automatic():
		return nil
	case s.knows(e, c):
		return r.begin("N11")
	case s.buyers[c].wholesale && purposes[j.purpose].needs&items != 0:
		return r.begin("N13")
	case s.people[e].surname == s.buyers[c].surname:
		return r.begin("N7")
	case r.outage && j.items[j.opened].channel == byCall && j.items[j.opened].at >= s.dayStart(r.day):
		return r.begin("N5")
	case s.people[e].night:
		return r.begin("N10")
	}
	return nil
}
