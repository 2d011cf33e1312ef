// Package lookup is the one way through: whoever wants a customer's data,
// through whichever door, comes along here, and nothing is disclosed elsewhere.
//
// A look-up takes these steps, in this order (Service.Look):
//
//	facts     who asks, the task, the qualification, what is known of the customer
//	decide    policy.Decide; an error of any fact is a deny
//	refuse    the refusal, with every true reason, is durable before the answer (G9)
//	intend    the intent is durable before the source is read (G3)
//	disclose  the source is read inside the grant (G1, G2)
//	conclude  the outcome is durable before the answer is given (G3)
//
// A journal that can't record is a look-up that can't be made. Finding the
// caller of a call (FindCaller), deciding for programs that hold the data
// themselves (Evaluate), explaining (Explain) and every other thing that people
// do with Paravent itself (Act, G7) are recorded in the same journal; record.go
// says what a record holds.
//
// A SQL session takes the same steps spread over time (Statements): a grant is
// decided once for a task, and held against the facts again and again; each
// statement under it has its intent and its outcome. What was read past all of
// this is recorded when a database's log tells of it (Observer).
//
// The package keeps nothing in memory about an asking once it is answered: ten
// thousand tries cost ten thousand records and no more.
package lookup
