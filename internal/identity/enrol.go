package identity

import (
	"context"
	"crypto/subtle"
	"strings"
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
)

// maxName is the longest name of the first administrator, in characters.
const maxName = 100

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// NewSetupCode returns a code for the first administrator and what
// Options.SetupCodeHash is to hold of it.
func NewSetupCode() (code string, hash []byte) {
	code = newSecret("setup-")
	sum := hashSecret(code)
	return code, sum[:]
}

// IsSetUp reports whether there is an account already, so that Setup can't work
// any more. It is cheap: accounts are never removed, so a yes is remembered.
func (s *Service) IsSetUp(ctx context.Context) (bool, error) {
	if s.setUp.Load() {
		return true, nil
	}
	any, err := s.store.AnyAccount(ctx)
	if any && err == nil {
		s.setUp.Store(true)
	}
	return any, err
}

// Setup adds the first administrator, whose employee id is his login. It works
// only while there is no account at all (access.Conflict afterwards) and only
// with the code (access.Denied). Guessing is slowed down (access.Unavailable).
func (s *Service) Setup(ctx context.Context, code, login, name, password string) error {
	if done, err := s.IsSetUp(ctx); done || err != nil {
		if err == nil {
			err = access.Errorf(access.Conflict, "There is an administrator already.").WithHint("Sign in, or ask the administrator.")
		}
		return err
	}
	if err := s.throttle.begin("", "setup", s.now()); err != nil {
		return err
	}
	sum := hashSecret(strings.TrimSpace(code))
	if len(s.o.SetupCodeHash) != len(sum) || subtle.ConstantTimeCompare(sum[:], s.o.SetupCodeHash) != 1 {
		return access.Errorf(access.Denied, "The setup code is wrong.").
			WithHint("paravent init printed it when it made the data folder.")
	}
	s.throttle.succeeded("", "setup")
	if name = strings.TrimSpace(name); utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unprintable) {
		return access.Errorf(access.Invalid, "The name can't be used.").WithHint("Use up to 100 characters that print.")
	}
	a := Account{Login: fold(login), Kind: KindEmployee, Employee: access.EmployeeID(fold(login))}
	a, err := s.prepare(ctx, a, password)
	if err != nil {
		return err
	}
	e := access.Employee{ID: a.Employee, Name: name, Role: access.RoleAdministrator}
	return s.store.AddFirst(ctx, e, a)
}

// Record makes it durable that an account is about to be changed (G7). It is
// called once, after everything that can be refused was refused and before
// anything changes; with an error nothing changes.
type Record func(ctx context.Context, a Account) error

// Enrol gives an employee or a customer an account and returns its first
// password, which is shown this once and must be changed at the first sign-in.
// The login is the person's own id where a has none. Only an administrator may,
// and nobody gets two (access.Conflict).
func (s *Service) Enrol(ctx context.Context, by Who, a Account, record Record) (Account, string, error) {
	if a.Login == "" {
		a.Login = string(a.Employee) + string(a.Customer)
	}
	password := firstPassword()
	a.MustChange = true
	a, err := s.newAccount(ctx, by, a, password)
	if err != nil {
		return Account{}, "", err
	}
	if a.Kind == KindCustomer {
		// An account of a mistyped id would one day be a stranger's.
		_, err := s.store.Customer(ctx, a.Customer)
		if access.CodeOf(err) == access.NotFound {
			return Account{}, "", access.Errorf(access.NotFound, "No such customer is known.").Because(err).
				WithHint("Bring her in first: paravent import customers.csv")
		}
		if err != nil {
			return Account{}, "", err
		}
	}
	_, err = s.store.Account(ctx, a.Login)
	if err == nil {
		return Account{}, "", access.Errorf(access.Conflict, "The login is taken.").WithHint("Choose another login.")
	}
	if access.CodeOf(err) != access.NotFound {
		return Account{}, "", err
	}
	if err := record(ctx, a); err != nil {
		return Account{}, "", err
	}
	if err := s.store.AddAccount(ctx, a); err != nil {
		return Account{}, "", err
	}
	a.Hash = ""
	return a, password, nil
}

