package identity_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

// agent is somebody who works here.
var agent = access.Employee{ID: "e1", Name: "Eve One", Team: "red", Role: access.RoleAgent}

// wantCode fails unless err has the code.
func wantCode(t *testing.T, what string, err error, want access.Code) {
	t.Helper()
	if got := access.CodeOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

// answer is what the asker reads of an error.
func answer(err error) string {
	message, hint := access.Public(err)
	return fmt.Sprint(access.CodeOf(err), "|", message, "|", hint)
}

func TestASessionProvesItsEmployee(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	secret, in := env.SignIn(t, login)
	again, err := env.Identity.Session(t.Context(), secret)
	if err != nil || again != in {
		t.Errorf("got %+v, %v, want what signing in gave: %+v", again, err, in)
	}
	w := in.Who
	if !w.Proven() || w.Employee() != agent || w.Login() != login || w.Session() == "" || w.Device() != "device-of-"+login || w.ByToken() {
		t.Errorf("got %+v", w)
	}
	if in.Kind != identity.KindEmployee || in.Customer.Proven() {
		t.Errorf("an employee's session proves a customer: %+v", in)
	}
	if strings.Contains(string(w.Session()), secret) || strings.Contains(in.CSRF, secret) {
		t.Error("the secret shows")
	}
}

func TestASessionProvesItsCustomer(t *testing.T) {
	env := testenv.New(t)
	_, in := env.SignIn(t, env.CustomerAccount(t, "c1"))
	if !in.Customer.Proven() || in.Customer.ID() != "c1" || in.Customer.Session() == "" || in.Who.Proven() || in.Kind != identity.KindCustomer {
		t.Errorf("got %+v", in)
	}
	_, _, err := env.Identity.IssueToken(t.Context(), in.Who, "x", 0)
	wantCode(t, "a token for a customer", err, access.Unauthenticated)
}

func TestALoginIsTheSameInCapitals(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	if _, _, err := env.Identity.SignIn(t.Context(), " "+strings.ToUpper(login)+" ", testenv.Password, ""); err != nil {
		t.Errorf("sign in: %v", err)
	}
}

// Attack: whoever got a look at the page's token tries it in another session.
func TestACSRFTokenBelongsToItsSession(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	_, one := env.SignIn(t, login)
	_, two := env.SignIn(t, login)
	if !one.CheckCSRF(one.CSRF) || one.CheckCSRF(two.CSRF) || one.CheckCSRF("") || (identity.SignedIn{}).CheckCSRF("") {
		t.Error("a token was taken that isn't this session's, or its own wasn't")
	}
}

// Attack: the attacker plants a session secret of his own choice (or of an
// ended or foreign session) in the victim's browser and waits for her to sign in.
func TestSessionFixationFails(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	planted := "pvs_" + strings.Repeat("a", 52)
	_, err := env.Identity.Session(t.Context(), planted)
	wantCode(t, "before she signs in", err, access.Unauthenticated)
	secret, in := env.SignIn(t, login)
	if secret == planted {
		t.Error("the planted secret was taken up")
	}
	_, err = env.Identity.Session(t.Context(), planted)
	wantCode(t, "after she signed in", err, access.Unauthenticated)
	second, again := env.SignIn(t, login)
	if second == secret || again.Who.Session() == in.Who.Session() {
		t.Error("two sign-ins share a session")
	}
}

// Attack: a secret that was copied before its owner signed out is used after.
func TestReplayAfterSignOutFails(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	secret, _ := env.SignIn(t, login)
	other, _ := env.SignIn(t, login)
	for range 2 { // signing out twice is no mistake
		if err := env.Identity.SignOut(t.Context(), secret); err != nil {
			t.Fatalf("sign out: %v", err)
		}
	}
	_, err := env.Identity.Session(t.Context(), secret)
	wantCode(t, "the session", err, access.Unauthenticated)
	_, err = env.Identity.Session(t.Context(), other)
	wantCode(t, "his other session", err, "")
}

func TestASessionEndsWhenIdleAndWhenOld(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	idle, _ := env.SignIn(t, login)
	busy, in := env.SignIn(t, login)
	for range 20 { // ten hours, the last step short of the end
		env.Clock.Advance(29 * time.Minute)
		if _, err := env.Identity.Session(t.Context(), busy); err != nil {
			t.Fatalf("in use at %v: %v", env.Clock.Now(), err)
		}
	}
	_, err := env.Identity.Session(t.Context(), idle)
	wantCode(t, "the idle one", err, access.Unauthenticated)
	env.Clock.Set(in.Until)
	_, err = env.Identity.Session(t.Context(), busy)
	wantCode(t, "the old one", err, access.Unauthenticated)
}

// Attack: an employee who has left, or whose account was closed, goes on with
// the session and the token that he still has.
func TestALeaverProvesNothingAtOnce(t *testing.T) {
	day := testenv.Start.Truncate(24 * time.Hour)
	leave := func(change func(*access.Employee)) func(*testing.T, *testenv.Env, string) {
		return func(t *testing.T, env *testenv.Env, _ string) {
			gone := agent
			change(&gone)
			env.Save(t, &access.EmployeeKnown{Employee: gone})
		}
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *testenv.Env, string)
		still  bool
	}{
		"left yesterday": {leave(func(e *access.Employee) { e.LeavesOn = day.AddDate(0, 0, -1) }), false},
		"leaves today":   {leave(func(e *access.Employee) { e.LeavesOn = day }), true},
		"joins tomorrow": {leave(func(e *access.Employee) { e.JoinedOn = day.AddDate(0, 0, 1) }), false},
		"joined today":   {leave(func(e *access.Employee) { e.JoinedOn = day }), true},
		"left, the clock moved on": {func(t *testing.T, env *testenv.Env, _ string) {
			leave(func(e *access.Employee) { e.LeavesOn = day })(t, env, "")
			env.Clock.Advance(15 * time.Hour)
		}, false},
		"his account is disabled": {func(t *testing.T, env *testenv.Env, login string) {
			if err := env.Identity.SetDisabled(t.Context(), env.Admin(), login, true, unrecorded); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.New(t)
			login := env.Account(t, agent)
			secret, in := env.SignIn(t, login)
			token, _, err := env.Identity.IssueToken(t.Context(), in.Who, "script", 0)
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, env, login)
			want := access.Unauthenticated
			if c.still {
				want = ""
			}
			_, err = env.Identity.Session(t.Context(), secret)
			wantCode(t, "his session", err, want)
			w, err := env.Identity.Token(t.Context(), token, "")
			wantCode(t, "his token", err, want)
			if w.Proven() != c.still {
				t.Errorf("token: proven %v, want %v", w.Proven(), c.still)
			}
			_, fresh, err := env.Identity.SignIn(t.Context(), login, testenv.Password, "")
			wantCode(t, "signing in", err, want)
			if fresh.Who.Proven() != c.still {
				t.Errorf("signing in: proven %v, want %v", fresh.Who.Proven(), c.still)
			}
		})
	}
}

