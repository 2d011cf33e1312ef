package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/console"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

// chosen is a password that somebody chooses for himself.
const chosen = "another four good words"

// visitor is a browser that keeps its cookies.
type visitor struct {
	h       *house
	cookies map[string]*http.Cookie
}

func newVisitor(h *house) *visitor { return &visitor{h, map[string]*http.Cookie{}} }

var tokenPattern = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// get opens a page.
func (b *visitor) get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	return b.take(b.h.send(t, "", path, nil, b.bring))
}

// post opens the page and sends its form to target.
func (b *visitor) post(t *testing.T, page, target string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	if token := tokenPattern.FindStringSubmatch(b.get(t, page).Body.String()); token != nil && form.Get("csrf") == "" {
		form.Set("csrf", token[1])
	}
	return b.take(b.h.send(t, "", target, form, b.bring))
}

func (b *visitor) bring(r *http.Request) {
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
}

func (b *visitor) take(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

func (b *visitor) signIn(t *testing.T, login, password string) *httptest.ResponseRecorder {
	t.Helper()
	return b.post(t, "/sign-in", "/sign-in", url.Values{"login": {login}, "password": {password}})
}

// secretPattern finds the first password that a page shows.
var secretPattern = regexp.MustCompile(`<code class="secret">([^<]+)</code>`)

func shownPassword(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	found := secretPattern.FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || found == nil {
		t.Fatalf("no password is shown: got %d: %s", w.Code, text(w))
	}
	return found[1]
}

// untouched is a house whose accounts are those of a store without any.
func untouched(t *testing.T) (h *house, code string, s *identity.Service) {
	t.Helper()
	clock := testenv.NewClock(testenv.Start)
	code, hash := identity.NewSetupCode()
	s = identity.New(testenv.Store(t, clock.Now), clock.Now, identity.Options{SetupCodeHash: hash, Cost: testenv.Cheap})
	return newHouse(t, func(c *console.Config) { c.SignOn, c.Accounts = s, s }), code, s
}

func setupForm(code string) url.Values {
	return url.Values{"code": {code}, "login": {"Ada"}, "name": {"Ada Admin"}, "password": {chosen}, "again": {chosen}}
}

func TestTheFirstAdministratorComesInOnce(t *testing.T) {
	h, code, _ := untouched(t)
	b := newVisitor(h)
	if page := text(b.get(t, "/sign-in")); !strings.Contains(page, "Nobody has an account yet.") {
		t.Errorf("the sign-in page shows no way to set up: %s", page)
	}
	w := b.post(t, "/setup", "/setup", setupForm(code))
	if w.Code != http.StatusSeeOther {
		t.Fatalf("got %d: %s", w.Code, text(w))
	}
	if page := text(b.get(t, w.Header().Get("Location"))); !strings.Contains(page, "Paravent is set up.") || strings.Contains(page, "Nobody has an account") {
		t.Errorf("the sign-in page says %s", page)
	}
	if w := b.signIn(t, "ada", chosen); w.Code != http.StatusSeeOther {
		t.Fatalf("signing in: got %d: %s", w.Code, text(w))
	}
	if w := b.get(t, "/accounts"); w.Code != http.StatusOK || !strings.Contains(text(w), "Ada Admin") {
		t.Errorf("the accounts: got %d: %s", w.Code, text(w))
	}
}

// Attack: somebody who has found the code, or the page, makes himself a second
// administrator.
func TestNobodySetsUpOnceThereIsAnAccount(t *testing.T) {
	h, code, _ := untouched(t)
	b := newVisitor(h)
	early := b.get(t, "/setup") // a form that was opened before
	token := tokenPattern.FindStringSubmatch(early.Body.String())[1]
	if w := b.post(t, "/setup", "/setup", setupForm(code)); w.Code != http.StatusSeeOther {
		t.Fatalf("got %d: %s", w.Code, text(w))
	}
	if w := b.get(t, "/setup"); w.Code != http.StatusOK || !strings.Contains(text(w), "Set up already") || strings.Contains(w.Body.String(), "<form method=\"post\" action=\"/setup\"") {
		t.Errorf("the page afterwards: got %d: %s", w.Code, text(w))
	}
	second := setupForm(code)
	second.Set("login", "mallory")
	second.Set("csrf", token)
	if w := b.post(t, "/setup", "/setup", second); w.Code != http.StatusConflict || !strings.Contains(text(w), "Set up already") {
		t.Errorf("a second time: got %d: %s", w.Code, text(w))
	}
	if w := b.signIn(t, "mallory", chosen); w.Code != http.StatusUnauthorized {
		t.Errorf("the second administrator: got %d", w.Code)
	}
}

// Attack: the setup code is guessed.
func TestGuessingTheSetupCodeIsSlowedDown(t *testing.T) {
	h, code, _ := untouched(t)
	var w *httptest.ResponseRecorder
	for range 6 {
		w = newVisitor(h).post(t, "/setup", "/setup", setupForm("setup-guess")) // each from another browser
	}
	if w.Code != http.StatusTooManyRequests || !strings.Contains(text(w), "Too many tries.") {
		t.Errorf("the sixth guess: got %d: %s", w.Code, text(w))
	}
	if w := newVisitor(h).post(t, "/setup", "/setup", setupForm(code)); w.Code != http.StatusTooManyRequests {
		t.Errorf("the right code among guesses: got %d", w.Code)
	}
}

// Attack: another site sends an administrator's browser to the setup form.
func TestTheSetupFormBelongsToItsBrowser(t *testing.T) {
	h, code, s := untouched(t)
	for name, token := range map[string]string{"no": "", "an invented": "x", "another browser's": tokenPattern.FindStringSubmatch(newVisitor(h).get(t, "/setup").Body.String())[1]} {
		form := setupForm(code)
		form.Set("csrf", token)
		b := newVisitor(h)
		b.get(t, "/setup")
		if w := b.take(h.send(t, "", "/setup", form, b.bring)); w.Code != http.StatusForbidden {
			t.Errorf("with %s token: got %d", name, w.Code)
		}
	}
	if done, err := s.IsSetUp(t.Context()); done || err != nil {
		t.Errorf("set up: %t, %v", done, err)
	}
}

func TestASetupFormThatIsWrongIsShownAgain(t *testing.T) {
	h, code, _ := untouched(t)
	for name, change := range map[string]url.Values{
		"The two passwords differ.":    {"again": {"x"}},
		"The password is too short.":   {"password": {"short"}, "again": {"short"}},
		"The login can't be used.":     {"login": {"../ada"}},
		"The setup code is wrong.":     {"code": {code + "x"}},
		"The password holds the login": {"login": {"four"}},
	} {
		form := setupForm(code)
		for k, v := range change {
			form[k] = v
		}
		w := newVisitor(h).post(t, "/setup", "/setup", form)
		if w.Code < 400 || w.Code >= 500 || !strings.Contains(text(w), name) || !strings.Contains(w.Body.String(), `value="Ada Admin"`) {
			t.Errorf("%s: got %d: %s", name, w.Code, text(w))
		}
		if strings.Contains(w.Body.String(), chosen) || strings.Contains(w.Body.String(), code) {
			t.Errorf("%s: the page gives code or password back", name)
		}
	}
}

func TestAnAdministratorKeepsAccounts(t *testing.T) {
	h := newHouse(t)
	h.env.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: "E17", Name: "New Person", Role: access.RoleAgent}})
	w := h.send(t, "admin", "/accounts", url.Values{"kind": {"employee"}, "person": {"E17"}})
	first := shownPassword(t, w)
	if acts := h.lookups.named("add_account"); len(acts) != 1 || acts[0].About != "e17" || acts[0].Employee != "E17" {
		t.Errorf("recorded as %+v", acts)
	}
	if page := text(h.send(t, "admin", "/accounts?find=e17", nil)); !strings.Contains(page, "New Person E17 Agent Open First password") || strings.Contains(page, first) {
		t.Errorf("the list says %s", page)
	}

	b := newVisitor(h)
	if w := b.signIn(t, "e17", first); w.Code != http.StatusSeeOther {
		t.Fatalf("with the first password: got %d: %s", w.Code, text(w))
	}
	b.comesInWith(t, first)
	if got := b.get(t, "/tasks").Code; got != http.StatusOK {
		t.Errorf("his tasks, with a password of his own: got %d", got)
	}

	again := shownPassword(t, h.send(t, "admin", "/accounts/e17/password", url.Values{}))
	if got := b.get(t, "/tasks").Code; got != http.StatusSeeOther || again == first {
		t.Errorf("a session after the reset: got %d", got)
	}
	for _, step := range []struct{ path, says, act string }{{"close", "e17 is closed.", "close_account"}, {"open", "e17 is open again.", "open_account"}} {
		w := h.send(t, "admin", "/accounts/e17/"+step.path, url.Values{})
		if w.Code != http.StatusOK || !strings.Contains(text(w), step.says) {
			t.Errorf("%s: got %d: %s", step.path, w.Code, text(w))
		}
		if acts := h.lookups.named(step.act); len(acts) != 1 || acts[0].About != "e17" || acts[0].Employee != "E17" {
			t.Errorf("%s is recorded as %+v", step.path, acts)
		}
		want := http.StatusUnauthorized
		if step.path == "open" {
			want = http.StatusSeeOther
		}
		if w := newVisitor(h).signIn(t, "e17", again); w.Code != want {
			t.Errorf("signing in after %s: got %d", step.path, w.Code)
		}
	}
}

