package simulate

import "paravent/internal/access"

// try plans what a snooper tries.
func (l *Live) try(at int64) {
	t, ok := l.oneOf(func(t liveTask) bool { return t.begin < at && t.end > at+20*second })
	if !ok {
		return
	}
	switch l.d.IntN(6) {
	case 0: // a stranger, under a task of his own
		a := l.ask(t, identity|contact, false)
		if c := int32(l.d.IntN(len(l.s.buyers))); c != t.customer {
			a.Customer, a.Reason = l.s.customerID(c), reasons[becauseData]
			l.tries(at, a)
		}
	case 1: // a person in the public eye, likewise, and again
		a := l.ask(t, identity|contact|orders, false)
		a.Customer = l.s.customerID(pickOne(l.d, l.s.notables))
		a.Reason = ""
		l.tries(at, a)
		again := *a
		l.tries(at+l.pause(4, 12), &again)
	case 2: // a task that was closed
		if old, ok := l.oneOf(func(t liveTask) bool { return t.end < at }); ok {
			l.tries(at, l.ask(old, purposes[old.purpose].needs, false))
		}
	case 3: // more than the purpose needs
		if t.purpose != forComplaint {
			l.tries(at, l.ask(t, everything, false))
		}
	case 4: // a colleague's task
		a := l.ask(t, identity|contact, false)
		if e := l.free(at); e != none && e != t.employee && l.s.people[e].team != l.s.people[t.employee].team {
			a.Employee = l.s.employeeID(e)
			l.tries(at, a)
		}
	case 5:
		l.notable(at)
	}
}

// oneOf draws one of the latest tasks that fits, or false.
func (l *Live) oneOf(fits func(liveTask) bool) (liveTask, bool) {
	for range 40 {
		if len(l.lately) == 0 {
			break
		}
		if t := pickOne(l.d, l.lately); fits(t) {
			return t, true
		}
	}
	return liveTask{}, false
}

func (l *Live) tries(at int64, a *Ask) { l.push(at, Step{Ask: a}) }

// notable lets a person in the public eye really call: whoever is given the
// task needs a second person.
func (l *Live) notable(at int64) {
	e := l.free(at)
	c := pickOne(l.d, l.s.notables)
	if e == none || l.s.knows(e, c) {
		return
	}
	order := int32(none)
	if all := l.s.ordersBefore(c, l.from); len(all) > 0 {
		order = all[len(all)-1]
	}
	t := l.newTask(c, order, forDelivery, e)
	l.tell(at, &access.Contacted{Contact: l.contact(c, e, at, byCall)},
		l.opened(t, at, byCall, access.BySystem), l.assigned(t, at, e, "", access.BySystem))
	l.tries(at+l.pause(5, 15), l.ask(t, identity|contact|orders, false))
	l.ends(t, at, at+l.pause(600, 900))
}

// guestTasks is how many open tasks the visitor has at most.
const guestTasks = 6

// serveGuest gives the demo's visitor a task; the oldest is taken from him when
// he has too many. Besides, there is always a call in progress for him, from
// somebody whom the telephone system doesn't know: Shop.Says tells what the
// customer of the Cast would say.
func (l *Live) serveGuest(at int64) {
	e := l.s.guest()
	c, order, ok := l.someone(e)
	if !ok {
		return
	}
	if at >= l.callEnds {
		call := l.contact(none, e, at, byCall)
		l.tell(at, &access.Contacted{Contact: call})
		l.callEnds = at + 1800*second
		call.Until = nano(l.callEnds)
		l.tell(l.callEnds, &access.Contacted{Contact: call})
	}
	kinds := [...]purpose{forReturn, forDelivery, forComplaint, forAccount, forInvoice, forRefund}
	t := l.newTask(c, order, kinds[l.tasks%uint64(len(kinds))], e)
	l.guests = append(l.guests, t)
	l.tell(at, &access.Contacted{Contact: l.contact(c, none, at, byMail)},
		l.opened(t, at, byMail, access.ByCustomer), l.assigned(t, at, e, "", access.BySystem))
	if len(l.guests) > guestTasks {
		l.tell(at, &access.TaskClosed{Task: l.guests[0].id, At: nano(at), By: access.BySystem})
		l.guests = l.guests[1:]
	}
}

// lastOrderBefore returns the customer's newest order before t, or none.
func (s *Shop) lastOrderBefore(c int32, t int64) int32 {
	if all := s.ordersBefore(c, t); len(all) > 0 {
		return all[len(all)-1]
	}
	return none
}
