package detect

import (
	"fmt"
	"math"

	"paravent/internal/access"
)

// pairReasons weighs one employee at one customer over the visits that leave a
// question. Each reason is a sentence for the reader of findings.
func (e *Engine) pairReasons(h *history) reasons {
	var rs reasons
	t := h.telling()
	u := t.Open
	rs.add("unexplained", weightOpen*u, e.openText(t))
	if t.Depth > 0 {
		rs.add("depth", weightDeep*u*min(1, float64(t.Depth)/2), fmt.Sprintf("Opened orders, goods, payments or deliveries in %s.", count(t.Depth, "look-up")))
	}
	if t.NoCase && !t.Own && u >= 0.7 {
		rs.add("no_case", weightNoCase*u*(0.5+0.5*min(1, float64(t.Depth))), "Nobody was working on anything for this customer, and the customer hadn't been in touch.")
	}
	if t.Dormant >= dormantFrom {
		rs.add("dormant", weightDormant, fmt.Sprintf("Named a task that had been closed for %s, with nobody at it since.", count(int(t.Dormant/day), "day")))
	}
	e.repetition(&rs, h, u)
	e.ties(&rs, h, t)
	e.moment(&rs, h, t)
	e.scope(&rs, h)
	e.ownWord(&rs, h)
	return rs
}

// openText says what is missing for a visit.
func (e *Engine) openText(t *judged) string {
	switch {
	case t.Own:
		return "Only a task that this employee opened himself speaks for the look-up; nothing of the customer's and no outcome stands beside it."
	case t.Template < 0:
		return "No task and no contact ties this employee to the customer."
	case t.Stale > day && t.Task >= 0:
		return fmt.Sprintf("The only task that ties this employee to the customer had been closed %s before.", count(int(t.Stale/day), "day"))
	case t.Open < 0.2:
		return "The look-up is explained."
	}
	return "The facts explain the look-up only weakly."
}

// repetition weighs coming back without a reason, on several days or several
// times on one day. Explained visits beside them make one or the other open
// visit expectable: people forget to write things down.
func (e *Engine) repetition(rs *reasons, h *history, u float64) {
	var days, visits int
	eff := -0.15 * float64(h.Calm)
	last, deep := int64(-1), false
	for i := range h.Visits {
		j := &h.Visits[i]
		if j.Open < openVisit || !j.Opened {
			continue
		}
		visits++
		half := j.worth() / 2
		if j.Own && !j.Seldom {
			half = min(half, 0.25) // who opens many tasks at a desk leaves some without a trace
		}
		if d := j.First / day; d != last {
			days, last, deep = days+1, d, false
			eff += half
		}
		if j.Depth > 0 && !deep {
			deep = true
			eff += half
		}
	}
	if days >= 2 && eff > 1 {
		rs.add("again", weightDays*math.Log2(eff), fmt.Sprintf("Came back: %s on %s without a sufficient reason.", count(visits, "visit"), count(days, "day")))
	}
	if more := visits - days; more > 0 {
		rs.add("same_day", weightSameDay*u*float64(min(more, 3)), fmt.Sprintf("Returned %s on the same day.", times(more)))
	}
}

// ties weighs how the employee and the customer know each other.
func (e *Engine) ties(rs *reasons, h *history, t *judged) {
	k := e.facts.Ties(h.E, h.C)
	u := t.Open
	switch {
	case k.Self:
		rs.add("self", weightSelf*u, "The customer is this employee's own account.")
		return
	case k.FormerPartner:
		rs.add("relation", weightDeclared*u, "The customer is a former partner of this employee.")
	case k.Family:
		rs.add("relation", weightDeclared*u, "The customer is family of this employee.")
	case k.Neighbour:
		rs.add("relation", weightDeclared*u, "The customer is a neighbour of this employee.")
	case k.Other:
		rs.add("relation", weightDeclared*u, "A tie between this employee and the customer was declared.")
	case k.Household:
		rs.add("household", weightHousehold*u, "The customer lives at this employee's address.")
	case k.Coworker && k.SameTeam:
		rs.add("coworker", weightColleague*u, "The customer is a colleague of this employee's own team.")
	case k.Coworker && e.facts.CustomerEmployee(h.C) < 0:
		rs.add("coworker", weightColleague*u, "The customer was declared to be a coworker of this employee.")
	case k.Coworker:
		rs.add("coworker", weightCoworker*u, "The customer works for the company.")
	}
	if k.Surname && !k.Household {
		rare := 1 / (1 + math.Log2(math.Max(1, float64(k.Namesakes)/4)))
		rs.add("surname", weightSurname*u*rare, fmt.Sprintf("The customer bears this employee's surname, as do %s.", count(k.Namesakes, "customer")))
	}
}

