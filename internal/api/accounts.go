package api

import (
	"context"
	"net/http"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// Accounts lets the first administrator in, and administrators keep everybody
// else's accounts. *identity.Service is one. Each change is recorded by the
// function that is handed in, before it is made (G7).
type Accounts interface {
	// Setup adds the first administrator: access.Conflict where there is any
	// account, access.Denied where the code is wrong, access.Unavailable after
	// many tries.
	Setup(ctx context.Context, code, login, name, password string) error
	// SetPassword changes the password of whoever is signed in.
	SetPassword(ctx context.Context, in identity.SignedIn, old, password string, record identity.Record) error
	// Enrol adds an account and returns it with its first password.
	Enrol(ctx context.Context, by identity.Who, a identity.Account, record identity.Record) (identity.Account, string, error)
	// ResetPassword returns a new first password; never for his own (G8).
	ResetPassword(ctx context.Context, by identity.Who, login string, record identity.Record) (string, error)
	// SetDisabled closes or opens an account; never his own (G8).
	SetDisabled(ctx context.Context, by identity.Who, login string, disabled bool, record identity.Record) error
}

// firstPassword is the answer that tells a first password, this once.
type firstPassword struct {
	Login    string `json:"login"`
	Password string `json:"password"`
}

// handleSetup handles POST /v1/setup: the first administrator, for
// installations without a browser.
func (a *api) handleSetup(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Code     string `json:"code"`
		Login    string `json:"login"`
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	err := read(r, &b)
	if err == nil {
		err = a.Accounts.Setup(r.Context(), b.Code, b.Login, b.Name, b.Password)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// handlePassword handles POST /v1/password: login and password against a new
// password. It is the way for whoever has only a first password and no browser.
func (a *api) handlePassword(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Login    string `json:"login"`
		Password string `json:"password"`
		New      string `json:"new_password"`
	}
	err := read(r, &b)
	if err == nil {
		err = a.changePassword(r.Context(), b.Login, b.Password, b.New)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// changePassword signs in for the moment that it takes to change the password.
func (a *api) changePassword(ctx context.Context, login, old, password string) (err error) {
	session, in, err := a.SignOn.SignIn(ctx, login, old, "")
	if err != nil {
		return err
	}
	defer func() {
		if end := a.SignOn.SignOut(ctx, session); err == nil {
			err = end
		}
	}()
	return a.Accounts.SetPassword(ctx, in, old, password, func(ctx context.Context, acc identity.Account) error {
		if !in.Who.Proven() {
			return nil // a customer, or a first password: no proven employee acts; that it was given out is recorded
		}
		_, err := a.Lookups.Act(ctx, in.Who, lookup.Act{Name: "change_password", About: acc.Login, Door: lookup.DoorAPI})
		return err
	})
}

// handleAddAccount handles POST /v1/accounts.
func (a *api) handleAddAccount(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b struct {
		Login    string            `json:"login"` // "": the person's id
		Employee access.EmployeeID `json:"employee"`
		Customer access.CustomerID `json:"customer"`
	}
	if err := read(r, &b); err != nil {
		a.fail(w, r, err)
		return
	}
	acc := identity.Account{Login: b.Login, Kind: identity.KindEmployee, Employee: b.Employee, Customer: b.Customer}
	if b.Customer != "" {
		acc.Kind = identity.KindCustomer
	}
	var out firstPassword
	err := a.administer(r, who, "add_account", func(record identity.Record) error {
		made, password, err := a.Accounts.Enrol(r.Context(), who, acc, record)
		out = firstPassword{made.Login, password}
		return err
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusCreated, out)
}

// handleResetPassword handles POST /v1/accounts/{login}/password.
func (a *api) handleResetPassword(w http.ResponseWriter, r *http.Request, who identity.Who) {
	out := firstPassword{Login: r.PathValue("login")}
	err := a.administer(r, who, "reset_password", func(record identity.Record) (err error) {
		out.Password, err = a.Accounts.ResetPassword(r.Context(), who, out.Login, record)
		return err
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, out)
}

// handleCloseAccount handles POST /v1/accounts/{login}/close.
func (a *api) handleCloseAccount(w http.ResponseWriter, r *http.Request, who identity.Who) {
	a.setDisabled(w, r, who, "close_account", true)
}

// handleOpenAccount handles POST /v1/accounts/{login}/open.
func (a *api) handleOpenAccount(w http.ResponseWriter, r *http.Request, who identity.Who) {
	a.setDisabled(w, r, who, "open_account", false)
}

func (a *api) setDisabled(w http.ResponseWriter, r *http.Request, who identity.Who, act string, disabled bool) {
	err := a.administer(r, who, act, func(record identity.Record) error {
		return a.Accounts.SetDisabled(r.Context(), who, r.PathValue("login"), disabled, record)
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// administer makes one change to accounts. The change is recorded right before
// it is made (G7), and so is a try that is refused: of somebody who is no
// administrator, or of one at his own account (G8).
func (a *api) administer(r *http.Request, who identity.Who, act string, change func(identity.Record) error) error {
	err := change(func(ctx context.Context, acc identity.Account) error {
		about := lookup.Act{Name: act, About: acc.Login, Employee: acc.Employee, Customer: acc.Customer, Door: lookup.DoorAPI}
		_, err := a.Lookups.Act(ctx, who, about)
		return err
	})
	if access.CodeOf(err) == access.Denied {
		refused := lookup.Act{Name: "account_refused", About: act, Door: lookup.DoorAPI}
		if _, broken := a.Lookups.Act(r.Context(), who, refused); broken != nil {
			return broken
		}
	}
	return err
}
