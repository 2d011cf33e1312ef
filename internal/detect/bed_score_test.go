package detect_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// bedScore is what score.py computes, the part that the target needs.
type bedScore struct {
	Found, Episodes map[string]int
	Recall          float64
	True, False     int
	FalsePerDay     float64
	HonestNamed     float64
	Benign          map[string]int
	verdict         []string // per finding taken: the scenario, or what it was
	taken           []detect.Finding
}

// score matches findings to episodes exactly as the bed's score.py says at its
// head, for findings raised in [from, to).
func (b *bed) score(findings []detect.Finding, budget int, from, to time.Time) bedScore {
	s := bedScore{Found: map[string]int{}, Episodes: map[string]int{}, Benign: map[string]int{}}
	in := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	byDay := map[int64][]detect.Finding{}
	var days []int64
	for _, f := range findings {
		if !in(f.RaisedAt) {
			continue
		}
		d := f.RaisedAt.Unix() / 86400
		if byDay[d] == nil {
			days = append(days, d)
		}
		byDay[d] = append(byDay[d], f)
	}
	slices.Sort(days)
	for _, d := range days {
		l := byDay[d]
		slices.SortStableFunc(l, func(x, y detect.Finding) int { return cmp.Compare(y.Score, x.Score) })
		s.taken = append(s.taken, l[:min(budget, len(l))]...)
	}
	lookDays, staff, guilty := map[int64]bool{}, map[access.EmployeeID]bool{}, map[access.EmployeeID]bool{}
	for _, l := range b.lookups {
		if in(l.At) {
			lookDays[l.At.Unix()/86400] = true
		}
		if !b.bots[l.Employee] {
			staff[l.Employee] = true
		}
	}
	for _, e := range b.episodes {
		if !e.benign {
			for x := range e.employees {
				guilty[x] = true
			}
			if slices.ContainsFunc(e.lookups, func(l *access.Lookup) bool { return in(l.At) }) {
				s.Episodes[e.scenario]++
			}
		}
	}
	found, named := map[string]bool{}, map[access.EmployeeID]bool{}
	benign := map[string]bool{}
	for _, f := range s.taken {
		v := b.match(f)
		for _, m := range v.found {
			found[m] = true
		}
		switch {
		case v.bad:
			s.True++
		default:
			s.False++
			for _, n := range v.benign {
				benign[n] = true
			}
		}
		s.verdict = append(s.verdict, v.String())
		for _, x := range f.Employees {
			if !guilty[x] && staff[x] {
				named[x] = true
			}
		}
	}
	n, all := 0, 0
	for name := range found {
		s.Found[b.episodes[name].scenario]++
		n++
	}
	for _, k := range s.Episodes {
		all += k
	}
	for name := range benign {
		s.Benign[b.episodes[name].scenario]++
	}
	s.Recall = float64(n) / float64(max(all, 1))
	s.FalsePerDay = float64(s.False) / float64(max(1, len(lookDays)))
	s.HonestNamed = float64(len(named)) / float64(max(1, len(staff)-len(guilty)))
	return s
}

// match is what one finding turned out to be.
type match struct {
	bad    bool
	found  []string
	benign []string
	all    []string
}

func (m match) String() string {
	slices.Sort(m.all)
	kind := "false"
	if m.bad {
		kind = "true"
	}
	return kind + " " + strings.Join(m.all, ",")
}

func (b *bed) match(f detect.Finding) (m match) {
	names, bad := map[string]bool{}, 0
	for _, a := range f.Accesses {
		if n, ok := b.of[a]; ok {
			names[n] = true
			if !b.episodes[n].benign {
				bad++
			}
		}
	}
	for n := range names {
		e := b.episodes[n]
		m.all = append(m.all, e.scenario+":"+n)
		if !slices.ContainsFunc(f.Customers, func(c access.CustomerID) bool { return e.customers[c] }) ||
			!slices.ContainsFunc(f.Employees, func(x access.EmployeeID) bool { return e.employees[x] }) {
			continue
		}
		if e.benign {
			m.benign = append(m.benign, n)
			continue
		}
		if e.scenario == "S1" {
			looked := map[access.EmployeeID]bool{}
			for _, l := range e.lookups {
				if !l.At.After(f.RaisedAt) {
					looked[l.Employee] = true
				}
			}
			both := 0
			for _, x := range f.Employees {
				if looked[x] {
					both++
				}
			}
			m.bad = true
			if len(looked) >= 3 && 2*both >= len(looked) {
				m.found = append(m.found, n)
			}
			continue
		}
		if (len(f.Customers) > 1 || len(f.Employees) > 1) && float64(bad) < 0.2*float64(len(f.Accesses)) {
			continue
		}
		m.bad = true
		m.found = append(m.found, n)
	}
	return m
}
