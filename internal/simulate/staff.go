package simulate

import (
	"strconv"
	"time"

	"paravent/internal/access"
)

// person is an employee as the simulation knows him.
type person struct {
	id        access.EmployeeID
	surname   uint16
	culture   uint8
	given     uint8
	role      access.Role
	team      int16
	manager   int32 // index, or none
	joined    int   // day
	leaves    int   // day from which on he is gone
	night     bool  // works nights
	account   int32 // his own customer account, or none
	household uint32
}

const none = -1

// never is a day that doesn't come.
const never = 1 << 30

// team is a team; members are indices of people, its lead among them.
type team struct {
	id      access.TeamID
	kind    teamKind
	lead    int32
	members []int32
	agents  []int32 // members of role agent
}

type teamKind uint8

const (
	ofService teamKind = iota
	ofMail
	ofReturns
	ofBilling
	ofOthers
)

// The first teams, in this order; those of agents follow.
const (
	teamManagement = iota
	teamSecurity
	teamLegal
	teamPrivacy
	teamSystems
	firstAgents
)

// hire makes the staff: about one in eight is not an agent or a lead.
func (s *Shop) hire() {
	d := newDice(s.Options.Seed, 'h')
	n := s.Options.Employees
	few := func(perMille int) int { return max(1, n*perMille/1000) }
	s.addTeam(d, "management", ofOthers, access.RoleTeamLead, 0, "")
	s.addTeam(d, "security", ofOthers, access.RoleSecurity, few(38), "")
	s.addTeam(d, "legal", ofOthers, access.RoleLegal, few(25), "")
	s.addTeam(d, "privacy", ofOthers, access.RolePrivacyOfficer, few(25), "")
	s.addTeam(d, "systems", ofOthers, access.RoleAdministrator, few(8), "")
	s.addOne(d, teamSystems, access.RoleBot)
	if n >= 30 {
		s.addOne(d, teamSystems, access.RoleTraining)
		s.addOne(d, teamSystems, access.RoleAuditor)
	}
	s.hireAgents(d, n-len(s.people))
	s.comeAndGo(d)
}

// hireAgents makes the teams of agents, each with its lead, out of n people.
func (s *Shop) hireAgents(d dice, n int) {
	kinds := []struct {
		name  string
		kind  teamKind
		share float64
	}{{"mail", ofMail, 0.18}, {"returns", ofReturns, 0.14}, {"billing", ofBilling, 0.14}}
	rest := n
	if n >= 40 { // a small shop has service teams only
		for _, k := range kinds {
			size := int(float64(n) * k.share)
			s.addTeams(d, k.name, k.kind, size)
			rest -= size
		}
	}
	s.addTeams(d, "service", ofService, rest)
}

// addTeams makes as many teams of at most twelve as size people need.
func (s *Shop) addTeams(d dice, name string, kind teamKind, size int) {
	n := (size + 11) / 12
	for i := range n {
		part := size / n
		if i < size%n {
			part++
		}
		called := name
		if n > 1 {
			called += "-" + strconv.Itoa(i+1)
		}
		s.addTeam(d, called, kind, access.RoleAgent, part-1, access.RoleTeamLead)
	}
}

// addTeam makes a team of n people of a role, under a lead of another role
// where one is named; otherwise under the head of management.
func (s *Shop) addTeam(d dice, name string, kind teamKind, role access.Role, n int, lead access.Role) {
	t := len(s.teams)
	s.teams = append(s.teams, team{id: access.TeamID(name), kind: kind, lead: 0})
	if t == teamManagement {
		s.addOne(d, t, role)
		s.people[0].manager = none
		return
	}
	if lead != "" {
		i := s.addOne(d, t, lead)
		s.teams[t].lead = i
	}
	for range n {
		i := s.addOne(d, t, role)
		s.people[i].manager = s.teams[t].lead
		if role == access.RoleAgent {
			s.teams[t].agents = append(s.teams[t].agents, i)
			s.people[i].night = kind == ofService && d.chance(0.1)
		}
	}
}

// addOne adds one employee to a team and returns his index.
func (s *Shop) addOne(d dice, t int, role access.Role) int32 {
	i := int32(len(s.people))
	p := person{id: access.EmployeeID("e" + strconv.Itoa(101+int(i))), role: role, team: int16(t), account: none, leaves: never}
	p.surname = d.surname()
	p.culture, p.given = d.given(p.surname)
	p.joined = -int(d.between(120, 4000))
	p.household = uint32(s.Options.Customers) + 1 + uint32(i)
	s.people = append(s.people, p)
	s.teams[t].members = append(s.teams[t].members, i)
	return i
}

