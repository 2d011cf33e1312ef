package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

func TestATokenProvesUntilItEndsOrIsRevoked(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	who := env.Who(t, agent)
	secret, issued, err := env.Identity.IssueToken(ctx, who, " script ", time.Hour)
	if err != nil || !strings.HasPrefix(secret, "pvt_") || issued.Name != "script" || !issued.Until.Equal(testenv.Start.Add(time.Hour)) {
		t.Fatalf("issue: got %q, %+v, %v", secret, issued, err)
	}
	second, _, err := env.Identity.IssueToken(ctx, who, "other", 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := env.Identity.Token(ctx, secret, "device")
	if err != nil || !w.Proven() || !w.ByToken() || w.Employee() != agent || w.Device() != "device" || w.Session() != access.SessionID("token:"+issued.ID) {
		t.Errorf("got %+v, %v", w, err)
	}
	tokens, err := env.Identity.Tokens(ctx, who)
	if err != nil || len(tokens) != 2 {
		t.Errorf("tokens: got %+v, %v", tokens, err)
	}
	for _, k := range tokens {
		if used := k.ID == issued.ID; used == k.Seen.IsZero() {
			t.Errorf("last use of %s: got %v", k.Name, k.Seen)
		}
	}
	_, _, err = env.Identity.IssueToken(ctx, w, "heir", 0)
	wantCode(t, "a token that a token issues", err, access.Denied)

	other := env.Who(t, access.Employee{ID: "e2", Role: access.RoleAgent})
	wantCode(t, "revoked by somebody else", env.Identity.RevokeToken(ctx, other, issued.ID), access.NotFound)
	env.Clock.Advance(time.Hour)
	_, err = env.Identity.Token(ctx, secret, "")
	wantCode(t, "after its end", err, access.Unauthenticated)
	_, err = env.Identity.Token(ctx, second, "")
	wantCode(t, "the other, before its end", err, "")
	for _, k := range tokens {
		wantCode(t, "revoke", env.Identity.RevokeToken(ctx, who, k.ID), "")
	}
	_, err = env.Identity.Token(ctx, second, "")
	wantCode(t, "revoked", err, access.Unauthenticated)
}

func TestATokenNeedsANameAndAnEnd(t *testing.T) {
	env := testenv.New(t)
	who := env.Who(t, agent)
	for _, c := range []struct {
		name  string
		lasts time.Duration
	}{{"", 0}, {"  ", 0}, {strings.Repeat("x", 101), 0}, {"a\x00", 0}, {"\xff", 0}, {"x", -1}, {"x", 91 * 24 * time.Hour}} {
		_, _, err := env.Identity.IssueToken(t.Context(), who, c.name, c.lasts)
		wantCode(t, c.name, err, access.Invalid)
	}
}

func TestSetupWorksOnceAndWithItsCodeOnly(t *testing.T) {
	clock := testenv.NewClock(testenv.Start)
	code, hash := identity.NewSetupCode()
	for name, c := range map[string]struct {
		hash []byte
		code string
		want access.Code
	}{
		"no code is set": {nil, code, access.Denied},
		"a wrong code":   {hash, code + "x", access.Denied},
		"an empty code":  {hash, "", access.Denied},
		"the right code": {hash, code, ""},
		"a short hash":   {hash[:5], code, access.Denied},
		"a zero hash":    {make([]byte, 32), "", access.Denied},
	} {
		s := identity.New(testenv.Store(t, clock.Now), clock.Now, identity.Options{SetupCodeHash: c.hash, Cost: testenv.Cheap})
		wantCode(t, name, s.Setup(t.Context(), c.code, "Root", "Root", testenv.Password), c.want)
		_, _, err := s.SignIn(t.Context(), "root", testenv.Password, "")
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: signing in afterwards: %v", name, err)
		}
		if c.want == "" {
			wantCode(t, "a second time", s.Setup(t.Context(), c.code, "second", "", testenv.Password), access.Conflict)
		}
	}
	s := identity.New(testenv.Store(t, clock.Now), clock.Now, identity.Options{SetupCodeHash: hash, Cost: testenv.Cheap})
	wantCode(t, "a weak password", s.Setup(t.Context(), code, "root", "", "short"), access.Invalid)
	wantCode(t, "a strange login", s.Setup(t.Context(), code, "r o o t", "", testenv.Password), access.Invalid)
	for range 30 {
		if err := s.Setup(t.Context(), "guess", "root", "", testenv.Password); err == nil {
			t.Fatal("a guessed code was taken")
		}
	}
	wantCode(t, "the code after many guesses", s.Setup(t.Context(), code, "root", "", testenv.Password), access.Unavailable)
}