// AddAccount gives an employee or a customer an account with a password that
// the caller has chosen, as the demo and tests do. Nothing records it and
// nobody has to change it: doors use Enrol.
func (s *Service) AddAccount(ctx context.Context, by Who, a Account, password string) error {
	a, err := s.newAccount(ctx, by, a, password)
	if err != nil {
		return err
	}
	return s.store.AddAccount(ctx, a)
}

// newAccount checks who asks and for whom, and returns the account to be added.
func (s *Service) newAccount(ctx context.Context, by Who, a Account, password string) (Account, error) {
	if err := administrator(by); err != nil {
		return Account{}, err
	}
	if (a.Kind == KindEmployee) != (a.Employee != "") || (a.Kind == KindCustomer) != (a.Customer != "") ||
		(a.Employee == "") == (a.Customer == "") {
		return Account{}, access.Errorf(access.Invalid, "An account is one employee's or one customer's.")
	}
	if a.Kind == KindEmployee {
		_, err := s.store.Employee(ctx, a.Employee)
		if access.CodeOf(err) == access.NotFound {
			return Account{}, access.Errorf(access.NotFound, "The directory has no such employee.").Because(err).
				WithHint("Bring him in first: paravent import employees.csv")
		}
		if err != nil {
			return Account{}, err
		}
	}
	a.Login, a.Disabled = fold(a.Login), false
	return s.prepare(ctx, a, password)
}

// SetPassword changes the password of whoever is signed in, for which he gives
// the old one. It ends all his sessions, this one too, and revokes his tokens:
// whoever had taken one of them is out. An access token is no sign-in, so it
// can't change a password.
func (s *Service) SetPassword(ctx context.Context, in SignedIn, old, password string, record Record) error {
	if in.Login == "" {
		return errUnproven(nil)
	}
	a, err := s.check(ctx, in.Login, old, in.device)
	if err != nil {
		if access.CodeOf(err) == access.Unauthenticated {
			err = access.Errorf(access.Denied, "The old password is wrong.").WithHint("Check it; after several misses you have to wait.").Because(err)
		}
		return err
	}
	s.throttle.succeeded(in.Login, in.device)
	if old == password {
		return access.Errorf(access.Invalid, "The new password is the old one.").WithHint("Choose another.")
	}
	return s.change(ctx, a, password, false, record)
}

// ResetPassword gives an account a new first password, for one who has lost
// his, and returns it; it must be changed at the next sign-in. Only an
// administrator may, never for himself (G8). It ends all sessions and revokes
// all tokens of that account.
func (s *Service) ResetPassword(ctx context.Context, by Who, login string, record Record) (string, error) {
	a, err := s.other(ctx, by, login)
	if err != nil {
		return "", err
	}
	password := firstPassword()
	if err := s.change(ctx, a, password, true, record); err != nil {
		return "", err
	}
	return password, nil
}

// SetDisabled closes an account at once, or opens it again. Only an
// administrator may, never his own (G8). Closing ends all its sessions and
// revokes all its tokens.
func (s *Service) SetDisabled(ctx context.Context, by Who, login string, disabled bool, record Record) error {
	a, err := s.other(ctx, by, login)
	if err != nil {
		return err
	}
	if err := record(ctx, a); err != nil {
		return err
	}
	a.Disabled = disabled
	return s.store.ChangeAccount(ctx, a, s.now())
}

// Accounts returns accounts without their hashes, employees' first: those whose
// login begins with find or whose person is find, all where it is "", at most
// limit. Only an administrator may ask.
func (s *Service) Accounts(ctx context.Context, by Who, find string, limit int) ([]Account, error) {
	if err := administrator(by); err != nil {
		return nil, err
	}
	return s.store.ListAccounts(ctx, strings.TrimSpace(find), limit)
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
func (s *Service) change(ctx context.Context, a Account, password string, mustChange bool, record Record) error {
	a, err := s.prepare(ctx, a, password)
	if err != nil {
		return err
	}
	if err := record(ctx, a); err != nil {
		return err
	}
	a.MustChange = mustChange
	return s.store.ChangeAccount(ctx, a, s.now())
}

// firstPassword returns a password of 80 random bits that can be read aloud. It
// is as good as a chosen one, but two people know it.
func firstPassword() string {
	text := random.EncodeToString(randomBytes(10))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}

// prepare checks login and password and sets the hash.
func (s *Service) prepare(ctx context.Context, a Account, password string) (Account, error) {
	if err := checkLogin(a.Login); err != nil {
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
