package testenv

import (
	"fmt"
	"sync"
	"testing"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/qualify"
	"paravent/internal/store"
	"paravent/internal/task"
)

// Cheap is what a password check costs in tests: next to nothing.
var Cheap = identity.Cost{Memory: 8, Passes: 1, Lanes: 1}

// Password is the password of everybody whom an Env signs in.
const Password = "four words nobody guesses"

// Store opens a new store in a temporary folder and closes it at the end of
// the test.
func Store(t testing.TB, clock access.Clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), t.TempDir(), clock)
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Env is a store with the services over it, and an administrator. It is safe
// for concurrent use.
type Env struct {
	Clock    *Clock
	Store    *store.Store
	Identity *identity.Service
	Tasks    *task.Service
	Qualify  *qualify.Service

	mu    sync.Mutex
	admin identity.Who
	made  int
}

// New returns an Env in a temporary folder, at Start.
func New(t testing.TB) *Env {
	t.Helper()
	clock := NewClock(Start)
	return Over(t, Store(t, clock.Now), clock)
}

// Over returns an Env over a store without any account.
func Over(t testing.TB, s *store.Store, clock *Clock) *Env {
	t.Helper()
	code, hash := identity.NewSetupCode()
	e := &Env{
		Clock: clock, Store: s, Tasks: task.New(s, clock.Now), Qualify: qualify.New(s),
		Identity: identity.New(s, clock.Now, identity.Options{SetupCodeHash: hash, Cost: Cheap}),
	}
	if err := e.Identity.Setup(t.Context(), code, "admin", "Ada Min", Password); err != nil {
		t.Fatalf("set up: %v", err)
	}
	_, in := e.SignIn(t, "admin")
	e.admin = in.Who
	return e
}

// Admin returns the administrator, proven.
func (e *Env) Admin() identity.Who { return e.admin }

// Save saves facts of the business.
func (e *Env) Save(t testing.TB, events ...access.Event) {
	t.Helper()
	if err := e.Store.SaveFacts(t.Context(), events); err != nil {
		t.Fatalf("save facts: %v", err)
	}
}

// Account puts an employee into the directory, gives him an account with
// Password, and returns its login.
func (e *Env) Account(t testing.TB, who access.Employee) string {
	t.Helper()
	e.Save(t, &access.EmployeeKnown{Employee: who})
	login := e.login("employee")
	a := identity.Account{Login: login, Kind: identity.KindEmployee, Employee: who.ID}
	if err := e.Identity.AddAccount(t.Context(), e.admin, a, Password); err != nil {
		t.Fatalf("add an account for %s: %v", who.ID, err)
	}
	return login
}

// CustomerAccount gives a customer an account with Password and returns its
// login.
func (e *Env) CustomerAccount(t testing.TB, id access.CustomerID) string {
	t.Helper()
	login := e.login("customer")
	a := identity.Account{Login: login, Kind: identity.KindCustomer, Customer: id}
	if err := e.Identity.AddAccount(t.Context(), e.admin, a, Password); err != nil {
		t.Fatalf("add an account for %s: %v", id, err)
	}
	return login
}

// SignIn signs in with Password and returns the session's secret and what it
// proves.
func (e *Env) SignIn(t testing.TB, login string) (string, identity.SignedIn) {
	t.Helper()
	secret, in, err := e.Identity.SignIn(t.Context(), login, Password, "device-of-"+login)
	if err != nil {
		t.Fatalf("sign in as %s: %v", login, err)
	}
	return secret, in
}

// Who puts an employee into the directory, gives him an account and signs him
// in. He is proven as of now; nobody asks again when the clock moves.
func (e *Env) Who(t testing.TB, who access.Employee) identity.Who {
	t.Helper()
	_, in := e.SignIn(t, e.Account(t, who))
	return in.Who
}

// Customer gives a customer an account and signs her in.
func (e *Env) Customer(t testing.TB, id access.CustomerID) identity.Customer {
	t.Helper()
	_, in := e.SignIn(t, e.CustomerAccount(t, id))
	return in.Customer
}

// Qualified makes the employee qualified in everything for a year from now.
func (e *Env) Qualified(t testing.TB, id access.EmployeeID) {
	t.Helper()
	var rows []qualify.Row
	for _, kind := range []qualify.Kind{qualify.Guideline, qualify.Training, qualify.Attestation} {
		rows = append(rows, qualify.Row{Employee: id, Kind: kind, ValidUntil: e.Clock.Now().AddDate(1, 0, 0)})
	}
	if err := e.Store.SaveQualifications(t.Context(), rows); err != nil {
		t.Fatalf("qualify %s: %v", id, err)
	}
}

// login returns a login that no account of this Env has yet.
func (e *Env) login(kind string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made++
	return fmt.Sprintf("%s%d", kind, e.made)
}
