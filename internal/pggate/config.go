package pggate

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
)

// Config is what a gateway is made of. What has no default must be given.
type Config struct {
	SignOn  SignOn
	Lookups Lookups
	Binder  Binder
	Clock   access.Clock
	Log     *slog.Logger // nil: none

	// Upstream is how the shop's PostgreSQL is reached, as the reader's role;
	// made by pgconn.ParseConfig.
	Upstream *pgconn.Config
	// Database is the name by which clients ask for it; they may also leave it
	// out (libpq then sends the user's name).
	Database string
	// Standby says that Upstream can't be written to: sessions carry a token that
	// is renewed instead of a bind.
	Standby bool
	// Protected are the relations for which a task is needed, under every schema
	// in which they or their views stand.
	Protected []Relation

	// TLS answers SSLRequest; nil: there is no TLS. With ClientCAs and a
	// ClientAuth that verifies, a certificate can take the token's place.
	TLS *tls.Config
	// RequireTLS refuses whoever doesn't ask for TLS.
	RequireTLS bool

	// Limits of a role, and of roles that have none of their own.
	Limits  map[access.Role]Limits
	Default Limits

	MaxSessions  int           // clients at once; 0: 1,000
	SignInWithin time.Duration // from connecting to being proven; 0: 10 s
	KeepIdle     time.Duration // an upstream session that nobody uses; 0: 1 min
	StallFor     time.Duration // a client that doesn't read what it asked for; 0: 5 min
	MaxStatement int           // bytes of one text; 0: 16 MiB
	// Loops serves clients over plain sockets by event loops (Linux): faster. Not
	// the default: on a machine that is short of processors sessions were seen to stand
	// still there. Otherwise each client has goroutines of its own.
	Loops bool
	Tick  time.Duration // how often limits and grants are looked at; 0: 200 ms, at most 500 ms
}

// Limits bound what one statement may bring and how many there may be. Zero is
// no limit.
type Limits struct {
	Rows      int64         // a statement
	Bytes     int64         // a statement, of rows on the wire
	Time      time.Duration // a statement
	PerMinute int           // statements in a minute of the clock
	CopyIn    bool          // COPY … FROM STDIN may be used
}

// check refuses a Config in which something is missing rather than work with a
// weaker check, and fills in the defaults.
func (c *Config) check() error {
	switch {
	case c.SignOn == nil || c.Lookups == nil || c.Binder == nil || c.Clock == nil || c.Upstream == nil || c.Database == "":
		return errors.New("open pggate: a field of the configuration is missing")
	case c.RequireTLS && c.TLS == nil:
		return errors.New("open pggate: TLS is required, but there is no certificate")
	case c.TLS != nil && (c.TLS.ClientAuth == tls.RequestClientCert || c.TLS.ClientAuth == tls.RequireAnyClientCert):
		return errors.New("open pggate: client certificates must be verified")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	set(&c.MaxSessions, 1000)
	set(&c.SignInWithin, 10*time.Second)
	set(&c.KeepIdle, time.Minute)
	set(&c.StallFor, 5*time.Minute)
	set(&c.MaxStatement, 16<<20)
	set(&c.Tick, 200*time.Millisecond)
	c.Tick = min(c.Tick, 500*time.Millisecond)
	return nil
}

func set[T int | time.Duration](field *T, otherwise T) {
	if *field <= 0 {
		*field = otherwise
	}
}

// limits returns those of a role.
func (c *Config) limits(role access.Role) Limits {
	if l, ok := c.Limits[role]; ok {
		return l
	}
	return c.Default
}