// comesInWith changes a first password, after trying what it doesn't open.
func (b *visitor) comesInWith(t *testing.T, first string) {
	t.Helper()
	for _, path := range []string{"/", "/tasks", "/own", "/caller", "/accounts", "/mine"} {
		if w := b.get(t, path); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/account" {
			t.Errorf("%s with a first password: got %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	if w := b.post(t, "/account", "/tasks/t1/lookups", look("identity")); w.Code != http.StatusSeeOther {
		t.Errorf("a look-up with a first password: got %d", w.Code)
	}
	if page := text(b.get(t, "/account")); !strings.Contains(page, "Choose a password of your own first.") || strings.Contains(page, "access token") {
		t.Errorf("his account says %s", page)
	}
	w := b.post(t, "/account", "/account/password", url.Values{"old": {first}, "password": {chosen}, "again": {chosen}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in?note=changed" {
		t.Fatalf("choosing a password: got %d: %s", w.Code, text(w))
	}
	if page := text(b.get(t, "/sign-in?note=changed")); !strings.Contains(page, "Your password is changed") {
		t.Errorf("the sign-in page says %s", page)
	}
	if w := b.signIn(t, "e17", chosen); w.Code != http.StatusSeeOther {
		t.Fatalf("with a password of his own: got %d", w.Code)
	}
}

// G8: an administrator closes, opens and resets his own account.
func TestAnAdministratorNeverChangesHisOwnAccount(t *testing.T) {
	h := newHouse(t)
	for _, what := range []string{"password", "close", "open"} {
		for _, login := range []string{"admin", "ADMIN", "Admin%20"} {
			w := h.send(t, "admin", "/accounts/"+login+"/"+what, url.Values{})
			if w.Code != http.StatusForbidden || !strings.Contains(text(w), "another administrator's to change") || secretPattern.MatchString(w.Body.String()) {
				t.Errorf("%s of %s: got %d: %s", what, login, w.Code, text(w))
			}
		}
	}
	if acts := h.lookups.named("account_refused"); len(acts) != 9 {
		t.Errorf("recorded %d tries, want 9", len(acts))
	}
	if row := h.send(t, "admin", "/accounts?find=admin", nil).Body.String(); strings.Contains(row, `action="/accounts/admin/`) {
		t.Error("the page offers to change his own account")
	}
	if w := h.send(t, "admin", "/accounts", nil); w.Code != http.StatusOK {
		t.Errorf("his session: got %d", w.Code)
	}
}

// Attack: an agent sends the forms of the accounts' page by hand.
func TestOnlyAnAdministratorReachesAccounts(t *testing.T) {
	h := newHouse(t)
	forms := map[string]url.Values{
		"/accounts":                {"kind": {"employee"}, "person": {"e1"}, "login": {"second"}},
		"/accounts/admin/password": {}, "/accounts/admin/close": {}, "/accounts/admin/open": {},
	}
	for _, role := range []string{"agent", "lead", "officer", "auditor", "program", "stranger", "customer"} {
		for path, form := range forms {
			form.Del("csrf")
			if w := h.send(t, role, path, form); w.Code != http.StatusForbidden || secretPattern.MatchString(w.Body.String()) {
				t.Errorf("%s as %s: got %d: %s", path, role, w.Code, text(w))
			}
		}
	}
	if got := len(h.lookups.named("page_refused")); got != 6*len(forms) {
		t.Errorf("%d tries of employees are recorded, want %d", got, 6*len(forms))
	}
	h.env.SignIn(t, "admin")
}

// G7: what can't be recorded isn't done, and the list isn't shown.
func TestNoAccountIsChangedWhileNothingCanBeRecorded(t *testing.T) {
	h := newHouse(t)
	login := h.logins["agent"]
	h.lookups.broken = true
	for _, path := range []string{"/accounts/" + login + "/password", "/accounts/" + login + "/close"} {
		if w := h.send(t, "admin", path, url.Values{}); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	if w := h.send(t, "admin", "/accounts", nil); w.Code != http.StatusServiceUnavailable || strings.Contains(text(w), login) {
		t.Errorf("the list: got %d", w.Code)
	}
	if w := h.send(t, "agent", "/account/password", url.Values{"old": {testenv.Password}, "password": {chosen}, "again": {chosen}}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("his own password: got %d", w.Code)
	}
	h.env.SignIn(t, login)
}

func TestAnAccountThatCannotBeMadeSaysWhy(t *testing.T) {
	h := newHouse(t)
	for says, form := range map[string]url.Values{
		"The directory has no such employee.":                 {"kind": {"employee"}, "person": {"nobody"}},
		"The login is taken, or the person has an account.":   {"kind": {"employee"}, "person": {"e1"}, "login": {"twin"}},
		"No such customer is known.":                          {"kind": {"customer"}, "person": {"c99"}},
		"The login is taken.":                                 {"kind": {"customer"}, "person": {"c2"}, "login": {"admin"}},
		"The login can't be used.":                            {"kind": {"customer"}, "person": {"c 2"}},
		"An account is one employee's or one customer's.":     {"kind": {"robot"}, "person": {"e1"}},
		"The id can't be read. Copy it from the directory.":   {"kind": {"employee"}, "person": {"a\x00b"}},
		"An account is one employee's or one customer's. ":    {"kind": {"employee"}, "person": {""}},
		"The login can't be used. Use 1 to 64 of the letters": {"kind": {"customer"}, "person": {hostile}},
	} {
		w := h.send(t, "admin", "/accounts", form)
		if w.Code < 400 || w.Code >= 500 || !strings.Contains(text(w), strings.TrimSpace(says)) || strings.Contains(w.Body.String(), "<script>alert") {
			t.Errorf("%s: got %d: %s", says, w.Code, text(w))
		}
	}
}

func TestACustomersAccountIsToldToHer(t *testing.T) {
	h := newHouse(t)
	shownPassword(t, h.send(t, "admin", "/accounts", url.Values{"kind": {"customer"}, "person": {"c3"}}))
	if acts := h.lookups.named("add_account"); len(acts) != 1 || acts[0].Customer != "c3" || acts[0].Employee != "" {
		t.Errorf("recorded as %+v", acts)
	}
}

func TestEverybodyChangesHisOwnPassword(t *testing.T) {
	h := newHouse(t)
	for _, role := range []string{"agent", "customer", "admin"} {
		for says, form := range map[string]url.Values{
			"The old password is wrong.":       {"old": {"wrong"}, "password": {chosen}, "again": {chosen}},
			"The two passwords differ.":        {"old": {testenv.Password}, "password": {chosen}, "again": {"x"}},
			"The password is too short.":       {"old": {testenv.Password}, "password": {"short"}, "again": {"short"}},
			"The new password is the old one.": {"old": {testenv.Password}, "password": {testenv.Password}, "again": {testenv.Password}},
		} {
			w := h.send(t, role, "/account/password", form)
			if w.Code < 400 || w.Code >= 500 || !strings.Contains(text(w), says) || strings.Contains(w.Body.String(), testenv.Password) {
				t.Errorf("%s as %s: got %d: %s", says, role, w.Code, text(w))
			}
		}
		w := h.send(t, role, "/account/password", url.Values{"old": {testenv.Password}, "password": {chosen}, "again": {chosen}})
		if w.Code != http.StatusSeeOther {
			t.Errorf("%s: got %d: %s", role, w.Code, text(w))
		}
		if w := h.send(t, role, "/account", nil); w.Code != http.StatusSeeOther {
			t.Errorf("%s: the session afterwards: got %d", role, w.Code)
		}
		if w := newVisitor(h).signIn(t, h.logins[role], chosen); w.Code != http.StatusSeeOther {
			t.Errorf("%s: the new password: got %d", role, w.Code)
		}
	}
	if acts := h.lookups.named("change_password"); len(acts) != 2 {
		t.Errorf("recorded as %+v, want the agent's and the administrator's", acts)
	}
}

// Attack: a session that somebody walked away from is used to try passwords.
func TestGuessingTheOldPasswordIsSlowedDown(t *testing.T) {
	h := newHouse(t)
	var w *httptest.ResponseRecorder
	for range 8 {
		w = h.send(t, "agent", "/account/password", url.Values{"old": {"guess"}, "password": {chosen}, "again": {chosen}})
	}
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("got %d: %s", w.Code, text(w))
	}
}

func TestATokenIsItsOwnersAloneToRevoke(t *testing.T) {
	h := newHouse(t)
	_, in := h.env.SignIn(t, h.logins["agent"])
	secret, k, err := h.env.Identity.IssueToken(t.Context(), in.Who, "night job "+hostile, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	page := h.send(t, "agent", "/account", nil)
	if !strings.Contains(text(page), "night job") || strings.Contains(page.Body.String(), secret) || strings.Contains(page.Body.String(), "<script>alert") {
		t.Errorf("the page says %s", text(page))
	}
	if page := text(h.send(t, "lead", "/account", nil)); strings.Contains(page, "night job") {
		t.Error("a colleague reads of it")
	}
	path := "/account/tokens/" + k.ID + "/revoke"
	for role, want := range map[string]int{"lead": http.StatusNotFound, "admin": http.StatusNotFound, "customer": http.StatusForbidden} {
		if w := h.send(t, role, path, url.Values{}); w.Code != want {
			t.Errorf("revoked by the %s: got %d, want %d", role, w.Code, want)
		}
	}
	if _, err := h.env.Identity.Token(t.Context(), secret, ""); err != nil {
		t.Fatalf("others have revoked it: %v", err)
	}
	w := h.send(t, "agent", path, url.Values{})
	if w.Code != http.StatusSeeOther || !strings.Contains(text(h.send(t, "agent", w.Header().Get("Location"), nil)), "The token is revoked.") {
		t.Errorf("got %d: %s", w.Code, text(w))
	}
	if _, err := h.env.Identity.Token(t.Context(), secret, ""); err == nil {
		t.Error("it still proves him")
	}
}
