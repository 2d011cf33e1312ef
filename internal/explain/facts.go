package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"paravent/internal/access"
)

// Who stands behind a fact, where it isn't an employee: these stand in place of
// an employee's number.
const (
	nobodyKnown = int32(-1) // not known
	theCustomer = int32(-2)
	theSystem   = int32(-3)
)

// Facts is what is known of the business at a moment, each fact with who stands
// behind it. It grows by Add and shrinks by Forget. Employees, customers, tasks
// and teams are numbered in the order in which they are first heard of, so that
// grading compares numbers. It is not safe for concurrent use.
type Facts struct {
	templates []Template
	st        state
	employees map[access.EmployeeID]int32
	customers map[access.CustomerID]int32
	tasks     map[access.TaskID]int32
	teams     map[access.TeamID]int32
	cats      map[access.Category]uint
	needs     map[access.Purpose]uint64
	related   map[uint64]uint8
	namesakes map[string]int32 // customers of a surname
}

// New returns an empty store of facts that explains with these templates; nil
// means Defaults.
func New(templates []Template) *Facts {
	if templates == nil {
		templates = Defaults()
	}
	f := &Facts{templates: templates}
	f.index()
	return f
}

// Templates returns the templates in their order; a Grade's Template is a place
// in it. The caller must not change it.
func (f *Facts) Templates() []Template { return f.templates }

// Add takes in one event. Facts may come late and in any order; a fact about a
// task that isn't known yet waits for it. A look-up is no fact: it is an error,
// as is an event of an unknown kind.
func (f *Facts) Add(ev access.Event) error {
	switch e := ev.(type) {
	case *access.TaskOpened:
		f.addTask(e.Task)
	case *access.TaskClosed:
		t := f.taskAt(e.Task)
		t.Closed, t.ClosedBy = access.Micros(e.At), f.who(e.By)
	case *access.Assigned:
		f.addAssignment(e.Assignment)
	case *access.Unassigned:
		f.endAssignment(e)
	case *access.Worked:
		emp := f.Employee(e.Employee)
		t := f.taskAt(e.Task)
		t.Work = append(t.Work, work{Employee: emp, At: access.Micros(e.At), Kind: workKind(e.Kind)})
		t.touch(access.Micros(e.At))
	case *access.Contacted:
		f.addContact(e.Contact)
	case *access.Ordered:
		c := &f.st.Customers[f.Customer(e.Customer)]
		c.Orders = keepLast(c.Orders, access.Micros(e.At), 6)
	case *access.InNews:
		c := &f.st.Customers[f.Customer(e.Customer)]
		c.News = keepLast(c.News, access.Micros(e.At), 4)
	case *access.EmployeeKnown:
		f.addEmployee(e.Employee)
	case *access.CustomerKnown:
		f.addCustomer(e.Customer)
	case *access.Related:
		f.related[pair(f.Employee(e.Employee), f.Customer(e.Customer))] |= relationBit(e.Kind)
	case *access.PurposeNeeds:
		f.needs[e.Purpose] = f.Mask(e.Categories)
	default:
		return fmt.Errorf("take in a fact: unknown event %T", ev)
	}
	return nil
}

func (f *Facts) addTask(in access.Task) {
	// The customer first: taking a number may move what taskAt points to.
	cus := f.Customer(in.Customer)
	by := f.who(in.OpenedBy)
	t := f.taskAt(in.ID)
	if t.Customer != cus {
		if t.Customer >= 0 {
			old := &f.st.Customers[t.Customer]
			old.Tasks = slices.DeleteFunc(old.Tasks, func(n int32) bool { return n == f.tasks[in.ID] })
		}
		t.Customer = cus
		c := &f.st.Customers[cus]
		c.Tasks = append(c.Tasks, f.tasks[in.ID])
	}
	t.Purpose, t.Channel, t.Order = in.Purpose, in.Channel, in.Order
	t.Opened, t.OpenedBy = access.Micros(in.OpenedAt), by
	t.touch(t.Opened)
	if in.SelfMade && in.ConfirmedBy != "" {
		t.Confirmed = f.Employee(in.ConfirmedBy)
	}
}

