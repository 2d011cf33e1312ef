package ledger

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnavailable says that nothing can be recorded now, so nothing may be
	// disclosed (G3). The ledger resumes by itself; trying again is right.
	ErrUnavailable = errors.New("ledger: can't record now")
	// ErrFrozen says that the log is frozen: its records are complete, what comes
	// is recorded in the log that follows it. It is ErrUnavailable too.
	ErrFrozen = fmt.Errorf("%w: the log is frozen", ErrUnavailable)
	// ErrSuccession says that a log doesn't follow another one as it claims.
	ErrSuccession = errors.New("ledger: the succession does not verify")
	// ErrMissing says that there is no ledger where one should be.
	ErrMissing = errors.New("ledger: there is no ledger here")
	// ErrExists says that Create found something in its way.
	ErrExists = errors.New("ledger: the folder is not empty")
	// ErrLocked says that another process owns the ledger.
	ErrLocked = errors.New("ledger: another process owns this ledger")
	// ErrClosed says that the ledger was closed by its owner.
	ErrClosed = errors.New("ledger: closed")
	// ErrInvalid says that an entry can't be recorded as it is, now or later.
	ErrInvalid = errors.New("ledger: invalid entry")
	// ErrReceipt says that a receipt doesn't prove what it claims.
	ErrReceipt = errors.New("ledger: the receipt does not verify")
)

// Damage says which part of a journal isn't as it was written. It is fatal: the
// ledger is never repaired in silence.
type Damage struct {
	Segment  string // file name inside the ledger's folder
	Offset   int64  // byte offset in that file
	Position uint64 // first position that can't be trusted
	What     string // what is wrong, without any personal data
	Err      error  // the cause, may be nil
}

// Error names the file, the offset, the position and what is wrong there.
func (d *Damage) Error() string {
	s := fmt.Sprintf("ledger: damaged at position %d (%s, byte %d): %s", d.Position, d.Segment, d.Offset, d.What)
	if d.Err != nil {
		s += ": " + d.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (d *Damage) Unwrap() error { return d.Err }
