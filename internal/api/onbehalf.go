package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// behalfBody is the body of POST /v1/on-behalf.
type behalfBody struct {
	Tool  string `json:"tool"`  // the login of the tool's own account
	Lasts string `json:"lasts"` // such as "2m"; "" for as long as is allowed, five minutes
}

// handleOnBehalf handles POST /v1/on-behalf: a person lets a tool act for him,
// once and for minutes. He is proven by his access token, or by the secret of
// his session. The leave is recorded before it exists (G7), and so is a try that
// is refused.
func (a *api) handleOnBehalf(w http.ResponseWriter, r *http.Request) {
	who, err := a.person(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var b behalfBody
	if err := read(r, &b); err != nil {
		a.fail(w, r, err)
		return
	}
	lasts, err := time.ParseDuration(b.Lasts)
	if err != nil && b.Lasts != "" {
		a.fail(w, r, access.Errorf(access.Invalid, "The time can't be understood.").WithHint("Write it in minutes, such as 2m."))
		return
	}
	secret, leave, err := a.SignOn.IssueOnBehalf(r.Context(), who, b.Tool, lasts, func(ctx context.Context, tool identity.Account) error {
		act := lookup.Act{Name: "issue_on_behalf", Employee: tool.Employee, About: tool.Login, Door: lookup.DoorAPI}
		_, err := a.Lookups.Act(ctx, who, act)
		return err
	})
	if access.CodeOf(err) == access.Denied {
		if _, broken := a.Lookups.Act(r.Context(), who, lookup.Act{Name: "on_behalf_refused", Door: lookup.DoorAPI}); broken != nil {
			err = broken
		}
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusCreated, struct {
		Token string    `json:"token"` // for SET paravent.on_behalf_of
		Tool  string    `json:"tool"`
		Until time.Time `json:"until"`
	}{secret, leave.Tool, leave.Until})
}

// person returns who is proven by an access token or by a session's secret.
func (a *api) person(r *http.Request) (identity.Who, error) {
	_, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if secret = strings.TrimSpace(secret); !strings.HasPrefix(secret, "pvs_") || len(r.Header.Values("Authorization")) != 1 {
		return a.who(r)
	}
	in, err := a.SignOn.Session(r.Context(), secret)
	if err == nil && !in.Who.Proven() {
		err = access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	return in.Who, err
}
