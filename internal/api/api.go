package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/task"
)

// SignOn proves who asks. *identity.Service is one.
type SignOn interface {
	SignIn(ctx context.Context, login, password, device string) (string, identity.SignedIn, error)
	SignOut(ctx context.Context, secret string) error
	Token(ctx context.Context, secret, device string) (identity.Who, error)
	IssueToken(ctx context.Context, w identity.Who, name string, lasts time.Duration) (string, identity.Token, error)
	Tokens(ctx context.Context, w identity.Who) ([]identity.Token, error)
	RevokeToken(ctx context.Context, w identity.Who, id string) error
	Session(ctx context.Context, secret string) (identity.SignedIn, error)
	// IssueOnBehalf lets a tool act for w; record is called before it exists.
	IssueOnBehalf(ctx context.Context, w identity.Who, tool string, lasts time.Duration, record identity.Record) (string, identity.OnBehalf, error)
}

// Lookups is the one way through. *lookup.Service is one.
type Lookups interface {
	Look(ctx context.Context, who identity.Who, r lookup.Request) (*lookup.Disclosure, error)
	FindCaller(ctx context.Context, who identity.Who, said lookup.Said) (lookup.FoundCaller, error)
	LiftLock(ctx context.Context, who identity.Who, employee access.EmployeeID) error
	Explain(ctx context.Context, who identity.Who, e access.EmployeeID, t access.TaskID) (lookup.Explanation, error)
	Evaluate(ctx context.Context, program identity.Who, subject access.EmployeeID, r lookup.Request) (lookup.Evaluation, error)
	// Refused records a try that can't be understood, and returns its answer.
	Refused(ctx context.Context, who identity.Who, door string) error
	Act(ctx context.Context, who identity.Who, a lookup.Act) (ledger.Receipt, error)
}

// Requests is where a second person decides. *investigate.Approvals is one.
type Requests interface {
	Waiting(ctx context.Context, who identity.Who) ([]investigate.Request, error)
	Own(ctx context.Context, who identity.Who, id access.RequestID) (investigate.Request, error)
	Decide(ctx context.Context, who identity.Who, id access.RequestID, yes bool, note string) error
}

// Facts takes in tables of the business. *task.Service is one.
type Facts interface {
	Import(ctx context.Context, by access.Employee, table string, r io.Reader) (task.Count, error)
}

// Qualifications takes in who read, passed and attested. *qualify.Service is one.
type Qualifications interface {
	Import(ctx context.Context, r io.Reader) (int, error)
}

// State is how the program does. It holds no personal data.
type State struct {
	OK         bool         // look-ups can be recorded
	Ledger     ledger.State //
	Records    uint64       // in the ledger
	LagRecords uint64       // records that the follower hasn't read
	Lag        time.Duration
	Version    string
}

// Config is what the API needs. Every field but Upkeep, Observer and Log is required.
type Config struct {
	SignOn         SignOn
	Accounts       Accounts
	Lookups        Lookups
	Requests       Requests
	Erasures       Erasures
	Upkeep         Upkeep // nil: nobody can ask for a change of the ledger
	Facts          Facts
	Qualifications Qualifications
	// Observer takes in what a PostgreSQL's log tells; nil where none is protected.
	Observer Observer
	// Cases and Evidence serve GET /v1/evidence.
	Cases    Cases
	Evidence Evidence
	// Ledger serves checkpoint, tiles and leaves below /ledger/: to auditors with
	// a token, or, where LedgerPublic is set, to everybody. It names nobody.
	Ledger       http.Handler
	LedgerPublic bool
	// State tells how the program does; it must not block for long.
	State func() State
	// Hosts are the names, with port where it isn't the scheme's own, under
	// which the API answers; another Host header is refused, so that a web page
	// elsewhere can't reach it through a name of its own (DNS rebinding).
	Hosts []string
	// Base is the address at which programs reach the API, without a slash at its
	// end, such as "https://paravent.example"; AuthZEN's metadata name it.
	Base string
	Log  *slog.Logger
}

// api serves the routes.
type api struct {
	Config
	hosts map[string]bool
}

// New returns the API's handler. It refuses a Config in which something is
// missing rather than serve with a weaker check.
func New(cfg Config) (http.Handler, error) {
	if cfg.SignOn == nil || cfg.Accounts == nil || cfg.Lookups == nil || cfg.Requests == nil || cfg.Erasures == nil || cfg.Facts == nil ||
		cfg.Qualifications == nil || cfg.State == nil || cfg.Cases == nil || cfg.Evidence == nil || cfg.Ledger == nil || len(cfg.Hosts) == 0 || cfg.Base == "" {
		return nil, errors.New("open the API: a field of the configuration is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{Config: cfg, hosts: map[string]bool{}}
	for _, h := range cfg.Hosts {
		if h == "" {
			return nil, errors.New("open the API: an empty host name would allow requests that name none")
		}
		a.hosts[strings.ToLower(h)] = true
	}
	return a.routes(), nil
}
