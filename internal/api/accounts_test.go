package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/identity"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

// chosen is a password that somebody chooses for himself.
const chosen = "another four good words"

// last returns the newest record.
func (h *house) last(t *testing.T) lookup.Decoded {
	t.Helper()
	all := h.records(t)
	if len(all) == 0 {
		t.Fatal("nothing is recorded")
	}
	return all[len(all)-1]
}

func TestAnAccountIsAddedResetClosedAndOpened(t *testing.T) {
	h := newHouse(t)
	h.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: "E17", Role: access.RoleAgent}})
	r := h.do(t, "a1", "POST", "/v1/accounts", `{"employee":"E17"}`)
	first := decode[struct{ Login, Password string }](t, r)
	if r.status != http.StatusCreated || first.Login != "e17" || len(first.Password) < 16 {
		t.Fatalf("add: %d %s", r.status, r.body)
	}
	if d := h.last(t); d.Act != "add_account" || d.About != "e17" || d.Whom != "E17" || d.Lookup.Employee != "a1" {
		t.Errorf("recorded as %+v", d)
	}
	token := func(password string) reply {
		return h.do(t, "", "POST", "/v1/tokens", fmt.Sprintf(`{"login":"e17","password":%q,"name":"script"}`, password))
	}
	if r := token(first.Password); r.status != http.StatusForbidden || !strings.Contains(r.body, "paravent password --login e17") {
		t.Errorf("a token for a first password: %d %s", r.status, r.body)
	}
	change := func(old, new string) reply {
		return h.do(t, "", "POST", "/v1/password", fmt.Sprintf(`{"login":"e17","password":%q,"new_password":%q}`, old, new))
	}
	for name, r := range map[string]reply{"a wrong one": change("wrong", chosen), "a weak one": change(first.Password, "weak"), "the same": change(first.Password, first.Password)} {
		if r.status != http.StatusUnauthorized && r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := change(first.Password, chosen); r.status != http.StatusNoContent {
		t.Fatalf("change: %d %s", r.status, r.body)
	}
	if r := token(chosen); r.status != http.StatusCreated {
		t.Errorf("a token for his own password: %d %s", r.status, r.body)
	}
	if r := change(chosen, chosen+" more"); r.status != http.StatusNoContent || h.last(t).Act != "change_password" {
		t.Errorf("a second change: %d, recorded as %+v", r.status, h.last(t))
	}

	again := decode[struct{ Login, Password string }](t, h.do(t, "a1", "POST", "/v1/accounts/e17/password", ""))
	if d := h.last(t); again.Password == "" || again.Password == first.Password || d.Act != "reset_password" || d.Whom != "E17" {
		t.Errorf("reset: %d, recorded as %+v", len(again.Password), d)
	}
	for _, step := range []struct {
		path, act string
		then      int
	}{{"close", "close_account", http.StatusUnauthorized}, {"open", "open_account", http.StatusForbidden}} {
		if r := h.do(t, "a1", "POST", "/v1/accounts/e17/"+step.path, ""); r.status != http.StatusNoContent || h.last(t).Act != step.act || h.last(t).Whom != "E17" {
			t.Errorf("%s: %d, recorded as %+v", step.path, r.status, h.last(t))
		}
		if r := token(again.Password); r.status != step.then {
			t.Errorf("signing in after %s: %d %s", step.path, r.status, r.body)
		}
	}
	if log := h.log.String(); strings.Contains(log, first.Password) || strings.Contains(log, again.Password) || strings.Contains(log, chosen) {
		t.Error("the log holds a password")
	}
}

// Attack: an agent, a connector and others post to the accounts.
func TestOnlyAnAdministratorChangesAccountsOverTheAPI(t *testing.T) {
	h := newHouse(t)
	for _, who := range []string{"e1", "l1", "p1", "x1", "k1"} {
		before := len(h.records(t))
		for path, body := range map[string]string{
			"/v1/accounts": `{"customer":"c1"}`, "/v1/accounts/admin/password": "", "/v1/accounts/admin/close": "", "/v1/accounts/admin/open": "",
		} {
			if r := h.do(t, who, "POST", path, body); r.status != http.StatusForbidden || strings.Contains(r.body, `"password"`) {
				t.Errorf("%s by %s: %d %s", path, who, r.status, r.body)
			}
			if d := h.last(t); d.Act != "account_refused" || string(d.Lookup.Employee) != who {
				t.Errorf("%s by %s is recorded as %+v", path, who, d)
			}
		}
		if got := len(h.records(t)) - before; got != 4 {
			t.Errorf("%s: %d records of 4 tries", who, got)
		}
	}
	h.SignIn(t, "admin")
}