func TestAnEmployeeWhoIsNotInTheDirectoryProvesNothing(t *testing.T) {
	env := testenv.New(t)
	err := env.Identity.AddAccount(t.Context(), env.Admin(), identity.Account{Login: "ghost", Kind: identity.KindEmployee, Employee: "ghost"}, testenv.Password)
	wantCode(t, "an account for nobody", err, access.NotFound)
}

func TestARoleThatChangesCountsAtOnce(t *testing.T) {
	env := testenv.New(t)
	secret, _ := env.SignIn(t, env.Account(t, agent))
	lead := agent
	lead.Role = access.RoleTeamLead
	env.Save(t, &access.EmployeeKnown{Employee: lead})
	in, err := env.Identity.Session(t.Context(), secret)
	if err != nil || in.Who.Employee().Role != access.RoleTeamLead {
		t.Errorf("got %+v, %v", in, err)
	}
}

// Attack: the answers of the sign-in page are compared to learn which logins
// exist, which are closed, and who has left.
func TestEveryFailedSignInReadsAlike(t *testing.T) {
	env := testenv.New(t)
	known, closed := env.Account(t, agent), env.Account(t, access.Employee{ID: "e2", Role: access.RoleAgent})
	gone := env.Account(t, access.Employee{ID: "e3", Role: access.RoleAgent, LeavesOn: testenv.Start.AddDate(0, 0, -2)})
	if err := env.Identity.SetDisabled(t.Context(), env.Admin(), closed, true, unrecorded); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, try := range [][2]string{
		{known, "wrong"}, {known, ""}, {"nobody", testenv.Password}, {"", ""}, {"no\x00body", "x"}, {strings.Repeat("x", 5000), "x"},
		{closed, testenv.Password}, {closed, "wrong"}, {gone, testenv.Password}, {known, strings.Repeat("y", 1<<20)}, {"' OR 1=1 --", "x"},
	} {
		secret, in, err := env.Identity.SignIn(t.Context(), try[0], try[1], "")
		if first == "" {
			first = answer(err)
		}
		if got := answer(err); got != first || access.CodeOf(err) != access.Unauthenticated {
			t.Errorf("%.20q: got %s, want %s", try[0], got, first)
		}
		if secret != "" || in != (identity.SignedIn{}) {
			t.Errorf("%.20q: something came with the refusal", try[0])
		}
	}
}

