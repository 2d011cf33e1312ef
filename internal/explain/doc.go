// Package explain holds the facts of the business with their provenance and
// says, for a look-up, what explains it, how strongly, and who stands behind
// that.
//
// Facts come in as access events (tasks, assignments, work, contacts, orders)
// in any order; a look-up is graded against what was known at a given moment,
// never against anything later. An explanation is a path from the customer to
// the employee (customer, her task, its assignment, the employee), made from a
// Template. Templates are written by people; none is mined. A template's
// strength is measured (see Measure): 1 − the share of random look-ups that it
// would have explained as well. A path then counts only as far as
//
//   - it is independent: somebody else than the employee stands behind it, or
//     something of the customer's or an outcome stands beside it (G6);
//   - it is fresh: a task closed long ago explains little;
//   - it came first: looked first and made the task later counts as own word.
//
// The package is pure: no I/O, no clock, no goroutines, and it never ranges
// over a map where the order could be seen. It doesn't judge anybody: joining
// look-ups and raising them is the work of package detect.
package explain
