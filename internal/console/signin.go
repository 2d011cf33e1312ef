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
	return v.show(http.StatusOK, "signin", "Sign in", signInForm{
		Token: v.c.formToken(device), Next: localPath(v.r.URL.Query().Get("next")), SignInHint: v.c.SignInHint,
	})
}

// signIn handles POST /sign-in. Each mistake gets the same answer; identity sees
// to that, and to the pause after too many of them.
func (v *visit) signIn() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	device, err := v.device()
	if err != nil {
		return err
	}
	if !sameToken(v.r.PostFormValue("csrf"), v.c.formToken(device)) {
		return foreignForm()
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
