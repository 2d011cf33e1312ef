package identity_test

import (
	"context"
	"errors"
	"testing"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

// unrecorded lets a change pass that no record is wanted of.
func unrecorded(context.Context, identity.Account) error { return nil }

// reset resets a password and returns what went wrong.
func reset(s *identity.Service, w identity.Who, login string) error {
	_, err := s.ResetPassword(context.Background(), w, login, unrecorded)
	return err
}

// enrol gives agent an account and returns its login and first password.
func enrol(t *testing.T, env *testenv.Env) (login, password string) {
	t.Helper()
	env.Save(t, &access.EmployeeKnown{Employee: agent})
	a, password, err := env.Identity.Enrol(t.Context(), env.Admin(),
		identity.Account{Kind: identity.KindEmployee, Employee: agent.ID}, unrecorded)
	if err != nil || a.Login != string(agent.ID) || a.Hash != "" || len(password) != 19 {
		t.Fatalf("enrol: got %+v, a password of %d, %v", a, len(password), err)
	}
	return a.Login, password
}

// Attack: the administrator knows the first password, or one that he has reset,
// and signs in with it to look in somebody's name.
func TestAFirstPasswordProvesNobody(t *testing.T) {
	env := testenv.New(t)
	ctx, s := t.Context(), env.Identity
	login, first := enrol(t, env)
	for _, step := range []string{"the first password", "after a reset"} {
		secret, in, err := s.SignIn(ctx, login, first, "device")
		if err != nil || !in.MustChange || in.Who.Proven() || in.Customer.Proven() {
			t.Fatalf("%s: signed in as %+v, %v", step, in, err)
		}
		if in, err = s.Session(ctx, secret); err != nil || !in.MustChange || in.Who.Proven() {
			t.Errorf("%s: the session proves %+v, %v", step, in, err)
		}
		_, _, err = s.IssueToken(ctx, in.Who, "script", 0)
		wantCode(t, step+": a token", err, access.Unauthenticated)
		wantCode(t, step+": kept as it is", s.SetPassword(ctx, in, first, first, unrecorded), access.Invalid)
		chosen := testenv.Password + " " + step
		wantCode(t, step+": changed", s.SetPassword(ctx, in, first, chosen, unrecorded), "")
		_, err = s.Session(ctx, secret)
		wantCode(t, step+": the session afterwards", err, access.Unauthenticated)
		if _, in, err = s.SignIn(ctx, login, chosen, "device"); err != nil || in.MustChange || in.Who.Employee().ID != agent.ID {
			t.Errorf("%s: with his own password: got %+v, %v", step, in, err)
		}
		if first, err = s.ResetPassword(ctx, env.Admin(), login, unrecorded); err != nil {
			t.Fatal(err)
		}
	}
}

// G7: what isn't recorded doesn't happen, and what is refused isn't recorded.
func TestNoAccountChangesUnrecorded(t *testing.T) {
	env := testenv.New(t)
	ctx, s := t.Context(), env.Identity
	env.Save(t, &access.CustomerKnown{Customer: access.Customer{ID: "c1"}})
	login := env.Account(t, agent)
	_, in := env.SignIn(t, login)
	full := errors.New("the disk is full")
	recorded := 0
	record := func(_ context.Context, a identity.Account) error {
		if a.Login == "" || a.Employee == "" && a.Customer == "" {
			t.Errorf("recorded about nobody: %+v", a)
		}
		recorded++
		return full
	}
	customer := identity.Account{Kind: identity.KindCustomer, Customer: "c1"}
	for name, change := range map[string]func() error{
		"add":    func() error { _, _, err := s.Enrol(ctx, env.Admin(), customer, record); return err },
		"reset":  func() error { _, err := s.ResetPassword(ctx, env.Admin(), login, record); return err },
		"close":  func() error { return s.SetDisabled(ctx, env.Admin(), login, true, record) },
		"change": func() error { return s.SetPassword(ctx, in, testenv.Password, "another four good words", record) },
	} {
		if err := change(); !errors.Is(err, full) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if recorded != 4 {
		t.Errorf("recorded %d times, want 4", recorded)
	}
	if all, err := s.Accounts(ctx, env.Admin(), "", 10); err != nil || len(all) != 2 {
		t.Errorf("accounts: got %+v, %v", all, err)
	}
	env.SignIn(t, login)
	for name, change := range map[string]func() error{
		"his own account": func() error { return s.SetDisabled(ctx, env.Admin(), "admin", true, record) },
		"his own reset":   func() error { _, err := s.ResetPassword(ctx, env.Admin(), "Admin ", record); return err },
		"an agent's reset": func() error {
			_, err := s.ResetPassword(ctx, in.Who, "admin", record)
			return err
		},
		"an agent's list": func() error { _, err := s.Accounts(ctx, in.Who, "", 10); return err },
	} {
		wantCode(t, name, change(), access.Denied)
	}
	twin := identity.Account{Login: login, Kind: identity.KindCustomer, Customer: "c1"}
	_, _, err := s.Enrol(ctx, env.Admin(), twin, record)
	wantCode(t, "a taken login", err, access.Conflict)
	_, _, err = s.Enrol(ctx, env.Admin(), identity.Account{Kind: identity.KindEmployee, Employee: "nobody"}, record)
	wantCode(t, "an unknown employee", err, access.NotFound)
	_, _, err = s.Enrol(ctx, env.Admin(), identity.Account{Kind: identity.KindCustomer, Customer: "nobody"}, record)
	wantCode(t, "an unknown customer", err, access.NotFound)
	if recorded != 4 {
		t.Errorf("what was refused was recorded as done: %d", recorded)
	}
}

func TestSetUpIsToldOnceThereIsAnAccount(t *testing.T) {
	clock := testenv.NewClock(testenv.Start)
	code, hash := identity.NewSetupCode()
	s := identity.New(testenv.Store(t, clock.Now), clock.Now, identity.Options{SetupCodeHash: hash, Cost: testenv.Cheap})
	if done, err := s.IsSetUp(t.Context()); done || err != nil {
		t.Errorf("before: got %t, %v", done, err)
	}
	wantCode(t, "a name that doesn't print", s.Setup(t.Context(), code, "root", "a\x1b[2Jb", testenv.Password), access.Invalid)
	wantCode(t, "set up", s.Setup(t.Context(), " "+code+"\n", "root", "Root", testenv.Password), "")
	if done, err := s.IsSetUp(t.Context()); !done || err != nil {
		t.Errorf("after: got %t, %v", done, err)
	}
	// Once there is an account, the code is worth nothing and nobody learns whether it is right.
	wantCode(t, "a wrong code afterwards", s.Setup(t.Context(), "guess", "x", "", testenv.Password), access.Conflict)
}
