package explain

import "paravent/internal/access"

// EmployeeID returns the id of employee n.
func (f *Facts) EmployeeID(n int32) access.EmployeeID { return f.st.Employees[n].ID }

// CustomerID returns the id of customer n.
func (f *Facts) CustomerID(n int32) access.CustomerID { return f.st.Customers[n].ID }

// Notable reports whether customer c is in the public eye.
func (f *Facts) Notable(c int32) bool { return f.st.Customers[c].Notable }

// Role returns the role of employee e; empty when not known.
func (f *Facts) Role(e int32) access.Role { return f.st.Employees[e].Role }

// Leaves returns when employee e leaves, in microseconds since 1970 UTC; 0 when
// that isn't known.
func (f *Facts) Leaves(e int32) int64 { return f.st.Employees[e].Leaves }

// NewsBefore returns when customer c was last in the news, not after `at`; 0 for
// never.
func (f *Facts) NewsBefore(c int32, at int64) int64 { return lastBefore(f.st.Customers[c].News, at) }

// OrderBefore returns when customer c last placed an order, not after `at`; 0
// for never.
func (f *Facts) OrderBefore(c int32, at int64) int64 {
	return lastBefore(f.st.Customers[c].Orders, at)
}

func lastBefore(list []int64, at int64) int64 {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] <= at {
			return list[i]
		}
	}
	return 0
}

// TaskNumber returns the number of a task by its id, -1 when it isn't known.
func (f *Facts) TaskNumber(id access.TaskID) int32 {
	if n, ok := f.tasks[id]; ok {
		return n
	}
	return -1
}

// TaskID returns the id of task n.
func (f *Facts) TaskID(n int32) access.TaskID { return f.st.Tasks[n].ID }

// TaskNeeds returns the categories that the purpose of a task of customer c
// needs; ok is false when the task isn't known, isn't c's, or its purpose says
// nothing.
func (f *Facts) TaskNeeds(id access.TaskID, c int32) (mask uint64, ok bool) {
	n, known := f.tasks[id]
	if !known || f.st.Tasks[n].Customer != c {
		return 0, false
	}
	mask, ok = f.needs[f.st.Tasks[n].Purpose]
	return mask, ok
}

// Opened reports which employee opened task n, and through which channel; -1
// where no employee did, or nobody knows.
func (f *Facts) Opened(n int32) (by int32, channel string) {
	t := &f.st.Tasks[n]
	return max(t.OpenedBy, nobodyKnown), t.Channel
}

// CustomerEmployee returns the number of the employee that customer c is, -1
// when she is none.
func (f *Facts) CustomerEmployee(c int32) int32 { return f.st.Customers[c].Employee }

// Beside weighs, in 0..1, what stands beside task n besides the word of its
// opener and of employee e, as known at now (microseconds): the customer's
// contact, a colleague's work, an outcome.
func (f *Facts) Beside(n, e int32, now int64) float64 {
	t := &f.st.Tasks[n]
	if t.Customer < 0 {
		return 0
	}
	return f.beside(t, &f.st.Customers[t.Customer], e, now)
}
