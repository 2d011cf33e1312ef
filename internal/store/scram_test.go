package store_test

import (
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

// G5: with an account goes what proves it, and every leave to act that it gave
// or got; the key of the salts stays.
func TestWithAnAccountGoesWhatProvesIt(t *testing.T) {
	env := testenv.New(t)
	ctx, s := t.Context(), env.Store
	person, tool := env.Who(t, access.Employee{ID: "e1", Role: access.RoleAgent}), env.Who(t, access.Employee{ID: "bi", Role: access.RoleProgram})
	_, k, err := env.Identity.IssueToken(ctx, person, "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	leave := identity.OnBehalf{ID: "b", Login: person.Login(), Tool: tool.Login(), Parent: access.SessionID("token:" + k.ID), Since: testenv.Start, Until: testenv.Start.Add(time.Minute)}
	if err := s.AddOnBehalf(ctx, leave); err != nil {
		t.Fatal(err)
	}
	before, err := s.ScramKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	has := func() bool {
		has, err := s.HasScram(ctx, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	if !has() {
		t.Error("the token has no verifier")
	}
	for _, query := range []string{"DELETE FROM sessions", "DELETE FROM tokens", "DELETE FROM accounts WHERE login = '" + person.Login() + "'"} {
		if err := s.Run(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if has() {
		t.Error("the verifier is left")
	}
	if _, err := s.UseOnBehalf(ctx, leave.Hash, tool.Login(), testenv.Start); access.CodeOf(err) != access.NotFound {
		t.Errorf("the leave to act: %v", err)
	}
	if after, err := s.ScramKey(ctx); err != nil || string(after) != string(before) {
		t.Errorf("the key changed: %v", err)
	}
}
