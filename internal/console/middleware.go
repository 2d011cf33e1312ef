package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"paravent/internal/access"
	"paravent/internal/lookup"
)

// maxBody is the size in bytes of the largest form that is read.
const maxBody = 64 << 10

// contentPolicy allows what the console serves itself and nothing else: no
// inline script or style, no frame, no other host.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

type requestIDKey struct{}

// outer is what stands before every answer, pages and assets alike.
func (c *console) outer(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newRequestID()
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		v := &visit{c: c, w: w, r: r, id: id, now: c.Clock()}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				v.refuse(fmt.Errorf("serve page: panic: %v", p))
			}
		}()
		c.headers(w.Header(), id)
		if len(c.Hosts) > 0 && !slices.Contains(c.Hosts, r.Host) {
			v.refuse(access.Errorf(access.Invalid, "This address isn't one of the console's.").
				WithHint("Open the console under the address that its operator gave you."))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := origin.Check(r); err != nil {
			v.refuse(foreignForm().Because(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// headers sets what every answer carries. Assets alone replace the no-store.
func (c *console) headers(h http.Header, id string) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", id)
	if c.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// page stands before one route: session, audience, form token, and the one
// place where an error becomes a page.
func (c *console) page(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := r.Context().Value(requestIDKey{}).(string)
		v := &visit{c: c, w: w, r: r, id: id, now: c.Clock()}
		if err := v.admit(rt); err != nil {
			v.refuse(err)
			return
		}
		if v.answered {
			return
		}
		if err := rt.serve(v); err != nil {
			v.refuse(err)
		}
	}
}

// admit finds out who visits and whether he may. A visitor without a session is
// sent to sign in.
func (v *visit) admit(rt route) error {
	if err := v.recall(); err != nil {
		return err
	}
	if rt.may == nil {
		return nil
	}
	if !v.known {
		v.toSignIn()
		return nil
	}
	if v.r.Method == http.MethodPost && !sameToken(v.r.PostFormValue("csrf"), v.in.CSRF) {
		return foreignForm()
	}
	if v.in.MustChange && !slices.Contains(beforeChange, rt.pattern) {
		v.redirect("/account")
		return nil
	}
	if rt.may(v.in) {
		return nil
	}
	return v.turnAway(rt)
}

// recall fills in who the session's cookie belongs to. A cookie that proves
// nothing is as good as none; that the store can't be asked is an error.
func (v *visit) recall() error {
	cookie, err := v.r.Cookie(v.c.cookieName("session"))
	if err != nil {
		return nil // no cookie: nobody is signed in
	}
	in, err := v.c.SignOn.Session(v.r.Context(), cookie.Value)
	switch access.CodeOf(err) {
	case "":
		v.in, v.known = in, true
		return nil
	case access.Unauthenticated, access.NotFound:
		return nil
	}
	return fmt.Errorf("recall session: %w", err)
}

// turnAway refuses a page to a role, after an employee's try is recorded (G7).
func (v *visit) turnAway(rt route) error {
	if v.in.Who.Proven() {
		act := lookup.Act{Name: actPageRefused, About: rt.pattern}
		if _, err := v.c.Lookups.Act(v.r.Context(), v.in.Who, act); err != nil {
			return fmt.Errorf("record refused page: %w", err)
		}
	}
	return access.Errorf(access.Denied, "This page isn't for your role.").WithHint(instead(v.in))
}

// toSignIn sends a visitor to the sign-in page, with the way back when he only
// wanted to read.
func (v *visit) toSignIn() {
	target := "/sign-in"
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" && v.r.Header.Get("HX-Request") == "" {
		target += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	v.redirect(target)
}

func foreignForm() *access.Error {
	return access.Errorf(access.Denied, "This form didn't come from this page, or it is too old.").
		WithHint("Go back, load the page again and repeat what you did.")
}

// sameToken compares in constant time; an empty token is never the same.
func sameToken(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// cookieName returns the name of one of the console's cookies. Over TLS the
// __Host- prefix keeps other hosts of the domain from setting it.
func (c *console) cookieName(kind string) string {
	if c.TLS {
		return "__Host-paravent-" + kind
	}
	return "paravent-" + kind
}

// setCookie sets a cookie that scripts and other sites never see; seconds below
// zero delete it, 0 keeps it until the browser is closed.
func (v *visit) setCookie(kind, value string, seconds int) {
	http.SetCookie(v.w, &http.Cookie{
		Name: v.c.cookieName(kind), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: v.c.TLS, SameSite: http.SameSiteStrictMode,
	})
}

// device returns the random name of this browser, and makes one where it has
// none. It says whether two sessions came from one browser and nothing else.
func (v *visit) device() (string, error) {
	const year = 365 * 24 * 60 * 60
	if cookie, err := v.r.Cookie(v.c.cookieName("device")); err == nil {
		if raw, err := base64.RawURLEncoding.DecodeString(cookie.Value); err == nil && len(raw) == 16 {
			return cookie.Value, nil
		}
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("name device: %w", err)
	}
	name := base64.RawURLEncoding.EncodeToString(raw)
	v.setCookie("device", name, year)
	return name, nil
}

// formToken binds a sign-in form to the browser that it was given to, as there
// is no session yet that could.
func (c *console) formToken(device string) string {
	mac := hmac.New(sha256.New, c.formKey)
	mac.Write([]byte(device))
	return hex.EncodeToString(mac.Sum(nil))
}

func newRequestID() string {
	raw := make([]byte, 8)
	if _, err := rand.Read(raw); err != nil {
		panic(errors.New("no randomness")) // crypto/rand never fails on supported systems
	}
	return hex.EncodeToString(raw)
}
