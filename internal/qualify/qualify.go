package qualify

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// Kind is one of the things that an employee needs before he looks.
type Kind string

// The kinds, in the order in which they are done.
const (
	Guideline   Kind = "guideline"   // read
	Training    Kind = "training"    // passed
	Attestation Kind = "attestation" // given
)

// kinds are all that is needed, in order.
var kinds = []Kind{Guideline, Training, Attestation}

// Row says until when one employee has one of them.
type Row struct {
	Employee   access.EmployeeID
	Kind       Kind
	ValidUntil time.Time // midnight UTC of the last day on which it holds
}

// Store keeps the rows, one for each employee and kind.
type Store interface {
	// Qualifications returns the rows of one employee; none is no error.
	Qualifications(ctx context.Context, e access.EmployeeID) ([]Row, error)
	// SaveQualifications saves rows, all or none, durable on return. A row
	// replaces the one of the same employee and kind.
	SaveQualifications(ctx context.Context, rows []Row) error
}

// Service answers whether an employee is qualified. It is safe for concurrent
// use.
type Service struct {
	store Store
}

// New returns a Service over store.
func New(store Store) *Service { return &Service{store: store} }

// Qualification returns how the employee stands at that moment. One of whom
// nothing is known lacks everything, and that is no error.
func (s *Service) Qualification(ctx context.Context, e access.EmployeeID, at time.Time) (policy.Qualification, error) {
	rows, err := s.store.Qualifications(ctx, e)
	if err != nil {
		return policy.Qualification{}, err
	}
	return Check(rows, e, at), nil
}

// Check says what of these rows is this employee's and holds at that moment: to
// the end (UTC) of the day until which it is valid.
func Check(rows []Row, e access.EmployeeID, at time.Time) policy.Qualification {
	held := map[Kind]bool{}
	for _, r := range rows {
		if e != "" && r.Employee == e && at.Before(r.ValidUntil.AddDate(0, 0, 1)) {
			held[r.Kind] = true
		}
	}
	var missing []string
	for _, k := range kinds {
		if !held[k] {
			missing = append(missing, string(k))
		}
	}
	return policy.Qualification{Current: len(missing) == 0, Missing: missing}
}
