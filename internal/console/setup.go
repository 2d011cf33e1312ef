package console

import (
	"net/http"

	"paravent/internal/access"
)

// setupForm is what the page for the first administrator shows.
type setupForm struct {
	Token         string
	Login, Name   string
	Message, Hint string
	Done          bool // there is an account, so there is nothing to set up
}

// setupPage handles GET /setup.
func (v *visit) setupPage() error {
	done, err := v.c.Accounts.IsSetUp(v.r.Context())
	if err != nil {
		return err
	}
	device, err := v.device()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "setup", "Set up", setupForm{Token: v.c.formToken(device), Done: done})
}

// setup handles POST /setup: the first administrator comes in with the code
// that init printed. Identity sees to it that this works once.
func (v *visit) setup() error {
	device, err := v.strangersForm()
	if err != nil {
		return err
	}
	form := setupForm{Token: v.c.formToken(device), Login: v.form("login"), Name: v.form("name")}
	password := v.r.PostFormValue("password")
	if err = sameTwice(password, v.r.PostFormValue("again")); err == nil {
		err = v.c.Accounts.Setup(v.r.Context(), v.form("code"), form.Login, form.Name, password)
	}
	if err == nil {
		v.redirect("/sign-in?note=" + noteSetUp)
		return nil
	}
	code := access.CodeOf(err)
	if code == access.Internal {
		return err
	}
	form.Message, form.Hint = access.Public(err)
	form.Done = code == access.Conflict && v.isSetUp()
	return v.show(formStatus(code), "setup", "Set up", form)
}

// isSetUp reports whether there is surely an account.
func (v *visit) isSetUp() bool {
	done, err := v.c.Accounts.IsSetUp(v.r.Context())
	return done && err == nil
}

// sameTwice refuses a new password that was typed in two ways.
func sameTwice(password, again string) error {
	if password != again {
		return access.Errorf(access.Invalid, "The two passwords differ.").WithHint("Type the new password twice.")
	}
	return nil
}

// formStatus is the HTTP status of a form that is shown again. Too many tries
// are the visitor's doing, not the server's.
func formStatus(code access.Code) int {
	if code == access.Unavailable {
		return http.StatusTooManyRequests
	}
	return statusOf(code)
}
