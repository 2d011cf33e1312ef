package console

import (
	"net/http"
	"net/url"
	"strings"

	"paravent/internal/access"
)

// signInForm is what the sign-in page shows.
type signInForm struct {
	Token      string
	Login      string
	Next       string
	Message    string
	Hint       string
	SignInHint string
	Note       string // what was done a moment ago
	Setup      bool   // nobody has an account yet
}

// What the sign-in page can tell of what was done a moment ago, by the word in
// its address.
const (
	noteSetUp   = "set-up"
	noteChanged = "changed"
)

var signInNotes = map[string]string{
	noteSetUp:   "Paravent is set up. Sign in with the name and password that you have just chosen.",
	noteChanged: "Your password is changed, and every session has ended. Sign in with the new one.",
}

// home handles GET /: everybody's first page.
func (v *visit) home() error {
	v.redirect(links(v.in)[0].Href)
	return nil
}

// signInPage handles GET /sign-in.
func (v *visit) signInPage() error {
	if v.known {
		v.redirect("/")
		return nil
	}
	device, err := v.device()
	if err != nil {
		return err
	}
	done, err := v.c.Accounts.IsSetUp(v.r.Context())
	if err != nil {
		return err
	}
	query := v.r.URL.Query()
	return v.show(http.StatusOK, "signin", "Sign in", signInForm{
		Token: v.c.formToken(device), Next: localPath(query.Get("next")), SignInHint: v.c.SignInHint,
		Note: signInNotes[query.Get("note")], Setup: !done,
	})
}

// strangersForm reads the form of somebody who isn't signed in, which must come
// from a page of ours on this device, and returns the device.
func (v *visit) strangersForm() (device string, err error) {
	if err := v.parseForm(); err != nil {
		return "", err
	}
	if device, err = v.device(); err != nil {
		return "", err
	}
	if !sameToken(v.r.PostFormValue("csrf"), v.c.formToken(device)) {
		return "", foreignForm()
	}
	return device, nil
}

// signIn handles POST /sign-in. Each mistake gets the same answer; identity sees
// to that, and to the pause after too many of them.
func (v *visit) signIn() error {
	device, err := v.strangersForm()
	if err != nil {
		return err
	}
	login, next := v.form("login"), localPath(v.form("next"))
	secret, in, err := v.c.SignOn.SignIn(v.r.Context(), login, v.r.PostFormValue("password"), device)
	if code := access.CodeOf(err); code == access.Unauthenticated || code == access.Unavailable {
		status := http.StatusUnauthorized
		if code == access.Unavailable {
			status = http.StatusTooManyRequests
		}
		message, hint := access.Public(err)
		return v.show(status, "signin", "Sign in", signInForm{
			Token: v.c.formToken(device), Login: login, Next: next, Message: message, Hint: hint, SignInHint: v.c.SignInHint,
		})
	} else if err != nil {
		return err
	}
	v.setCookie("session", secret, 0)
	v.in, v.known = in, true
	if next == "" {
		next = "/"
	}
	v.redirect(next)
	return nil
}

// signOut handles POST /sign-out.
func (v *visit) signOut() error {
	cookie, err := v.r.Cookie(v.c.cookieName("session"))
	if err != nil {
		return err // admit has seen the cookie, so this can't be
	}
	if err := v.c.SignOn.SignOut(v.r.Context(), cookie.Value); err != nil {
		return err
	}
	v.setCookie("session", "", -1)
	v.redirect("/sign-in")
	return nil
}

// localPath returns target if it is a path of this console, "" otherwise, so
// that a link can't lead from the sign-in page to another host.
func localPath(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(target, "/") ||
		strings.HasPrefix(target, "//") || strings.ContainsAny(target, "\\\r\n\t") {
		return ""
	}
	return target
}
