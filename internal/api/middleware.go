package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// The bounds of one request.
const (
	maxBody     = 64 << 10         // bytes of JSON
	maxImport   = 256 << 20        // bytes of CSV
	maxTime     = 30 * time.Second // for an answer
	maxImportIn = 10 * time.Minute // for an import
	maxLabel    = 128              // bytes of a request id
)

// labelKey is where the request id stands in the context.
type labelKey struct{}

// label returns the request id.
func label(ctx context.Context) string {
	id, _ := ctx.Value(labelKey{}).(string)
	return id
}

// guard is what every request passes: in this order a request id, headers that
// keep browsers from doing anything with the answer, a panic's end, the Host, a
// bound on body and time.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-ID")
		if !presentable(id) {
			id = strings.ToLower(rand.Text())
		}
		h := w.Header()
		h.Set("X-Request-ID", id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		limit, within := int64(maxBody), maxTime
		if strings.HasPrefix(r.URL.Path, "/v1/import/") {
			limit, within = maxImport, maxImportIn
		}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), labelKey{}, id), within)
		defer cancel()
		r = r.WithContext(ctx)
		defer a.recover(w, r)
		if !a.hosts[strings.ToLower(r.Host)] {
			a.fail(w, r, access.Errorf(access.Invalid, "This name isn't known here.").
				WithHint("Use the address that the program printed, or add the name to the configuration."))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// recover answers for a handler that panicked, without what it panicked about:
// it may hold a value.
func (a *api) recover(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		a.Log.ErrorContext(r.Context(), "handler panicked", "request_id", label(r.Context()), "route", r.Pattern)
		a.fail(w, r, access.Errorf(access.Internal, "panic"))
	}
}

// presentable reports whether text can be given back as a request id: it is
// ASCII that prints, without blanks, and short.
func presentable(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return text != "" && len(text) <= maxLabel
}

// proven lets in who shows a valid access token.
func (a *api) proven(next func(http.ResponseWriter, *http.Request, identity.Who)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := a.who(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		next(w, r, who)
	}
}

// who returns the employee whom the request's access token proves.
func (a *api) who(r *http.Request) (identity.Who, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return identity.Who{}, access.Errorf(access.Unauthenticated, "An access token is missing.").
			WithHint("Send the header Authorization: Bearer pvt_…; paravent token issues one.")
	}
	who, err := a.SignOn.Token(r.Context(), strings.TrimSpace(secret), "")
	if err == nil && !who.Proven() {
		err = access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	return who, err
}
