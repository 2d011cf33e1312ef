package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

var _ identity.Store = (*Store)(nil)

const accountColumns = `login, kind, person, hash, disabled, must_change`
const selectAccount = `SELECT ` + accountColumns + ` FROM accounts WHERE login = ?`

// Account returns the account of a login; access.NotFound where there is none.
func (s *Store) Account(ctx context.Context, login string) (identity.Account, error) {
	a, err := account(s.state.row(ctx, selectAccount, login))
	return a, refused("read an account", missing(err, "account"))
}

// account reads one row of accountColumns.
func account(r scanner) (identity.Account, error) {
	var a identity.Account
	var person string
	if err := r.Scan(&a.Login, &a.Kind, &person, &a.Hash, &a.Disabled, &a.MustChange); err != nil {
		return identity.Account{}, err
	}
	switch a.Kind {
	case identity.KindEmployee:
		a.Employee = access.EmployeeID(person)
	case identity.KindCustomer:
		a.Customer = access.CustomerID(person)
	}
	return a, nil
}

// "employee" comes after "customer", hence the descending order of kinds.
const listAccounts = `SELECT ` + accountColumns + ` FROM accounts
	WHERE ? = '' OR substr(login, 1, length(?)) = ? OR person = ? ORDER BY kind DESC, login LIMIT ?`

// ListAccounts returns accounts without their hashes, employees' first, by
// login: those whose login begins with find or whose person is find, all where
// it is "", at most limit.
func (s *Store) ListAccounts(ctx context.Context, find string, limit int) ([]identity.Account, error) {
	var all []identity.Account
	err := s.state.each(ctx, listAccounts, []any{find, find, find, find, limit}, func(r scanner) error {
		a, err := account(r)
		a.Hash = "" // nobody needs it to read a list
		all = append(all, a)
		return err
	})
	return all, refused("list accounts", err)
}

const anyAccount = `SELECT EXISTS (SELECT 1 FROM accounts)`

// AnyAccount reports whether there is an account at all.
func (s *Store) AnyAccount(ctx context.Context) (bool, error) {
	var any bool
	err := s.state.row(ctx, anyAccount).Scan(&any)
	return any, refused("look for an account", err)
}

const insertAccount = `INSERT INTO accounts (` + accountColumns + `) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

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
	n, err := t.exec(ctx, insertAccount, a.Login, string(a.Kind), person, a.Hash, flag(a.Disabled), flag(a.MustChange))
	if err != nil {
		return err
	}
	if n == 0 {
		return access.Errorf(access.Conflict, "The login is taken, or the person has an account.").
			WithHint("Look it up in the list of accounts; a lost password is reset there.")
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

const updateAccount = `UPDATE accounts SET hash = ?, disabled = ?, must_change = ? WHERE login = ?`
const deleteSessionsOf = `DELETE FROM sessions WHERE login = ?`
const revokeTokensOf = `UPDATE tokens SET revoked_at = ? WHERE login = ? AND revoked_at = 0`

// ChangeAccount saves Hash, Disabled and MustChange, ends all sessions and
// revokes all tokens of a's login, in one transaction.
func (s *Store) ChangeAccount(ctx context.Context, a identity.Account, at time.Time) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, updateAccount, a.Hash, flag(a.Disabled), flag(a.MustChange), a.Login)
		if err != nil {
			return err
		}
		if n == 0 {
			return access.Errorf(access.NotFound, "There is no such account.")
		}
		if _, err := t.exec(ctx, deleteSessionsOf, a.Login); err != nil {
			return err
		}
		_, err = t.exec(ctx, revokeTokensOf, access.Micros(at), a.Login)
		return err
	})
	return refused("change an account", err)
}
