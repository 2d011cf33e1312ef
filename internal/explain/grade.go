package explain

import "math"

// Microseconds.
const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

const (
	// ahead is how long after the look-up a task may be opened (or assigned, or
	// worked on) and still be the reason for it: people note down what they
	// already do.
	ahead = hour
	// contactBefore and contactAfter bound how far from its opening the
	// customer's contact may be to stand beside a task.
	contactBefore = 4 * hour
	contactAfter  = hour
)

// purposeCounts is the strength from which a task's purpose says what may be
// seen.
const purposeCounts = 0.5

// Grade says how strongly the facts explain one look-up.
type Grade struct {
	Template int     // place in Templates, -1 when nothing explains it
	Strength float64 // 0..1, after independence and freshness
	Task     int32   // number of the task on the path, -1 for none
	Own      bool    // the path rests on the employee's own word alone (G6)
	Stale    int64   // microseconds since that task was closed; 0: it was open
	OwnTask  int32   // a task of the customer's that only the employee's own word stands behind, -1
	Later    bool    // the task was opened only after the look-up
	Helper   int32   // the employee who opened the task where nothing of the customer's stands beside it, else -1
	Live     bool    // somebody works, or did within a day, on a task of the customer's that he didn't open himself
	Allowed  uint64  // categories that the purposes of all explaining tasks need
	Bounded  bool    // Allowed is known: an explaining task has a purpose
}

// Grade grades a look-up of employee e at customer c made at `at`, against what
// is known at `now` (microseconds, not before at). Facts between the two may
// explain, too: a contact told late, a task noted down while speaking.
func (f *Facts) Grade(e, c int32, at, now int64) Grade {
	best := Grade{Template: -1, Task: -1, OwnTask: -1, Helper: nobodyKnown}
	cu := &f.st.Customers[c]
	for _, n := range cu.Tasks {
		t := &f.st.Tasks[n]
		if t.Opened > now || t.Opened > at+ahead {
			continue
		}
		f.gradeTask(&best, t, n, e, cu, at, now)
	}
	for i := range f.templates {
		tpl := &f.templates[i]
		if tpl.Link != LinkContact && tpl.Link != LinkCalled {
			continue
		}
		if s := f.gradeContact(tpl, cu, e, at, now); s > best.Strength {
			best.Template, best.Strength, best.Task = i, s, -1
			best.Own, best.Stale, best.Later, best.Helper = false, 0, false, nobodyKnown
		}
	}
	for i := len(cu.Contacts) - 1; i >= 0 && cu.Contacts[i].At > at-day; i-- {
		if k := &cu.Contacts[i]; k.At <= now && k.At <= at+ahead && !k.Out {
			best.Live = true
		}
	}
	return best
}

// gradeTask holds one task against every template and keeps the better of it
// and best.
func (f *Facts) gradeTask(best *Grade, t *task, n, e int32, cu *customer, at, now int64) {
	stale := t.stale(e, at)
	if t.OpenedBy != e && stale < day {
		best.Live = true
	}
	l := f.links(t, e, at, now)
	if l == (links{}) {
		return
	}
	ind, own, helper := f.independence(t, cu, e, at, now)
	if own {
		best.OwnTask = n
	}
	for i := range f.templates {
		tpl := &f.templates[i]
		factor := l.of(tpl.Link)
		if factor == 0 {
			continue
		}
		s := tpl.Strength * factor
		s *= ind
		if tpl.Link != LinkWorking {
			s *= freshness(stale, tpl.After.Microseconds(), tpl.Fades.Microseconds())
		}
		if s >= purposeCounts {
			if m, ok := f.needs[t.Purpose]; ok {
				best.Allowed |= m
				best.Bounded = true
			}
		}
		if s > best.Strength || best.Template < 0 {
			best.Template, best.Strength, best.Task = i, s, n
			best.Own, best.Stale, best.Later, best.Helper = own, stale, t.Opened > at, helper
		}
	}
}

// links are the ways in which one task ties to one employee, each 0..1.
type links struct {
	assigned, worked, opened, handed, team, working, reviewed float64
}

func (l links) of(k Link) float64 {
	switch k {
	case LinkAssigned:
		return l.assigned
	case LinkWorked:
		return l.worked
	case LinkOpened:
		return l.opened
	case LinkHanded:
		return l.handed
	case LinkTeam:
		return l.team
	case LinkWorking:
		return l.working
	case LinkReviewed:
		return l.reviewed
	}
	return 0
}

// links finds how the task ties to the employee at `at`, as known at `now`.
func (f *Facts) links(t *task, e int32, at, now int64) (l links) {
	em := &f.st.Employees[e]
	if t.OpenedBy == e {
		l.opened = 1
	}
	f.linksOfWork(&l, t, e, at, now)
	for i := range t.Assigned {
		a := &t.Assigned[i]
		if a.Since > now || a.Since > at+ahead {
			continue
		}
		// G6: an assignment that he made himself counts as far as an outcome does.
		word := 1.0
		if a.By == e {
			word = max(l.worked, l.working)
		}
		running := a.Until == 0 || a.Until >= at || a.Until == t.Closed
		switch {
		case a.Employee == e && running:
			l.assigned = max(l.assigned, word)
		case a.Employee == e:
			l.handed = max(l.handed, word)
		case a.Team >= 0 && a.Team == em.Team && running:
			l.team = max(l.team, word)
		case a.Team >= 0 && a.Team == em.Team:
			l.team = max(l.team, 0.7*word)
		}
		if a.Employee >= 0 && a.Employee != e && f.st.Employees[a.Employee].Manager == e {
			l.reviewed = 1
		}
	}
	return l
}

