package chain

import (
	"fmt"

	"paravent/internal/ledger"
)

// follows returns nil where the log that is to be opened in a folder is the one
// that follows before, as far as its first record tells; else an error that is
// ErrBroken. It reads as an outsider, so that nothing is written to a log that
// doesn't belong there (G4).
func follows(dir, name string, before *ledger.Ledger) error {
	i, err := ledger.Inspect(dir)
	if err != nil {
		return fmt.Errorf("log %s: %w", name, err)
	}
	s, follows, err := i.Succession()
	if err != nil {
		return fmt.Errorf("log %s: %w", name, err)
	}
	broken := func(what string) error { return fmt.Errorf("%w: log %s: %s", ErrBroken, name, what) }
	if before == nil {
		switch {
		case name == logName(1) && follows:
			return broken(fmt.Sprintf("it's the first, but says that it follows %s", s.Origin))
		case name != logName(1) && !follows:
			return broken("its first record doesn't say which log it follows")
		}
		return nil
	}
	if !follows {
		return broken("its first record doesn't say which log it follows")
	}
	next, _ := before.Frozen()
	head := before.Head()
	switch {
	case s.Next != next:
		return broken(fmt.Sprintf("its key is %s, but the log before it ends by naming %s", s.Next, next))
	case s.Origin != before.Origin() || s.Size != head.Size || s.Root != head.Root:
		return broken(fmt.Sprintf("it follows a log %s of %d records with root %s; the log before it is %s, of %d records, with root %s",
			s.Origin, s.Size, s.Root, before.Origin(), head.Size, head.Root))
	case s.Base != before.Base()+head.Size:
		return broken(fmt.Sprintf("it counts from record %d, the log before it ends before %d", s.Base, before.Base()+head.Size))
	}
	if err := s.Verify(before.Key()); err != nil {
		return fmt.Errorf("%w: log %s: %w", ErrBroken, name, err)
	}
	return nil
}
