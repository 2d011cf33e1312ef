package simulate

import (
	"slices"
	"strconv"

	"paravent/internal/access"
)

// buyer is a customer as the simulation knows her.
type buyer struct {
	household uint32
	surname   uint16
	culture   uint8
	given     uint8
	weight    uint8 // how often she buys, against others
	wholesale bool
}

// households hold the customers and who lives with whom.
type households struct {
	buyers    []buyer
	notables  []int32
	bySurname [][]int32  // customers of each surname
	at        [][2]int32 // household: its first customer and one past its last
	best      int32      // an ordinary customer for the demo
}

// enroll makes the customers, household by household.
func (h *households) enrollInto(d dice, n int) {
	h.buyers = make([]buyer, 0, n)
	h.bySurname = make([][]int32, len(surnames))
	for len(h.buyers) < n {
		size := 1 + d.weighted([]float64{62, 23, 9, 6})
		size = min(size, n-len(h.buyers))
		first := int32(len(h.buyers))
		family := d.surname()
		for i := range size {
			b := buyer{household: uint32(len(h.at)), surname: family, weight: 1 + uint8(d.wait(5))}
			if i > 0 && d.chance(0.22) {
				b.surname = d.surname()
			}
			b.culture, b.given = d.given(b.surname)
			if d.chance(0.0025) {
				b.wholesale, b.weight = true, 120
			}
			h.bySurname[b.surname] = append(h.bySurname[b.surname], int32(len(h.buyers)))
			h.buyers = append(h.buyers, b)
		}
		h.at = append(h.at, [2]int32{first, first + int32(size)})
	}
}

// enroll makes the customers and marks those in the public eye.
func (s *Shop) enroll() {
	d := newDice(s.Options.Seed, 'c')
	s.enrollInto(d, s.Options.Customers)
	s.Customers = make([]access.Customer, len(s.buyers))
	for i, b := range s.buyers {
		s.Customers[i] = access.Customer{
			ID:        access.CustomerID("c" + strconv.Itoa(10001+i)),
			Surname:   surnames[b.surname],
			Household: householdToken(b.household),
		}
	}
	for len(s.notables) < s.Options.Notable {
		c := int32(d.IntN(len(s.buyers)))
		if s.Customers[c].Notable || s.buyers[c].wholesale {
			continue
		}
		s.Customers[c].Notable = true
		s.buyers[c].weight = max(s.buyers[c].weight, 12)
		s.notables = append(s.notables, c)
	}
}

// householdToken returns the word for a household: the same for people at one
// address.
func householdToken(h uint32) string { return "h" + strconv.Itoa(20001+int(h)) }

// tie is one true tie of an employee's; known says whether the company knows.
type tie struct {
	customer int32
	kind     access.RelationKind
	known    bool
}

// tieUp gives some employees an account of their own and everybody somebody
// whom he knows: family, neighbours, a former partner, coworkers.
func (s *Shop) tieUp() {
	d := newDice(s.Options.Seed, 't')
	s.ties = make([][]tie, len(s.people))
	for e := range s.people {
		if !s.people[e].role.Automatic() {
			s.tieOne(d, int32(e))
		}
	}
	for e := range s.people {
		for _, colleague := range s.teams[s.people[e].team].members {
			if c := s.people[colleague].account; c != none && int(colleague) != e && !s.people[e].role.Automatic() {
				s.ties[e] = append(s.ties[e], tie{c, access.RelationCoworker, d.chance(0.5)})
			}
		}
	}
	s.declare(d)
}

