package identity

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"paravent/internal/access"
)

// tokenPrefix begins every access token, so that scanners of repositories find
// one that has leaked.
const tokenPrefix = "pvt_"

// IssueToken makes an access token for a program that asks in w's name, and
// returns its secret, which is shown this once. lasts is how long it is valid,
// 0 for as long as Options.TokenFor allows. A token can't issue tokens: what
// was revoked must not have left heirs (access.Denied).
func (s *Service) IssueToken(ctx context.Context, w Who, name string, lasts time.Duration) (string, Token, error) {
	if !w.Proven() {
		return "", Token{}, errUnproven(nil)
	}
	if w.ByToken() {
		return "", Token{}, access.Errorf(access.Denied, "An access token can't issue another.").
			WithHint("Sign in with your password to issue one.")
	}
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", Token{}, access.Errorf(access.Invalid, "The token needs a name of 1 to 100 characters.").
			WithHint("Name the program that will use it.")
	}
	if lasts == 0 {
		lasts = s.o.TokenFor
	}
	if lasts < 0 || lasts > s.o.TokenFor {
		return "", Token{}, access.Errorf(access.Invalid, "The token can't last that long.").
			WithHint("At most " + s.o.TokenFor.String() + ".")
	}
	now, secret := s.now(), newSecret(tokenPrefix)
	t := Token{ID: newID(), Hash: hashSecret(secret), Login: w.login, Name: name, Since: now, Until: now.Add(lasts)}
	if err := s.store.AddToken(ctx, t); err != nil {
		return "", Token{}, err
	}
	if err := s.keepScram(ctx, t, secret); err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

// Token returns whom an access token proves at this moment, or
// access.Unauthenticated. device is the door's id of the device, "" for none.
func (s *Service) Token(ctx context.Context, secret, device string) (Who, error) {
	if !strings.HasPrefix(secret, tokenPrefix) {
		return Who{}, errUnproven(nil)
	}
	t, err := s.store.Token(ctx, hashSecret(secret))
	if access.CodeOf(err) == access.NotFound {
		return Who{}, errUnproven(err)
	}
	if err != nil {
		return Who{}, err
	}
	seldom := s.now().Sub(t.Seen) >= seenEvery
	w, err := s.byToken(ctx, t, device)
	if err != nil || !seldom {
		return w, err
	}
	// One that is older than verifiers gets its own, now that its secret is here.
	has, err := s.store.HasScram(ctx, t.ID)
	if err == nil && !has {
		err = s.keepScram(ctx, t, secret)
	}
	if err != nil {
		return Who{}, err
	}
	return w, nil
}

// byToken returns whom a token that was shown proves at this moment.
func (s *Service) byToken(ctx context.Context, t Token, device string) (Who, error) {
	now := s.now()
	if !t.RevokedAt.IsZero() || !now.Before(t.Until) {
		return Who{}, errUnproven(nil)
	}
	a, e, err := s.prove(ctx, t.Login)
	if err != nil {
		return Who{}, err
	}
	if a.Kind != KindEmployee || a.MustChange {
		return Who{}, errUnproven(nil)
	}
	if now.Sub(t.Seen) >= seenEvery {
		if err := s.store.SeeToken(ctx, t.ID, now); err != nil {
			return Who{}, err
		}
	}
	session := access.SessionID(tokenSession + t.ID)
	return Who{
		employee: e, login: a.Login, session: session, device: device, token: true, proven: true, rests: [2]rest{{a.Login, session}},
	}, nil
}

// Tokens returns w's own access tokens that aren't revoked, newest first.
func (s *Service) Tokens(ctx context.Context, w Who) ([]Token, error) {
	if !w.Proven() {
		return nil, errUnproven(nil)
	}
	return s.store.TokensOf(ctx, w.login)
}

// RevokeToken ends one of w's own tokens at once; access.NotFound where he has
// none of that id.
func (s *Service) RevokeToken(ctx context.Context, w Who, id string) error {
	if !w.Proven() {
		return errUnproven(nil)
	}
	return s.store.RevokeToken(ctx, w.login, id, s.now())
}
