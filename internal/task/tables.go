package task

import (
	"strings"

	"paravent/internal/access"
)

func taskEvents(r *row) []access.Event {
	id := access.TaskID(r.text("id"))
	if strings.HasPrefix(string(id), prefix) {
		r.fail("id", "ids that begin with "+prefix+" are made by Paravent alone")
	}
	opened, closed := r.time("opened_at"), r.time("closed_at")
	events := []access.Event{&access.TaskOpened{Task: access.Task{
		ID: id, Customer: access.CustomerID(r.text("customer")), Purpose: access.Purpose(r.text("purpose")),
		Channel: r.text("channel"), Order: access.OrderID(r.text("order")),
		OpenedAt: opened, OpenedBy: r.text("opened_by"),
	}}}
	if closed.IsZero() {
		return events
	}
	if closed.Before(opened) {
		r.fail("closed_at", "it is before opened_at")
	}
	return append(events, &access.TaskClosed{Task: id, At: closed, By: r.text("closed_by")})
}

func assignmentEvents(r *row) []access.Event {
	a := access.Assignment{
		Task: access.TaskID(r.text("task")), Employee: access.EmployeeID(r.text("employee")), Team: access.TeamID(r.text("team")),
		Since: r.time("since"), By: r.text("by"),
	}
	if (a.Employee == "") == (a.Team == "") {
		r.fail("employee", "either employee or team is needed, and not both")
	}
	events := []access.Event{&access.Assigned{Assignment: a}}
	until := r.time("until")
	if until.IsZero() {
		return events
	}
	if until.Before(a.Since) {
		r.fail("until", "it is before since")
	}
	return append(events, &access.Unassigned{Task: a.Task, Employee: a.Employee, Team: a.Team, At: until})
}

func workEvents(r *row) []access.Event {
	return []access.Event{&access.Worked{Work: access.Work{
		Task: access.TaskID(r.text("task")), Employee: access.EmployeeID(r.text("employee")),
		At: r.time("at"), Kind: r.text("kind"),
	}}}
}

func contactEvents(r *row) []access.Event {
	c := access.Contact{
		ID: access.ContactID(r.text("id")), Customer: access.CustomerID(r.text("customer")),
		At: r.time("at"), Until: r.time("until"), Channel: r.text("channel"),
		Direction: r.oneOf("direction", "in", "out"), Employee: access.EmployeeID(r.text("employee")),
	}
	if !c.Until.IsZero() && c.Until.Before(c.At) {
		r.fail("until", "it is before at")
	}
	return []access.Event{&access.Contacted{Contact: c}}
}

func customerEvents(r *row) []access.Event {
	return []access.Event{&access.CustomerKnown{Customer: access.Customer{
		ID: access.CustomerID(r.text("id")), Surname: r.text("surname"), Household: r.text("household"),
		Notable: r.oneOf("notable", "yes", "no", "") == "yes", Employee: access.EmployeeID(r.text("employee")),
	}}}
}

func employeeEvents(r *row) []access.Event {
	return []access.Event{&access.EmployeeKnown{Employee: access.Employee{
		ID: access.EmployeeID(r.text("id")), Name: r.text("name"), Surname: r.text("surname"), Household: r.text("household"),
		Team: access.TeamID(r.text("team")), Role: access.Role(r.text("role")), Manager: access.EmployeeID(r.text("manager")),
		JoinedOn: r.day("joined_on"), LeavesOn: r.day("leaves_on"),
	}}}
}

func relationEvents(r *row) []access.Event {
	kind := r.oneOf("kind", string(access.RelationSelf), string(access.RelationFamily), string(access.RelationFormerPartner),
		string(access.RelationCoworker), string(access.RelationNeighbour))
	return []access.Event{&access.Related{Relation: access.Relation{
		Employee: access.EmployeeID(r.text("employee")), Customer: access.CustomerID(r.text("customer")), Kind: access.RelationKind(kind),
	}}}
}

func orderEvents(r *row) []access.Event {
	return []access.Event{&access.Ordered{Order: access.Order{
		ID: access.OrderID(r.text("id")), Customer: access.CustomerID(r.text("customer")), At: r.time("at"),
	}}}
}

func newsEvents(r *row) []access.Event {
	return []access.Event{&access.InNews{News: access.News{
		Customer: access.CustomerID(r.text("customer")), At: r.time("at"),
	}}}
}
