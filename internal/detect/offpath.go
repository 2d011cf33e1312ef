package detect

import (
	"fmt"

	"paravent/internal/access"
)

// offPathMost is how many reads past Paravent one finding names; a leak of a
// million rows needs no more to be read.
const offPathMost = 1000

// offPath takes in a read past Paravent. No fact of the business explains it,
// for there was a way that would have recorded it; so the first of a day is
// raised at once, and the others of that day at its end. The budget of the day
// doesn't hold it back: there are two findings a day for each who does it, at
// most. Whom he saw isn't known.
func (e *Engine) offPath(l *access.Lookup, at int64) {
	e.st.Nothing++
	e.dayOf(at).Unexplained++
	en := e.facts.Employee(l.Employee)
	p := e.person(en)
	if len(p.Off) < offPathMost {
		p.Off = append(p.Off, look{ID: l.ID, At: at, Cats: e.facts.Mask(l.Categories), Action: actionOf(l.Action)})
	}
	now := max(at, e.st.Now)
	if last := e.lastRaised(string(KindOffPath) + "\x00" + string(l.Employee)); last == nil || (last.At-1)/day < now/day { // raised at midnight: of the day before
		e.raiseOffPath(en, now)
	}
}

// offPathOfDay raises, at the end of a day, what came after its first.
func (e *Engine) offPathOfDay(at int64) {
	for n := range e.st.People {
		if len(e.st.People[n].Off) > 0 {
			e.raiseOffPath(int32(n), at)
		}
	}
}

// raiseOffPath raises what an employee read past Paravent since the last time.
func (e *Engine) raiseOffPath(en int32, now int64) {
	p := e.person(en)
	var cats uint64
	for i := range p.Off {
		cats |= p.Off[i].Cats
	}
	what := "protected tables"
	if names := e.facts.Categories(cats); len(names) > 0 {
		what = "tables with " + list(names)
	}
	var rs reasons
	rs.add("off_path", weightOffPath, fmt.Sprintf("Read %s in the database itself, past Paravent: no task was named, and nothing bounded what was seen.", what))
	if n := len(p.Off); n > 1 {
		rs.add("again", weightOffPathAgain, fmt.Sprintf("Did so in %s.", count(n, "statement")))
	}
	c := candidate{kind: KindOffPath, employees: []int32{en}, looks: p.Off, reasons: rs}
	score, _ := rs.score()
	f := e.write(&c, score, now)
	p.Off = nil
	e.raise(f, now)
}
