package explain

import "paravent/internal/access"

// Ties says how an employee and a customer know each other.
type Ties struct {
	Self, Family, FormerPartner, Coworker, Neighbour bool // declared, or known to the company
	Other                                            bool // declared, of a kind that Paravent has no word for
	Household                                        bool // the same address
	Surname                                          bool // the same surname, which may be chance
	Namesakes                                        int  // with Surname: customers of that surname
	SameTeam                                         bool // with Coworker: of the same team
}

// Any reports whether there is a tie at all.
func (t Ties) Any() bool {
	return t.Declared() || t.Household || t.Surname
}

// Declared reports whether somebody declared the tie or the directory knows it.
func (t Ties) Declared() bool {
	return t.Self || t.Family || t.FormerPartner || t.Coworker || t.Neighbour || t.Other
}

const (
	bitSelf uint8 = 1 << iota
	bitFamily
	bitFormerPartner
	bitCoworker
	bitNeighbour
	bitOther
)

func relationBit(k access.RelationKind) uint8 {
	switch k {
	case access.RelationSelf:
		return bitSelf
	case access.RelationFamily:
		return bitFamily
	case access.RelationFormerPartner:
		return bitFormerPartner
	case access.RelationCoworker:
		return bitCoworker
	case access.RelationNeighbour:
		return bitNeighbour
	}
	return bitOther
}

// Ties returns how employee e and customer c know each other.
func (f *Facts) Ties(e, c int32) Ties {
	k := f.related[pair(e, c)]
	em, cu := &f.st.Employees[e], &f.st.Customers[c]
	t := Ties{
		Self:          k&bitSelf != 0 || cu.Employee == e,
		Family:        k&bitFamily != 0,
		FormerPartner: k&bitFormerPartner != 0,
		Coworker:      k&bitCoworker != 0 || cu.Employee >= 0 && cu.Employee != e,
		Neighbour:     k&bitNeighbour != 0,
		Other:         k&bitOther != 0,
		Household:     em.Household != "" && em.Household == cu.Household,
		Surname:       em.Surname != "" && em.Surname == cu.Surname,
	}
	if t.Surname {
		t.Namesakes = int(f.namesakes[em.Surname])
	}
	if cu.Employee >= 0 && cu.Employee != e {
		other := &f.st.Employees[cu.Employee]
		t.SameTeam = em.Team >= 0 && other.Team == em.Team || other.Manager == e || em.Manager == cu.Employee
	}
	return t
}

// SameHousehold reports whether two different customers live at one address.
func (f *Facts) SameHousehold(a, b int32) bool {
	x, y := &f.st.Customers[a], &f.st.Customers[b]
	return a != b && x.Household != "" && x.Household == y.Household
}
