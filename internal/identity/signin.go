package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"paravent/internal/access"
)

// sessionPrefix begins every session secret, so that a leaked one is known for
// what it is.
const sessionPrefix = "pvs_"

// SignIn begins a session for whoever knows the password, and returns its
// secret for the browser's cookie. Each sign-in makes a new secret: one that
// the browser brought along is never taken up. device is the door's random id
// of the device, "" for none.
//
// Every mistake reads alike and takes as long (access.Unauthenticated); after
// five misses at a login it is refused unheard for a while (access.Unavailable).
func (s *Service) SignIn(ctx context.Context, login, password, device string) (string, SignedIn, error) {
	login = fold(login)
	a, err := s.check(ctx, login, password, device)
	if err != nil {
		return "", SignedIn{}, err
	}
	e, err := s.standing(ctx, a)
	if err != nil {
		return "", SignedIn{}, errWrong(err)
	}
	s.throttle.succeeded(login, device)
	now, secret := s.now(), newSecret(sessionPrefix)
	ses := Session{
		Hash: hashSecret(secret), ID: access.SessionID(signInSession + newID()), Login: a.Login, Device: device,
		Since: now, Seen: now, Until: now.Add(s.o.SessionFor),
	}
	if err := s.store.AddSession(ctx, ses); err != nil {
		return "", SignedIn{}, err
	}
	return secret, s.signedIn(a, e, ses, secret), nil
}

// check returns the account that login and password belong to. An unknown
// login costs as much as a wrong password.
func (s *Service) check(ctx context.Context, login, password, device string) (Account, error) {
	if err := s.throttle.begin(login, device, s.now()); err != nil {
		return Account{}, err
	}
	a, err := s.store.Account(ctx, login)
	unknown := access.CodeOf(err) == access.NotFound
	if err != nil && !unknown {
		return Account{}, err
	}
	phc := a.Hash
	if unknown {
		phc = s.hasher.dummy
	}
	if len(password) > maxPassword {
		password = "" // no password is that long; hash something short instead
	}
	ok, err := s.hasher.matches(ctx, phc, password)
	if err != nil {
		return Account{}, err
	}
	if !ok || unknown {
		return Account{}, errWrong(nil)
	}
	return a, nil
}

// errWrong is the one answer to every sign-in that fails.
func errWrong(cause error) *access.Error {
	return access.Errorf(access.Unauthenticated, "Login or password is wrong.").
		WithHint("Check both; if you can't get in, ask your administrator.").Because(cause)
}

// Session returns whom a session's secret proves at this moment, or
// access.Unauthenticated: unknown, ended, idle for too long, too old, or of a
// person who proves nothing any more.
func (s *Service) Session(ctx context.Context, secret string) (SignedIn, error) {
	if !strings.HasPrefix(secret, sessionPrefix) {
		return SignedIn{}, errUnproven(nil)
	}
	now := s.now()
	ses, err := s.store.Session(ctx, hashSecret(secret))
	if access.CodeOf(err) == access.NotFound {
		return SignedIn{}, errUnproven(err)
	}
	if err != nil {
		return SignedIn{}, err
	}
	// The last use is kept to the minute, so an idle session may live that much less.
	if !now.Before(ses.Until) || now.Sub(ses.Seen) >= s.o.IdleFor {
		return SignedIn{}, errUnproven(nil)
	}
	a, e, err := s.prove(ctx, ses.Login)
	if err != nil {
		return SignedIn{}, err
	}
	if now.Sub(ses.Seen) >= min(seenEvery, s.o.IdleFor/2) {
		if err := s.store.SeeSession(ctx, ses.Hash, now); err != nil {
			return SignedIn{}, err
		}
	}
	return s.signedIn(a, e, ses, secret), nil
}

// SignOut ends the session for good. Ending one that doesn't exist is no
// mistake.
func (s *Service) SignOut(ctx context.Context, secret string) error {
	err := s.store.EndSession(ctx, hashSecret(secret))
	if access.CodeOf(err) == access.NotFound {
		return nil
	}
	return err
}

// CheckCSRF reports whether token is the one that belongs to this session.
func (in SignedIn) CheckCSRF(token string) bool {
	return in.CSRF != "" && hmac.Equal([]byte(in.CSRF), []byte(token))
}

// signedIn is where a proven person comes into being from a session.
func (s *Service) signedIn(a Account, e access.Employee, ses Session, secret string) SignedIn {
	in := SignedIn{
		Kind: a.Kind, Login: a.Login, CSRF: csrf(secret), Until: ses.Until.Truncate(time.Second),
		MustChange: a.MustChange, device: ses.Device,
	}
	switch {
	case a.MustChange:
		// Two people know the password, so it proves neither of them.
	case a.Kind == KindEmployee:
		in.Who = Who{employee: e, login: a.Login, session: ses.ID, device: ses.Device, proven: true, rests: [2]rest{{a.Login, ses.ID}}}
	case a.Kind == KindCustomer:
		in.Customer = Customer{id: a.Customer, session: ses.ID, proven: true}
	}
	return in
}

// csrf derives the token of a session from its secret, so it needs no keeping,
// ends with the session, and tells nothing about the secret.
func csrf(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("paravent csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
