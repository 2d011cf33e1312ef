package lookup

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/policy"
)

// recordWithin bounds how long a record may take. It is not cut short when the
// asker goes away: a try that was made is recorded.
const recordWithin = 15 * time.Second

// Service is the one way through. It is safe for concurrent use.
type Service struct {
	Config
	finders turns
}

// New returns a Service. It refuses a Config in which something is missing
// rather than work with a weaker check.
func New(cfg Config) (*Service, error) {
	if cfg.Policy == nil || cfg.Tasks == nil || cfg.Qualifications == nil || cfg.People == nil ||
		cfg.Approvals == nil || cfg.Source == nil || cfg.Journal == nil || cfg.Tries == nil || cfg.Clock == nil {
		return nil, errors.New("open lookup: a field of the configuration is missing")
	}
	if len(cfg.PseudonymKey) < 32 {
		return nil, errors.New("open lookup: the key of the pseudonyms is shorter than 32 bytes")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Service{Config: cfg, finders: newTurns()}, nil
}

// Pseudonym returns the name under which customers and reviewers know an
// employee: the same for the same employee as long as the key is kept, and no
// way back without it.
func (s *Service) Pseudonym(e access.EmployeeID) string {
	return s.keyed("pseudonym", 10, string(e))
}

// keyed returns the first n bytes of a keyed hash over a use and its parts, as
// text.
func (s *Service) keyed(use string, n int, parts ...string) string {
	mac := hmac.New(sha256.New, s.PseudonymKey)
	_, _ = io.WriteString(mac, "paravent "+use) // writing to a hash never fails
	for _, p := range parts {
		_, _ = mac.Write([]byte{0})
		_, _ = io.WriteString(mac, p)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:n]))
}

// newID returns a random id that can't be guessed.
func newID() string { return strings.ToLower(rand.Text()) }

// asking is one try, from the moment at which it is made.
type asking struct {
	Request
	id       access.LookupID
	at       time.Time
	employee access.Employee
	by       access.EmployeeID // the program that asks in his name; "" himself
	whom     access.EmployeeID // whom else it is about: the unknown employee for whom a program asks
	session  access.SessionID
	device   string
}

// ask begins a try of somebody who is proven; nobody else can make one.
func (s *Service) ask(who identity.Who, r Request) (asking, error) {
	if !who.Proven() {
		return asking{}, access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	return asking{
		Request: r, id: access.LookupID(newID()), at: s.Clock().UTC(),
		employee: who.Employee(), session: who.Session(), device: who.Device(),
	}, nil
}

// conduct returns the employee part that all records of this try begin with.
func (a asking) conduct() Conduct {
	return Conduct{
		ID: a.id, Employee: a.employee.ID, By: a.by, Session: a.session, Device: a.device, Door: a.Door, Role: a.employee.Role,
		Task: a.Task, Order: a.Order, Action: a.Action, Categories: a.Categories, Reason: a.Reason,
		Whom: a.whom,
	}
}

// subject returns the customer part that all records of this try begin with.
func (s *Service) subject(a asking, c access.CustomerID) *Subject {
	return &Subject{
		ID: a.id, Customer: c, Task: a.Task, Order: a.Order, Action: a.Action,
		Categories: a.Categories, Role: a.employee.Role, Looker: s.Pseudonym(a.employee.ID),
	}
}

// record makes one entry durable, or returns access.Unavailable: who can't be
// recorded can't look (G3).
func (s *Service) record(ctx context.Context, kind ledger.Kind, outcome string, of uint64, c Conduct, sub *Subject) (ledger.Receipt, error) {
	e, err := entry(kind, outcome, of, c, sub)
	if err != nil {
		return ledger.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	receipt, err := s.Journal.Append(ctx, e)
	if err != nil {
		s.Log.ErrorContext(ctx, "record failed", "kind", string(kind), "error", err)
		return ledger.Receipt{}, access.Errorf(access.Unavailable, "Nothing can be looked up now: it could not be recorded.").
			WithHint("Try again in a minute; your administrator sees the state of the ledger.").Because(err)
	}
	return receipt, nil
}

// ids returns the ids of reasons, each once.
func ids(reasons []policy.Reason) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range reasons {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r.ID)
		}
	}
	return out
}
