package identity

import (
	"context"
	"strings"
	"time"

	"paravent/internal/access"
)

// behalfPrefix begins every token by which a tool acts for a person.
const behalfPrefix = "pvb_"

// longestOnBehalf is how long a tool may act for a person at most before the
// person must let it do so again.
const longestOnBehalf = 5 * time.Minute

// OnBehalf is a person's leave for one tool to act in his name: once, in one
// session of the tool's, for minutes.
type OnBehalf struct {
	ID     string
	Hash   [32]byte         // SHA-256 of the secret
	Login  string           // the person's
	Tool   string           // the login of the tool's service account
	Parent access.SessionID // the person's session or token that gave it; with that it ends
	Since  time.Time
	Until  time.Time
	UsedAt time.Time // zero: not used yet
}

// OnBehalfs keeps what lets tools act for people. Changes are durable on
// return.
type OnBehalfs interface {
	AddOnBehalf(ctx context.Context, b OnBehalf) error
	// UseOnBehalf marks the one with this hash as used by this tool and returns
	// it, in one step: access.NotFound where there is none, where it is over,
	// used, of another tool, or where what it was given with has ended.
	UseOnBehalf(ctx context.Context, hash [32]byte, tool string, at time.Time) (OnBehalf, error)
	// SessionLasts reports whether the session or access token of that name is
	// this login's and still lasts at that moment.
	SessionLasts(ctx context.Context, login string, id access.SessionID, at time.Time) (bool, error)
}

// IssueOnBehalf lets the tool of that login act for w, and returns the secret
// that the tool shows the gateway. Only a person may, for himself, and only for
// an account of access.RoleProgram. It is recorded by record before it exists
// (G7). It can be used once; the tool then acts for w until it ends, lasts after
// its issue (0: as long as is allowed, five minutes), or until w's own session
// or token ends, whichever comes first.
func (s *Service) IssueOnBehalf(ctx context.Context, w Who, tool string, lasts time.Duration, record Record) (string, OnBehalf, error) {
	if !w.Proven() {
		return "", OnBehalf{}, errUnproven(nil)
	}
	if w.by != "" || w.employee.Role.Machine() {
		return "", OnBehalf{}, access.Errorf(access.Denied, "A program can't let another act for it.").
			WithHint("The person for whom the tool is to act signs in himself.")
	}
	if lasts == 0 {
		lasts = longestOnBehalf
	}
	if lasts < 0 || lasts > longestOnBehalf {
		return "", OnBehalf{}, access.Errorf(access.Invalid, "A tool can't act for you that long.").
			WithHint("At most " + longestOnBehalf.String() + "; then let it act again.")
	}
	a, e, err := s.prove(ctx, fold(tool))
	if code := access.CodeOf(err); code != "" && code != access.Unauthenticated {
		return "", OnBehalf{}, err
	}
	if err != nil || a.Kind != KindEmployee || e.Role != access.RoleProgram {
		return "", OnBehalf{}, access.Errorf(access.NotFound, "There is no such tool.").Because(err).
			WithHint("Name the login of the tool's own account; your administrator knows it.")
	}
	if err := record(ctx, a); err != nil {
		return "", OnBehalf{}, err
	}
	now, secret := s.now(), newSecret(behalfPrefix)
	b := OnBehalf{ID: newID(), Hash: hashSecret(secret), Login: w.login, Tool: a.Login, Parent: w.session, Since: now, Until: now.Add(lasts)}
	if !w.until.IsZero() && w.until.Before(b.Until) {
		b.Until = w.until
	}
	if err := s.store.AddOnBehalf(ctx, b); err != nil {
		return "", OnBehalf{}, err
	}
	return secret, b, nil
}

// OnBehalf returns the person for whom the tool acts that shows his secret;
// access.Unauthenticated where it is unknown, over, used before, or another
// tool's, and access.Denied where the account isn't a tool's. Of two that show the
// same secret at once, one is let in.
func (s *Service) OnBehalf(ctx context.Context, tool Who, secret string) (Who, error) {
	if !s.Service(tool) {
		return Who{}, access.Errorf(access.Denied, "This account can't act for anybody.").
			WithHint("A tool's own account can: one of the role program.")
	}
	if !strings.HasPrefix(secret, behalfPrefix) {
		return Who{}, errActing(nil)
	}
	b, err := s.store.UseOnBehalf(ctx, hashSecret(secret), tool.login, s.now())
	if access.CodeOf(err) == access.NotFound {
		return Who{}, errActing(err)
	}
	if err != nil {
		return Who{}, err
	}
	a, e, err := s.prove(ctx, b.Login)
	if err != nil {
		return Who{}, err
	}
	if a.Kind != KindEmployee || a.MustChange {
		return Who{}, errActing(nil)
	}
	w := Who{
		employee: e, login: a.Login, session: access.SessionID(behalfSession + b.ID), device: tool.device, token: true, proven: true,
		by: tool.employee.ID, until: b.Until, rests: [2]rest{{a.Login, b.Parent}, {tool.login, tool.session}},
	}
	return w, nil
}

// Service reports whether w is a tool's own account, which acts for people and
// sees no customer by itself.
func (s *Service) Service(w Who) bool {
	return w.Proven() && w.by == "" && w.employee.Role == access.RoleProgram
}

// errActing is the one answer to everything that lets a tool act for nobody.
func errActing(cause error) *access.Error {
	return access.Errorf(access.Unauthenticated, "The tool may not act for this person.").
		WithHint("Sign in to the tool again: each leave to act holds for one session and for minutes.").Because(cause)
}
