package explain

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math/bits"
	"slices"

	"paravent/internal/access"
)

// The state behind Facts. Fields are exported for encoding/gob alone. Times are
// microseconds since 1970 UTC, 0 is not known; people are numbers.
type (
	state struct {
		Employees   []employee
		Customers   []customer
		Tasks       []task
		Free        []int32
		Teams       []access.TeamID
		Cats        []access.Category
		LastContact int64
		Hours       []contactHour // contacts heard of per hour, the last ten days
	}
	employee struct {
		ID                 access.EmployeeID
		Surname, Household string
		Role               access.Role
		Team, Manager      int32
		Joined, Leaves     int64
	}
	customer struct {
		ID                 access.CustomerID
		Surname, Household string
		Notable, Known     bool
		Employee           int32
		Tasks              []int32
		Contacts           []contact // in order of time
		Orders, News       []int64   // the last few, in order of time
	}
	contact struct {
		At, Until int64
		Employee  int32
		Out       bool
		Channel   string
	}
	task struct {
		ID                 access.TaskID
		Customer           int32
		Purpose            access.Purpose
		Channel            string
		Order              access.OrderID
		Opened, Closed     int64
		OpenedBy, ClosedBy int32
		Confirmed          int32
		Last               int64 // the latest of its facts
		Assigned           []assignment
		Work               []work
	}
	assignment struct {
		Employee, Team, By int32
		Since, Until       int64
	}
	work struct {
		Employee int32
		At       int64
		Kind     uint8
	}
	contactHour struct {
		Hour int64
		N    int32
	}
	need struct {
		Purpose access.Purpose
		Mask    uint64
	}
	tie struct {
		Pair  uint64
		Kinds uint8
	}
	snapshot struct {
		State   state
		Needs   []need
		Related []tie
	}
)

// The kinds of work, by what they prove.
const (
	workNote   uint8 = iota // a note, closing or transferring: nothing outside the company saw it
	workReply               // the customer was answered
	workChange              // something changed or was refunded, as the shop's own books show
)

func workKind(kind string) uint8 {
	switch kind {
	case "reply":
		return workReply
	case "refund", "change":
		return workChange
	}
	return workNote
}

func (t *task) touch(at int64) { t.Last = max(t.Last, at) }

// Employee returns the number of an employee, a new one at first sight.
func (f *Facts) Employee(id access.EmployeeID) int32 {
	if n, ok := f.employees[id]; ok {
		return n
	}
	n := int32(len(f.st.Employees))
	f.st.Employees = append(f.st.Employees, employee{ID: id, Team: nobodyKnown, Manager: nobodyKnown})
	f.employees[id] = n
	return n
}

// Customer returns the number of a customer, a new one at first sight.
func (f *Facts) Customer(id access.CustomerID) int32 {
	if n, ok := f.customers[id]; ok {
		return n
	}
	n := int32(len(f.st.Customers))
	f.st.Customers = append(f.st.Customers, customer{ID: id, Employee: nobodyKnown})
	f.customers[id] = n
	return n
}

// Team returns the number of a team, a new one at first sight.
func (f *Facts) Team(id access.TeamID) int32 {
	if n, ok := f.teams[id]; ok {
		return n
	}
	n := int32(len(f.st.Teams))
	f.st.Teams = append(f.st.Teams, id)
	f.teams[id] = n
	return n
}

// taskAt returns the task of this id, an empty one at first sight. The pointer
// holds until the next task is added.
func (f *Facts) taskAt(id access.TaskID) *task {
	if n, ok := f.tasks[id]; ok {
		return &f.st.Tasks[n]
	}
	n := int32(len(f.st.Tasks))
	if k := len(f.st.Free); k > 0 {
		n, f.st.Free = f.st.Free[k-1], f.st.Free[:k-1]
	} else {
		f.st.Tasks = append(f.st.Tasks, task{})
	}
	f.tasks[id] = n
	t := &f.st.Tasks[n]
	*t = task{ID: id, Customer: nobodyKnown, OpenedBy: nobodyKnown, ClosedBy: nobodyKnown, Confirmed: nobodyKnown}
	return t
}