// Attack: the time that the refusal takes is measured to learn which logins
// exist. An unknown login must cost a password check as well; the test allows a
// factor of three, and a check that is left out is fifty times faster.
func TestAnUnknownLoginTakesAsLongAsAWrongPassword(t *testing.T) {
	env := testenv.New(t)
	code, hash := identity.NewSetupCode()
	clock := testenv.NewClock(testenv.Start)
	dear := identity.New(testenv.Store(t, clock.Now), clock.Now,
		identity.Options{SetupCodeHash: hash, Cost: identity.Cost{Memory: 8 * 1024, Passes: 3, Lanes: 1}})
	if err := dear.Setup(t.Context(), code, "admin", "", testenv.Password); err != nil {
		t.Fatal(err)
	}
	env.Identity = dear
	fastest := func(login string) time.Duration {
		best := time.Hour
		for range 4 {
			began := time.Now()
			_, _, err := dear.SignIn(t.Context(), login, "wrong password", "")
			best = min(best, time.Since(began))
			wantCode(t, login, err, access.Unauthenticated)
		}
		return best
	}
	wrong, unknown := fastest("admin"), fastest("nobody")
	if unknown < wrong/3 || wrong < unknown/3 {
		t.Errorf("wrong password %v, unknown login %v", wrong, unknown)
	}
}

// Attack: passwords are guessed, one after another and many at once.
func TestGuessingIsThrottled(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	for _, name := range []string{login, "nobody"} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		heard := 0
		for range 50 {
			wg.Go(func() {
				_, _, err := env.Identity.SignIn(t.Context(), name, "wrong", "")
				mu.Lock()
				defer mu.Unlock()
				if access.CodeOf(err) == access.Unauthenticated {
					heard++
				} else {
					wantCode(t, name, err, access.Unavailable)
				}
			})
		}
		wg.Wait()
		if heard != 5 {
			t.Errorf("%s: %d guesses were heard, want 5", name, heard)
		}
	}
	_, _, err := env.Identity.SignIn(t.Context(), login, testenv.Password, "")
	wantCode(t, "the right password while it is refused", err, access.Unavailable)
	env.Clock.Advance(time.Minute)
	_, _, err = env.Identity.SignIn(t.Context(), login, "wrong", "")
	wantCode(t, "a guess a minute later", err, access.Unauthenticated)
	env.Clock.Advance(time.Minute)
	_, _, err = env.Identity.SignIn(t.Context(), login, testenv.Password, "")
	wantCode(t, "a minute after that: the wait doubles", err, access.Unavailable)
	env.Clock.Advance(time.Minute)
	_, _, err = env.Identity.SignIn(t.Context(), login, testenv.Password, "")
	wantCode(t, "the right password after the wait", err, "")
}

