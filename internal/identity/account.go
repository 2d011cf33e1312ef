package identity

import (
	"context"
	"time"

	"paravent/internal/access"
)

// Kind says whether an account is an employee's or a customer's.
type Kind string

// The kinds of account.
const (
	KindEmployee Kind = "employee"
	KindCustomer Kind = "customer"
)

// Account ties a login to one person. Exactly one of Employee and Customer is
// set, as Kind says; a person has one account at most.
type Account struct {
	Login    string // lower case; see checkLogin
	Kind     Kind
	Employee access.EmployeeID
	Customer access.CustomerID
	Hash     string // Argon2id in the PHC string format; "" in lists
	Disabled bool
	// MustChange says that somebody else knows the password: it proves nobody,
	// and opens nothing but the form that changes it.
	MustChange bool
}

// Session is one sign-in. Its secret is known to the browser alone.
type Session struct {
	Hash   [32]byte // SHA-256 of the secret
	ID     access.SessionID
	Login  string
	Device string
	Since  time.Time
	Seen   time.Time // last use, to the minute
	Until  time.Time // ends then, used or not
}

// Token is an access token for a program. Its secret is shown once, when it is
// issued.
type Token struct {
	ID        string
	Hash      [32]byte // SHA-256 of the secret
	Login     string
	Name      string // what its owner calls it
	Since     time.Time
	Seen      time.Time // last use, to the minute; zero: never
	Until     time.Time
	RevokedAt time.Time // zero: not revoked
}

// Store keeps accounts, sessions and tokens, and knows the directory. Every
// change is durable on return: what was revoked stays revoked after a crash.
// What isn't there is access.NotFound.
type Store interface {
	Accounts
	Sessions
	Tokens
	Scrams
	OnBehalfs
	// Employee returns the employee of the directory.
	Employee(ctx context.Context, id access.EmployeeID) (access.Employee, error)
	// Customer returns what the business knows of a customer.
	Customer(ctx context.Context, id access.CustomerID) (access.Customer, error)
}

// Accounts keeps accounts. Logins are compared byte by byte.
type Accounts interface {
	Account(ctx context.Context, login string) (Account, error)
	// ListAccounts returns accounts without their hashes, employees' first, by
	// login: those whose login begins with find or whose person is find, all
	// where it is "", at most limit.
	ListAccounts(ctx context.Context, find string, limit int) ([]Account, error)
	// AnyAccount reports whether there is an account at all.
	AnyAccount(ctx context.Context) (bool, error)
	// AddAccount adds an account; access.Conflict where the login is taken or
	// the person has an account.
	AddAccount(ctx context.Context, a Account) error
	// AddFirst adds the first account of all and its employee, or nothing:
	// access.Conflict where any account exists.
	AddFirst(ctx context.Context, e access.Employee, a Account) error
	// ChangeAccount saves Hash, Disabled and MustChange of a's login, and in the
	// same transaction ends every session and revokes every token of it.
	ChangeAccount(ctx context.Context, a Account, at time.Time) error
}

// Sessions keeps sessions by the hash of their secret.
type Sessions interface {
	AddSession(ctx context.Context, s Session) error
	Session(ctx context.Context, hash [32]byte) (Session, error)
	// SeeSession saves the last use. It need not be durable.
	SeeSession(ctx context.Context, hash [32]byte, at time.Time) error
	EndSession(ctx context.Context, hash [32]byte) error
}

// Tokens keeps access tokens by the hash of their secret.
type Tokens interface {
	AddToken(ctx context.Context, t Token) error
	Token(ctx context.Context, hash [32]byte) (Token, error)
	// TokensOf returns the tokens of a login that aren't revoked, newest first.
	TokensOf(ctx context.Context, login string) ([]Token, error)
	// SeeToken saves the last use. It need not be durable.
	SeeToken(ctx context.Context, id string, at time.Time) error
	// RevokeToken revokes this login's token; access.NotFound where he has none
	// of that id or it is revoked.
	RevokeToken(ctx context.Context, login, id string, at time.Time) error
}