// who turns the origin of a fact into a number.
func (f *Facts) who(origin string) int32 {
	switch origin {
	case "":
		return nobodyKnown
	case access.ByCustomer:
		return theCustomer
	case access.BySystem:
		return theSystem
	}
	return f.Employee(access.EmployeeID(origin))
}

// Mask turns categories into a set of bits, one per category in the order in
// which they were first heard of; beyond 63, they share the last bit.
func (f *Facts) Mask(cats []access.Category) uint64 {
	var m uint64
	for _, c := range cats {
		n, ok := f.cats[c]
		if !ok {
			n = min(uint(len(f.st.Cats)), 63)
			f.st.Cats = append(f.st.Cats, c)
			f.cats[c] = n
		}
		m |= 1 << n
	}
	return m
}

// Categories turns a set of bits back into names, in the order of the bits.
func (f *Facts) Categories(mask uint64) []access.Category {
	var out []access.Category
	for ; mask != 0; mask &= mask - 1 {
		if n := bits.TrailingZeros64(mask); n < len(f.st.Cats) {
			out = append(out, f.st.Cats[n])
		}
	}
	return out
}

// index rebuilds the maps that find numbers by id.
func (f *Facts) index() {
	f.employees = make(map[access.EmployeeID]int32, len(f.st.Employees))
	f.customers = make(map[access.CustomerID]int32, len(f.st.Customers))
	f.tasks = make(map[access.TaskID]int32, len(f.st.Tasks))
	f.teams = make(map[access.TeamID]int32)
	f.cats = make(map[access.Category]uint)
	f.needs = make(map[access.Purpose]uint64)
	f.related = make(map[uint64]uint8)
	f.namesakes = make(map[string]int32)
	for i := range f.st.Employees {
		f.employees[f.st.Employees[i].ID] = int32(i)
	}
	for i := range f.st.Customers {
		f.customers[f.st.Customers[i].ID] = int32(i)
		f.namesakes[f.st.Customers[i].Surname]++
	}
	for i := range f.st.Tasks {
		if f.st.Tasks[i].ID != "" {
			f.tasks[f.st.Tasks[i].ID] = int32(i)
		}
	}
	for i, id := range f.st.Teams {
		f.teams[id] = int32(i)
	}
	for i, c := range f.st.Cats {
		f.cats[c] = min(uint(i), 63)
	}
}

// MarshalBinary returns the facts in a form that UnmarshalBinary takes back;
// the templates aren't in it.
func (f *Facts) MarshalBinary() ([]byte, error) {
	s := snapshot{State: f.st}
	for p, m := range f.needs {
		s.Needs = append(s.Needs, need{p, m})
	}
	slices.SortFunc(s.Needs, func(a, b need) int { return bytes.Compare([]byte(a.Purpose), []byte(b.Purpose)) })
	for p, k := range f.related {
		s.Related = append(s.Related, tie{p, k})
	}
	slices.SortFunc(s.Related, func(a, b tie) int {
		if a.Pair < b.Pair {
			return -1
		}
		return 1
	})
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(s); err != nil {
		return nil, fmt.Errorf("encode facts: %w", err)
	}
	return buf.Bytes(), nil
}

// UnmarshalBinary replaces the facts by those that MarshalBinary wrote.
func (f *Facts) UnmarshalBinary(data []byte) error {
	var s snapshot
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&s); err != nil {
		return fmt.Errorf("decode facts: %w", err)
	}
	f.st = s.State
	f.index()
	for _, n := range s.Needs {
		f.needs[n.Purpose] = n.Mask
	}
	for _, r := range s.Related {
		f.related[r.Pair] = r.Kinds
	}
	return nil
}
