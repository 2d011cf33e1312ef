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
	p.Open = append(p.Open, trace{C: cn, At: j.First, Export: j.Exported, Worth: j.worth(), Looks: j.Looks})
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
	p.Open = slices.DeleteFunc(p.Open, func(t trace) bool { return t.At < now-longWindow })
	notable, recent := e.distinct(p.Open, func(t *trace) bool { return e.facts.Notable(t.C) }), e.distinct(p.Open, func(t *trace) bool { return t.At >= now-runWindow })
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
		if k := e.consecutive(recent); k >= runLeast {
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
		basis = append(slices.Clone(basis), notable...)
	}
	if len(rs) == 0 {
		return
	}
	if l := e.facts.Leaves(en); l > 0 && l > now-day && l-now < 31*day {
		rs.add("leaving", weightLeavingRun, "This employee leaves the company within a month.")
	}
	e.proposeRun(en, basis, rs, now)
}

func (e *Engine) proposeRun(en int32, basis []trace, rs reasons, now int64) {
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

// distinct returns the traces that fit, in order of time. A customer seen twice
// stays twice; callers count customers by countCustomers.
func (e *Engine) distinct(all []trace, fits func(*trace) bool) []trace {
	var out []trace
	for i := range all {
		t := &all[i]
		if fits(t) && !slices.ContainsFunc(out, func(o trace) bool { return o.C == t.C }) {
			out = append(out, *t)
		}
	}
	return out
}

// consecutive returns how many steps from one customer to the next went to a
// neighbouring number.
func (e *Engine) consecutive(traces []trace) int {
	n := 0
	for i := 1; i < len(traces); i++ {
		a, okA := number(string(e.facts.CustomerID(traces[i-1].C)))
		b, okB := number(string(e.facts.CustomerID(traces[i].C)))
		if d := b - a; okA && okB && d != 0 && d >= -2 && d <= 2 {
			n++
		}
	}
	return n
}

// number returns the number at the end of an id, of at most 18 digits.
func number(id string) (int64, bool) {
	i := len(id)
	for i > 0 && id[i-1] >= '0' && id[i-1] <= '9' && len(id)-i < 18 {
		i--
	}
	if i == len(id) {
		return 0, false
	}
	var n int64
	for _, c := range []byte(id[i:]) {
		n = n*10 + int64(c-'0')
	}
	return n, true
}
