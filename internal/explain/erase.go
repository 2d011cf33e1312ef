package explain

import "paravent/internal/access"

// EraseCustomer makes the facts forget who a customer is (G5): from now on her
// number stands for `as`, of whom nothing is known. It returns the number, and
// false where nobody has heard of her.
func (f *Facts) EraseCustomer(id, as access.CustomerID) (n int32, known bool) {
	if n, known = f.customers[id]; !known {
		return 0, false
	}
	c := &f.st.Customers[n]
	for _, t := range c.Tasks {
		delete(f.tasks, f.st.Tasks[t].ID)
		f.st.Tasks[t] = task{}
		f.st.Free = append(f.st.Free, t)
	}
	f.namesakes[c.Surname]--
	f.namesakes[""]++
	*c = customer{ID: as, Employee: nobodyKnown}
	delete(f.customers, id)
	f.customers[as] = n
	for p := range f.related {
		if int32(uint32(p)) == n {
			delete(f.related, p)
		}
	}
	return n, true
}

// EraseEmployee is the same for an employee. What he did for others stays, as
// done by `as`.
func (f *Facts) EraseEmployee(id, as access.EmployeeID) (n int32, known bool) {
	if n, known = f.employees[id]; !known {
		return 0, false
	}
	role := f.st.Employees[n].Role
	f.st.Employees[n] = employee{ID: as, Role: role, Team: nobodyKnown, Manager: nobodyKnown}
	delete(f.employees, id)
	f.employees[as] = n
	for p := range f.related {
		if int32(uint32(p>>32)) == n {
			delete(f.related, p)
		}
	}
	for i := range f.st.Customers {
		if c := &f.st.Customers[i]; c.Employee == n {
			c.Employee = nobodyKnown
		}
	}
	return n, true
}
