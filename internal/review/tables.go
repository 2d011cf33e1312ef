package review

import (
	"bytes"
	"slices"

	"paravent/internal/access"
)

// A table says how the rows of one file become records.
type table struct {
	name    string   // the file's name without .csv
	columns []string // in the order in which cells are handed to read
	must    int      // so many of the columns, from the first, the header must have
	read    func(t *tableReader, c [][]byte) (reason string)
	missing string // what can't be told without the file
}

// The reasons for which a row is bad, besides those of form and time.
const (
	reasonNoOwner    = "neither employee nor team is given"
	reasonBackwards  = "ends before it begins (columns since, until)"
	reasonOpened     = "closed before it was opened (columns opened_at, closed_at)"
	reasonContact    = "ends before it begins (columns at, until)"
	reasonDuplicate  = "an earlier row has the same id (column id)"
	reasonAction     = "unknown action (column action): expected search, view or export"
	reasonOutcome    = "unknown outcome (column outcome): expected shown, refused, missed or break_glass"
	reasonNotable    = "unknown word (column notable): expected yes, no or nothing"
	reasonDirection  = "unknown direction (column direction): expected in, out or nothing"
	reasonRelation   = "unknown kind (column kind): expected self, family, former_partner, coworker or neighbour"
	reasonEmptyStart = "empty cell: "
	reasonTimeStart  = "not a time with an offset or Z (RFC 3339): column "
	reasonDateStart  = "not a date (2006-01-02): column "
)

// accessesTable is the only file that a review can't do without.
const accessesTable = "accesses"

// tables are the files of a review, in the order in which they are told of.
var tables = []table{
	{accessesTable, []string{"id", "at", "employee", "customer", "action", "categories", "record", "task", "reason", "session", "device", "site", "outcome"}, 5, readAccess, ""},
	{"tasks", []string{"id", "customer", "opened_at", "purpose", "channel", "opened_by", "closed_at", "closed_by", "order"}, 3, readTask,
		"No tasks: no look-up could be explained by a ticket, call or order problem that was open for the customer, and nobody could be seen to go beyond a purpose."},
	{"assignments", []string{"task", "since", "employee", "team", "until", "by"}, 2, readAssignment,
		"No assignments: a task could not be tied to those who were given it, only to those who opened it, closed it or left work on it."},
	{"work", []string{"task", "employee", "at", "kind"}, 3, readWork,
		"No work: notes, replies and refunds could not show that an employee really worked on a task."},
	{"contacts", []string{"id", "customer", "at", "until", "channel", "direction", "employee"}, 3, readContact,
		"No contacts: the customers' own calls, mails and chats could not stand behind a task, so a task that an employee opened himself looks like any other."},
	{"customers", []string{"id", "surname", "household", "notable", "employee"}, 1, readCustomer,
		"No customers: people in the public eye, shared surnames and households, and customers who are employees themselves could not be seen."},
	{"employees", []string{"id", "surname", "household", "team", "role", "manager", "joined_on", "leaves_on"}, 1, readEmployee,
		"No employees: teams, roles, bots, surnames and people about to leave could not be seen, so a task assigned to a team explains nobody's look-up."},
	{"relations", []string{"employee", "customer", "kind"}, 3, readRelation,
		"No relations: declared ties (family, former partners, coworkers, neighbours) could not be seen."},
	{"orders", []string{"id", "customer", "at"}, 3, readOrder,
		"No orders: a look right after a new order could not be seen."},
	{"purposes", []string{"purpose", "categories"}, 2, readPurpose,
		"No purposes: what a task's purpose needs was taken from the policy instead of the company's own list."},
	{"news", []string{"customer", "at"}, 2, readNews,
		"No news: that a customer was in the news could only be seen from the crowd that looked."},
}

func readAccess(t *tableReader, c [][]byte) string {
	if len(c[12]) > 0 && !isOutcome(c[12]) {
		return reasonOutcome
	}
	// Who asked for somebody who wasn't found, or was refused, may have named nobody.
	nobody := string(c[12]) == string(access.OutcomeMissed) || string(c[12]) == string(access.OutcomeRefused)
	for i := range 5 {
		if len(c[i]) == 0 && !(i == 3 && nobody) {
			return t.empty(i)
		}
	}
	at, ok := parseTime(c[1])
	if !ok {
		return t.badTime(1)
	}
	switch access.Action(c[4]) {
	case access.ActionSearch, access.ActionView, access.ActionExport:
	default:
		return reasonAction
	}
	if !t.ids.add(c[0]) {
		return reasonDuplicate
	}
	b := t.record(at, rankLookup, c[0], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12])
	t.inputHash += hash(b)
	t.last = max(t.last, at)
	t.emit(b)
	return ""
}

func isOutcome(b []byte) bool {
	switch access.Outcome(b) {
	case access.OutcomeShown, access.OutcomeRefused, access.OutcomeMissed, access.OutcomeBreakGlass, access.OutcomeFailed, access.OutcomeUnknown:
		return true
	}
	return false
}

func readTask(t *tableReader, c [][]byte) string {
	opened, closed, isClosed, reason := t.span(c, 3, 2, 6, reasonOpened)
	if reason != "" {
		return reason
	}
	t.emit(t.record(opened, rankTaskOpened, c[0], c[1], c[3], c[4], c[8], c[5]))
	if isClosed {
		t.emit(t.record(closed, rankTaskClosed, c[0], c[7]))
	}
	return ""
}

