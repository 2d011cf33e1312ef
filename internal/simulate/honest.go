package simulate

import "slices"

// tasksADay is how many tasks come in for each agent on a working day, before
// the weekday's weight; agents are away one day in seven.
const tasksADay = 5.0

var (
	weekWeights = []float64{1.25, 1.08, 1, 1, 0.95, 0.45, 0.22}
	hourWeights = []float64{.06, .04, .03, .03, .03, .06, .4, 1, 2.6, 4, 4.4, 4.2, 3.4, 3.6, 4, 3.9, 3.5, 2.8, 2.2, 1.8, 1.3, .6, .35, .2}
)

// How customers come: the kinds of arrival with their weights.
var arrivals = []float64{54, 23, 10, 5, 4, 1}

const (
	arriveCall = iota
	arriveMail
	arriveChat
	arriveForm
	arriveWalkUp
	arriveAtMailDesk
)

// customersCome plans the day's arrivals and what becomes of them.
func (r *run) customersCome() {
	d, s := r.dice, r.s
	agents := 0
	for i := range s.teams {
		agents += len(s.teams[i].agents)
	}
	day := s.weekday(r.day)
	r.outage = day < 5 && share(hash(s.Options.Seed, 'o', uint64(r.day+warmUp))) < 0.045
	n := d.about(tasksADay * s.Options.Load * float64(agents) * weekWeights[day] * (0.9 + 0.2*d.Float64()))
	times := make([]int64, n)
	for i := range times {
		times[i] = s.dayStart(r.day) + int64(d.weighted(hourWeights))*3600 + d.Int64N(3600)
	}
	slices.Sort(times)
	for _, t := range times {
		r.arrival(t)
	}
}

// arrival plans one customer's coming: who, about what, by which way.
func (r *run) arrival(t int64) {
	d := r.dice
	order := r.s.recent(d, t)
	if order == none {
		return
	}
	c := r.s.sold[order].customer
	p := purpose(d.weighted(callerWeights))
	switch d.weighted(arrivals) {
	case arriveCall:
		r.call(t, c, order, p)
	case arriveMail:
		r.letter(t, c, order, p, byMail)
	case arriveChat:
		r.chat(t, c, order, p)
	case arriveForm:
		r.letter(t, c, order, p, byForm)
	case arriveWalkUp:
		r.walkUp(t, c, order, p)
	case arriveAtMailDesk:
		r.atMailDesk(t, c, order, p)
	}
}

// onDuty draws an agent of the teams of a kind who is at work at t and, today,
// not with another customer; none if nobody is there. An agent who knows the
// customer passes her on, most of the time.
func (r *run) onDuty(k teamKind, t int64, c int32) int32 {
	d, s := r.dice, r.s
	day := s.dayOf(t)
	hour := (t - s.dayStart(day)) / 3600
	second := int32(none)
	for range 40 {
		var e int32
		if hour >= 21 || hour < 6 {
			if len(r.night) == 0 {
				return none
			}
			e = r.night[d.IntN(len(r.night))]
		} else {
			m := &s.teams[firstAgents+d.IntN(len(s.teams)-firstAgents)]
			if m.kind != k && d.chance(0.93) || len(m.agents) == 0 {
				continue
			}
			e = m.agents[d.IntN(len(m.agents))]
		}
		if !r.atWork(e, t) || (c != none && s.knows(e, c) && d.chance(0.9)) {
			continue
		}
		if day == r.day && r.busy[e] > t {
			second = e
			continue
		}
		return e
	}
	return second
}

// atWork reports whether the employee's shift covers t with ten minutes left.
func (r *run) atWork(e int32, t int64) bool {
	day := r.s.sessionDay(e, t)
	from, to, ok := r.s.shift(e, day)
	return ok && t >= from && t < to-600
}

// start returns when an employee can turn to something from t on.
func (r *run) start(e int32, t int64) int64 {
	if r.s.dayOf(t) == r.day && r.busy[e] > t && r.busy[e] < t+3600 {
		return r.busy[e] + r.dice.between(5, 60)
	}
	return t
}

// occupy notes until when the employee is with a customer.
func (r *run) occupy(e int32, until int64) {
	if r.s.dayOf(until) == r.day {
		r.busy[e] = max(r.busy[e], until)
	}
}

