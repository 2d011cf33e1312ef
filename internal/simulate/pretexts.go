package simulate

// pretext lets somebody open a task about whom he is curious about, look, and
// close it (S6).
func (r *run) pretext(p plan, label *label) {
	d := r.dice
	for range d.between(1, 3) {
		_, t := r.dutyDay(p.employee, p.day+d.IntN(8))
		if t == 0 {
			continue
		}
		c := p.customer
		kind := [...]purpose{forComplaint, forOrder, forAccount, forDelivery, forReturn}[d.IntN(5)]
		j := r.open(t, c, r.lastOrder(c, t), kind, noChannel, p.employee)
		j.items[j.opened].selfMade = true
		j.assign(t, p.employee, none, p.employee)
		end := j.visit(visit{at: t + d.between(5, 40), employee: p.employee, reason: r.why(kind), label: label, depth: 0.8})
		if d.chance(0.5) {
			j.work(end+20, p.employee, workNote)
		}
		j.close(end+d.between(40, 900), p.employee)
		j.finish()
	}
}

// helpers lets two open and assign tasks to each other (S7).
func (r *run) helpers(p plan, label *label) {
	d := r.dice
	a, b := p.employee, p.other
	day := p.day
	for i := range int(d.between(3, 5)) {
		opener, looker := a, b
		if i%2 == 1 {
			opener, looker = b, a
		}
		next, t := r.dutyDay(opener, day)
		if t == 0 {
			return
		}
		day = next + int(d.between(1, 3))
		c := p.customer
		if i > 0 {
			c = r.curiosity(looker)
		}
		look := t + d.between(120, 5400)
		if !r.atWork(looker, look) {
			if _, look = r.dutyDay(looker, next+1); look == 0 {
				continue
			}
		}
		kind := [...]purpose{forComplaint, forOrder, forReturn}[d.IntN(3)]
		j := r.open(t, c, r.lastOrder(c, t), kind, noChannel, opener)
		j.assign(t+d.between(1, 60), looker, none, opener)
		end := j.visit(visit{at: look, employee: looker, reason: r.why(kind), label: label, depth: 0.9})
		if d.chance(0.4) {
			j.work(end+20, looker, workNote)
		}
		j.close(end+d.between(60, 1800), looker)
		j.finish()
	}
}

// curiosity draws whom the employee would like to look at.
func (r *run) curiosity(e int32) int32 {
	if ties := r.s.ties[e]; len(ties) > 0 && r.dice.chance(0.6) {
		return pickOne(r.dice, ties).customer
	}
	return r.s.sold[r.dice.IntN(len(r.s.sold))].customer
}

// stale lets somebody use a task again that he closed days ago (S8).
func (r *run) stale(p plan, label *label) {
	d := r.dice
	day, now := r.dutyDay(p.employee, p.day)
	if now == 0 {
		return
	}
	old, ok := r.done[p.employee].pick(d, func(x past) bool { return x.closed != 0 && x.closed < now-86400 })
	if !ok {
		if old, ok = r.closed[r.s.people[p.employee].team].pick(d, func(x past) bool { return x.closed != 0 && x.closed < now }); !ok {
			return
		}
	}
	for i := range int(d.between(2, 4)) {
		t := now
		if i > 0 {
			if _, t = r.dutyDay(p.employee, day+2+d.IntN(9)); t == 0 {
				continue
			}
		}
		why := [...]reason{noReason, becauseFollowUp, becauseTicket}[d.IntN(3)]
		r.peek(peek{at: t, employee: p.employee, customer: old.customer, rows: 3 + d.IntN(5), label: label, task: old.task, reason: why, device: none})
	}
}

// creep goes on after an honest visit, far beyond what the task is about (S9):
// old orders, other categories, sometimes the rest of the household.
func (r *run) creep(j *job, e int32, t int64, label *label) {
	d, s := r.dice, r.s
	look := func(c, order int32, set cats) {
		t += d.between(4, 30)
		j.items = append(j.items, item{at: t, kind: isLookup, employee: e, customer: c, order: order, task: j.id, cats: set, label: label, device: none})
	}
	look(j.customer, none, orders)
	for _, o := range r.someOrders(j.customer, t, 5, 10) {
		look(j.customer, o, [...]cats{items, items, items | delivery, payment}[d.IntN(4)])
	}
	look(j.customer, none, everything&^purposes[j.purpose].needs|payment)
	if d.chance(0.4) {
		home := s.at[s.buyers[j.customer].household]
		for c := home[0]; c < home[1]; c++ {
			if c != j.customer {
				look(c, none, identity|contact)
				look(c, none, orders)
			}
		}
	}
}

// byTheRules lets somebody fill in the web form in the customer's name and
// take up the task that it makes in his own team; he looks at no more than the
// purpose needs, answers and closes (S17).
func (r *run) byTheRules(p plan, label *label) {
	d := r.dice
	day := p.day
	for range d.between(2, 3) {
		next, t := r.dutyDay(p.employee, day)
		if t == 0 {
			return
		}
		day = next + int(d.between(2, 6))
		j := r.open(t-d.between(300, 3000), p.customer, r.lastOrder(p.customer, t-3600), forComplaint, byForm, byCustomer)
		j.assign(j.items[j.opened].at+40, none, r.s.people[p.employee].team, bySystem)
		j.assign(t, p.employee, none, p.employee)
		end := j.visit(visit{at: t + d.between(5, 60), employee: p.employee, reason: becauseComplaint, label: label, depth: 1})
		j.work(end+60, p.employee, workReply)
		j.close(end+d.between(100, 900), p.employee)
		j.finish()
	}
}
