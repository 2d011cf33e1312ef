package detect

import (
	"time"

	"paravent/internal/access"
	"paravent/internal/explain"
)

// judged is a visit, graded with all that was known when its hold ran out.
type judged struct {
	First, Last  int64
	JudgedAt     int64
	Open         float64 // how far the visit stays unexplained, 0..1
	Template     int     // place in the templates, -1: nothing
	Strength     float64
	Task         int32 // the task on the best path, -1: none
	Own          bool  // only the employee's own word stands behind it
	Stale        int64 // microseconds since that task was closed
	Later        bool  // the task was opened after the look-up
	NoCase       bool  // nobody works on anything for the customer
	Helper       int32 // who opened the task that nothing of the customer's stands beside, -1
	Beyond       uint64
	Orders       int // different orders opened
	BeyondOrders int // of these, the ones that showed categories beyond the purpose
	Depth        int // look-ups that opened orders, goods, payments or deliveries
	Opened       bool
	Exported     bool
	Moved        uint8
	NewOrder     bool  // the customer had ordered within the day before
	Outage       bool  // contacts weren't being recorded at that time
	Seldom       bool  // with Own: he hardly ever opens tasks
	Untraced     bool  // with Own: the channel leaves a trace, and there is none
	Dormant      int64 // for how long the task that he named had been closed with nobody at it; 0: it was alive
	Home         bool  // he had just looked at somebody else of this household
	Looks        []look
}

// judge grades a visit as of due, frees it, and passes it on.
func (e *Engine) judge(n int32, due int64) {
	v := &e.st.Visits[n]
	j := e.grade(v, due)
	e.count(v, &j)
	e.seen(n, v, &j)
	e.favoured(v.E, v.C, &j)
	e.sample(v, &j, due)
	en, cn := v.E, v.C
	if j.question() {
		j.Looks = append([]look(nil), j.Looks...)
		e.end(n)
		e.run(en, cn, &j, due)
		if !e.facts.Role(en).Automatic() {
			e.keep(en, cn, j, due)
		}
		return
	}
	e.end(n)
	if k, ok := e.pairs[pairOf(en, cn)]; ok {
		e.st.Pairs[k].Calm++
	}
}

// grade holds a visit against the facts known at now. Its first and its last
// look-up are graded: a task may be closed, or begin, in between.
func (e *Engine) grade(v *visit, now int64) judged {
	g := e.facts.Grade(v.E, v.C, v.First, now)
	if v.Last > v.First && g.Strength < 0.9 {
		if last := e.facts.Grade(v.E, v.C, v.Last, now); last.Strength > g.Strength {
			g = last
		}
	}
	j := judged{
		First: v.First, Last: v.Last, JudgedAt: now, Open: 1 - g.Strength,
		Template: g.Template, Strength: g.Strength, Task: g.Task, Own: g.Strength < 0.5 && g.OwnTask >= 0, Stale: g.Stale, Later: g.Later, Helper: g.Helper, NoCase: !g.Live,
		Moved: v.Moved, Looks: v.Looks,
	}
	e.named(v, &j, now)
	e.depth(v, &j, &g)
	if !j.Opened {
		j.Open *= searchHit
	}
	if o := e.facts.OrderBefore(v.C, v.First); o > 0 && v.First-o < day {
		j.NewOrder = true
	}
	j.Home = v.Home
	if j.Own || j.Helper >= 0 {
		j.Outage = e.facts.ContactsExpected(v.First, now) < 0.3
	}
	if j.Own {
		if g.Strength < 0.1 {
			j.Task = g.OwnTask
		}
		_, channel := e.facts.Opened(g.OwnTask)
		j.Untraced = channel == "mail" || channel == "chat"
		j.Seldom = e.seldom(v.E, v.First)
	}
	return j
}

// allowed returns the categories that the visit's purpose needs: of the tasks
// of this customer that he named or, where he named none, of those that
// explain the visit. Without any it is everything: what has no purpose has no
// scope.
func (e *Engine) allowed(v *visit, g *explain.Grade) uint64 {
	var mask uint64
	named := false
	var last access.TaskID
	for i := range v.Looks {
		id := v.Looks[i].Task
		if id == "" || id == last {
			continue
		}
		last = id
		if m, ok := e.facts.TaskNeeds(id, v.C); ok {
			mask |= m
			named = true
		}
	}
	switch {
	case named:
		return mask
	case g.Bounded:
		return g.Allowed
	}
	return ^uint64(0)
}

// dormantFrom is how long a task must have been asleep for naming it to be a
// question of its own. Honest people take a task up again within days.
const dormantFrom = 10 * day