// call plans a telephone call: the telephone system gives it to an agent.
func (r *run) call(t int64, c, order int32, p purpose) {
	d := r.dice
	label := (*label)(nil)
	e := int32(none)
	if len(r.s.regular) > 0 && d.chance(0.02) {
		g := r.s.regular[d.IntN(len(r.s.regular))]
		if o := r.lastOrder(g.customer, t); r.atWork(g.employee, t) && o != none {
			c, e, order = g.customer, g.employee, o
			if r.regular[c] == nil {
				r.regular[c] = r.begin("N3")
			}
			label = r.regular[c]
		}
	}
	if e == none {
		if e = r.onDuty(ofService, t, c); e == none {
			return // nobody answers
		}
	}
	t = r.start(e, t)
	length := d.between(60, 180) + d.wait(240)
	if !r.outage {
		known := c
		if d.chance(0.12) { // the number was withheld
			known = none
		}
		r.contact(t, length, known, e, byCall, false)
	}
	by := bySystem
	if d.chance(0.4) {
		by = e
	}
	opened := t + d.between(4, 40)
	j := r.open(opened, c, order, p, byCall, by)
	j.assign(opened, e, none, by)
	end := j.visit(visit{at: opened + d.between(2, 20), employee: e, reason: r.why(p), label: label, depth: 0.82})
	r.occupy(e, max(end, t+length))
	r.settle(j, e, max(end, t+length), label)
}

// chat plans a chat; one agent holds it.
func (r *run) chat(t int64, c, order int32, p purpose) {
	d := r.dice
	e := r.onDuty(ofMail, t, c)
	if e == none {
		return
	}
	length := d.between(180, 900)
	t = r.start(e, t)
	r.contact(t, length, c, e, byChat, false)
	j := r.open(t+2, c, order, p, byChat, byCustomer)
	j.assign(t+3, e, none, bySystem)
	end := j.visit(visit{at: t + d.between(20, 90), employee: e, reason: r.why(p), depth: 0.82})
	r.occupy(e, end)
	r.settle(j, e, max(end, t+length), nil)
}

// letter plans a mail or a web form: it waits with a team until somebody takes
// it up, hours later or on the next working day.
func (r *run) letter(t int64, c, order int32, p purpose, ch channel) {
	d := r.dice
	k := ofMail
	switch {
	case (p == forPayment || p == forInvoice || p == forRefund) && d.chance(0.5):
		k = ofBilling
	case (p == forReturn || p == forDelivery || p == forComplaint) && d.chance(0.35):
		k = ofReturns
	}
	if ch == byMail {
		r.contact(t, 0, c, none, byMail, false)
	}
	e, at := r.later(k, t+d.wait(3*3600)+300, c)
	j := r.open(t+d.between(1, 30), c, order, p, ch, byCustomer)
	team := r.teamOf(k, e)
	j.assign(t+d.between(30, 60), none, team, bySystem)
	if e == none {
		j.finish()
		return
	}
	by := bySystem
	if d.chance(0.35) {
		by = e
	} else if lead := r.s.teams[team].lead; d.chance(0.25) {
		by = lead
	}
	if d.chance(0.75) { // some work it from the team's queue
		j.assign(at, e, none, by)
	}
	end := j.visit(visit{at: at + d.between(10, 200), employee: e, reason: r.why(p), depth: 0.82})
	r.occupy(e, end)
	r.settle(j, e, end, nil)
}

// later returns who takes something up and when: from t on, or on one of the
// next days in the morning.
func (r *run) later(k teamKind, t int64, c int32) (int32, int64) {
	for range 5 {
		if e := r.onDuty(k, t, c); e != none {
			if free := r.start(e, t); r.atWork(e, free) {
				return e, free
			}
			return e, t
		}
		t = r.s.dayStart(r.s.dayOf(t)+1) + r.dice.between(8*3600, 12*3600)
	}
	return none, t
}

// teamOf returns the employee's team, or any of the kind.
func (r *run) teamOf(k teamKind, e int32) int16 {
	if e != none {
		return r.s.people[e].team
	}
	for i := firstAgents; i < len(r.s.teams); i++ {
		if r.s.teams[i].kind == k {
			return int16(i)
		}
	}
	return int16(len(r.s.teams) - 1)
}

