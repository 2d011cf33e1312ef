package simulate

import (
	"slices"

	"paravent/internal/access"
)

// plan is an episode to come: what, who, at whom, and the day it begins.
type plan struct {
	day      int
	number   int // its own draws
	scenario Scenario
	employee int32
	other    int32 // the helper (S7) or the one whose session is borrowed (S15)
	customer int32
}

// cast chooses who snoops at whom.
type cast struct {
	s    *Shop
	d    dice
	used map[[2]int32]bool // pairs of employee and customer that have an episode
	acts []int             // by employee: his episodes
}

// plan chooses the episodes, and so who leaves after an export.
func (s *Shop) plan() {
	c := &cast{s: s, d: newDice(s.Options.Seed, 'p'), used: map[[2]int32]bool{}, acts: make([]int, len(s.people))}
	scale := float64(s.Options.Employees) / 80 * float64(s.Options.Days) / 30
	for _, x := range episodesPerMonth {
		for i := range c.d.about(x.rate * s.Options.rate(x.code) * scale) {
			c.add(x.code, i)
		}
	}
	if s.Options.Everyone > 0 {
		c.everyone()
	}
	slices.SortStableFunc(s.plans, func(a, b plan) int { return a.day - b.day })
}

// begins draws the day on which an episode begins that needs so many days.
func (c *cast) begins(need int) int {
	return c.d.IntN(max(1, c.s.Options.Days-need))
}

// add plans one episode of a scenario, the i-th; where nobody fits the part it
// doesn't take place.
func (c *cast) add(code Scenario, i int) {
	s, d := c.s, c.d
	p := plan{scenario: code, employee: none, other: none, customer: none}
	switch code {
	case "S1":
		p.customer = s.notables[i%len(s.notables)]
		p.day = s.Options.Days/3 + d.IntN(max(1, s.Options.Days/2))
		if i == 0 || d.chance(0.75) {
			at := s.dayStart(p.day) + d.between(7*3600, 12*3600)
			s.News = append(s.News, access.News{Customer: s.Customers[p.customer].ID, At: moment(at)})
		}
	case "S2":
		p.day = c.begins(14)
		p.employee, p.customer = c.tied(p.day, access.RelationFormerPartner)
	case "S3":
		p.day = c.begins(4)
		p.employee, p.customer = c.tied(p.day, access.RelationFamily, access.RelationNeighbour)
	case "S4":
		p.day = c.begins(4)
		p.employee, p.customer = c.tied(p.day, access.RelationCoworker)
	case "S5":
		p.day = c.begins(4)
		p.employee, p.customer = c.tied(p.day, access.RelationSelf)
	case "S12":
		p.day = c.begins(8)
		p.employee = pickOne(d, s.teams[teamSecurity].members)
	case "S13":
		p.day = c.begins(8)
		p.employee = c.leader()
	case "S10":
		p.day = c.begins(8)
		p.employee = c.leaver(p.day)
	case "S14":
		p.day = d.IntN(max(1, s.Options.Days/8))
		p.employee = c.agent(s.Options.Days)
	default:
		p.day = c.begins(5)
		p.employee = c.agent(p.day)
	}
	c.rest(p)
}

// rest fills in the other parts of an episode and keeps it.
func (c *cast) rest(p plan) {
	s, d := c.s, c.d
	if p.employee == none && p.scenario != "S1" && p.scenario != "S16" && p.scenario[0] == 'S' {
		return
	}
	switch p.scenario {
	case "S6", "S7", "S15", "S17":
		p.customer = c.target(p.employee)
	case "N1":
		p.customer = pickOne(d, s.notables)
	case "N8":
		p.employee = pickOne(d, s.teams[teamLegal].members)
		p.customer = int32(d.IntN(len(s.buyers)))
	case "N11":
		p.employee, p.customer = c.tied(p.day, access.RelationFamily, access.RelationNeighbour, access.RelationCoworker, access.RelationFormerPartner)
	}
	if p.scenario == "S7" || p.scenario == "S15" {
		team := &s.teams[s.people[p.employee].team]
		for range 30 {
			o := pickOne(d, team.agents)
			if o != p.employee && o != s.guest() && s.people[o].night == s.people[p.employee].night {
				p.other = o
				break
			}
		}
		if p.other == none {
			return
		}
	}
	if p.employee == none && p.scenario[0] == 'N' && p.scenario != "N1" {
		return
	}
	p.number = len(s.plans) + 1
	s.plans = append(s.plans, p)
}