func readAssignment(t *tableReader, c [][]byte) string {
	since, until, ends, reason := t.span(c, 2, 1, 4, reasonBackwards)
	if reason != "" {
		return reason
	}
	if len(c[2]) == 0 && len(c[3]) == 0 {
		return reasonNoOwner
	}
	begins := rankAssigned
	if ends && until == since {
		begins = rankAssignedBriefly
	}
	t.emit(t.record(since, begins, c[0], c[2], c[3], c[5]))
	if ends {
		t.emit(t.record(until, rankUnassigned, c[0], c[2], c[3]))
	}
	return ""
}

func readWork(t *tableReader, c [][]byte) string {
	at, reason := t.moment(c, 3, 2)
	if reason == "" {
		t.emit(t.record(at, rankWorked, c[0], c[1], c[3]))
	}
	return reason
}

func readContact(t *tableReader, c [][]byte) string {
	if len(c[2]) == 0 {
		return t.empty(2)
	}
	at, until, ends, reason := t.span(c, 0, 2, 3, reasonContact)
	if reason != "" {
		return reason
	}
	if d := string(c[5]); d != "" && d != "in" && d != "out" {
		return reasonDirection
	}
	b := startRecord(t.scratch[:0], at, rankContacted)
	b = addField(addField(b, c[0]), c[1])
	b = addTime(b, until, ends)
	t.scratch = addField(addField(addField(b, c[4]), c[5]), c[6])
	t.emit(t.scratch)
	return ""
}

func readCustomer(t *tableReader, c [][]byte) string {
	if len(c[0]) == 0 {
		return t.empty(0)
	}
	notable := c[3]
	switch string(notable) {
	case "yes", "":
	case "no":
		notable = nil
	default:
		return reasonNotable
	}
	t.emit(t.record(known, rankCustomer, c[0], c[1], c[2], notable, c[4]))
	return ""
}

func readEmployee(t *tableReader, c [][]byte) string {
	if len(c[0]) == 0 {
		return t.empty(0)
	}
	joined, okJoined := parseDayOrTime(c[6])
	leaves, okLeaves := parseDayOrTime(c[7])
	if !okJoined && len(c[6]) > 0 {
		return reasonDateStart + t.table.columns[6]
	}
	if !okLeaves && len(c[7]) > 0 {
		return reasonDateStart + t.table.columns[7]
	}
	b := startRecord(t.scratch[:0], known, rankEmployee)
	for _, field := range c[:6] {
		b = addField(b, field)
	}
	t.scratch = addTime(addTime(b, joined, okJoined), leaves, okLeaves)
	t.emit(t.scratch)
	return ""
}

func readRelation(t *tableReader, c [][]byte) string {
	for i := range 3 {
		if len(c[i]) == 0 {
			return t.empty(i)
		}
	}
	switch access.RelationKind(c[2]) {
	case access.RelationSelf, access.RelationFamily, access.RelationFormerPartner, access.RelationCoworker, access.RelationNeighbour:
	default:
		return reasonRelation
	}
	t.emit(t.record(known, rankRelation, c...))
	return ""
}

func readOrder(t *tableReader, c [][]byte) string {
	at, reason := t.moment(c, 3, 2)
	if reason == "" {
		t.emit(t.record(at, rankOrdered, c[0], c[1]))
	}
	return reason
}

func readPurpose(t *tableReader, c [][]byte) string {
	for i := range 2 {
		if len(c[i]) == 0 {
			return t.empty(i)
		}
	}
	t.emit(t.record(known, rankPurpose, c[0], bytes.Join(splitBlanks(c[1]), []byte{' '})))
	return ""
}

func readNews(t *tableReader, c [][]byte) string {
	at, reason := t.moment(c, 2, 1)
	if reason == "" {
		t.emit(t.record(at, rankInNews, c[0]))
	}
	return reason
}

// moment returns the time in column at; the first filled columns must have
// something in them.
func (t *tableReader) moment(c [][]byte, filled, at int) (us int64, reason string) {
	us, _, _, reason = t.span(c, filled, at, -1, "")
	return us, reason
}

// span returns the time in column from and, where there is one, in column to;
// the first filled columns must have something in them.
func (t *tableReader) span(c [][]byte, filled, from, to int, backwards string) (begins, ends int64, hasEnd bool, reason string) {
	for i := range filled {
		if len(c[i]) == 0 {
			return 0, 0, false, t.empty(i)
		}
	}
	begins, ok := parseTime(c[from])
	if !ok {
		return 0, 0, false, t.badTime(from)
	}
	if to < 0 || len(c[to]) == 0 {
		return begins, 0, false, ""
	}
	if ends, ok = parseTime(c[to]); !ok {
		return 0, 0, false, t.badTime(to)
	}
	if ends < begins {
		return 0, 0, false, backwards
	}
	return begins, ends, true, ""
}

func (t *tableReader) empty(i int) string   { return reasonEmptyStart + "column " + t.table.columns[i] }
func (t *tableReader) badTime(i int) string { return reasonTimeStart + t.table.columns[i] }

// record returns a record of these fields, valid until the next one is made.
func (t *tableReader) record(at int64, r rank, fields ...[]byte) []byte {
	b := startRecord(t.scratch[:0], at, r)
	for _, field := range fields {
		b = addField(b, field)
	}
	t.scratch = b
	return b
}

// splitBlanks returns the words of b.
func splitBlanks(b []byte) [][]byte {
	return slices.DeleteFunc(bytes.Split(b, []byte{' '}), func(w []byte) bool { return len(w) == 0 })
}
