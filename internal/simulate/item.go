package simulate

import (
	"strconv"

	"paravent/internal/access"
)

// kind says what an item is; the order is that of items of the same second
// that were planned together.
type kind uint8

const (
	isContact kind = iota
	isOpened
	isAssigned
	isUnassigned
	isLookup
	isWork
	isClosed
	isOrder
	isNews
)

// The origins besides employees.
const (
	byUnknown  int32 = -1
	byCustomer int32 = -2
	bySystem   int32 = -3
)

// item is one thing that happens, small enough that a busy day of a large
// company can be held and sorted. Employees, customers, orders and teams are
// indices or none.
type item struct {
	at, end  int64  // seconds; end: closing, end of an assignment or contact; 0 not known
	number   uint64 // contact, or the look-up's own number once it is yielded
	task     uint64 // 0 none
	label    *label
	seq      uint32 // order among items of one second
	customer int32
	order    int32
	employee int32
	by       int32 // who opened, closed or assigned
	closer   int32
	device   int32 // none: the employee's own
	team     int16
	kind     kind
	cats     cats
	code     uint8 // purpose or kind of work
	channel  channel
	action   action
	reason   reason
	site     uint8 // 0: the employee's own
	out      bool  // a contact that went out
	selfMade bool
}

type action uint8

const (
	view action = iota
	search
	export
)

var actions = [...]access.Action{access.ActionView, access.ActionSearch, access.ActionExport}

// label is an episode; its look-ups point to it.
type label struct {
	number   int
	scenario Scenario
}

// of returns the label of one look-up.
func (l *label) of(lookup uint64) Label {
	return Label{
		Access:   lookupID(lookup),
		Episode:  episodeName(l.number),
		Scenario: l.scenario,
		Benign:   l.scenario[0] == 'N',
	}
}

func lookupID(n uint64) access.LookupID {
	return access.LookupID("a" + strconv.FormatUint(n, 10))
}

func episodeName(n int) string { return "p" + strconv.Itoa(n) }

func contactID(n uint64) access.ContactID {
	return access.ContactID("k" + strconv.FormatUint(n, 10))
}

// origin names who stands behind a fact.
func (s *Shop) origin(by int32) string {
	switch by {
	case byUnknown:
		return ""
	case byCustomer:
		return access.ByCustomer
	case bySystem:
		return access.BySystem
	}
	return string(s.people[by].id)
}

func (s *Shop) employeeID(e int32) access.EmployeeID {
	if e < 0 {
		return ""
	}
	return s.people[e].id
}

func (s *Shop) customerID(c int32) access.CustomerID {
	if c < 0 {
		return ""
	}
	return s.Customers[c].ID
}

// sessionDay is the day on which the session of second t began: a night's
// session began on the evening before.
func (s *Shop) sessionDay(e int32, t int64) int {
	d := s.dayOf(t)
	if e >= 0 && s.people[e].night && t-s.dayStart(d) < 7*3600 {
		d--
	}
	return d
}

// desk is where a look-up was made.
type desk struct {
	session int64
	device  int32
	site    uint8
}

func (s *Shop) deskOf(it *item) desk {
	d := s.sessionDay(it.employee, it.at)
	k := desk{session: int64(d+10_000)*int64(len(s.people)) + int64(it.employee), device: it.device, site: it.site}
	if k.device == none {
		k.device = s.device(it.employee, d, it.at)
	}
	if k.site == 0 {
		k.site = s.site(it.employee, d)
	}
	return k
}

// task returns the task as it was opened.
func (s *Shop) task(it *item) access.Task {
	t := access.Task{
		ID:       taskID(it.task),
		Customer: s.customerID(it.customer),
		Purpose:  purposes[it.code].name,
		Channel:  channels[it.channel],
		OpenedAt: moment(it.at),
		OpenedBy: s.origin(it.by),
		SelfMade: it.selfMade,
	}
	if it.order != none {
		t.Order = orderID(it.order)
	}
	return t
}

// event writes an item out in the words of package access.
func (s *Shop) event(it item) access.Event {
	switch it.kind {
	case isLookup:
		return s.lookup(&it)
	case isContact:
		return &access.Contacted{Contact: s.contact(&it)}
	case isOpened:
		return &access.TaskOpened{Task: s.task(&it)}
	case isClosed:
		return &access.TaskClosed{Task: taskID(it.task), At: moment(it.at), By: s.origin(it.by)}
	case isAssigned:
		return &access.Assigned{Assignment: s.assignment(&it)}
	case isUnassigned:
		a := s.assignment(&it)
		return &access.Unassigned{Task: a.Task, Employee: a.Employee, Team: a.Team, At: moment(it.at)}
	case isWork:
		return &access.Worked{Work: access.Work{Task: taskID(it.task), Employee: s.employeeID(it.employee), At: moment(it.at), Kind: workKinds[it.code]}}
	case isOrder:
		return &access.Ordered{Order: access.Order{ID: orderID(it.order), Customer: s.customerID(it.customer), At: moment(it.at)}}
	case isNews:
		return &access.InNews{News: access.News{Customer: s.customerID(it.customer), At: moment(it.at)}}
	}
	panic("simulate: an item of no kind")
}

func (s *Shop) lookup(it *item) *access.Lookup {
	k := s.deskOf(it)
	l := &access.Lookup{
		ID:         lookupID(it.number),
		At:         moment(it.at),
		Employee:   s.employeeID(it.employee),
		Customer:   s.customerID(it.customer),
		Action:     actions[it.action],
		Categories: categoryLists[it.cats],
		Reason:     reasons[it.reason],
		Session:    access.SessionID("s" + strconv.FormatInt(k.session, 10)),
		Device:     "d" + strconv.Itoa(1001+int(k.device)),
		Site:       sites[k.site],
		Outcome:    access.OutcomeShown,
	}
	if it.order != none {
		l.Record = orderID(it.order)
	}
	if it.task != 0 {
		l.Task = taskID(it.task)
	}
	return l
}

func (s *Shop) contact(it *item) access.Contact {
	c := access.Contact{
		ID: contactID(it.number), Customer: s.customerID(it.customer), At: moment(it.at), Until: moment(it.end),
		Channel: channels[it.channel], Direction: "in", Employee: s.employeeID(it.employee),
	}
	if it.out {
		c.Direction = "out"
	}
	return c
}

// assignment leaves Until empty: that is another event.
func (s *Shop) assignment(it *item) access.Assignment {
	a := access.Assignment{Task: taskID(it.task), Employee: s.employeeID(it.employee), Since: moment(it.at), By: s.origin(it.by)}
	if it.employee < 0 {
		a.Team = s.teams[it.team].id
	}
	return a
}