// agent draws an agent who works on day d and the days after, if possible one
// who has done nothing yet; none where there is nobody.
func (c *cast) agent(d int) int32 {
	e := int32(none)
	for range 80 {
		x := c.s.anyAgent(c.d)
		if c.fits(x, d) {
			e = x
			break
		}
		if p := &c.s.people[x]; p.joined <= d && p.leaves > d+7 { // somebody has a second part
			e = x
		}
	}
	if e != none {
		c.acts[e]++
	}
	return e
}

// fits reports whether the employee may have a part that begins on day d.
func (c *cast) fits(e int32, d int) bool {
	p := &c.s.people[e]
	return c.acts[e] == 0 && p.joined <= d && p.leaves > d+7 && !c.s.playsCast(e)
}

// playsCast reports whether the account is one that never snoops: a visitor of
// the demo plays it, or nobody does.
func (s *Shop) playsCast(e int32) bool {
	return e == s.guest() || e == s.people[s.guest()].manager || s.people[e].role.Automatic()
}

// tied draws an employee and somebody whom he knows in one of these ways.
func (c *cast) tied(day int, kinds ...access.RelationKind) (e, customer int32) {
	for range 400 {
		e := int32(c.d.IntN(len(c.s.people)))
		if len(c.s.ties[e]) == 0 || !c.fits(e, day) || (!c.s.isAgent(e) && c.d.chance(0.5)) {
			continue
		}
		t := pickOne(c.d, c.s.ties[e])
		if slices.Contains(kinds, t.kind) && !c.used[[2]int32{e, t.customer}] {
			c.used[[2]int32{e, t.customer}] = true
			c.acts[e]++
			return e, t.customer
		}
	}
	return none, none
}

// target draws whom an employee is curious about: somebody he knows, somebody
// in the public eye, or a stranger.
func (c *cast) target(e int32) int32 {
	u := c.d.Float64()
	if ties := c.s.ties[e]; u < 0.5 && len(ties) > 0 {
		return pickOne(c.d, ties).customer
	}
	if u < 0.65 {
		return pickOne(c.d, c.s.notables)
	}
	return c.s.sold[c.d.IntN(len(c.s.sold))].customer
}

// leader draws a lead, but not the demo's.
func (c *cast) leader() int32 {
	for range 30 {
		t := &c.s.teams[firstAgents+c.d.IntN(len(c.s.teams)-firstAgents)]
		if t.lead != c.s.people[c.s.guest()].manager && c.acts[t.lead] == 0 {
			c.acts[t.lead]++
			return t.lead
		}
	}
	return c.s.teams[firstAgents].lead
}

// leaver draws an agent who will have gone a few days after his export.
func (c *cast) leaver(day int) int32 {
	e := c.agent(day)
	if e != none {
		c.s.people[e].leaves = day + int(c.d.between(4, 8))
	}
	return e
}

// everyone lets a large share of the staff look at one customer now and then
// (S16), and each of them at somebody of his own.
func (c *cast) everyone() {
	s, d := c.s, c.d
	c.rest(plan{scenario: "S16", customer: s.notables[len(s.notables)-1], employee: none, other: none})
	for e := range s.people {
		if !c.fits(int32(e), 0) || !d.chance(s.Options.Everyone) {
			continue
		}
		c.acts[e]++
		p := plan{scenario: [...]Scenario{"S6", "S8", "S9"}[d.IntN(3)], employee: int32(e), other: none, customer: c.target(int32(e)), day: c.begins(6)}
		if ties := s.ties[e]; len(ties) > 0 && d.chance(0.7) {
			t := pickOne(d, ties)
			p.customer = t.customer
			p.scenario = map[access.RelationKind]Scenario{access.RelationSelf: "S5", access.RelationFamily: "S3", access.RelationNeighbour: "S3",
				access.RelationCoworker: "S4", access.RelationFormerPartner: "S2"}[t.kind]
		}
		p.number = len(s.plans) + 1
		s.plans = append(s.plans, p)
	}
}

// pickOne draws one of a list that isn't empty.
func pickOne[T any](d dice, list []T) T { return list[d.IntN(len(list))] }