func TestOnlyAnAdministratorChangesAccounts(t *testing.T) {
	env := testenv.New(t)
	ctx, s := t.Context(), env.Identity
	login := env.Account(t, agent)
	customer := identity.Account{Login: "new", Kind: identity.KindCustomer, Customer: "c9"}
	for _, role := range []access.Role{access.RoleAgent, access.RoleTeamLead, access.RolePrivacyOfficer, access.RoleAuditor, access.RoleSecurity, "", "root"} {
		w := env.Who(t, access.Employee{ID: access.EmployeeID("role-" + role), Role: role})
		wantCode(t, "add", s.AddAccount(ctx, w, customer, testenv.Password), access.Denied)
		wantCode(t, "reset", reset(s, w, login), access.Denied)
		wantCode(t, "disable", s.SetDisabled(ctx, w, login, true, unrecorded), access.Denied)
	}
	wantCode(t, "his own password", reset(s, env.Admin(), "ADMIN"), access.Denied)
	wantCode(t, "his own account", s.SetDisabled(ctx, env.Admin(), "admin", false, unrecorded), access.Denied)
	wantCode(t, "nobody's account", s.SetDisabled(ctx, env.Admin(), "nobody", true, unrecorded), access.NotFound)
	wantCode(t, "a second account for one", s.AddAccount(ctx, env.Admin(),
		identity.Account{Login: "twin", Kind: identity.KindEmployee, Employee: agent.ID}, testenv.Password), access.Conflict)
	for _, a := range []identity.Account{
		{Login: "x"}, {Login: "x", Kind: identity.KindEmployee, Customer: "c"}, {Login: "x", Kind: identity.KindCustomer, Employee: agent.ID},
		{Login: "x", Kind: identity.KindEmployee, Employee: agent.ID, Customer: "c"}, {Login: "x", Kind: "robot", Customer: "c"},
	} {
		wantCode(t, "an account of nobody in particular", s.AddAccount(ctx, env.Admin(), a, testenv.Password), access.Invalid)
	}
}

// Attack: somebody has copied a session and issued a token; its owner notices
// and changes the password.
func TestANewPasswordEndsSessionsAndTokens(t *testing.T) {
	const next = "another four good words"
	for name, change := range map[string]func(context.Context, *testenv.Env, identity.SignedIn) (string, error){
		"set by himself": func(ctx context.Context, env *testenv.Env, in identity.SignedIn) (string, error) {
			return next, env.Identity.SetPassword(ctx, in, testenv.Password, next, unrecorded)
		},
		"reset by an administrator": func(ctx context.Context, env *testenv.Env, in identity.SignedIn) (string, error) {
			return env.Identity.ResetPassword(ctx, env.Admin(), in.Login, unrecorded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.New(t)
			ctx, s := t.Context(), env.Identity
			login := env.Account(t, agent)
			secret, in := env.SignIn(t, login)
			token, _, err := s.IssueToken(ctx, in.Who, "script", 0)
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, "with a wrong old password", s.SetPassword(ctx, in, "wrong", next, unrecorded), access.Denied)
			wantCode(t, "a weak one", s.SetPassword(ctx, in, testenv.Password, "weak", unrecorded), access.Invalid)
			wantCode(t, "the same one", s.SetPassword(ctx, in, testenv.Password, testenv.Password, unrecorded), access.Invalid)
			password, err := change(ctx, env, in)
			if err != nil {
				t.Fatalf("change: %v", err)
			}
			_, err = s.Session(ctx, secret)
			wantCode(t, "the session", err, access.Unauthenticated)
			_, err = s.Token(ctx, token, "")
			wantCode(t, "the token", err, access.Unauthenticated)
			_, _, err = s.SignIn(ctx, login, testenv.Password, "")
			wantCode(t, "the old password", err, access.Unauthenticated)
			_, _, err = s.SignIn(ctx, login, password, "")
			wantCode(t, "the new password", err, "")
		})
	}
}

