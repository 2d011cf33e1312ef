package simulate

// episode plans all of one episode.
func (r *run) episode(p plan) {
	daily := r.dice
	r.dice = newDice(r.s.Options.Seed, 'E', uint64(p.number))
	defer func() { r.dice = daily }()
	label := r.begin(p.scenario)
	switch p.scenario {
	case "S1":
		r.crowd(p, label)
	case "S2":
		r.visits(p, label, 6+r.dice.IntN(9), 21)
	case "S3", "S4":
		r.visits(p, label, 1+r.dice.IntN(4), 8)
	case "S5":
		r.visits(p, label, 1+r.dice.IntN(3), 10)
	case "S6":
		r.pretext(p, label)
	case "S7":
		r.helpers(p, label)
	case "S8":
		r.stale(p, label)
	case "S9":
		r.armed[p.employee] = label
	case "S10":
		r.exports(p, label)
	case "S11":
		r.enumeration(p, label)
	case "S12":
		r.guards(p, label)
	case "S13":
		r.leads(p, label)
	case "S14":
		r.slowly(p, label)
	case "S15":
		r.borrowed(p, label)
	case "S16":
		r.all(p, label)
	case "S17":
		r.byTheRules(p, label)
	default:
		r.honestEpisode(p, label)
	}
}

// peek is one sitting of somebody with no need to look.
type peek struct {
	at       int64
	employee int32
	customer int32
	rows     int
	label    *label
	task     uint64
	reason   reason
	device   int32 // none: his own
	site     uint8
}

// peek plans its look-ups and returns when the last was made.
func (r *run) peek(p peek) int64 {
	d := r.dice
	it := item{at: p.at, kind: isLookup, employee: p.employee, customer: p.customer, order: none, task: p.task,
		label: p.label, reason: p.reason, device: p.device, site: p.site}
	if d.chance(0.35) {
		it.action, it.cats = search, identity
		r.add(it)
		it.action = view
		it.at += d.between(3, 25)
	}
	bought := r.someOrders(p.customer, p.at, 3, 12)
	for i := range p.rows {
		it.order = none
		switch {
		case i == 0:
			it.cats = identity | contact
		case i == 1:
			it.cats = orders
		case len(bought) > 0:
			it.order = bought[(len(bought)-1-i%len(bought))%len(bought)]
			it.cats = [...]cats{items, items | delivery, items, delivery, payment}[d.IntN(5)]
		default:
			it.cats = delivery
		}
		r.add(it)
		it.at += d.between(4, 60)
	}
	return it.at
}

// excuse draws what a snooper names: nothing, or a task of his that has
// nothing to do with it.
func (r *run) excuse(e int32, t int64) (uint64, reason) {
	d := r.dice
	why := excuses[d.IntN(len(excuses))]
	if d.chance(0.4) {
		if p, ok := r.done[e].pick(d, func(p past) bool { return p.opened < t }); ok {
			return p.task, why
		}
	}
	return 0, why
}

// dutyDay returns the first day from d on, within two weeks, on which the
// employee works, and a second of his shift then; 0 if there is none.
func (r *run) dutyDay(e int32, d int) (int, int64) {
	for day := d; day < d+14 && day < r.s.Options.Days; day++ {
		if t := r.inShift(e, day); t != 0 {
			return day, t
		}
	}
	return d, 0
}

// visits lets somebody look at the same customer on n occasions within so many
// days.
func (r *run) visits(p plan, label *label, n, within int) {
	for range n {
		_, t := r.dutyDay(p.employee, p.day+r.dice.IntN(within))
		if t == 0 {
			continue
		}
		task, why := r.excuse(p.employee, t)
		r.peek(peek{at: t, employee: p.employee, customer: p.customer, rows: 1 + r.dice.IntN(6), label: label, task: task, reason: why, device: none})
	}
}

// crowd lets a fifth to a third of the staff look at somebody in the news,
// most of them within two days.
func (r *run) crowd(p plan, label *label) {
	d, s := r.dice, r.s
	t := s.dayStart(p.day) + 9*3600
	for _, n := range s.News {
		if at := n.At.Unix(); n.Customer == s.Customers[p.customer].ID && s.dayOf(at) == p.day {
			t = at
			r.add(item{at: t, kind: isNews, customer: p.customer, employee: none, order: none, device: none})
		}
	}
	share := 0.18 + 0.17*d.Float64()
	looked := 0
	for e := range s.people {
		if s.playsCast(int32(e)) || (!d.chance(share) && !(looked < 5 && e > len(s.people)*3/4)) {
			continue
		}
		day, at := r.dutyDay(int32(e), p.day+int(d.wait(86400))/86400)
		if at == 0 {
			continue
		}
		if at < t && day == p.day { // he reads the news first
			at = t + d.between(600, 7200)
			if !r.atWork(int32(e), at) {
				continue
			}
		}
		looked++
		task, why := r.excuse(int32(e), at)
		r.peek(peek{at: at, employee: int32(e), customer: p.customer, rows: 1 + d.IntN(5), label: label, task: task, reason: why, device: none})
		if d.chance(0.25) {
			if _, again := r.dutyDay(int32(e), day+1); again != 0 {
				r.peek(peek{at: again, employee: int32(e), customer: p.customer, rows: 1 + d.IntN(4), label: label, reason: why, device: none})
			}
		}
	}
}

