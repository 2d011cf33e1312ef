package lookup

// Turns returns how many employees' turns are held.
func (s *Service) Turns() int {
	s.finders.mu.Lock()
	defer s.finders.mu.Unlock()
	return len(s.finders.held)
}
