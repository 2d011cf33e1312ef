package access

import "time"

// Identifiers are opaque strings, compared byte by byte, and types of their
// own, so that a customer can't be passed where an employee is meant.
type (
	// EmployeeID names an employee as the directory does.
	EmployeeID string
	// CustomerID names a customer as the shop does.
	CustomerID string
	// TaskID names a ticket, call, order problem or case.
	TaskID string
	// OrderID names an order (or another record of the customer's).
	OrderID string
	// TeamID names a team as the directory does.
	TeamID string
	// SessionID names one signed-in session of one employee.
	SessionID string
	// LookupID names one look-up.
	LookupID string
	// ContactID names a call, mail or chat as the system that took it does.
	ContactID string
	// RequestID names a request that waits for a second person.
	RequestID string
	// Category is the company's short name for a kind of data, such as "orders".
	Category string
	// Purpose is the company's short name for a kind of task, such as "refund".
	Purpose string
)

// A Clock tells the time. Only cmd reads the real one; everything else is
// handed a Clock.
type Clock func() time.Time

// Micros returns t as microseconds since 1970-01-01 UTC, the form in which
// times are stored. The zero time, "not known", is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of Micros, in UTC.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
