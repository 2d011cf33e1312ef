package identity

import (
	"time"

	"paravent/internal/access"
)

// Who is an employee who has proven who he is, for the length of one request.
// Only this package makes one that is proven; the zero value proves nothing,
// so each user asks Proven before anything else.
type Who struct {
	employee access.Employee
	login    string
	session  access.SessionID
	device   string
	token    bool
	proven   bool
}

// Proven reports whether somebody has proven to be this employee.
func (w Who) Proven() bool { return w.proven }

// Employee returns the employee as the directory knew him when he was proven;
// the zero Employee where nobody is proven.
func (w Who) Employee() access.Employee { return w.employee }

// Login returns the login of his account.
func (w Who) Login() string { return w.login }

// Session names the session (or the access token, "token:" and its id) by
// which he is proven. It is no secret.
func (w Who) Session() access.SessionID { return w.session }

// Device returns the random id of the device that asks, as the door knows it;
// "" where the door knows none.
func (w Who) Device() string { return w.device }

// ByToken reports whether an access token proves him rather than a password.
func (w Who) ByToken() bool { return w.token }

// Customer is a customer who has proven who she is. The zero value proves
// nothing.
type Customer struct {
	id      access.CustomerID
	session access.SessionID
	proven  bool
}

// Proven reports whether somebody has proven to be this customer.
func (c Customer) Proven() bool { return c.proven }

// ID returns the customer's id; "" where nobody is proven.
func (c Customer) ID() access.CustomerID { return c.id }

// Session names the session by which she is proven. It is no secret.
func (c Customer) Session() access.SessionID { return c.session }

// SignedIn is what a valid session proves: an employee or a customer, never
// both, and neither while the password must be changed.
type SignedIn struct {
	Kind     Kind
	Login    string
	Who      Who      // proven where Kind is KindEmployee
	Customer Customer // proven where Kind is KindCustomer
	CSRF     string   // to be sent back with each change; bound to the session
	Until    time.Time
	// MustChange says that the password is one that somebody else gave out. Who
	// and Customer prove nothing until SetPassword has replaced it.
	MustChange bool

	device string
}