// all lets the share of the staff that Options.Everyone names look at one
// customer, each on one to three days of the whole time (S16).
func (r *run) all(p plan, label *label) {
	d, s := r.dice, r.s
	for e := range s.people {
		if s.playsCast(int32(e)) || !d.chance(s.Options.Everyone) {
			continue
		}
		for range 1 + d.IntN(3) {
			if _, t := r.dutyDay(int32(e), d.IntN(s.Options.Days)); t != 0 {
				task, why := r.excuse(int32(e), t)
				r.peek(peek{at: t, employee: int32(e), customer: p.customer, rows: 1 + d.IntN(4), label: label, task: task, reason: why, device: none})
			}
		}
	}
}

// exports plans a mass export in the last days before leaving (S10).
func (r *run) exports(p plan, label *label) {
	d := r.dice
	day := p.day
	for range 2 {
		next, t := r.dutyDay(p.employee, day)
		if t == 0 {
			return
		}
		day = next + 1
		why := [...]reason{noReason, becauseReport, becauseCampaign}[d.IntN(3)]
		for range d.between(50, 140) {
			c := r.s.sold[d.IntN(len(r.s.sold))].customer
			it := item{at: t, kind: isLookup, employee: p.employee, customer: c, order: none, cats: identity | contact, action: export, reason: why, label: label, device: none}
			if d.chance(0.4) {
				it.cats |= orders
			}
			r.add(it)
			t += d.between(4, 25)
		}
	}
}

// enumeration runs through consecutive customer numbers (S11).
func (r *run) enumeration(p plan, label *label) {
	d := r.dice
	_, t := r.dutyDay(p.employee, p.day)
	if t == 0 {
		return
	}
	n := int32(d.between(80, 180))
	first := int32(d.IntN(max(1, len(r.s.buyers)-int(n))))
	for c := first; c < first+n && int(c) < len(r.s.buyers); c++ {
		it := item{at: t, kind: isLookup, employee: p.employee, customer: c, order: none, cats: identity | contact, label: label, device: none}
		if d.chance(0.1) {
			it.action, it.cats = search, identity
		}
		r.add(it)
		t += d.between(1, 4)
	}
}

// guards lets one of the security staff look at people in the public eye (S12).
func (r *run) guards(p plan, label *label) {
	d := r.dice
	for range d.between(3, 8) {
		if _, t := r.dutyDay(p.employee, p.day+d.IntN(8)); t != 0 {
			why := [...]reason{noReason, becauseData, becauseFraud}[d.IntN(3)]
			r.peek(peek{at: t, employee: p.employee, customer: pickOne(d, r.s.notables), rows: 2 + d.IntN(4), label: label, reason: why, device: none})
		}
	}
}

// leads lets a lead look at his own people's accounts or at people he knows
// and call it a quality check (S13).
func (r *run) leads(p plan, label *label) {
	d, s := r.dice, r.s
	var whom []int32
	for _, t := range s.ties[p.employee] {
		whom = append(whom, t.customer)
	}
	whom = append(whom, pickOne(d, s.notables))
	d.Shuffle(len(whom), func(i, j int) { whom[i], whom[j] = whom[j], whom[i] })
	whom = whom[:min(len(whom), 1+d.IntN(3))]
	for range d.between(3, 8) {
		_, t := r.dutyDay(p.employee, p.day+d.IntN(14))
		if t == 0 {
			continue
		}
		k := peek{at: t, employee: p.employee, customer: pickOne(d, whom), rows: 2 + d.IntN(4), label: label, reason: becauseQuality, device: none}
		if past, ok := r.closed[s.people[p.employee].team].pick(d, func(p past) bool { return p.closed != 0 && p.closed < t }); ok && d.chance(0.5) {
			k.task = past.task
		}
		r.peek(k)
	}
}

// slowly lets somebody look at a stranger every day or two (S14).
func (r *run) slowly(p plan, label *label) {
	d := r.dice
	for day := p.day; day < r.s.Options.Days; {
		at, t := r.dutyDay(p.employee, day)
		if t == 0 {
			return
		}
		c := int32(d.IntN(len(r.s.buyers)))
		if !r.s.Customers[c].Notable && !r.s.knows(p.employee, c) {
			task, why := r.excuse(p.employee, t)
			r.peek(peek{at: t, employee: p.employee, customer: c, rows: 1 + d.IntN(3), label: label, task: task, reason: why, device: none})
		}
		day = at + int(d.between(1, 3))
	}
}

// borrowed lets the employee use a colleague's open session: under the
// colleague's name, from his own desk (S15).
func (r *run) borrowed(p plan, label *label) {
	d, s := r.dice, r.s
	sittings := d.between(2, 4)
	for range 24 { // both must be there
		day, t := r.dutyDay(p.other, p.day+d.IntN(12))
		if t == 0 || !r.atWork(p.employee, t) {
			continue
		}
		if sittings--; sittings < 0 {
			return
		}
		why := excuses[d.IntN(len(excuses))]
		r.peek(peek{at: t, employee: p.other, customer: p.customer, rows: 2 + d.IntN(4), label: label, reason: why, device: p.employee, site: s.site(p.employee, day)})
	}
}