func (f *Facts) addAssignment(in access.Assignment) {
	a := assignment{Employee: nobodyKnown, Team: nobodyKnown, Since: access.Micros(in.Since), By: f.who(in.By)}
	if in.Employee != "" {
		a.Employee = f.Employee(in.Employee)
	}
	if in.Team != "" {
		a.Team = f.Team(in.Team)
	}
	t := f.taskAt(in.Task)
	t.Assigned = append(t.Assigned, a)
	t.touch(a.Since)
}

// endAssignment ends the last assignment of this employee or team that is still
// running; one that nobody heard the start of is kept as ended, too.
func (f *Facts) endAssignment(e *access.Unassigned) {
	emp, team, at := nobodyKnown, nobodyKnown, access.Micros(e.At)
	if e.Employee != "" {
		emp = f.Employee(e.Employee)
	}
	if e.Team != "" {
		team = f.Team(e.Team)
	}
	t := f.taskAt(e.Task)
	t.touch(at)
	for i := len(t.Assigned) - 1; i >= 0; i-- {
		a := &t.Assigned[i]
		if a.Employee == emp && a.Team == team && a.Until == 0 && a.Since <= at {
			a.Until = at
			return
		}
	}
}

func (f *Facts) addContact(in access.Contact) {
	if in.Customer == "" {
		return // nobody knows yet who called: it explains nothing
	}
	k := contact{At: access.Micros(in.At), Until: access.Micros(in.Until), Employee: nobodyKnown, Out: in.Direction == "out"}
	if in.Employee != "" {
		k.Employee = f.Employee(in.Employee)
	}
	k.Channel = in.Channel
	c := &f.st.Customers[f.Customer(in.Customer)]
	i, _ := slices.BinarySearchFunc(c.Contacts, k, func(a, b contact) int { return cmp.Compare(a.At, b.At+1) })
	c.Contacts = slices.Insert(c.Contacts, i, k)
	if len(c.Contacts) > 64 {
		c.Contacts = slices.Delete(c.Contacts, 0, 16)
	}
	f.st.LastContact = max(f.st.LastContact, k.At)
	f.countContact(k.At)
}

func (f *Facts) addEmployee(in access.Employee) {
	n := f.Employee(in.ID)
	manager := nobodyKnown
	if in.Manager != "" {
		manager = f.Employee(in.Manager)
	}
	team := nobodyKnown
	if in.Team != "" {
		team = f.Team(in.Team)
	}
	e := &f.st.Employees[n]
	e.Surname, e.Household, e.Role = in.Surname, in.Household, in.Role
	e.Team, e.Manager = team, manager
	e.Joined, e.Leaves = access.Micros(in.JoinedOn), access.Micros(in.LeavesOn)
}

func (f *Facts) addCustomer(in access.Customer) {
	self := nobodyKnown
	if in.Employee != "" {
		self = f.Employee(in.Employee)
	}
	c := &f.st.Customers[f.Customer(in.ID)]
	if c.Surname != in.Surname {
		f.namesakes[c.Surname]--
		f.namesakes[in.Surname]++
	}
	c.Surname, c.Household, c.Notable, c.Employee, c.Known = in.Surname, in.Household, in.Notable, self, true
}

// Forget drops the tasks that were closed, and the contacts that were over,
// before this moment, so that memory is bounded by the window and not by the
// company's age. Whoever looks under a forgotten task has no explanation.
func (f *Facts) Forget(before time.Time) {
	limit := access.Micros(before)
	for i := range f.st.Customers {
		c := &f.st.Customers[i]
		c.Tasks = slices.DeleteFunc(c.Tasks, func(n int32) bool {
			t := &f.st.Tasks[n]
			if t.Closed == 0 || t.Closed >= limit || t.Last >= limit {
				return false
			}
			delete(f.tasks, t.ID)
			*t = task{}
			f.st.Free = append(f.st.Free, n)
			return true
		})
		c.Contacts = slices.DeleteFunc(c.Contacts, func(k contact) bool { return max(k.At, k.Until) < limit })
	}
}

// keepLast appends v to a sorted list of at most n values, dropping the oldest.
func keepLast(list []int64, v int64, n int) []int64 {
	i, _ := slices.BinarySearch(list, v)
	list = slices.Insert(list, i, v)
	if len(list) > n {
		list = slices.Delete(list, 0, len(list)-n)
	}
	return list
}

func pair(e, c int32) uint64 { return uint64(uint32(e))<<32 | uint64(uint32(c)) }
