package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

var _ identity.Store = (*Store)(nil)

const selectAccount = `SELECT login, kind, person, hash, disabled FROM accounts WHERE login = ?`

// Account returns the account of a login; access.NotFound where there is none.
func (s *Store) Account(ctx context.Context, login string) (identity.Account, error) {
	var a identity.Account
	var person string
	err := s.state.row(ctx, selectAccount, login).Scan(&a.Login, &a.Kind, &person, &a.Hash, &a.Disabled)
	if err != nil {
		return identity.Account{}, refused("read an account", missing(err, "account"))
	}
	switch a.Kind {
	case identity.KindEmployee:
		a.Employee = access.EmployeeID(person)
	case identity.KindCustomer:
		a.Customer = access.CustomerID(person)
	}
	return a, nil
}

const insertAccount = `INSERT INTO accounts (login, kind, person, hash, disabled) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

// AddAccount adds an account; access.Conflict where the login is taken or the
// person has one.
func (s *Store) AddAccount(ctx context.Context, a identity.Account) error {
	err := s.state.change(ctx, synced, func(t *tx) error { return addAccount(ctx, t, a) })
	return refused("add an account", err)
}

// addAccount inserts an account.
func addAccount(ctx context.Context, t *tx, a identity.Account) error {
	person := string(a.Employee)
	if a.Kind == identity.KindCustomer {
		person = string(a.Customer)
	}
	n, err := t.exec(ctx, insertAccount, a.Login, string(a.Kind), person, a.Hash, flag(a.Disabled))
	if err != nil {
		return err
	}
	if n == 0 {
		return access.Errorf(access.Conflict, "The login is taken, or the person has an account.")
	}
	return nil
}

const countAccounts = `SELECT COUNT(*) FROM accounts`

// AddFirst adds the first account and its employee, or nothing: access.Conflict
// where there is any account, or the directory knows that id.
func (s *Store) AddFirst(ctx context.Context, e access.Employee, a identity.Account) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		var n int
		if err := t.row(ctx, countAccounts).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return access.Errorf(access.Conflict, "There is an administrator already.").WithHint("Sign in, or ask the administrator.")
		}
		if _, err := employee(t.row(ctx, selectEmployee, string(e.ID))); !none(err) {
			if err != nil {
				return err
			}
			return access.Errorf(access.Conflict, "The directory has an employee of that id.").WithHint("Choose another login.")
		}
		if err := saveFacts(ctx, t, []access.Event{&access.EmployeeKnown{Employee: e}}); err != nil {
			return err
		}
		return addAccount(ctx, t, a)
	})
	return refused("add the first account", err)
}

const updateAccount = `UPDATE accounts SET hash = ?, disabled = ? WHERE login = ?`
const deleteSessionsOf = `DELETE FROM sessions WHERE login = ?`
const revokeTokensOf = `UPDATE tokens SET revoked_at = ? WHERE login = ? AND revoked_at = 0`

// ChangeAccount saves hash and disabled, ends all sessions and revokes all
// tokens of the login, in one transaction.
func (s *Store) ChangeAccount(ctx context.Context, login, hash string, disabled bool, at time.Time) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, updateAccount, hash, flag(disabled), login)
		if err != nil {
			return err
		}
		if n == 0 {
			return access.Errorf(access.NotFound, "There is no such account.")
		}
		if _, err := t.exec(ctx, deleteSessionsOf, login); err != nil {
			return err
		}
		_, err = t.exec(ctx, revokeTokensOf, access.Micros(at), login)
		return err
	})
	return refused("change an account", err)
}
