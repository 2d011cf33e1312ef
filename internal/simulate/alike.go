package simulate

// honestEpisode plans honest work that looks like something else and is too
// rare to come about by itself.
func (r *run) honestEpisode(p plan, label *label) {
	switch p.scenario {
	case "N1":
		r.notableCalls(p, label)
	case "N2":
		r.recall(p, label)
	case "N8":
		r.legalCase(p, label)
	case "N11":
		r.ownTie(p, label)
	case "N12":
		r.campaign(p, label)
	}
}

// notableCalls lets a person in the public eye call; several employees of
// several teams deal with it within an hour (N1).
func (r *run) notableCalls(p plan, label *label) {
	d, s := r.dice, r.s
	t := s.dayStart(p.day) + d.between(9*3600, 16*3600)
	e := r.onDuty(ofService, t, p.customer)
	if e == none {
		return
	}
	r.contact(t, d.between(300, 1200), p.customer, e, byCall, false)
	j := r.open(t+10, p.customer, r.lastOrder(p.customer, t), forComplaint, byCall, bySystem)
	j.assign(t+10, e, none, bySystem)
	t += 20
	for _, k := range [...]teamKind{ofReturns, ofBilling, ofService, ofMail} {
		t = j.visit(visit{at: t, employee: e, reason: becauseComplaint, label: label, depth: 0.8})
		j.work(t+20, e, workNote)
		to := r.onDuty(k, t+300, p.customer)
		if to == none || to == e || d.chance(0.15) {
			break
		}
		j.work(t+30, e, workTransfer)
		t += d.between(60, 500)
		j.assign(t, to, none, e)
		e = to
		t += d.between(5, 60)
	}
	j.work(t+60, e, workRefund)
	j.close(t+d.between(100, 900), e)
	j.finish()
}

// list works through a list that a lead has made: one task per customer.
func (r *run) list(p plan, label *label, n int, look func(j *job, t int64) int64) {
	d, s := r.dice, r.s
	e := p.employee
	day, t := r.dutyDay(e, p.day)
	if t == 0 {
		return
	}
	from, to, _ := s.shift(e, day)
	t = from + 1800
	made := from + 600
	lead := s.teams[s.people[e].team].lead
	for range n {
		c := s.sold[d.IntN(len(s.sold))].customer
		if s.Customers[c].Notable || s.knows(e, c) {
			continue
		}
		if t > to-1200 { // the rest is for the next day
			if day, t = r.dutyDay(e, day+1); t == 0 {
				return
			}
			from, to, _ = s.shift(e, day)
			t = from + 1200
		}
		made++
		j := r.open(made, c, r.lastOrder(c, made), forProduct, noChannel, lead)
		j.assign(made, e, none, lead)
		t = look(j, t)
		j.work(t+5, e, workNote)
		j.close(t+d.between(10, 30), e)
		j.finish()
		t += d.between(30, 120)
	}
}

// recall works through the buyers of an unsafe article (N2).
func (r *run) recall(p plan, label *label) {
	r.list(p, label, int(r.dice.between(60, 160)), func(j *job, t int64) int64 {
		j.look(item{at: t, employee: p.employee, order: none, cats: identity | contact, reason: becauseRecall, label: label})
		t += r.dice.between(5, 30)
		j.look(item{at: t, employee: p.employee, order: j.order, cats: items, reason: becauseRecall, label: label})
		r.contact(t+20, 0, j.customer, p.employee, byMail, true)
		return t
	})
}

// campaign exports a call-back list (N12).
func (r *run) campaign(p plan, label *label) {
	r.list(p, label, int(r.dice.between(10, 40)), func(j *job, t int64) int64 {
		j.look(item{at: t, employee: p.employee, order: none, cats: identity | contact, action: export, reason: becauseCampaign, label: label})
		return t
	})
}

// legalCase lets one of the legal department look at one customer many times
// under a case that somebody else opened (N8).
func (r *run) legalCase(p plan, label *label) {
	d := r.dice
	day, t := r.dutyDay(p.employee, p.day)
	if t == 0 {
		return
	}
	bought := r.someOrders(p.customer, t, 10, 20)
	if len(bought) == 0 {
		return
	}
	j := r.open(t-600, p.customer, none, forLegal, noChannel, 0)
	j.assign(t-500, p.employee, none, 0)
	for range d.between(4, 9) {
		for range d.between(3, 9) {
			o := pickOne(d, bought)
			j.look(item{at: t, employee: p.employee, order: o, cats: [...]cats{orders, items, delivery, payment}[d.IntN(4)], reason: becauseLegal, label: label})
			t += d.between(20, 200)
		}
		j.look(item{at: t, employee: p.employee, order: none, cats: identity | contact, reason: becauseLegal, label: label})
		j.work(t+30, p.employee, workNote)
		if day, t = r.dutyDay(p.employee, day+1+d.IntN(2)); t == 0 {
			break
		}
	}
	j.finish()
}

// ownTie lets an employee serve somebody he knows, in a task that the
// telephone system or a lead gave him (N11).
func (r *run) ownTie(p plan, label *label) {
	d := r.dice
	_, t := r.dutyDay(p.employee, p.day)
	if t == 0 || !r.s.isAgent(p.employee) {
		return
	}
	kind := purpose(d.weighted(callerWeights))
	r.contact(t, d.between(100, 600), p.customer, p.employee, byCall, false)
	j := r.open(t+10, p.customer, r.lastOrder(p.customer, t), kind, byCall, bySystem)
	j.assign(t+10, p.employee, none, bySystem)
	end := j.visit(visit{at: t + 30, employee: p.employee, reason: r.why(kind), label: label, depth: 0.8})
	j.work(end+60, p.employee, kind.result(d))
	j.close(end+d.between(100, 900), p.employee)
	j.finish()
}
