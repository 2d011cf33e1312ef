package detect

import (
	"fmt"
	"math"
	"slices"

	"paravent/internal/access"
)

const (
	runWindow  = day
	longWindow = 28 * day
	runLeast   = 8 // customers in a day without a reason, from which it may be a run
)

// run notes a visit that leaves a question with its employee, and looks whether
// he is running through customers: many in a day against his own past, one
// number after the other, exports, or people in the public eye over weeks.
func (e *Engine) run(en, cn int32, j *judged, now int64) {
	if j.Open < openVisit || !j.Opened {
		return
	}
	p := e.person(en)
	p.newDay(j.First / day)
	p.Today += j.worth()
	p.Open = append(p.Open, trace{C: cn, At: j.First, Export: j.Exported, Worth: j.worth(), Number: number(string(e.facts.CustomerID(cn))), Looks: j.Looks})
	e.runOf(en, p, now)
}

// newDay closes the employee's counted day when another one begins.
func (p *person) newDay(d int64) {
	if d > p.Day {
		p.Sum += p.Today
		p.Today, p.Day = 0, d
	}
}

func (e *Engine) runOf(en int32, p *person, now int64) {
	if p.Open[0].At < now-longWindow {
		p.Open = slices.DeleteFunc(p.Open, func(t trace) bool { return t.At < now-longWindow })
	}
	notable := e.distinct(e.notables[:0], p.Open, func(t *trace) bool { return e.facts.Notable(t.C) })
	recent := e.distinct(e.recent[:0], p.Open, func(t *trace) bool { return t.At >= now-runWindow })
	e.notables, e.recent = notable, recent
	var rs reasons
	var basis []trace
	usual := p.usual()
	if len(recent) >= runLeast {
		n := 0.0
		for i := range recent {
			n += recent[i].Worth
		}
		if ratio := n / (1 + 2*usual); ratio > 1 {
			rs.add("volume", weightVolume*math.Log2(ratio), fmt.Sprintf("Looked at %s within a day without a reason; this employee's own past has %s a day.", count(len(recent), "customer"), about(usual)))
		}
		if k := consecutive(recent); k >= runLeast {
			rs.add("enumeration", weightEnumeration*math.Log2(float64(k)/3), fmt.Sprintf("Went through customer numbers one after the other, %s in a row.", times(k)))
		}
		x := 0
		for i := range recent {
			if recent[i].Export {
				x++
			}
		}
		if x >= runLeast {
			rs.add("export", weightExport, fmt.Sprintf("Exported %s.", count(x, "customer")))
		}
		basis = recent
	}
	if len(notable) >= 3 && !e.facts.Role(en).Automatic() {
		rs.add("notables", weightNotables*math.Log2(float64(len(notable))), fmt.Sprintf("Looked at %d people in the public eye within four weeks without a reason.", len(notable)))
		basis = slices.Concat(basis, notable)
	}
	if len(rs) == 0 {
		return
	}
	if l := e.facts.Leaves(en); l > 0 && l > now-day && l-now < 31*day {
		rs.add("leaving", weightLeavingRun, "This employee leaves the company within a month.")
	}
	e.proposeRun(en, basis, rs, now)
}

// proposeRun proposes the run that rests on these visits.
func (e *Engine) proposeRun(en int32, basis []trace, rs reasons, now int64) {
	if score, _ := rs.score(); score < e.o.Threshold {
		return
	}
	if last := e.lastRaised(string(KindRun) + "\x00" + string(e.facts.EmployeeID(en))); last != nil && now-last.At <= 7*day {
		return
	}
	var looks []look
	var customers []int32
	seen := map[access.LookupID]bool{}
	for i := range basis {
		if !slices.Contains(customers, basis[i].C) {
			customers = append(customers, basis[i].C)
		}
		for _, l := range basis[i].Looks {
			if !seen[l.ID] {
				seen[l.ID] = true
				looks = append(looks, l)
			}
		}
	}
	e.propose(candidate{kind: KindRun, employees: []int32{en}, customers: customers, looks: looks, reasons: rs}, now)
}

// What isn't known yet of an employee's past counts as this many days with this
// many customers each.
const (
	usualDays  = 5
	usualPrior = 4
)

// usual returns how many customers a day the employee looked at without a
// reason so far, today left out; it is counted over the days on which he looked
// at anybody.
func (p *person) usual() float64 {
	return (p.Sum + usualDays*usualPrior) / (float64(max(p.Days, 1)-1) + usualDays)
}

// distinct appends to out the traces that fit, the first of each customer, in order of
// time.
func (e *Engine) distinct(out, all []trace, fits func(*trace) bool) []trace {
	e.round++
	for i := range all {
		t := &all[i]
		if !fits(t) {
			continue
		}
		for int(t.C) >= len(e.stamps) {
			e.stamps = append(e.stamps, 0)
		}
		if e.stamps[t.C] != e.round {
			e.stamps[t.C] = e.round
			out = append(out, *t)
		}
	}
	return out
}

// consecutive returns how many steps from one customer to the next went to a
// neighbouring number.
func consecutive(traces []trace) int {
	n := 0
	for i := 1; i < len(traces); i++ {
		a, b := traces[i-1].Number, traces[i].Number
		if d := b - a; a >= 0 && b >= 0 && d != 0 && d >= -2 && d <= 2 {
			n++
		}
	}
	return n
}

// number returns the number at the end of an id, of at most 18 digits; -1 when
// there is none.
func number(id string) int64 {
	i := len(id)
	for i > 0 && id[i-1] >= '0' && id[i-1] <= '9' && len(id)-i < 18 {
		i--
	}
	if i == len(id) {
		return -1
	}
	var n int64
	for _, c := range []byte(id[i:]) {
		n = n*10 + int64(c-'0')
	}
	return n
}