// comeAndGo lets some agents join within the history, one at least, and some
// leave soon. The first agent, who is the demo's, stays.
func (s *Shop) comeAndGo(d dice) {
	newest := int32(none)
	for i := range s.people {
		p := &s.people[i]
		if p.role != access.RoleAgent || int32(i) == s.guest() {
			continue
		}
		switch {
		case d.chance(0.03) || (newest == none && i == len(s.people)-1):
			p.joined, p.night = int(d.between(1, int64(max(2, s.Options.Days/2)))), false
			newest = int32(i)
		case d.chance(0.03):
			p.leaves = int(d.between(5, int64(s.Options.Days+20)))
		}
	}
}

// guest returns the agent whose account a visitor of the demo is given.
func (s *Shop) guest() int32 { return s.teams[len(s.teams)-1].agents[0] }

// isAgent reports whether e works tasks as an agent.
func (s *Shop) isAgent(e int32) bool { return s.people[e].role == access.RoleAgent }

// date returns midnight UTC of day d.
func (s *Shop) date(d int) time.Time { return s.Options.Start.AddDate(0, 0, d) }

// publish writes the people down as the directory knows them.
func (s *Shop) publish() {
	s.Employees = make([]access.Employee, len(s.people))
	for i, p := range s.people {
		e := access.Employee{
			ID:       p.id,
			Name:     cultures[p.culture].given[p.given] + " " + surnames[p.surname],
			Surname:  surnames[p.surname],
			Team:     s.teams[p.team].id,
			Role:     p.role,
			JoinedOn: s.date(p.joined),
		}
		e.Household = householdToken(p.household)
		if p.role.Automatic() {
			e.Name, e.Surname, e.Household = "Account "+string(p.role), "", ""
		}
		if p.manager != none {
			e.Manager = s.people[p.manager].id
		}
		if p.leaves != never {
			e.LeavesOn = s.date(p.leaves)
		}
		s.Employees[i] = e
	}
}

// shift returns from when to when (seconds since 1970) the employee works on
// day d, or false. It depends on nothing that was drawn before.
func (s *Shop) shift(e int32, d int) (from, to int64, ok bool) {
	p := &s.people[e]
	if d < p.joined || d >= p.leaves {
		return 0, 0, false
	}
	midnight := s.dayStart(d)
	if p.role == access.RoleBot {
		return midnight, midnight + 86399, true
	}
	seed, id := s.Options.Seed, uint64(e)
	week := uint64(d+7000) / 7
	switch w := s.weekday(d); {
	case p.role != access.RoleAgent && w >= 5:
		return 0, 0, false
	case w == 5 && share(hash(seed, 'w', id, week)) > 0.35:
		return 0, 0, false
	case w == 6 && share(hash(seed, 'y', id, week)) > 0.18:
		return 0, 0, false
	case s.away(e, d):
		return 0, 0, false
	}
	switch {
	case p.night:
		return midnight + 21*3600, midnight + 30*3600, true
	case p.role != access.RoleAgent:
		return midnight + 8*3600, midnight + 17*3600, true
	}
	begin := [...]int64{6, 8, 9, 13}[(week+id)%4]
	return midnight + begin*3600, midnight + (begin+8)*3600 + 1800, true
}

// away reports whether the employee is on leave or ill on day d.
func (s *Shop) away(e int32, d int) bool {
	seed, id := s.Options.Seed, uint64(e)
	season := uint64(d+6000) / 60
	h := hash(seed, 'v', id, season)
	first, length := int(h%50), 5+int(h>>32%5)
	if at := (d + 6000) % 60; at >= first && at < first+length {
		return true
	}
	week := uint64(d+7000) / 7
	h = hash(seed, 'i', id, week)
	return share(h) < 0.06 && (d+7000)%7 < 1+int(h%4)
}

// site returns where the employee works in a session that began on day d; some
// days he works at home.
func (s *Shop) site(e int32, d int) uint8 {
	if share(hash(s.Options.Seed, 'm', uint64(e), uint64(d+7000))) < 0.18 {
		return siteHome
	}
	return uint8(s.people[e].team%4) + 1
}

const siteHome = 5

var sites = [...]string{"", "site1", "site2", "site3", "site4", "home"}

// device returns the machine at which the employee sits at the second t of a
// session that began on day d. In two sessions of a hundred he changes it.
func (s *Shop) device(e int32, d int, t int64) int32 {
	h := hash(s.Options.Seed, 'd', uint64(e), uint64(d+7000))
	if share(h) < 0.02 && t > s.dayStart(d)+12*3600 {
		return int32(len(s.people)) + int32(h%uint64(1+len(s.people)/10))
	}
	return e
}
