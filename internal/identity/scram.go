package identity

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"strings"
	"time"

	"paravent/internal/access"
)

// scramIterations is how often PBKDF2 hashes for a verifier: the least that RFC
// 7677 allows, and what PostgreSQL itself takes. It costs client and server one
// or two milliseconds. A token is 32 random bytes, so whoever stole the
// verifiers gains nothing from a low number: no number of guesses finds it. It
// can't be changed without making every verifier anew.
const scramIterations = 4096

// scramSalt is the length of a salt in bytes, as PostgreSQL's.
const scramSalt = 16

// Scram is what is kept beside an access token so that its owner can prove that
// he has it without sending it (SCRAM-SHA-256, RFC 5802 section 3, RFC 7677).
// Neither key lets anybody sign in; StoredKey and a proof that was overheard
// together would.
type Scram struct {
	StoredKey [32]byte // H(HMAC(SaltedPassword, "Client Key"))
	ServerKey [32]byte // HMAC(SaltedPassword, "Server Key")
}

// Verifiers are what a door needs to know of one login before it can tell whether
// a client has one of its access tokens. All tokens of a login share Salt and
// Iterations, for the door names them before it knows which token is meant; it
// then tries the proof on each key.
type Verifiers struct {
	Salt       []byte
	Iterations int
	Keys       []VerifierKey // none: nothing that is shown proves this login
}

// VerifierKey is the Scram of one access token.
type VerifierKey struct {
	Token string // the token's id, for Proven
	Scram
}

// Scrams keeps the verifiers of access tokens. Changes are durable on return.
type Scrams interface {
	// ScramKey returns the key that salts are derived with: 32 random bytes, made
	// when it is first asked for, the same ever after.
	ScramKey(ctx context.Context) ([]byte, error)
	// SaveScram keeps the verifier of the token of that id; one that it has
	// already stays.
	SaveScram(ctx context.Context, id string, k Scram) error
	// HasScram reports whether the token of that id has a verifier.
	HasScram(ctx context.Context, id string) (bool, error)
	// ScramsOf returns, by the ids of their tokens, the verifiers of a login's
	// tokens that are neither revoked nor over at that moment.
	ScramsOf(ctx context.Context, login string, at time.Time) (map[string]Scram, error)
	// TokenByID returns the token of that id, revoked or not.
	TokenByID(ctx context.Context, id string) (Token, error)
}

// Verifiers returns the verifiers of a login's access tokens that are in force.
// A login that doesn't exist, or has none, gets no keys and the salt that it has
// at every other try: a stranger can't tell which logins exist. The login may be
// written as at sign-in.
//
// A token that was issued before there were verifiers gets its own the first
// time it is used at the API; until then it can't be used here.
func (s *Service) Verifiers(ctx context.Context, login string) (Verifiers, error) {
	login = fold(login)
	key, err := s.store.ScramKey(ctx)
	if err != nil {
		return Verifiers{}, err
	}
	v := Verifiers{Salt: saltOf(key, login), Iterations: scramIterations}
	kept, err := s.store.ScramsOf(ctx, login, s.now())
	if err != nil {
		return Verifiers{}, err
	}
	for id, k := range kept {
		v.Keys = append(v.Keys, VerifierKey{Token: id, Scram: k})
	}
	return v, nil
}

// Proven returns whom the token of a verifier proves, after a door has checked
// the proof against its StoredKey; access.Unauthenticated where the token is
// revoked or over, isn't that login's, or proves nobody any more. It never asks
// for the secret, so nothing but such a door may call it.
func (s *Service) Proven(ctx context.Context, login, id string) (Who, error) {
	if id == "" {
		return Who{}, errUnproven(nil)
	}
	t, err := s.store.TokenByID(ctx, id)
	if access.CodeOf(err) == access.NotFound {
		return Who{}, errUnproven(err)
	}
	if err != nil {
		return Who{}, err
	}
	if t.Login != fold(login) {
		return Who{}, errUnproven(nil)
	}
	return s.byToken(ctx, t, "")
}

// keepScram makes the verifier of a token of which only the secret can make it.
func (s *Service) keepScram(ctx context.Context, t Token, secret string) error {
	key, err := s.store.ScramKey(ctx)
	if err != nil {
		return err
	}
	k, err := scramOf(secret, saltOf(key, t.Login))
	if err != nil {
		return err
	}
	return s.store.SaveScram(ctx, t.ID, k)
}

// scramOf computes a verifier (RFC 5802, section 3). A token is ASCII, so
// SASLprep leaves it as it is.
func scramOf(secret string, salt []byte) (Scram, error) {
	salted, err := pbkdf2.Key(sha256.New, secret, salt, scramIterations, sha256.Size)
	if err != nil {
		return Scram{}, err
	}
	client := keyed(salted, "Client Key")
	return Scram{StoredKey: sha256.Sum256(client[:]), ServerKey: keyed(salted, "Server Key")}, nil
}

// saltOf derives a login's salt. Only who has the key could tell it from a
// random one.
func saltOf(key []byte, login string) []byte {
	sum := keyed(key, "salt", login)
	return sum[:scramSalt]
}

// keyed returns HMAC-SHA-256 of the parts, a zero byte between them.
func keyed(key []byte, parts ...string) [32]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join(parts, "\x00"))) // never fails
	return [32]byte(mac.Sum(nil))
}
