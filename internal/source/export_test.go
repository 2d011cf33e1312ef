package source

// Exec runs a statement on the source's own connection, as no code of the
// product does.
func Exec(s *SQLite, statement string) error {
	_, err := s.db.Exec(statement)
	return err
}
