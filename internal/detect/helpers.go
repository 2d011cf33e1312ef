package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"paravent/internal/access"
)

// favour is a visit under a task that a colleague opened, with nothing of the
// customer's and no outcome beside it. One alone says nothing: honest tasks
// lack a contact now and then.
type favour struct {
	Opener, Looker, C int32
	At                int64
	Task              access.TaskID
	Looks             []look
}

// favoured notes a visit that only a colleague's word explains.
func (e *Engine) favoured(en, cn int32, j *judged) {
	if j.Helper < 0 || j.Task < 0 || !j.Opened || j.Outage || e.facts.Role(en).Automatic() || e.facts.Role(j.Helper).Automatic() {
		return
	}
	e.st.Favours = append(e.st.Favours, favour{Opener: j.Helper, Looker: en, C: cn, At: j.First, Task: e.facts.TaskID(j.Task), Looks: slices.Clone(j.Looks)})
	e.st.NewFavours = true
}

// helpers looks, at the end of a day, for two employees who open tasks for each
// other. A favour counts once its task has had a day to show something of the
// customer's, and only as long as it shows nothing.
func (e *Engine) helpers(now int64) {
	if !e.st.NewFavours {
		return
	}
	e.st.NewFavours = false
	var ripe []favour
	e.st.Favours = slices.DeleteFunc(e.st.Favours, func(f favour) bool {
		if f.At > now-day {
			e.st.NewFavours = true // looked at again tomorrow
			return false
		}
		n := e.facts.TaskNumber(f.Task)
		if n < 0 || e.facts.Beside(n, f.Looker, now) > 0 {
			return true
		}
		ripe = append(ripe, f)
		return f.At < now-longWindow
	})
	slices.SortStableFunc(ripe, func(a, b favour) int {
		return cmp.Or(cmp.Compare(min(a.Opener, a.Looker), min(b.Opener, b.Looker)), cmp.Compare(max(a.Opener, a.Looker), max(b.Opener, b.Looker)), cmp.Compare(a.At, b.At))
	})
	for len(ripe) > 0 {
		a, b := min(ripe[0].Opener, ripe[0].Looker), max(ripe[0].Opener, ripe[0].Looker)
		n := 1
		for n < len(ripe) && min(ripe[n].Opener, ripe[n].Looker) == a && max(ripe[n].Opener, ripe[n].Looker) == b {
			n++
		}
		e.helpersOf(a, b, ripe[:n], now)
		ripe = ripe[n:]
	}
}

// helpersOf weighs the favours between two employees.
func (e *Engine) helpersOf(a, b int32, favours []favour, now int64) {
	var tasks [2]map[access.TaskID]bool
	tasks[0], tasks[1] = map[access.TaskID]bool{}, map[access.TaskID]bool{}
	var looks []look
	var customers []int32
	lookers := map[int32]bool{}
	for i := range favours {
		f := &favours[i]
		side := 0
		if f.Opener == b {
			side = 1
		}
		tasks[side][f.Task] = true
		lookers[f.Looker] = true
		looks = append(looks, f.Looks...)
		if !slices.Contains(customers, f.C) {
			customers = append(customers, f.C)
		}
	}
	back, forth := len(tasks[0]), len(tasks[1])
	returned := min(back, forth)
	if !e.seldom(a, now) && !e.seldom(b, now) {
		returned-- // between two who open many, one may be chance
	}
	if returned <= 0 || len(lookers) < 2 {
		return
	}
	var rs reasons
	rs.add("each_other", weightEachOther*math.Log2(1+2*float64(returned)), fmt.Sprintf("These two opened tasks for each other (%d and %d), and nothing of the customers' and no outcome stands beside them.", back, forth))
	e.propose(candidate{kind: KindHelpers, employees: []int32{a, b}, customers: customers, looks: looks, reasons: rs}, now)
}
