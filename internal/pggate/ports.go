package pggate

import (
	"context"
	"crypto/x509"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// TokenID names one access token; it is no secret.
type TokenID string

// Verifiers are what SCRAM-SHA-256 (RFC 5802, RFC 7677) needs to know of one
// login. The server names salt and iterations before it knows which token is
// meant, so all tokens of one login share them.
type Verifiers struct {
	Salt       []byte // at least 16 bytes; the same at each call for the same login
	Iterations int    // at least 4096
	Keys       []VerifierKey
}

// VerifierKey is the verifier of one access token: no secret can be had from it.
type VerifierKey struct {
	Token     TokenID
	StoredKey [32]byte
	ServerKey [32]byte
}

// SignOn proves who asks. It is safe for concurrent use.
type SignOn interface {
	// Verifiers returns the verifiers of all access tokens of a login that are in
	// force. A login that isn't known, or has none, gets a made-up salt (the same
	// at each call, not to be told from a real one) and no keys, and no error.
	Verifiers(ctx context.Context, login string) (Verifiers, error)
	// Proven returns whom a token proves whose possession was shown by SCRAM, or
	// access.Unauthenticated when it is no longer in force.
	Proven(ctx context.Context, login string, token TokenID) (identity.Who, error)
	// ByCertificate returns whom a client certificate proves that TLS has already
	// verified against the authority of the gateway's configuration; login is the
	// user name that the client gave and must be that of the certificate
	// (access.Unauthenticated otherwise).
	ByCertificate(ctx context.Context, login string, cert *x509.Certificate) (identity.Who, error)
	// OnBehalf returns the person for whom a tool's service account acts, proven
	// by the token issued to that person for this tool; access.Denied where
	// service isn't an account for that, access.Unauthenticated for any mistake in
	// the token. The session of the result is that of the token.
	OnBehalf(ctx context.Context, service identity.Who, token string) (identity.Who, error)
	// Service reports whether this account acts for others and sees no customer
	// by itself.
	Service(who identity.Who) bool
}

// Lookups decides and records. It is safe for concurrent use, and every
// callback is called exactly once, from any goroutine, possibly before the
// method that took it returns. A callback neither blocks nor calls back.
type Lookups interface {
	// Open decides whether he may look for this task now. The decision is
	// recorded either way. A refusal is an *access.Error that says what to do
	// (G9). Asked again for the same session and task while a grant is in force,
	// it may return that grant: an upstream of the same grant ID is used again.
	Open(ctx context.Context, who identity.Who, task access.TaskID) (access.Grant, error)
	// Statement queues the intent without waiting and without keeping a
	// reference to s. done(nil) is called once the intent is durable, done(err)
	// once it can't be any more; until then nothing that PostgreSQL answers is
	// passed on (G3).
	Statement(s *Statement, done func(error)) Handle
	// Ended queues the outcome of a statement. It is called exactly once for each
	// Handle, possibly before Statement's done was called: the outcome belongs
	// behind the intent. CommandComplete is passed on after done(nil). done may be
	// nil where nobody waits.
	Ended(h Handle, o Ended, done func(error))
	// Refused queues the record of a statement that the gateway refused: one that
	// names a protected table without a task, a forbidden command, a limit. The
	// refusal is passed on after done.
	Refused(r *Refusal, done func(error))
	// Live returns nil while the grant still stands: the task is open and his,
	// he is employed, nothing was withdrawn. A grant without an ID has only its
	// employee and session: is he still proven?
	Live(ctx context.Context, g access.Grant) error
	// Revoked tells of employees of whom something was withdrawn (a token, an
	// assignment, the employment); their sessions are asked for by Live at once.
	// "" means anybody. It is read by one goroutine as long as the gateway runs.
	Revoked() <-chan access.EmployeeID
}

// Handle is the recorder's own name for one statement between its intent and
// its outcome.
type Handle any

// Statement is one SQL statement that is about to be sent to PostgreSQL.
type Statement struct {
	Grant       access.Grant
	Who         identity.Who // and the service account that acts for him, where one does
	Text        string       // literals removed; at most 4 KiB, cut at a rune
	Fingerprint [8]byte      // of the whole normalised text
	Relations   []string     // protected relations that it names: "schema.name", sorted
}

// Ended is how a statement ended.
type Ended struct {
	Rows  int64 // rows that PostgreSQL sent (COPY: lines)
	Bytes int64 // bytes of those rows on the wire
	How   How
	Code  string // SQLSTATE, where How is EndedError
}

// How says how a statement ended.
type How string

// How a statement can end.
const (
	EndedWhole     How = "whole"     // CommandComplete
	EndedSuspended How = "suspended" // the rows asked for; the portal has more
	EndedError     How = "error"     // PostgreSQL refused or broke it off
	EndedCut       How = "cut"       // the gateway cut it: limit, time, grant ended
	EndedLost      How = "lost"      // a connection broke
	EndedNotRun    How = "not_run"   // an error before it kept it from running
)

// Refusal is a statement that the gateway refused.
type Refusal struct {
	Statement
	Code   string // SQLSTATE that the client is given
	Reason string // fixed word: "no_task", "command", "setting", "limit_rows", …
}

// Binder binds an upstream session to a grant inside PostgreSQL.
// *protect.Binder is one, but for Hello.
type Binder interface {
	// Bind makes the session of this backend see what lies inside the grant; on
	// return it holds. A bind replaces the one before.
	Bind(ctx context.Context, pid uint32, g access.Grant) error
	// Release takes it away; a backend without a bind is no error.
	Release(ctx context.Context, pid uint32) error
	// Hello is the statement with which a session must begin before it can be
	// bound, and which it runs again after DISCARD ALL; "": none. It returns one
	// text, by which Token knows the session.
	Hello() string
	// Token returns the value of the setting paravent.token that does the same on
	// a standby for at most a minute from now. session is what Hello returned
	// there.
	Token(session string, g access.Grant, now time.Time) (string, error)
}

// Relation names a protected table or view.
type Relation struct{ Schema, Name string }