// moment weighs what lies around the look-ups in time.
func (e *Engine) moment(rs *reasons, h *history, t *judged) {
	u := t.Open
	if e.facts.Notable(h.C) {
		rs.add("notable", weightNotable*u, "The customer is in the public eye.")
	}
	if n := e.facts.NewsBefore(h.C, t.First); n > 0 && t.First-n < 3*day {
		rs.add("news", weightNews*u, "The customer had been in the news within three days.")
	}
	if t.NewOrder && !t.Own {
		rs.add("new_order", weightOrder*u, "The customer had placed an order within a day before.")
	}
	if t.Home && t.Depth > 0 && t.NoCase && !t.Own {
		rs.add("household_of", weightHome*u, "This employee had just served somebody else of the customer's household.")
	}
	if l := e.facts.Leaves(h.E); l > 0 && l > t.First && l-t.First < 31*day {
		rs.add("leaving", weightLeaving*u, "This employee leaves the company within a month.")
	}
	if t.Moved != 0 {
		rs.add("moved", weightMoved*u, "The device or the site changed within the session.")
	}
}

// scope weighs orders opened that show what the purpose doesn't need; the
// visit that goes furthest counts, as far as the purpose explains it: what has
// no purpose can't go beyond it.
func (e *Engine) scope(rs *reasons, h *history) {
	var worst *judged
	for i := range h.Visits {
		if j := &h.Visits[i]; j.BeyondOrders > 0 && (worst == nil || j.BeyondOrders >= worst.BeyondOrders) {
			worst = j
		}
	}
	if worst == nil || worst.BeyondOrders < 2 {
		return
	}
	rs.add("beyond", weightBeyond*worst.Strength*float64(min(worst.BeyondOrders, 6)), fmt.Sprintf("Opened %s that showed %s, which the task's purpose doesn't need.",
		count(worst.BeyondOrders, "order"), list(e.facts.Categories(worst.Beyond))))
	rs.add("orders", weightOrders*worst.Strength*float64(max(0, min(worst.Orders-3, 5))), fmt.Sprintf("Opened %s in one visit while going beyond the purpose.", count(worst.Orders, "different order")))
}

// ownWord weighs tasks that only the employee stands behind (G6). Service desks
// open, work and close a third of their tasks alone, and some walk-ups leave no
// trace, so own word alone isn't proof.
func (e *Engine) ownWord(rs *reasons, h *history) {
	var own *judged
	n := 0
	for i := range h.Visits {
		if j := &h.Visits[i]; j.Own && !j.Outage {
			own = j
			n++
		}
	}
	if own == nil {
		return
	}
	rs.add("own_word", weightOwn, "This employee opened the task himself, and it ended without any outcome.")
	if own.Seldom {
		rs.add("seldom", weightSeldom, "This employee hardly ever opens tasks.")
	}
	if own.Untraced {
		rs.add("untraced", weightChannel, "The task says that the customer wrote, but no server saw it.")
	}
}

// openVisit is the share left unexplained from which a visit counts as open.
const openVisit = 0.5

type reasons []Reason

func (rs *reasons) add(code string, weight float64, text string) {
	if weight >= 0.005 {
		*rs = append(*rs, Reason{Code: code, Weight: weight, Text: text})
	}
}

// score returns 1 − e^(−sum of weights), and the sum.
func (rs reasons) score() (score, sum float64) {
	for i := range rs {
		sum += rs[i].Weight
	}
	return 1 - math.Exp(-sum), sum
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func list(cats []access.Category) string {
	s := ""
	for i, c := range cats {
		switch {
		case i == 0:
		case i == len(cats)-1:
			s += " and "
		default:
			s += ", "
		}
		s += string(c)
	}
	return s
}
