package lookup

import (
	"context"
	"fmt"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// LiftLock ends the lock of an employee's finding of callers. His team lead may,
// never he himself (G8); it is recorded before it takes effect (G7).
func (s *Service) LiftLock(ctx context.Context, who identity.Who, employee access.EmployeeID) error {
	if !who.Proven() {
		return access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	e, err := s.People.Employee(ctx, employee)
	if err != nil && access.CodeOf(err) != access.NotFound {
		return fmt.Errorf("find the employee: %w", err)
	}
	name := "lift_lock"
	if may := err == nil && leads(who.Employee(), e); !may {
		name = "lift_lock_refused"
	}
	if _, err := s.Act(ctx, who, Act{Name: name, Employee: employee}); err != nil {
		return err
	}
	if name != "lift_lock" {
		return access.Errorf(access.Denied, "You may not lift this lock.").WithHint("His team lead can.")
	}
	if err := s.Tries.Unlock(ctx, employee, s.Clock().UTC()); err != nil {
		return fmt.Errorf("lift the lock: %w", err)
	}
	return nil
}

// leads reports whether lead is e's team lead or manager, and not e himself.
func leads(lead, e access.Employee) bool {
	if lead.ID == e.ID || !lead.Role.Lead() {
		return false
	}
	return e.Manager == lead.ID || (e.Team != "" && e.Team == lead.Team)
}
