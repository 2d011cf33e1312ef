package console

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// Config is what the console needs. Every field is required unless it says
// otherwise.
type Config struct {
	SignOn        SignOn
	Accounts      Accounts
	Lookups       Lookups
	Requests      Requests
	RequestStates RequestStates
	Erasures      Erasures
	Upkeep        Upkeep // nil: the ledger's logs aren't shown, and nobody can ask to change them
	Tasks         Tasks
	Standings     Standings
	People        People
	Findings      Findings
	Index         Index
	Policy        *policy.Policy
	// System tells the state of the program; it must not block for long.
	System func() System
	// Pseudonym names an employee without telling who he is; the same name as
	// in the records.
	Pseudonym func(access.EmployeeID) string
	Clock     access.Clock
	Log       *slog.Logger
	// TLS says that browsers reach the console over TLS: cookies are Secure and
	// carry the __Host- prefix, and browsers are told to stay with TLS.
	TLS bool
	// Hosts are the names, with port where it isn't the scheme's own, under
	// which the console answers; another Host header is refused. Empty: the
	// server in front has checked it.
	Hosts []string
	// Zone is the time zone in which times are shown; nil is UTC.
	Zone *time.Location
	// Company is shown beside the product's name; may be empty.
	Company string
	// SignInHint is one sentence beneath the sign-in form, such as where demo
	// accounts are listed; may be empty.
	SignInHint string
}

// console serves the pages.
type console struct {
	Config
	pages   pages
	assets  assets
	formKey []byte // binds sign-in forms to the browser that they were given to
}

// New returns the console's handler. It refuses a Config in which something is
// missing rather than serve with a weaker check.
func New(cfg Config) (http.Handler, error) {
	for name, missing := range map[string]bool{
		"SignOn": cfg.SignOn == nil, "Accounts": cfg.Accounts == nil, "Lookups": cfg.Lookups == nil, "Requests": cfg.Requests == nil,
		"RequestStates": cfg.RequestStates == nil, "Erasures": cfg.Erasures == nil, "Tasks": cfg.Tasks == nil, "Standings": cfg.Standings == nil,
		"People": cfg.People == nil, "Findings": cfg.Findings == nil, "Index": cfg.Index == nil, "Policy": cfg.Policy == nil,
		"System": cfg.System == nil, "Pseudonym": cfg.Pseudonym == nil, "Clock": cfg.Clock == nil, "Log": cfg.Log == nil,
	} {
		if missing {
			return nil, fmt.Errorf("open console: %s is missing", name)
		}
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	c := &console{Config: cfg, formKey: make([]byte, 32)}
	if _, err := rand.Read(c.formKey); err != nil {
		return nil, err
	}
	var err error
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = loadPages(c.assets); err != nil {
		return nil, err
	}
	return c.handler(), nil
}
