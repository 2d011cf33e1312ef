package detect

import (
	"paravent/internal/access"
)

const (
	actionSearch uint8 = iota
	actionView
	actionExport
	actionStatement
)

func actionOf(a access.Action) uint8 {
	switch a {
	case access.ActionSearch:
		return actionSearch
	case access.ActionExport:
		return actionExport
	case access.ActionStatement:
		return actionStatement
	}
	return actionView
}

// shown reports whether anything was, or may have been, disclosed.
func shown(o access.Outcome) bool {
	switch o {
	case access.OutcomeRefused, access.OutcomeMissed, access.OutcomeFailed:
		return false
	}
	return true
}

// lookup takes in a look-up: it joins the open visit of its pair or begins one.
// Where nothing was shown, it is counted and nothing else: it exposed nobody.
func (e *Engine) lookup(l *access.Lookup) {
	at := access.Micros(l.At)
	e.st.Lookups++
	d := e.dayOf(at)
	d.Lookups++
	switch {
	case !shown(l.Outcome):
		e.st.NotShown++
		return
	case l.Outcome == access.OutcomeOffPath:
		e.offPath(l, at)
		return
	}
	en, cn := e.facts.Employee(l.Employee), e.facts.Customer(l.Customer)
	p := e.person(en)
	p.note(l, at)
	key := pairOf(en, cn)
	n, ok := e.open[key]
	if !ok {
		n = e.begin(en, cn, at)
		e.open[key] = n
	}
	v := &e.st.Visits[n]
	v.Last = max(v.Last, at)
	v.Moved |= p.Moved
	if ok && v.follows(l, at, e.facts.Mask(l.Categories)) {
		v.More++
		return
	}
	v.Looks = append(v.Looks, look{ID: l.ID, At: at, Cats: e.facts.Mask(l.Categories), Action: actionOf(l.Action), Record: l.Record, Task: l.Task})
	if l.Action == access.ActionExport && !v.Urgent {
		v.Urgent = true
		e.push(dueItem{At: at, Seq: v.Seq, Visit: n})
	}
	if !ok {
		e.crowd(cn, n, at)
	}
}

// follows reports whether a look-up is a statement that adds nothing to the
// statement before: of the same task, showing the same, within a minute. A
// program makes thousands of them; the first stands for all.
func (v *visit) follows(l *access.Lookup, at int64, cats uint64) bool {
	last := &v.Looks[len(v.Looks)-1]
	return l.Action == access.ActionStatement && last.Action == actionStatement && last.Task == l.Task && last.Record == l.Record &&
		last.Cats == cats && at >= last.At && at-last.At < minute
}

// begin opens a visit.
func (e *Engine) begin(en, cn int32, at int64) int32 {
	var n int32
	if k := len(e.st.FreeVisit); k > 0 {
		n, e.st.FreeVisit = e.st.FreeVisit[k-1], e.st.FreeVisit[:k-1]
	} else {
		n = int32(len(e.st.Visits))
		e.st.Visits = append(e.st.Visits, visit{})
	}
	v := &e.st.Visits[n]
	v.E, v.C, v.First, v.Last, v.Moved = en, cn, at, at, 0
	v.Urgent, v.Home = false, e.home(en, cn, at)
	v.Looks, v.More = v.Looks[:0], 0
	e.st.Seq++
	v.Seq = e.st.Seq
	e.push(dueItem{At: e.dueOf(v), Seq: e.st.Seq, Visit: n})
	return n
}

// end frees a judged visit.
func (e *Engine) end(n int32) {
	v := &e.st.Visits[n]
	delete(e.open, pairOf(v.E, v.C))
	clear(v.Looks)
	v.Looks = v.Looks[:0]
	e.st.FreeVisit = append(e.st.FreeVisit, n)
}

// note follows the session: whether its device or site changes.
func (p *person) note(l *access.Lookup, at int64) {
	if d := at / day; d != p.LastDay {
		p.LastDay = d
		p.Days++
	}
	if l.Session != p.Session {
		p.Session, p.Device, p.Site, p.Moved = l.Session, l.Device, l.Site, 0
		return
	}
	if l.Session == "" {
		return
	}
	if l.Device != p.Device && l.Device != "" && p.Device != "" {
		p.Moved |= 1
	}
	if l.Site != p.Site && l.Site != "" && p.Site != "" {
		p.Moved |= 2
	}
}

// person returns what is remembered of employee n.
func (e *Engine) person(n int32) *person {
	for int(n) >= len(e.st.People) {
		e.st.People = append(e.st.People, person{LastDay: -1})
	}
	return &e.st.People[n]
}

// record returns what is remembered of customer n.
func (e *Engine) record(n int32) *record {
	for int(n) >= len(e.st.Records) {
		e.st.Records = append(e.st.Records, record{})
	}
	return &e.st.Records[n]
}

// home reports whether the employee had, within the hour before, looked at
// somebody else of the customer's household, and notes the customer as served.
func (e *Engine) home(en, cn int32, at int64) (found bool) {
	p := e.person(en)
	for i := range p.Served {
		if p.ServedAt[i] != 0 && at-p.ServedAt[i] < hour && e.facts.SameHousehold(p.Served[i], cn) {
			found = true
		}
	}
	copy(p.Served[1:], p.Served[:len(p.Served)-1])
	copy(p.ServedAt[1:], p.ServedAt[:len(p.ServedAt)-1])
	p.Served[0], p.ServedAt[0] = cn, at
	return found
}

// opensSeldom is how many tasks a person opens at most in four weeks who hardly
// ever opens any.
const opensSeldom = 8

// openedTask notes that the employee opened a task.
func (p *person) openedTask(at int64) {
	if len(p.Opened) > opensSeldom {
		copy(p.Opened, p.Opened[1:])
		p.Opened = p.Opened[:opensSeldom]
	}
	p.Opened = append(p.Opened, at)
}

// seldom reports whether the employee hardly ever opens tasks, by the four weeks
// before at. While less than a week has been seen of anything, nobody can say.
func (e *Engine) seldom(en int32, at int64) bool {
	seen := at - e.st.Start
	if seen < 7*day {
		return false
	}
	n := 0
	for _, t := range e.person(en).Opened {
		if t > at-28*day {
			n++
		}
	}
	return int64(n)*28*day <= opensSeldom*min(seen, 28*day)
}
