package simulate

// routines plans what isn't any customer's doing: quality checks, exercises,
// and a new colleague who sits beside another.
func (r *run) routines() {
	for i := range r.s.teams {
		t := &r.s.teams[i]
		if len(t.agents) > 0 {
			r.qualityChecks(t)
		}
	}
	for _, e := range r.s.teams[teamSystems].members {
		if r.s.people[e].role == "training" {
			r.exercises(e)
		}
	}
	r.sitTogether()
}

// qualityChecks lets a lead look at a few tasks that his team has closed, each
// once, naming the task.
func (r *run) qualityChecks(t *team) {
	d, lead := r.dice, t.lead
	for range d.about(1.6) {
		at := r.inShift(lead, r.day)
		if at == 0 {
			return
		}
		team := int16(r.s.people[lead].team)
		p, ok := r.closed[team].pick(d, func(p past) bool {
			return p.closed != 0 && p.closed < at && !r.s.knows(lead, p.customer) && !r.s.Customers[p.customer].Notable
		})
		if !ok {
			return
		}
		it := item{at: at, kind: isLookup, employee: lead, customer: p.customer, order: none, task: p.task, cats: identity | contact, reason: becauseQuality, device: none}
		r.add(it)
		if purposes[p.purpose].needs&orders != 0 {
			it.at, it.cats = at+d.between(10, 40), orders
			r.add(it)
		}
	}
}

// exercises lets the training account look at the last customers of the file,
// who are made up for that.
func (r *run) exercises(e int32) {
	for range r.dice.about(3) {
		at := r.inShift(e, r.day)
		if at == 0 {
			return
		}
		c := int32(len(r.s.buyers) - 1 - r.dice.IntN(5))
		for i, set := range [...]cats{identity | contact, orders} {
			r.add(item{at: at + int64(i)*30, kind: isLookup, employee: e, customer: c, order: none, cats: set, reason: becauseTraining, device: none})
		}
	}
}

// guestsDesk leaves a few tasks open at the end for the employee whose account
// a visitor of the demo is given: mails of the last hours that wait for him.
func (r *run) guestsDesk() {
	d, s, e := r.dice, r.s, r.s.guest()
	for _, p := range [...]purpose{forDelivery, forReturn, forComplaint, forRefund} {
		t := max(s.until-d.between(600, 4*3600), s.dayStart(r.day))
		order := s.recent(d, t)
		if order == none {
			return
		}
		c := s.sold[order].customer
		if s.Customers[c].Notable || s.knows(e, c) {
			continue
		}
		r.contact(t, 0, c, none, byMail, false)
		j := r.open(t+2, c, order, p, byMail, byCustomer)
		j.assign(t+3, e, none, bySystem)
		j.finish()
	}
}

// sitTogether seats everybody who joined within the week beside an agent of
// his team (N6).
func (r *run) sitTogether() {
	for e := range r.shadow {
		r.shadow[e] = none
	}
	for i := range r.s.teams {
		for _, e := range r.s.teams[i].agents {
			if p := &r.s.people[e]; p.joined > 0 && r.day >= p.joined && r.day < p.joined+5 {
				mentor := r.s.teams[i].agents[r.dice.IntN(len(r.s.teams[i].agents))]
				if mentor != e {
					r.shadow[mentor] = e
				}
			}
		}
	}
}

// shadowLabel returns the episode of a new colleague's first days.
func (r *run) shadowLabel(newcomer int32) *label {
	if r.novice[newcomer] == nil {
		r.novice[newcomer] = r.begin("N6")
	}
	return r.novice[newcomer]
}

// inShift draws a second of the employee's shift on day d, 0 if he is away.
func (r *run) inShift(e int32, d int) int64 {
	from, to, ok := r.s.shift(e, d)
	if !ok {
		return 0
	}
	return r.dice.between(from, to-1200)
}