// named looks at what the employee named as his reason. Where that was a task
// long asleep, other tasks of the customer's speak for him only by half, unless
// one was put on his own desk.
func (e *Engine) named(v *visit, j *judged, now int64) {
	if j.Template >= 0 && j.Strength > 0.5 {
		switch e.facts.Templates()[j.Template].Link {
		case explain.LinkAssigned, explain.LinkContact:
			return
		}
	}
	var last access.TaskID
	for i := range v.Looks {
		l := &v.Looks[i]
		if l.Task == "" || l.Task == last {
			continue
		}
		last = l.Task
		d := e.facts.Dormant(l.Task, v.E, v.C, l.At, now)
		if d == 0 {
			j.Dormant = 0
			return
		}
		j.Dormant = max(j.Dormant, d)
	}
	if j.Dormant < dormantFrom || j.Template < 0 {
		return
	}
	switch e.facts.Templates()[j.Template].Link {
	case explain.LinkAssigned, explain.LinkContact:
	default:
		j.Strength /= 2
		j.Open = 1 - j.Strength
	}
}

// depth counts what was opened, and what of it lies beyond the purpose.
func (e *Engine) depth(v *visit, j *judged, g *explain.Grade) {
	allowed := ^uint64(0)
	for i := range v.Looks {
		l := &v.Looks[i]
		if l.Action != actionSearch {
			j.Opened = true
		}
		j.Exported = j.Exported || l.Action == actionExport
		if l.Cats&^e.base != 0 {
			j.Depth++
		}
		if l.Record == "" {
			continue
		}
		if j.Orders == 0 {
			allowed = e.allowed(v, g)
		}
		first, beyond := true, l.Cats&^allowed != 0
		for k := range v.Looks[:i] {
			if o := &v.Looks[k]; o.Record == l.Record {
				first = false
				beyond = beyond && o.Cats&^allowed == 0
			}
		}
		if first {
			j.Orders++
		}
		if beyond {
			j.BeyondOrders++
			j.Beyond |= l.Cats &^ allowed
		}
	}
}

// baseCategories are what every purpose shows.
var baseCategories = []access.Category{"identity", "contact"}

// question reports whether a visit leaves a question that is worth remembering.
func (j *judged) question() bool {
	return j.Open >= 0.2 || j.BeyondOrders > 1
}

// worth is how much an open visit counts where visits are counted: half where
// somebody else was working for the customer at that time, for then it may have
// been help that left no trace.
func (j *judged) worth() float64 {
	if j.NoCase || j.Dormant >= dormantFrom {
		return 1
	}
	return 0.5
}

// count enters a judged visit into the tally.
func (e *Engine) count(v *visit, j *judged) {
	n := len(v.Looks) + v.More
	d := e.dayOf(v.First)
	switch {
	case j.Template < 0 || j.Strength <= 0:
		e.st.Nothing += n
		d.Unexplained += n
	default:
		e.st.Explained[j.Template] += n
		if j.Strength < 0.5 {
			e.st.Weak += n
		}
	}
}

// dayOf returns the tally of the day of at.
func (e *Engine) dayOf(at int64) *TallyDay {
	start := at / day * day
	for i := len(e.st.Days) - 1; i >= 0; i-- {
		switch s := e.st.Days[i].Day.UnixMicro(); {
		case s == start:
			return &e.st.Days[i]
		case s < start:
			e.st.Days = append(e.st.Days, TallyDay{})
			copy(e.st.Days[i+2:], e.st.Days[i+1:])
			e.st.Days[i+1] = TallyDay{Day: access.FromMicros(start)}
			return &e.st.Days[i+1]
		}
	}
	e.st.Days = append([]TallyDay{{Day: access.FromMicros(start)}}, e.st.Days...)
	return &e.st.Days[0]
}

// Tally returns the counts so far, as a copy.
func (e *Engine) Tally() Tally {
	t := Tally{Lookups: e.st.Lookups, NotShown: e.st.NotShown, Unexplained: e.st.Nothing, Weak: e.st.Weak,
		Days: append([]TallyDay(nil), e.st.Days...), Findings: make(map[Kind]int, len(e.st.Kinds))}
	judgedN := e.st.Nothing
	for i, tpl := range e.facts.Templates() {
		t.Explained = append(t.Explained, TallyItem{Template: tpl.ID, Title: tpl.Title, Strength: tpl.Strength, Lookups: e.st.Explained[i]})
		judgedN += e.st.Explained[i]
	}
	t.Waiting = t.Lookups - t.NotShown - judgedN
	for k, n := range e.st.Kinds {
		t.Findings[k] = n
	}
	return t
}

// best writes out the explanation of the visit's most telling look-up.
func (e *Engine) best(en, cn int32, j *judged, now int64) *Best {
	x := e.facts.Explain(en, cn, j.First, now)
	if y := e.facts.Explain(en, cn, j.Last, now); y.Strength > x.Strength {
		x = y
	}
	if x.Path == nil {
		x.Path = []explain.Step{}
	}
	return &Best{Template: x.Template, Strength: x.Strength, Path: x.Path, Missing: x.Missing}
}

func timeOf(us int64) time.Time { return access.FromMicros(us) }
