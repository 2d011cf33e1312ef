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

	by    access.EmployeeID // the tool that acts for him
	until time.Time         // zero: as long as what he is proven by
	rests [2]rest           // what it rests on, besides his account; see Lasts
}

// rest is a session, an access token or a certificate, and whose account it is.
type rest struct {
	login string
	id    access.SessionID
}

// Proven reports whether somebody has proven to be this employee.
func (w Who) Proven() bool { return w.proven }

// Employee returns the employee as the directory knew him when he was proven;
// the zero Employee where nobody is proven.
func (w Who) Employee() access.Employee { return w.employee }

// Login returns the login of his account.
func (w Who) Login() string { return w.login }

// Session names the session by which he is proven: "session:" and its id, or
// "token:" (an access token), "cert:" (a certificate) or "behalf:" (a tool that
// acts for him). It is no secret.
func (w Who) Session() access.SessionID { return w.session }

// Device returns the random id of the device that asks, as the door knows it;
// "" where the door knows none.
func (w Who) Device() string { return w.device }

// By returns the employee id of the tool that acts for him; "" where he asks
// himself.
func (w Who) By() access.EmployeeID { return w.by }

// Until returns when the proof ends by itself, whatever happens: of a tool that
// acts for him or of a certificate; the zero time where only Lasts can tell.
func (w Who) Until() time.Time { return w.until }

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
