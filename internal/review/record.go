package review

import (
	"encoding/binary"
	"math"
	"time"

	"paravent/internal/access"
)

// A record is one event in the form in which events are sorted, kept and
// spilled: 8 bytes of time, 1 byte of rank, then the event's fields, each with
// its length before it. Records compare as byte strings, which puts events in
// order of time; at equal times in order of rank; at equal ranks by content,
// so that the order of rows in a file plays no part in what a review finds.

// A rank says what a record holds and, at equal times, what comes first: facts
// before look-ups, beginnings before ends where one is the other's, the end of
// an assignment before the next one of the same kind begins.
type rank byte

const (
	rankPurpose rank = iota
	rankEmployee
	rankCustomer
	rankRelation
	rankTaskOpened
	rankAssignedBriefly // an assignment that ends when it begins
	rankUnassigned
	rankAssigned
	rankContacted
	rankOrdered
	rankInNews
	rankWorked
	rankTaskClosed
	rankLookup
)

// known is the time of standing facts, which hold from the start.
const known = math.MinInt64

// headLen is the length of time and rank at the head of a record.
const headLen = 9

// recordTime returns the time of a record in microseconds since 1970, known
// for a standing fact.
func recordTime(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b) ^ 1<<63)
}

// recordRank returns the rank of a record.
func recordRank(b []byte) rank { return rank(b[8]) }

// startRecord begins a record at the end of b.
func startRecord(b []byte, at int64, r rank) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(at)^1<<63)
	return append(b, byte(r))
}

// addField adds a field to the record at the end of b.
func addField(b, field []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

// addTime adds a time in microseconds as a field, empty where it isn't known.
func addTime(b []byte, us int64, isKnown bool) []byte {
	if !isKnown {
		return append(b, 0)
	}
	b = append(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(us))
}

// fields reads the fields of a record one after the other. Records are made by
// this package alone, so a malformed one is a programmer's mistake and panics
// by index.
type fields struct{ rest []byte }

func (f *fields) next() []byte {
	n, used := binary.Uvarint(f.rest)
	field := f.rest[used : used+int(n)]
	f.rest = f.rest[used+int(n):]
	return field
}

func (f *fields) nextTime() time.Time {
	b := f.next()
	if len(b) == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
}

// decoder turns records back into events. Strings that come again and again
// are shared; those that are shared must not be changed.
type decoder struct {
	words      words
	categories map[string][]access.Category
}

func newDecoder() *decoder {
	return &decoder{categories: map[string][]access.Category{}}
}

// event returns the event that a record holds.
func (d *decoder) event(b []byte) access.Event {
	at := time.UnixMicro(recordTime(b)).UTC()
	f := &fields{b[headLen:]}
	switch recordRank(b) {
	case rankLookup:
		return d.lookup(at, f)
	case rankTaskOpened:
		e := &access.TaskOpened{}
		e.ID, e.Customer = access.TaskID(d.word(f)), access.CustomerID(d.word(f))
		e.Purpose, e.Channel = access.Purpose(d.word(f)), d.word(f)
		e.Order, e.OpenedAt, e.OpenedBy = access.OrderID(f.next()), at, d.word(f)
		return e
	case rankTaskClosed:
		return &access.TaskClosed{Task: access.TaskID(d.word(f)), At: at, By: d.word(f)}
	case rankAssigned, rankAssignedBriefly:
		e := &access.Assigned{}
		e.Task, e.Employee, e.Team = access.TaskID(d.word(f)), access.EmployeeID(d.word(f)), access.TeamID(d.word(f))
		e.Since, e.By = at, d.word(f)
		return e
	case rankUnassigned:
		return &access.Unassigned{Task: access.TaskID(d.word(f)), Employee: access.EmployeeID(d.word(f)), Team: access.TeamID(d.word(f)), At: at}
	case rankWorked:
		return &access.Worked{Work: access.Work{Task: access.TaskID(d.word(f)), Employee: access.EmployeeID(d.word(f)), At: at, Kind: d.word(f)}}
	case rankContacted:
		e := &access.Contacted{}
		e.ID, e.Customer, e.At, e.Until = access.ContactID(f.next()), access.CustomerID(d.word(f)), at, f.nextTime()
		e.Channel, e.Direction, e.Employee = d.word(f), d.word(f), access.EmployeeID(d.word(f))
		return e
	case rankOrdered:
		return &access.Ordered{Order: access.Order{ID: access.OrderID(f.next()), Customer: access.CustomerID(d.word(f)), At: at}}
	case rankInNews:
		return &access.InNews{News: access.News{Customer: access.CustomerID(d.word(f)), At: at}}
	default:
		return d.standing(recordRank(b), f)
	}
}

func (d *decoder) lookup(at time.Time, f *fields) *access.Lookup {
	l := &access.Lookup{At: at, ID: access.LookupID(f.next())}
	l.Employee, l.Customer = access.EmployeeID(d.word(f)), access.CustomerID(d.word(f))
	l.Action, l.Categories = access.Action(d.word(f)), d.list(f.next())
	l.Record, l.Task, l.Reason = access.OrderID(d.word(f)), access.TaskID(d.word(f)), d.word(f)
	l.Session, l.Device, l.Site = access.SessionID(d.word(f)), d.word(f), d.word(f)
	l.Outcome = access.Outcome(d.word(f))
	return l
}

// standing returns the facts that hold from the start.
func (d *decoder) standing(r rank, f *fields) access.Event {
	switch r {
	case rankEmployee:
		e := &access.EmployeeKnown{}
		e.ID, e.Surname, e.Household = access.EmployeeID(f.next()), string(f.next()), string(f.next())
		e.Team, e.Role, e.Manager = access.TeamID(d.word(f)), access.Role(d.word(f)), access.EmployeeID(d.word(f))
		e.JoinedOn, e.LeavesOn = f.nextTime(), f.nextTime()
		return e
	case rankCustomer:
		e := &access.CustomerKnown{}
		e.ID, e.Surname, e.Household = access.CustomerID(f.next()), d.word(f), d.word(f)
		e.Notable, e.Employee = len(f.next()) > 0, access.EmployeeID(f.next())
		return e
	case rankRelation:
		return &access.Related{Relation: access.Relation{Employee: access.EmployeeID(d.word(f)), Customer: access.CustomerID(d.word(f)), Kind: access.RelationKind(d.word(f))}}
	default:
		return &access.PurposeNeeds{Purpose: access.Purpose(f.next()), Categories: d.list(f.next())}
	}
}

func (d *decoder) word(f *fields) string { return d.words.share(f.next()) }

// list returns the words of b, which are separated by blanks.
func (d *decoder) list(b []byte) []access.Category {
	if list, ok := d.categories[string(b)]; ok {
		return list
	}
	var list []access.Category
	for _, w := range splitBlanks(b) {
		list = append(list, access.Category(w))
	}
	if len(d.categories) < 1<<12 {
		d.categories[string(b)] = list
	}
	return list
}

// words shares equal strings. It forgets: each place keeps the last string
// that fell on it, so that it stays small whatever it is fed.
type words struct{ slots [1 << 14]string }

// share returns b as a string, without allocating where it kept the same.
func (w *words) share(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	slot := &w.slots[hash(b)&uint64(len(w.slots)-1)]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