// Attack: one device tries one password at many logins.
func TestTryingManyLoginsFromOneDeviceIsThrottled(t *testing.T) {
	env := testenv.New(t)
	heard := 0
	for i := range 100 {
		_, _, err := env.Identity.SignIn(t.Context(), fmt.Sprint("nobody", i), "wrong", "one device")
		if access.CodeOf(err) == access.Unauthenticated {
			heard++
		}
	}
	if heard != 20 {
		t.Errorf("%d logins were tried, want 20", heard)
	}
}

// Attack: a stranger guesses wrongly on purpose, to lock a colleague out.
func TestAStrangerCantLockTheOwnerOut(t *testing.T) {
	env := testenv.New(t)
	login := env.Account(t, agent)
	env.SignIn(t, login) // from her own device
	for range 20 {
		_, _, err := env.Identity.SignIn(t.Context(), login, "wrong", "")
		if err == nil {
			t.Fatal("a wrong password was taken")
		}
	}
	_, _, err := env.Identity.SignIn(t.Context(), login, testenv.Password, "another device")
	wantCode(t, "from elsewhere", err, access.Unavailable)
	env.SignIn(t, login)
	for range 5 {
		_, _, err = env.Identity.SignIn(t.Context(), login, "wrong", "device-of-"+login)
		wantCode(t, "guessing at her own device", err, access.Unauthenticated)
	}
	_, _, err = env.Identity.SignIn(t.Context(), login, testenv.Password, "device-of-"+login)
	wantCode(t, "after five misses there", err, access.Unavailable)
}

// Attack: code that forgot to ask whether anybody is proven.
func TestAZeroWhoProvesNothing(t *testing.T) {
	env := testenv.New(t)
	var w identity.Who
	var c identity.Customer
	if w.Proven() || c.Proven() || w.Employee() != (access.Employee{}) || c.ID() != "" {
		t.Error("a zero value proves somebody")
	}
	ctx, s := t.Context(), env.Identity
	_, _, err := s.IssueToken(ctx, w, "x", 0)
	wantCode(t, "issue a token", err, access.Unauthenticated)
	_, err = s.Tokens(ctx, w)
	wantCode(t, "list tokens", err, access.Unauthenticated)
	wantCode(t, "revoke", s.RevokeToken(ctx, w, "x"), access.Unauthenticated)
	wantCode(t, "set a password", s.SetPassword(ctx, identity.SignedIn{}, "x", testenv.Password, unrecorded), access.Unauthenticated)
	wantCode(t, "add an account", s.AddAccount(ctx, w, identity.Account{}, testenv.Password), access.Unauthenticated)
	wantCode(t, "reset a password", reset(s, w, "admin"), access.Unauthenticated)
	wantCode(t, "disable", s.SetDisabled(ctx, w, "admin", true, unrecorded), access.Unauthenticated)
}

// Attack: things that look like a secret but aren't one.
func TestNonsenseProvesNothing(t *testing.T) {
	env := testenv.New(t)
	session, in := env.SignIn(t, env.Account(t, agent))
	token, issued, err := env.Identity.IssueToken(t.Context(), in.Who, "script", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{
		"", "pvs_", "pvt_", "null", token, strings.ToUpper(session), session + " ", session[:len(session)-1], string(in.Who.Session()), in.CSRF,
		fmt.Sprintf("%x", issued.Hash), "pvs_\x00",
	} {
		_, err := env.Identity.Session(t.Context(), secret)
		wantCode(t, "session "+secret, err, access.Unauthenticated)
	}
	for _, secret := range []string{"", "pvt_", "pvs_", session, strings.ToUpper(token), token + " ", issued.ID, fmt.Sprintf("%x", issued.Hash)} {
		_, err := env.Identity.Token(t.Context(), secret, "")
		wantCode(t, "token "+secret, err, access.Unauthenticated)
	}
}