// G8: an administrator at his own account, whose login isn't his id.
func TestAnAdministratorNeverChangesHisOwnAccountOverTheAPI(t *testing.T) {
	h := newHouse(t)
	own := h.who(t, "a1").Login()
	for _, what := range []string{"password", "close", "open"} {
		if r := h.do(t, "a1", "POST", "/v1/accounts/"+strings.ToUpper(own)+"/"+what, ""); r.status != http.StatusForbidden || h.last(t).Act != "account_refused" {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	if r := h.do(t, "a1", "GET", "/v1/tokens", ""); r.status != http.StatusOK {
		t.Errorf("his token afterwards: %d", r.status)
	}
}

func TestAnAccountOfNobodyInParticularIsRefused(t *testing.T) {
	h := newHouse(t)
	for body, want := range map[string]int{
		`{}`: 400, `{"employee":"e1","customer":"c1"}`: 400, `{"employee":"nobody"}`: 404, `{"employee":"e1","login":"twin"}`: 409,
		`{"customer":"c1","login":"admin"}`: 409, `{"customer":"c1","password":"chosen by me"}`: 400, `{"customer":"c 1"}`: 400, `{"customer":"c99"}`: 404,
	} {
		if r := h.do(t, "a1", "POST", "/v1/accounts", body); r.status != want {
			t.Errorf("%s: got %d, want %d: %s", body, r.status, want, r.body)
		}
	}
	for _, path := range []string{"/v1/accounts/nobody/password", "/v1/accounts/nobody/close"} {
		if r := h.do(t, "a1", "POST", path, ""); r.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

// Attacks: setting up a second time; guessing the code.
func TestSettingUpOverTheAPI(t *testing.T) {
	h := newHouse(t)
	if r := h.do(t, "", "POST", "/v1/setup", `{"code":"setup-x","login":"mallory","name":"M","password":"another four good words"}`); r.status != http.StatusConflict {
		t.Errorf("with accounts: %d %s", r.status, r.body)
	}
	code, hash := identity.NewSetupCode()
	s := identity.New(testenv.Store(t, h.Clock.Now), h.Clock.Now, identity.Options{SetupCodeHash: hash, Cost: testenv.Cheap})
	h.config.SignOn, h.config.Accounts = s, s
	handler, err := api.New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.server.Config.Handler = handler
	body := func(code string) string {
		return fmt.Sprintf(`{"code":%q,"login":"ada","name":"Ada","password":%q}`, code, chosen)
	}
	if r := h.do(t, "", "POST", "/v1/setup", body("setup-guess")); r.status != http.StatusForbidden {
		t.Errorf("a guess: %d %s", r.status, r.body)
	}
	if r := h.do(t, "", "POST", "/v1/setup", body(code), "Content-Type", "text/plain"); r.status != http.StatusBadRequest {
		t.Errorf("another site's form: %d %s", r.status, r.body) // browsers send JSON to another site only after asking
	}
	if r := h.do(t, "", "POST", "/v1/setup", body(code)); r.status != http.StatusNoContent {
		t.Errorf("the code: %d %s", r.status, r.body)
	}
	if r := h.do(t, "", "POST", "/v1/setup", body(code)); r.status != http.StatusConflict {
		t.Errorf("a second time: %d %s", r.status, r.body)
	}
}

func TestGuessingTheSetupCodeOverTheAPIIsSlowedDown(t *testing.T) {
	h := newHouse(t)
	code, hash := identity.NewSetupCode()
	s := identity.New(testenv.Store(t, h.Clock.Now), h.Clock.Now, identity.Options{SetupCodeHash: hash, Cost: testenv.Cheap})
	h.config.SignOn, h.config.Accounts = s, s
	handler, err := api.New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.server.Config.Handler = handler
	for _, guess := range []string{"a", "b", "c", "d", "e", code} {
		r := h.do(t, "", "POST", "/v1/setup", fmt.Sprintf(`{"code":%q,"login":"ada","name":"","password":%q}`, guess, chosen))
		if guess == code && r.status != http.StatusServiceUnavailable {
			t.Errorf("the code after five guesses: %d %s", r.status, r.body)
		}
	}
}
