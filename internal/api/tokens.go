package api

import (
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// issueBody is the body of POST /v1/tokens.
type issueBody struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	Name     string `json:"name"`
	Lasts    string `json:"lasts"` // such as "720h"; "" for as long as is allowed
}

// tokenBody is one access token. Its secret is there once, when it's issued.
type tokenBody struct {
	Token string    `json:"token,omitempty"`
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Seen  time.Time `json:"seen,omitzero"`
}

// handleIssue handles POST /v1/tokens: login and password against a token.
func (a *api) handleIssue(w http.ResponseWriter, r *http.Request) {
	var b issueBody
	if err := read(r, &b); err != nil {
		a.fail(w, r, err)
		return
	}
	lasts, err := time.ParseDuration(b.Lasts)
	if err != nil && b.Lasts != "" {
		a.fail(w, r, access.Errorf(access.Invalid, "The token's time can't be understood.").WithHint("Write it in hours, such as 720h."))
		return
	}
	out, err := a.issue(r, b, lasts)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusCreated, out)
}

// issue signs in for the moment that it takes to issue one token. The issue is
// recorded before the token exists (G7).
func (a *api) issue(r *http.Request, b issueBody, lasts time.Duration) (out tokenBody, err error) {
	ctx := r.Context()
	session, in, err := a.SignOn.SignIn(ctx, b.Login, b.Password, "")
	if err != nil {
		return out, err
	}
	defer func() {
		if end := a.SignOn.SignOut(ctx, session); err == nil {
			err = end
		}
	}()
	if in.MustChange {
		return out, access.Errorf(access.Denied, "The first password must be changed before anything else.").
			WithHint("Change it with: paravent password --login " + in.Login + ", or sign in at the console.")
	}
	if !in.Who.Proven() {
		return out, access.Errorf(access.Denied, "Access tokens are for employees and their programs.")
	}
	if _, err := a.Lookups.Act(ctx, in.Who, lookup.Act{Name: "issue_token", Door: lookup.DoorAPI}); err != nil {
		return out, err
	}
	secret, t, err := a.SignOn.IssueToken(ctx, in.Who, b.Name, lasts)
	if err != nil {
		return out, err
	}
	return tokenBody{Token: secret, ID: t.ID, Name: t.Name, Since: t.Since, Until: t.Until}, nil
}

// handleTokens handles GET /v1/tokens: the asker's own, without their secrets.
func (a *api) handleTokens(w http.ResponseWriter, r *http.Request, who identity.Who) {
	all, err := a.SignOn.Tokens(r.Context(), who)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := struct {
		Tokens []tokenBody `json:"tokens"`
	}{[]tokenBody{}}
	for _, t := range all {
		out.Tokens = append(out.Tokens, tokenBody{ID: t.ID, Name: t.Name, Since: t.Since, Until: t.Until, Seen: t.Seen})
	}
	a.write(w, r, http.StatusOK, out)
}

// handleRevoke handles DELETE /v1/tokens/{id}.
func (a *api) handleRevoke(w http.ResponseWriter, r *http.Request, who identity.Who) {
	id := r.PathValue("id")
	_, err := a.Lookups.Act(r.Context(), who, lookup.Act{Name: "revoke_token", Door: lookup.DoorAPI})
	if err == nil {
		err = a.SignOn.RevokeToken(r.Context(), who, id)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