// tieOne makes the ties of one employee, but for his coworkers.
func (s *Shop) tieOne(d dice, e int32) {
	p := &s.people[e]
	add := func(c int32, kind access.RelationKind, known float64) {
		if !s.Customers[c].Notable && s.Customers[c].Employee == "" {
			s.ties[e] = append(s.ties[e], tie{c, kind, d.chance(known)})
		}
	}
	stranger := func() int32 { return int32(d.IntN(len(s.buyers))) }
	if c := stranger(); d.chance(0.55) && !s.Customers[c].Notable && !s.buyers[c].wholesale && s.Customers[c].Employee == "" {
		p.account, p.household = c, s.buyers[c].household
		p.surname, p.culture, p.given = s.buyers[c].surname, s.buyers[c].culture, s.buyers[c].given
		s.Customers[c].Employee = p.id
		s.ties[e] = append(s.ties[e], tie{c, access.RelationSelf, true})
		for f := s.at[p.household][0]; f < s.at[p.household][1]; f++ {
			if f != c {
				add(f, access.RelationFamily, 0.6)
			}
		}
		next := (int(p.household) + 1) % len(s.at)
		add(s.at[next][0], access.RelationNeighbour, 0.3)
	}
	if d.chance(0.5) { // family elsewhere; most bear the same name
		same := s.bySurname[p.surname]
		if len(same) > 0 && d.chance(0.7) {
			add(same[d.IntN(len(same))], access.RelationFamily, 0.4)
		} else {
			add(stranger(), access.RelationFamily, 0.4)
		}
	}
	if d.chance(0.3) {
		add(stranger(), access.RelationNeighbour, 0.3)
	}
	if d.chance(0.35) {
		add(stranger(), access.RelationFormerPartner, 0.25)
	}
}

// declare writes down the ties that the company knows, and a few pairs that
// merely share a surname.
func (s *Shop) declare(d dice) {
	for e, ties := range s.ties {
		for _, t := range ties {
			if t.known {
				s.Relations = append(s.Relations, access.Relation{Employee: s.people[e].id, Customer: s.Customers[t.customer].ID, Kind: t.kind})
			}
		}
		if same := s.bySurname[s.people[e].surname]; len(same) > 0 && d.chance(0.04) {
			c := same[d.IntN(len(same))]
			if !s.knows(int32(e), c) {
				s.Relations = append(s.Relations, access.Relation{Employee: s.people[e].id, Customer: s.Customers[c].ID, Kind: access.RelationFamily})
			}
		}
	}
	slices.SortStableFunc(s.Relations, func(a, b access.Relation) int {
		if a.Employee != b.Employee {
			return compare(len(a.Employee), len(b.Employee), string(a.Employee), string(b.Employee))
		}
		return compare(len(a.Customer), len(b.Customer), string(a.Customer), string(b.Customer))
	})
}

// compare orders ids by length, then by bytes.
func compare(la, lb int, a, b string) int {
	switch {
	case la != lb:
		return la - lb
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// knows reports whether the employee has a true tie to the customer.
func (s *Shop) knows(e, c int32) bool {
	for _, t := range s.ties[e] {
		if t.customer == c {
			return true
		}
	}
	return false
}

// regular is a customer whom the same employee serves again and again.
type regular struct{ customer, employee int32 }

// acquaint picks the regular customers and the demo's ordinary one.
func (s *Shop) acquaint() {
	d := newDice(s.Options.Seed, 'r')
	for range max(1, s.Options.Employees/25) {
		e := s.anyAgent(d)
		c := int32(d.IntN(len(s.buyers)))
		if s.Customers[c].Notable || s.knows(e, c) || s.Customers[c].Employee != "" {
			continue
		}
		s.regular = append(s.regular, regular{c, e})
	}
	s.best = 0
	for c := range s.buyers { // an ordinary customer who buys often
		if !s.Customers[c].Notable && s.Customers[c].Employee == "" && !s.buyers[c].wholesale && s.count(int32(c)) > s.count(s.best) {
			s.best = int32(c)
		}
	}
}

// anyAgent draws an agent who works from before the first day to past the last
// and isn't the demo's guest.
func (s *Shop) anyAgent(d dice) int32 {
	for {
		t := &s.teams[firstAgents+d.IntN(len(s.teams)-firstAgents)]
		if len(t.agents) == 0 {
			continue
		}
		e := t.agents[d.IntN(len(t.agents))]
		if e != s.guest() {
			return e
		}
	}
}
