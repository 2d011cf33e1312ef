package console

import (
	"context"
	"net/http"
	"net/url"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// accountsPage is what an administrator reads of everybody's accounts.
type accountsPage struct {
	Notice       notice
	Login        string // whose first password is shown
	Password     string // shown this once
	Find         string
	Kind, Person string // of the form, when something is wrong with it
	Wanted       string
	Rows         []accountRow
	More         bool
	Empty        emptiness
}

// accountRow is one account, without anything of its password.
type accountRow struct {
	Login, Person, Name, Role string
	Tags                      []tag
	Href                      string
	Own, Closed               bool
}

// maxAccounts is how many accounts the page lists at most.
const maxAccounts = 200

// accounts handles GET /accounts. The list names customers who have accounts, so
// reading it is an act (G7).
func (v *visit) accounts() error {
	if _, err := v.act(lookup.Act{Name: actListAccounts}); err != nil {
		return err
	}
	return v.listAccounts(http.StatusOK, accountsPage{Find: v.r.URL.Query().Get("find")})
}

// listAccounts fills the list in and shows the page.
func (v *visit) listAccounts(status int, page accountsPage) error {
	if !printable(page.Find, maxID) {
		page.Find = ""
	}
	all, err := v.c.Accounts.Accounts(v.r.Context(), v.in.Who, page.Find, maxAccounts+1)
	if err != nil {
		return err
	}
	if page.More = len(all) > maxAccounts; page.More {
		all = all[:maxAccounts]
	}
	for _, a := range all {
		row, err := v.accountRow(a)
		if err != nil {
			return err
		}
		page.Rows = append(page.Rows, row)
	}
	page.Empty = emptiness{Title: "No account is found.", Text: "Search by the beginning of a login, or by the whole id of an employee or customer."}
	return v.show(status, "accounts", "Accounts", page)
}

func (v *visit) accountRow(a identity.Account) (accountRow, error) {
	row := accountRow{
		Login: a.Login, Person: string(a.Employee) + string(a.Customer), Role: accountTitle(a.Kind),
		Href: "/accounts/" + url.PathEscape(a.Login), Own: a.Login == v.in.Login, Closed: a.Disabled,
	}
	if a.Disabled {
		row.Tags = append(row.Tags, tag{"Closed", "bad"})
	} else {
		row.Tags = append(row.Tags, tag{"Open", "good"})
	}
	if a.MustChange {
		row.Tags = append(row.Tags, tag{"First password", "warn"})
	}
	if a.Kind != identity.KindEmployee {
		return row, nil
	}
	e, err := v.c.People.Employee(v.r.Context(), a.Employee)
	switch access.CodeOf(err) {
	case "":
		row.Name, row.Role = e.Name, roleTitle(e.Role)
	case access.NotFound:
		row.Tags = append(row.Tags, tag{"Not in the directory", "warn"})
	default:
		return row, err
	}
	return row, nil
}

// addAccount handles POST /accounts.
func (v *visit) addAccount() error {
	return v.changeAccounts(actAddAccount, func(record identity.Record) (accountsPage, error) {
		page := accountsPage{Kind: v.form("kind"), Person: v.form("person"), Wanted: v.form("login")}
		a := identity.Account{Login: page.Wanted, Kind: identity.Kind(page.Kind)}
		if !printable(page.Person, maxID) {
			return accountsPage{}, access.Errorf(access.Invalid, "The id can't be read.").WithHint("Copy it from the directory.")
		}
		if a.Kind == identity.KindCustomer {
			a.Customer = access.CustomerID(page.Person)
		} else {
			a.Employee = access.EmployeeID(page.Person)
		}
		made, password, err := v.c.Accounts.Enrol(v.r.Context(), v.in.Who, a, record)
		if err != nil {
			return page, err
		}
		return firstPassword("The account is made.", made.Login, password), nil
	})
}

// resetPassword handles POST /accounts/{login}/password.
func (v *visit) resetPassword() error {
	return v.changeAccounts(actResetPassword, func(record identity.Record) (accountsPage, error) {
		login := v.r.PathValue("login")
		password, err := v.c.Accounts.ResetPassword(v.r.Context(), v.in.Who, login, record)
		return firstPassword("The password is reset; sessions and tokens have ended.", login, password), err
	})
}

// closeAccount handles POST /accounts/{login}/close.
func (v *visit) closeAccount() error {
	return v.changeAccounts(actCloseAccount, func(record identity.Record) (accountsPage, error) {
		login := v.r.PathValue("login")
		err := v.c.Accounts.SetDisabled(v.r.Context(), v.in.Who, login, true, record)
		return accountsPage{Notice: notice{"good", login + " is closed.", "Its sessions and tokens have ended."}}, err
	})
}

// openAccount handles POST /accounts/{login}/open.
func (v *visit) openAccount() error {
	return v.changeAccounts(actOpenAccount, func(record identity.Record) (accountsPage, error) {
		login := v.r.PathValue("login")
		err := v.c.Accounts.SetDisabled(v.r.Context(), v.in.Who, login, false, record)
		return accountsPage{Notice: notice{"good", login + " is open again.", "The password is the one from before."}}, err
	})
}

// firstPassword is the page that tells a first password.
func firstPassword(title, login, password string) accountsPage {
	return accountsPage{Notice: notice{"good", title, ""}, Login: login, Password: password}
}

// changeAccounts makes one change and answers with the list. That the list is
// read is recorded first, so that nothing can keep a password that was made
// from being shown.
func (v *visit) changeAccounts(act string, change func(identity.Record) (accountsPage, error)) error {
	if err := v.parseForm(); err != nil {
		return err
	}
	if _, err := v.act(lookup.Act{Name: actListAccounts}); err != nil {
		return err
	}
	page, err := change(func(_ context.Context, a identity.Account) error {
		_, err := v.act(lookup.Act{Name: act, About: a.Login, Employee: a.Employee, Customer: a.Customer})
		return err
	})
	code := access.CodeOf(err)
	switch code {
	case "":
		return v.listAccounts(http.StatusOK, page)
	case access.Invalid, access.Conflict, access.NotFound, access.Denied:
		message, hint := access.Public(err)
		page.Notice, page.Login, page.Password = notice{"bad", message, hint}, "", ""
		if code == access.Denied { // his own account (G8): the try is kept
			if _, err := v.act(lookup.Act{Name: actAccountRefused, About: act}); err != nil {
				return err
			}
		}
		return v.listAccounts(statusOf(code), page)
	}
	return err
}
