package console

import (
	"context"
	"net/http"
	"net/url"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// ownAccount is what somebody reads about his own account.
type ownAccount struct {
	Login, Person, Role, Team string
	Until                     moment
	MustChange                bool
	Employee                  bool
	Message, Hint             string // what is wrong with the new password
	Notice                    notice
	Tokens                    []tokenRow
}

// tokenRow is one of his access tokens.
type tokenRow struct {
	Name, Href         string
	Since, Seen, Until moment
}

// account handles GET /account.
func (v *visit) account() error {
	n := notice{}
	if v.r.URL.Query().Get("note") == "revoked" {
		n = notice{"good", "The token is revoked.", "Whoever uses it is refused from now on."}
	}
	return v.accountPage(http.StatusOK, n, "", "")
}

// accountPage shows the page, with a notice or with what is wrong with the form.
func (v *visit) accountPage(status int, n notice, message, hint string) error {
	data := ownAccount{
		Login: v.in.Login, Person: string(v.in.Customer.ID()), Role: accountTitle(v.in.Kind), Until: v.moment(v.in.Until),
		MustChange: v.in.MustChange, Employee: v.in.Who.Proven(), Message: message, Hint: hint, Notice: n,
	}
	if !data.Employee {
		return v.show(status, "account", "My account", data)
	}
	e := v.in.Who.Employee()
	data.Person, data.Role, data.Team = string(e.ID), roleTitle(e.Role), string(e.Team)
	tokens, err := v.c.SignOn.Tokens(v.r.Context(), v.in.Who)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if v.now.Before(t.Until) {
			data.Tokens = append(data.Tokens, tokenRow{
				Name: t.Name, Href: "/account/tokens/" + url.PathEscape(t.ID) + "/revoke",
				Since: v.moment(t.Since), Seen: v.moment(t.Seen), Until: v.moment(t.Until),
			})
		}
	}
	return v.show(status, "account", "My account", data)
}

// changePassword handles POST /account/password. It ends every session, so the
// next page is the sign-in.
func (v *visit) changePassword() error {
	if err := v.parseForm(); err != nil {
		return err
	}
	password := v.r.PostFormValue("password")
	err := sameTwice(password, v.r.PostFormValue("again"))
	var unrecorded error
	if err == nil {
		err = v.c.SignOn.SetPassword(v.r.Context(), v.in, v.r.PostFormValue("old"), password, func(_ context.Context, a identity.Account) error {
			unrecorded = v.recordOwn(a)
			return unrecorded
		})
	}
	if unrecorded != nil {
		return err // not the visitor's mistake, unlike too many tries
	}
	switch code := access.CodeOf(err); code {
	case "":
		v.setCookie("session", "", -1)
		v.redirect("/sign-in?note=" + noteChanged)
		return nil
	case access.Denied, access.Invalid, access.Unavailable:
		message, hint := access.Public(err)
		return v.accountPage(formStatus(code), notice{}, message, hint)
	}
	return err
}

// recordOwn records that an employee changes his own password. A customer, and
// one who has only a first password, can't be recorded as acting: neither is a
// proven employee. The giving of the first password is recorded.
func (v *visit) recordOwn(a identity.Account) error {
	if !v.in.Who.Proven() {
		return nil
	}
	_, err := v.act(lookup.Act{Name: actChangePassword, About: a.Login})
	return err
}

// revokeToken handles POST /account/tokens/{token}/revoke; identity revokes
// nobody's tokens but his own.
func (v *visit) revokeToken() error {
	if _, err := v.act(lookup.Act{Name: actRevokeToken}); err != nil {
		return err
	}
	if err := v.c.SignOn.RevokeToken(v.r.Context(), v.in.Who, v.r.PathValue("token")); err != nil {
		return err
	}
	v.redirect("/account?note=revoked")
	return nil
}

// accountTitle is the kind of an account in the words of the pages.
func accountTitle(k identity.Kind) string {
	if k == identity.KindCustomer {
		return "Customer"
	}
	return "Employee"
}
