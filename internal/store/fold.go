package store

import (
	"context"
	"time"

	"paravent/internal/access"
)

// fold joins events into one row for each thing, so that each row is written
// once, many in a statement.
type fold struct {
	log []told

	tasks       map[access.TaskID]*access.Task
	taskRows    []*access.Task
	assigned    map[stretch]*access.Assignment
	stretches   map[stretch][]*access.Assignment // under their stretch without since
	assignRows  []*access.Assignment
	ended       []*access.Unassigned
	contacts    map[access.ContactID]*access.Contact
	contactRows []*access.Contact
	employees   map[access.EmployeeID]access.Employee
	customers   map[access.CustomerID]access.Customer
	relations   map[access.Relation]bool
	purposes    map[access.Purpose]string
}

// stretch names one assignment: the key of its table.
type stretch struct {
	task     access.TaskID
	employee access.EmployeeID
	team     access.TeamID
	since    int64
}

func newFold() *fold {
	return &fold{
		tasks: map[access.TaskID]*access.Task{}, assigned: map[stretch]*access.Assignment{}, stretches: map[stretch][]*access.Assignment{},
		contacts: map[access.ContactID]*access.Contact{}, employees: map[access.EmployeeID]access.Employee{},
		customers: map[access.CustomerID]access.Customer{}, relations: map[access.Relation]bool{},
	}
}

// task returns the row of a task, made where there is none yet.
func (f *fold) task(id access.TaskID) *access.Task {
	row := f.tasks[id]
	if row == nil {
		row = &access.Task{ID: id}
		f.tasks[id] = row
		f.taskRows = append(f.taskRows, row)
	}
	return row
}

// open notes a task's opening. One that opens after it was closed is open again.
func (f *fold) open(t access.Task) {
	row := f.task(t.ID)
	t.ClosedAt, t.ClosedBy = row.ClosedAt, row.ClosedBy
	if t.OpenedAt.After(t.ClosedAt) {
		t.ClosedAt, t.ClosedBy = time.Time{}, ""
	}
	*row = t
}

// close notes a task's closing.
func (f *fold) close(ev *access.TaskClosed) {
	row := f.task(ev.Task)
	row.ClosedAt, row.ClosedBy = ev.At, ev.By
}

// assign notes that an assignment began.
func (f *fold) assign(a access.Assignment) {
	key := stretch{a.Task, a.Employee, a.Team, access.Micros(a.Since)}
	row := f.assigned[key]
	if row == nil {
		row = &access.Assignment{Task: a.Task, Employee: a.Employee, Team: a.Team, Since: a.Since}
		f.assigned[key] = row
		f.assignRows = append(f.assignRows, row)
		key.since = 0
		f.stretches[key] = append(f.stretches[key], row)
	}
	row.By = a.By
	if !a.Until.IsZero() {
		row.Until = a.Until
	}
}

// unassign notes that an assignment ended.
func (f *fold) unassign(ev *access.Unassigned) {
	for _, row := range f.stretches[stretch{task: ev.Task, employee: ev.Employee, team: ev.Team}] {
		if !ev.At.Before(row.Since) && (row.Until.IsZero() || ev.At.Before(row.Until)) {
			row.Until = ev.At
		}
	}
	f.ended = append(f.ended, ev)
}

// contact notes a contact; what is told later adds to what was told before.
func (f *fold) contact(c access.Contact) {
	row := f.contacts[c.ID]
	if row == nil {
		f.contacts[c.ID] = &c
		f.contactRows = append(f.contactRows, &c)
		return
	}
	if c.Customer == "" {
		c.Customer = row.Customer
	}
	if c.Employee == "" {
		c.Employee = row.Employee
	}
	if c.Until.IsZero() {
		c.Until = row.Until
	}
	*row = c
}

// Rows of a task meet by id: the opening's part is taken where one is told, the
// closing's where one is, and a task that opens after its closing is open
// again. self_made is taken with the first opening only, confirmed_by never.
var upsertTasks = newBulk(
	`INSERT INTO tasks (id, customer, purpose, channel, order_id, opened_at, opened_by, closed_at, closed_by, self_made, confirmed_by)`, 11,
	`ON CONFLICT (id) DO UPDATE SET
		self_made = CASE WHEN tasks.customer = '' THEN excluded.self_made ELSE tasks.self_made END,
		customer  = CASE WHEN excluded.customer <> '' THEN excluded.customer  ELSE tasks.customer END,
		purpose   = CASE WHEN excluded.customer <> '' THEN excluded.purpose   ELSE tasks.purpose END,
		channel   = CASE WHEN excluded.customer <> '' THEN excluded.channel   ELSE tasks.channel END,
		order_id  = CASE WHEN excluded.customer <> '' THEN excluded.order_id  ELSE tasks.order_id END,
		opened_at = CASE WHEN excluded.customer <> '' THEN excluded.opened_at ELSE tasks.opened_at END,
		opened_by = CASE WHEN excluded.customer <> '' THEN excluded.opened_by ELSE tasks.opened_by END,
		closed_at = CASE WHEN excluded.closed_at <> 0 THEN excluded.closed_at
			WHEN excluded.opened_at > tasks.closed_at THEN 0 ELSE tasks.closed_at END,
		closed_by = CASE WHEN excluded.closed_at <> 0 THEN excluded.closed_by
			WHEN excluded.opened_at > tasks.closed_at THEN '' ELSE tasks.closed_by END`)