// walkUp plans a customer who stands at the counter: no contact is recorded;
// one person opens, works and closes (N4). A colleague confirms some of them.
func (r *run) walkUp(t int64, c, order int32, p purpose) {
	d := r.dice
	e := r.onDuty(ofService, t, c)
	if e == none {
		return
	}
	t = r.start(e, t)
	j := r.open(t, c, order, p, noChannel, e)
	j.items[j.opened].selfMade = true
	j.assign(t, e, none, e)
	label := r.begin("N4")
	end := j.visit(visit{at: t + d.between(3, 30), employee: e, reason: r.why(p), label: label, depth: 0.82})
	r.occupy(e, end)
	r.settle(j, e, end+d.between(60, 400), label)
}

// atMailDesk plans a walk-up to somebody who seldom opens tasks (N14).
func (r *run) atMailDesk(t int64, c, order int32, p purpose) {
	d := r.dice
	e := r.onDuty(ofMail, t, c)
	if e == none || r.s.people[e].night {
		return
	}
	t = r.start(e, t)
	j := r.open(t, c, order, p, noChannel, e)
	j.items[j.opened].selfMade = true
	j.assign(t, e, none, e)
	end := j.visit(visit{at: t + d.between(3, 30), employee: e, reason: r.why(p), label: r.begin("N14"), depth: 0.7})
	r.occupy(e, end)
	j.work(end+30, e, workNote)
	j.close(end+d.between(60, 1200), e)
	j.finish()
}

// systemsFind plans the tasks that no customer asked for: doubtful orders,
// failed payments, parcels that went astray, and the bot's address checks.
func (r *run) systemsFind() {
	d, s := r.dice, r.s
	lo, hi := s.soldBefore(s.dayStart(r.day)), s.soldBefore(s.dayStart(r.day+1))
	for i := lo; i < hi; i++ {
		c, t := s.sold[i].customer, s.sold[i].at+d.between(60, 600)
		switch u := d.Float64(); {
		case u < 0.02:
			r.doubted(t, c)
		case u < 0.05:
			r.found(t, c, int32(i), forPayment, ofBilling)
		case u < 0.08:
			r.found(t, c, int32(i), forDelivery, ofReturns)
		case u < 0.20:
			r.botChecks(t, c)
		}
	}
}

// doubted plans the review of a doubtful order by one of the security staff.
func (r *run) doubted(t int64, c int32) {
	d := r.dice
	staff := r.s.teams[teamSecurity].members
	j := r.open(t, c, none, forFraud, noChannel, bySystem)
	j.assign(t+1, none, teamSecurity, bySystem)
	for range 8 {
		e, at := pickOne(d, staff), t+d.wait(5*3600)
		if !r.atWork(e, at) {
			t = r.s.dayStart(r.s.dayOf(at)+1) + 8*3600
			continue
		}
		j.assign(at, e, none, bySystem)
		end := j.visit(visit{at: at + d.between(5, 120), employee: e, reason: becauseFraud, depth: 0.9})
		j.work(end+60, e, workNote)
		j.close(end+d.between(100, 1800), e)
		break
	}
	j.finish()
}

// found plans a task that a system made.
func (r *run) found(t int64, c, order int32, p purpose, k teamKind) {
	d := r.dice
	e, at := r.later(k, t+d.wait(2*3600), c)
	j := r.open(t, c, order, p, noChannel, bySystem)
	j.assign(t+1, none, r.teamOf(k, e), bySystem)
	if e == none {
		j.finish()
		return
	}
	j.assign(at, e, none, bySystem)
	end := j.visit(visit{at: at + d.between(5, 120), employee: e, reason: r.why(p), depth: 0.9})
	r.settle(j, e, end, nil)
}

// botChecks lets the bot compare an address, in a task of its own.
func (r *run) botChecks(t int64, c int32) {
	bot := int32(none)
	for _, e := range r.s.teams[teamSystems].members {
		if r.s.people[e].role.Automatic() {
			bot = e
			break
		}
	}
	j := r.open(t, c, none, forAddress, noChannel, bySystem)
	j.assign(t, bot, none, bySystem)
	j.look(item{at: t + 1, employee: bot, order: none, cats: identity | contact})
	j.close(t+2, bot)
	j.finish()
}

// why draws what the employee types as his reason; half type nothing.
func (r *run) why(p purpose) reason {
	switch u := r.dice.Float64(); {
	case u < 0.48:
		return noReason
	case u < 0.65:
		return becauseCalled
	case u < 0.75:
		return becauseTicket
	}
	return purposes[p].reason
}