// linksOfWork finds what work ties the task to the employee. G6: of his own
// work only what shows outside his own notes counts.
func (f *Facts) linksOfWork(l *links, t *task, e int32, at, now int64) {
	for i := range t.Work {
		w := &t.Work[i]
		switch {
		case w.At > now:
		case w.Employee != e:
			if w.At <= at && f.st.Employees[w.Employee].Manager == e {
				l.reviewed = 1
			}
		case w.At <= at:
			l.worked = max(l.worked, outcomeOf(w.Kind))
		case w.At <= at+ahead:
			l.working = max(l.working, outcomeOf(w.Kind))
		}
	}
}

// gradeContact holds the customer's contacts against one template.
func (f *Facts) gradeContact(tpl *Template, cu *customer, e int32, at, now int64) float64 {
	best := 0.0
	for i := len(cu.Contacts) - 1; i >= 0; i-- {
		k := &cu.Contacts[i]
		if k.At > now || k.At > at+ahead/4 {
			continue
		}
		over := at - max(k.At, k.Until)
		if over > tpl.After.Microseconds()+8*tpl.Fades.Microseconds() {
			break
		}
		mine := k.Employee == e && tpl.Link == LinkContact
		open := k.Employee == nobodyKnown && !k.Out && tpl.Link == LinkCalled
		if mine || open {
			best = max(best, tpl.Strength*freshness(over, tpl.After.Microseconds(), tpl.Fades.Microseconds()))
		}
	}
	return best
}

// independence says how far something stands beside the task that isn't the
// employee's own word (G6): 1 fully, 0 not at all. own reports that nothing
// does; helper names the colleague whose word alone stands behind it.
func (f *Facts) independence(t *task, cu *customer, e int32, at, now int64) (factor float64, own bool, helper int32) {
	if t.OpenedBy != e {
		if t.OpenedBy >= 0 && f.beside(t, cu, e, now) == 0 {
			return 1, false, t.OpenedBy
		}
		return 1, false, nobodyKnown
	}
	if t.Confirmed >= 0 && t.Confirmed != e {
		return 1, false, nobodyKnown
	}
	b := f.beside(t, cu, e, now)
	return b, b < 0.5, nobodyKnown
}

// beside weighs what stands beside a task besides the word of its opener and of
// e: the customer's contact, a colleague's work, an outcome.
func (f *Facts) beside(t *task, cu *customer, e int32, now int64) float64 {
	best := 0.0
	for i := range cu.Contacts {
		k := &cu.Contacts[i]
		switch {
		case k.At > now || k.At < t.Opened-contactBefore:
		case !k.Out && k.At <= t.Opened+contactAfter:
			return 1
		case k.Out && k.At >= t.Opened && (t.Closed == 0 || k.At <= t.Closed+day):
			best = max(best, 0.8) // the mail server saw an answer leave
		}
	}
	for i := range t.Assigned {
		if a := &t.Assigned[i]; a.Since <= now && (a.By >= 0 && a.By != t.OpenedBy && a.By != e || a.Employee >= 0 && a.Employee != t.OpenedBy && a.Employee != e) {
			best = max(best, 0.9)
		}
	}
	for i := range t.Work {
		w := &t.Work[i]
		switch {
		case w.At > now:
		case w.Employee != e && w.Employee != t.OpenedBy:
			best = max(best, 0.9)
		default:
			best = max(best, outcomeOf(w.Kind))
		}
	}
	return best
}

// outcomeOf says how far a kind of work shows in the world outside the
// employee's own notes.
func outcomeOf(kind uint8) float64 {
	switch kind {
	case workChange:
		return 0.7
	case workReply:
		return 0.5
	}
	return 0
}

// stale returns for how long the task had been closed at `at`: since it was
// closed or since somebody else than e was last at it, whichever is later. A
// task that colleagues take up again is alive, whatever its state says.
func (t *task) stale(e int32, at int64) int64 {
	if t.Closed == 0 || t.Closed > at {
		return 0
	}
	last := t.Closed
	for i := range t.Work {
		if w := &t.Work[i]; w.Employee != e && w.At <= at {
			last = max(last, w.At)
		}
	}
	for i := range t.Assigned {
		a := &t.Assigned[i]
		if a.By == e || a.Since > at {
			continue
		}
		last = max(last, a.Since)
		if a.Since > t.Closed && (a.Until == 0 || a.Until > at) {
			return 0 // assigned anew
		}
	}
	return at - last
}

// freshness is 1 up to `after` past the end and halves with every `half` from
// there on.
func freshness(past, after, half int64) float64 {
	if past <= after {
		return 1
	}
	if half <= 0 {
		return 0
	}
	return math.Exp2(-float64(past-after) / float64(half))
}