var upsertAssignments = newBulk(
	`INSERT INTO assignments (task, employee, team, since, until, by)`, 6,
	`ON CONFLICT (task, employee, team, since) DO UPDATE SET by = excluded.by,
		until = CASE WHEN excluded.until <> 0 THEN excluded.until ELSE assignments.until END`)

const endAssignments = `
UPDATE assignments SET until = ?
WHERE task = ? AND employee = ? AND team = ? AND since <= ? AND (until = 0 OR until > ?)`

var upsertContacts = newBulk(
	`INSERT INTO contacts (id, customer, at, until, channel, direction, employee)`, 7,
	`ON CONFLICT (id) DO UPDATE SET at = excluded.at, channel = excluded.channel, direction = excluded.direction,
		customer = CASE WHEN excluded.customer <> '' THEN excluded.customer ELSE contacts.customer END,
		employee = CASE WHEN excluded.employee <> '' THEN excluded.employee ELSE contacts.employee END,
		until    = CASE WHEN excluded.until <> 0 THEN excluded.until ELSE contacts.until END`)

var upsertEmployees = newBulk(
	`INSERT INTO employees (id, name, surname, household, team, role, manager, joined_on, leaves_on)`, 9,
	`ON CONFLICT (id) DO UPDATE SET name = excluded.name, surname = excluded.surname, household = excluded.household,
		team = excluded.team, role = excluded.role, manager = excluded.manager,
		joined_on = excluded.joined_on, leaves_on = excluded.leaves_on`)

var upsertCustomers = newBulk(
	`INSERT INTO customers (id, surname, household, notable, employee)`, 5,
	`ON CONFLICT (id) DO UPDATE SET surname = excluded.surname, household = excluded.household,
		notable = excluded.notable, employee = excluded.employee`)

var insertRelations = newBulk(`INSERT INTO relations (employee, customer, kind)`, 3, `ON CONFLICT DO NOTHING`)

// write writes all rows.
func (f *fold) write(ctx context.Context, t *tx) error {
	steps := []func(context.Context, *tx) error{f.writeTasks, f.writeAssignments, f.writeContacts, f.writePeople}
	for _, step := range steps {
		if err := step(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (f *fold) writeTasks(ctx context.Context, t *tx) error {
	args := make([]any, 0, 11*len(f.taskRows))
	for _, k := range f.taskRows {
		args = append(args, string(k.ID), string(k.Customer), string(k.Purpose), k.Channel, string(k.Order), access.Micros(k.OpenedAt), k.OpenedBy,
			access.Micros(k.ClosedAt), k.ClosedBy, flag(k.SelfMade), "")
	}
	return t.insert(ctx, upsertTasks, args)
}

const anyAssignment = `SELECT COUNT(*) FROM (SELECT 1 FROM assignments LIMIT 1) AS a`

func (f *fold) writeAssignments(ctx context.Context, t *tx) error {
	var before int // the table was empty: whatever ended had begun in this fold
	if err := t.row(ctx, anyAssignment).Scan(&before); err != nil {
		return err
	}
	args := make([]any, 0, 6*len(f.assignRows))
	for _, a := range f.assignRows {
		args = append(args, string(a.Task), string(a.Employee), string(a.Team), access.Micros(a.Since), access.Micros(a.Until), a.By)
	}
	if err := t.insert(ctx, upsertAssignments, args); err != nil {
		return err
	}
	if before == 0 {
		return nil
	}
	for _, ev := range f.ended {
		at := access.Micros(ev.At)
		if _, err := t.exec(ctx, endAssignments, at, string(ev.Task), string(ev.Employee), string(ev.Team), at, at); err != nil {
			return err
		}
	}
	return nil
}

func (f *fold) writeContacts(ctx context.Context, t *tx) error {
	args := make([]any, 0, 7*len(f.contactRows))
	for _, c := range f.contactRows {
		args = append(args, string(c.ID), string(c.Customer), access.Micros(c.At), access.Micros(c.Until), c.Channel, c.Direction, string(c.Employee))
	}
	return t.insert(ctx, upsertContacts, args)
}

func (f *fold) writePeople(ctx context.Context, t *tx) error {
	var employees, customers, relations []any
	for _, e := range f.employees {
		employees = append(employees, string(e.ID), e.Name, e.Surname, e.Household, string(e.Team), string(e.Role), string(e.Manager),
			access.Micros(e.JoinedOn), access.Micros(e.LeavesOn))
	}
	for _, c := range f.customers {
		customers = append(customers, string(c.ID), c.Surname, c.Household, flag(c.Notable), string(c.Employee))
	}
	for r := range f.relations {
		relations = append(relations, string(r.Employee), string(r.Customer), string(r.Kind))
	}
	if err := t.insert(ctx, upsertEmployees, employees); err != nil {
		return err
	}
	if err := t.insert(ctx, upsertCustomers, customers); err != nil {
		return err
	}
	return t.insert(ctx, insertRelations, relations)
}