func TestADisabledAccountStaysDisabledUnderANewPassword(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	wantCode(t, "disable", env.Identity.SetDisabled(t.Context(), env.Admin(), login, true, unrecorded), "")
	password, err := env.Identity.ResetPassword(t.Context(), env.Admin(), login, unrecorded)
	wantCode(t, "reset", err, "")
	_, _, err = env.Identity.SignIn(t.Context(), login, password, "")
	wantCode(t, "sign in", err, access.Unauthenticated)
	wantCode(t, "enable", env.Identity.SetDisabled(t.Context(), env.Admin(), login, false, unrecorded), "")
	_, _, err = env.Identity.SignIn(t.Context(), login, password, "")
	wantCode(t, "sign in again", err, "")
}

func TestPasswordsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		login, password string
		ok              bool
	}{
		"long enough":              {"eve", "four words are fine", true},
		"just long enough":         {"eve", "abcdefghijkx", true},
		"twelve signs of any kind": {"eve", "äöüßñçéèêë漢字", true},
		"too short":                {"eve", "elevenchars", false},
		"too long":                 {"eve", strings.Repeat("abcdefgh", 33), false},
		"empty":                    {"eve", "", false},
		"few different signs":      {"eve", "abababababababab", false},
		"the login":                {"evelyn", "i am EVELYN the great", false},
		"common":                   {"eve", "Password1234", false},
		"NUL":                      {"eve", "four words\x00are fine", false},
		"broken UTF-8":             {"eve", "four words are fine\xff", false},
	} {
		err := identity.CheckPassword(c.login, c.password)
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: the error holds the password", name)
		}
	}
}

// A stored hash is in the PHC format, salted, of the cost that OWASP
// recommends, and never in an error.
func TestStoredHashes(t *testing.T) {
	clock := testenv.NewClock(testenv.Start)
	st := testenv.Store(t, clock.Now)
	code, hash := identity.NewSetupCode()
	s := identity.New(st, clock.Now, identity.Options{SetupCodeHash: hash})
	if err := s.Setup(t.Context(), code, "root", "", testenv.Password); err != nil {
		t.Fatal(err)
	}
	a, err := st.Account(t.Context(), "root")
	if err != nil || !strings.HasPrefix(a.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %.40s, %v", a.Hash, err)
	}
	if _, _, err := s.SignIn(t.Context(), "root", testenv.Password, ""); err != nil {
		t.Errorf("sign in: %v", err)
	}
	part := strings.Split(a.Hash, "$")
	for name, bad := range map[string]string{
		"empty":           "",
		"another kind":    strings.Replace(a.Hash, "argon2id", "argon2i", 1),
		"another version": strings.Replace(a.Hash, "v=19", "v=16", 1),
		"endless passes":  strings.Replace(a.Hash, "t=2", "t=4000000000", 1),
		"all memory":      strings.Replace(a.Hash, "m=19456", "m=4000000000", 1),
		"no passes":       strings.Replace(a.Hash, "t=2", "t=0", 1),
		"no lanes":        strings.Replace(a.Hash, "p=1", "p=0", 1),
		"no sum":          strings.Join(part[:5], "$") + "$",
		"a short sum":     strings.Join(part[:5], "$") + "$AAAA",
		"no salt":         strings.Join(part[:4], "$") + "$$" + part[5],
	} {
		if err := st.ChangeAccount(t.Context(), identity.Account{Login: "root", Hash: bad}, testenv.Start); err != nil {
			t.Fatal(err)
		}
		_, in, err := s.SignIn(t.Context(), "root", testenv.Password, "device")
		if err == nil || in.Who.Proven() {
			t.Errorf("%s: signed in", name)
		}
		if err != nil && strings.Contains(err.Error(), part[5]) {
			t.Errorf("%s: the error holds the hash", name)
		}
		clock.Advance(2 * time.Hour) // past any throttle
	}
}

// A storm of sign-ins waits its turn, and one that is given up waits no longer.
func TestSigningInGivesUpWithItsCaller(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, in, err := env.Identity.SignIn(ctx, login, testenv.Password, "")
	if err == nil || in.Who.Proven() {
		t.Errorf("got %+v, %v", in, err)
	}
}
