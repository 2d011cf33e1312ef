package identity

import (
	"context"
	"crypto/subtle"

	"paravent/internal/access"
)

// NewSetupCode returns a code for the first administrator and what
// Options.SetupCodeHash is to hold of it.
func NewSetupCode() (code string, hash []byte) {
	code = newSecret("setup-")
	sum := hashSecret(code)
	return code, sum[:]
}

// Setup adds the first administrator, whose employee id is his login. It works
// only while there is no account at all (access.Conflict afterwards) and only
// with the code (access.Denied).
func (s *Service) Setup(ctx context.Context, code, login, name, password string) error {
	if err := s.throttle.begin("", "setup", s.now()); err != nil {
		return err
	}
	sum := hashSecret(code)
	if len(s.o.SetupCodeHash) != len(sum) || subtle.ConstantTimeCompare(sum[:], s.o.SetupCodeHash) != 1 {
		return access.Errorf(access.Denied, "The setup code is wrong.").
			WithHint("It was printed when the data folder was made.")
	}
	s.throttle.succeeded("", "setup")
	a := Account{Login: fold(login), Kind: KindEmployee, Employee: access.EmployeeID(fold(login))}
	a, err := s.prepare(ctx, a, password)
	if err != nil {
		return err
	}
	e := access.Employee{ID: a.Employee, Name: name, Role: access.RoleAdministrator}
	return s.store.AddFirst(ctx, e, a)
}

// AddAccount gives an employee or a customer an account with a first password.
// Only an administrator may, and nobody gets two (access.Conflict).
func (s *Service) AddAccount(ctx context.Context, by Who, a Account, password string) error {
	if err := administrator(by); err != nil {
		return err
	}
	if (a.Kind == KindEmployee) != (a.Employee != "") || (a.Kind == KindCustomer) != (a.Customer != "") ||
		(a.Employee == "") == (a.Customer == "") {
		return access.Errorf(access.Invalid, "An account is one employee's or one customer's.")
	}
	if a.Kind == KindEmployee {
		if _, err := s.store.Employee(ctx, a.Employee); err != nil {
			return err
		}
	}
	a.Login, a.Disabled = fold(a.Login), false
	a, err := s.prepare(ctx, a, password)
	if err != nil {
		return err
	}
	return s.store.AddAccount(ctx, a)
}

// SetPassword changes w's own password, for which he gives the old one. It ends
// all his sessions, this one too, and revokes his tokens: whoever had taken one
// of them is out.
func (s *Service) SetPassword(ctx context.Context, w Who, old, password string) error {
	if !w.Proven() {
		return errUnproven(nil)
	}
	if w.ByToken() {
		return access.Errorf(access.Denied, "An access token can't change a password.").WithHint("Sign in to change it.")
	}
	a, err := s.check(ctx, w.login, old, w.device)
	if err != nil {
		return err
	}
	s.throttle.succeeded(w.login, w.device)
	return s.change(ctx, a, password)
}

// ResetPassword gives an account a new password, for one who has lost his. Only
// an administrator may, never for himself. It ends all sessions and revokes all
// tokens of that account.
func (s *Service) ResetPassword(ctx context.Context, by Who, login, password string) error {
	a, err := s.other(ctx, by, login)
	if err != nil {
		return err
	}
	return s.change(ctx, a, password)
}

// SetDisabled closes an account at once, or opens it again. Only an
// administrator may, never his own (G8). Closing ends all its sessions and
// revokes all its tokens.
func (s *Service) SetDisabled(ctx context.Context, by Who, login string, disabled bool) error {
	a, err := s.other(ctx, by, login)
	if err != nil {
		return err
	}
	return s.store.ChangeAccount(ctx, a.Login, a.Hash, disabled, s.now())
}

// other returns the account of somebody else than the administrator who asks.
func (s *Service) other(ctx context.Context, by Who, login string) (Account, error) {
	if err := administrator(by); err != nil {
		return Account{}, err
	}
	if fold(login) == by.login {
		return Account{}, access.Errorf(access.Denied, "Your own account is another administrator's to change.")
	}
	return s.store.Account(ctx, fold(login))
}

// change saves a new password that was found good.
func (s *Service) change(ctx context.Context, a Account, password string) error {
	disabled := a.Disabled
	a, err := s.prepare(ctx, a, password)
	if err != nil {
		return err
	}
	return s.store.ChangeAccount(ctx, a.Login, a.Hash, disabled, s.now())
}

// prepare checks login and password and sets the hash.
func (s *Service) prepare(ctx context.Context, a Account, password string) (Account, error) {
	if err := CheckLogin(a.Login); err != nil {
		return Account{}, err
	}
	if err := CheckPassword(a.Login, password); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	a.Hash = hash
	return a, nil
}

// administrator refuses everybody else.
func administrator(by Who) error {
	if !by.Proven() {
		return errUnproven(nil)
	}
	if by.employee.Role != access.RoleAdministrator {
		return access.Errorf(access.Denied, "Only an administrator may change accounts.")
	}
	return nil
}
