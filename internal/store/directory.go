package store

import (
	"context"

	"paravent/internal/access"
)

const employeeColumns = `id, name, surname, household, team, role, manager, joined_on, leaves_on`
const selectEmployee = `SELECT ` + employeeColumns + ` FROM employees WHERE id = ?`

// Employee returns an employee of the directory; access.NotFound where he
// isn't in it.
func (s *Store) Employee(ctx context.Context, id access.EmployeeID) (access.Employee, error) {
	e, err := employee(s.state.row(ctx, selectEmployee, string(id)))
	return e, refused("read an employee", missing(err, "employee"))
}

const selectEmployees = `SELECT ` + employeeColumns + ` FROM employees ORDER BY id`

// Employees returns the whole directory in order of id, leavers too.
func (s *Store) Employees(ctx context.Context) ([]access.Employee, error) {
	var all []access.Employee
	err := s.state.each(ctx, selectEmployees, nil, func(r scanner) error {
		e, err := employee(r)
		all = append(all, e)
		return err
	})
	return all, refused("list employees", err)
}

// employee reads one row of employeeColumns.
func employee(r scanner) (access.Employee, error) {
	var e access.Employee
	var joined, leaves int64
	if err := r.Scan(&e.ID, &e.Name, &e.Surname, &e.Household, &e.Team, &e.Role, &e.Manager, &joined, &leaves); err != nil {
		return access.Employee{}, err
	}
	e.JoinedOn, e.LeavesOn = access.FromMicros(joined), access.FromMicros(leaves)
	return e, nil
}

const selectCustomer = `SELECT id, surname, household, notable, employee FROM customers WHERE id = ?`

// Customer returns what the company knows about a customer; access.NotFound
// where it knows nothing.
func (s *Store) Customer(ctx context.Context, id access.CustomerID) (access.Customer, error) {
	c, err := customer(s.state.row(ctx, selectCustomer, string(id)))
	return c, refused("read a customer", missing(err, "customer"))
}

// customer reads one row of selectCustomer.
func customer(r scanner) (access.Customer, error) {
	var c access.Customer
	err := r.Scan(&c.ID, &c.Surname, &c.Household, &c.Notable, &c.Employee)
	return c, err
}

const selectRelations = `SELECT kind FROM relations WHERE employee = ? AND customer = ? ORDER BY kind`

// Relations returns the ties between the two, sorted; none is no error.
func (s *Store) Relations(ctx context.Context, e access.EmployeeID, c access.CustomerID) ([]access.RelationKind, error) {
	var all []access.RelationKind
	err := s.state.each(ctx, selectRelations, []any{string(e), string(c)}, func(r scanner) error {
		var kind access.RelationKind
		err := r.Scan(&kind)
		all = append(all, kind)
		return err
	})
	return all, refused("read relations", err)
}
