package lookup

import (
	"context"

	"paravent/internal/access"
)

// Turns returns how many employees' turns are held.
func (s *Service) Turns() int {
	s.finders.mu.Lock()
	defer s.finders.mu.Unlock()
	return len(s.finders.held)
}

// TakeTurn takes an employee's turn to find a caller and returns what ends it.
func (s *Service) TakeTurn(ctx context.Context, e access.EmployeeID) (end func(), err error) {
	return s.finders.take(ctx, e)
}
