package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync/atomic"
	"time"

	"paravent/internal/access"
)

// Options say how long proofs last and what they cost. The zero value of each
// field stands for a safe default.
type Options struct {
	SessionFor time.Duration // a session ends after this, used or not; default 10 h
	IdleFor    time.Duration // a session ends when unused for this; default 30 min
	TokenFor   time.Duration // the longest that an access token may last; default 90 days
	// SetupCodeHash is SHA-256 of the code that the first administrator shows;
	// empty: nobody can set up.
	SetupCodeHash []byte
	// Certificates says where a client certificate names its login; "": they
	// prove nobody.
	Certificates CertificateName
	// Cost is what one password check costs; zero: Default, which is what OWASP
	// recommends. Tests alone set it lower.
	Cost Cost
}

// Service signs people in and proves who they are. It is safe for concurrent
// use.
type Service struct {
	store    Store
	now      access.Clock
	o        Options
	hasher   *hasher
	throttle *throttle
	setUp    atomic.Bool // there is an account; see IsSetUp
}

// New returns a Service that keeps everything in store.
func New(store Store, clock access.Clock, o Options) *Service {
	if o.SessionFor <= 0 {
		o.SessionFor = 10 * time.Hour
	}
	if o.IdleFor <= 0 {
		o.IdleFor = 30 * time.Minute
	}
	if o.TokenFor <= 0 {
		o.TokenFor = 90 * 24 * time.Hour
	}
	if o.Cost == (Cost{}) {
		o.Cost = Default
	}
	return &Service{store: store, now: clock, o: o, hasher: newHasher(o.Cost), throttle: newThrottle()}
}

// errUnproven is the one answer to every credential that proves nobody: wrong,
// unknown, expired, revoked, disabled or a leaver's. Nothing in it tells which.
func errUnproven(cause error) *access.Error {
	return access.Errorf(access.Unauthenticated, "Please sign in.").
		WithHint("Sign in again; if that fails, ask your administrator.").Because(cause)
}

// seenEvery is how exact "last used" is; more would write at each request.
const seenEvery = time.Minute

// prove returns the account behind a login if it proves anybody at this
// moment: not disabled, and, where it is an employee's, in the directory and
// neither to come nor gone. It is asked at each use of a session or token.
func (s *Service) prove(ctx context.Context, login string) (Account, access.Employee, error) {
	a, err := s.store.Account(ctx, login)
	if access.CodeOf(err) == access.NotFound {
		return Account{}, access.Employee{}, errUnproven(err)
	}
	if err != nil {
		return Account{}, access.Employee{}, err
	}
	e, err := s.standing(ctx, a)
	return a, e, err
}

// standing returns the employee of an account that proves somebody.
func (s *Service) standing(ctx context.Context, a Account) (access.Employee, error) {
	if a.Disabled {
		return access.Employee{}, errUnproven(access.Errorf(access.Denied, "the account is disabled"))
	}
	switch {
	case a.Kind == KindCustomer && a.Customer != "":
		return access.Employee{}, nil
	case a.Kind != KindEmployee || a.Employee == "":
		return access.Employee{}, errUnproven(access.Errorf(access.Denied, "the account names nobody"))
	}
	e, err := s.store.Employee(ctx, a.Employee)
	if access.CodeOf(err) == access.NotFound {
		return access.Employee{}, errUnproven(err)
	}
	if err != nil {
		return access.Employee{}, err
	}
	if !employed(e, s.now()) {
		return access.Employee{}, errUnproven(access.Errorf(access.Denied, "the employee isn't with the company at this time"))
	}
	return e, nil
}

// employed reports whether e works here at t: from the day he joins to the end
// (UTC) of the day he leaves.
func employed(e access.Employee, t time.Time) bool {
	if e.ID == "" || t.Before(e.JoinedOn) {
		return false
	}
	return e.LeavesOn.IsZero() || t.Before(e.LeavesOn.AddDate(0, 0, 1))
}

// random is the alphabet of secrets and ids: letters and digits that survive
// URLs, shells and being read aloud.
var random = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret returns 32 random bytes as text with a prefix.
func newSecret(prefix string) string { return prefix + random.EncodeToString(randomBytes(32)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the program rather than return weak bytes
	return b
}

// newID returns 10 random bytes as text: an id that can't be guessed, though it
// is no secret.
func newID() string { return random.EncodeToString(randomBytes(10)) }

// hashSecret returns the form in which a secret is kept. A plain hash is enough
// here because the secret is random, not chosen.
func hashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// fold returns a login in its one spelling: ASCII letters in lower case,
// blanks around it gone.
func fold(login string) string { return strings.ToLower(strings.TrimSpace(login)) }
