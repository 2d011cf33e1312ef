package console

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/task"
)

// SignOn proves who sits before the page and keeps what proves him;
// identity.Service is one.
type SignOn interface {
	// SignIn returns the session's secret for the cookie. Any mistake is the
	// same access.Unauthenticated error; a throttled login says when to try again.
	SignIn(ctx context.Context, login, password, device string) (secret string, in identity.SignedIn, err error)
	// Session returns who a secret belongs to, or access.Unauthenticated.
	Session(ctx context.Context, secret string) (identity.SignedIn, error)
	// SignOut ends the session; afterwards its secret proves nothing.
	SignOut(ctx context.Context, secret string) error
	// SetPassword changes the password of whoever is signed in and ends all his
	// sessions. A wrong old one is access.Denied, an unfit new one access.Invalid.
	SetPassword(ctx context.Context, in identity.SignedIn, old, password string, record identity.Record) error
	// Tokens returns his access tokens that aren't revoked, newest first.
	Tokens(ctx context.Context, who identity.Who) ([]identity.Token, error)
	// RevokeToken ends one of his own; access.NotFound where it isn't.
	RevokeToken(ctx context.Context, who identity.Who, id string) error
}

// Accounts lets the first administrator in, and administrators keep everybody
// else's accounts; identity.Service is one. Each change is recorded by the
// function that is handed in, before it is made (G7).
type Accounts interface {
	// IsSetUp reports, cheaply, whether there is any account.
	IsSetUp(ctx context.Context) (bool, error)
	// Setup adds the first administrator: access.Conflict where there is any
	// account, access.Denied where the code is wrong, access.Unavailable after
	// many tries.
	Setup(ctx context.Context, code, login, name, password string) error
	// Accounts lists accounts, employees' first, at most limit.
	Accounts(ctx context.Context, by identity.Who, find string, limit int) ([]identity.Account, error)
	// Enrol adds an account and returns it with its first password.
	Enrol(ctx context.Context, by identity.Who, a identity.Account, record identity.Record) (identity.Account, string, error)
	// ResetPassword returns a new first password; never for his own (G8).
	ResetPassword(ctx context.Context, by identity.Who, login string, record identity.Record) (string, error)
	// SetDisabled closes or opens an account; never his own (G8).
	SetDisabled(ctx context.Context, by identity.Who, login string, disabled bool, record identity.Record) error
}

// Erasures forgets people (G5); investigate.Erasures is one.
type Erasures interface {
	// Ask asks for the erasure of a customer or an employee, of whom one is named,
	// after that is recorded. Who may not, and what holds the data, are
	// access.Denied and access.Conflict.
	Ask(ctx context.Context, who identity.Who, c access.CustomerID, e access.EmployeeID, reason string) (investigate.Request, error)
	// List returns the latest erasures, after the reading is recorded.
	List(ctx context.Context, who identity.Who) ([]investigate.Request, error)
}

// Upkeep changes the ledger itself; investigate.Upkeep is one.
type Upkeep interface {
	// Ask asks for a rotation or the drop of a log, after that is recorded. Who may
	// not, and why it can't be, are access.Denied, NotFound and Conflict.
	Ask(ctx context.Context, who identity.Who, kind, about, reason string) (investigate.Request, error)
	// List returns the latest requests of this kind, after the reading is recorded.
	List(ctx context.Context, who identity.Who) ([]investigate.Request, error)
	// Logs returns the ledger's logs, oldest first; none while it isn't open.
	Logs() []investigate.LogFacts
	// KeptUntil returns from when on a frozen log may be dropped as far as its age
	// goes; the zero time where that isn't known.
	KeptUntil(l investigate.LogFacts) time.Time
}

// Lookups is the one way to customers' data and to the ledger; lookup.Service
// is one.
type Lookups interface {
	// Look returns what may be shown, after intent and outcome are durable. A
	// refusal is an *access.Error; *lookup.Pending where a second person is asked.
	Look(ctx context.Context, who identity.Who, r lookup.Request) (*lookup.Disclosure, error)
	// Refused records a try that can't be understood and returns its answer.
	Refused(ctx context.Context, who identity.Who, door string) error
	// FindCaller returns the task of the caller that was found, or a refusal.
	FindCaller(ctx context.Context, who identity.Who, said lookup.Said) (lookup.FoundCaller, error)
	// LiftLock ends the lock of an employee's search for callers.
	LiftLock(ctx context.Context, who identity.Who, employee access.EmployeeID) error
	// Act records an act and is durable on return (G7); with an error nothing
	// is recorded, and nothing may be shown.
	Act(ctx context.Context, who identity.Who, a lookup.Act) (ledger.Receipt, error)
}

// Requests are the requests that wait for a second person;
// investigate.Approvals is one.
type Requests interface {
	// Waiting returns the pending requests that this employee may decide,
	// oldest first; that he read them is recorded before.
	Waiting(ctx context.Context, who identity.Who) ([]investigate.Request, error)
	// Own returns the asker's own request as far as he may know it (G9), or
	// access.NotFound where it isn't his.
	Own(ctx context.Context, who identity.Who, id access.RequestID) (investigate.Request, error)
	// Decide records and carries out a yes or no. access.Conflict where the
	// request was decided before or has lapsed, access.Denied where it isn't his.
	Decide(ctx context.Context, who identity.Who, id access.RequestID, yes bool, note string) error
}

// RequestStates tells the state of requests for a count and for a decision just
// made; it is asked nothing else. store.Store is one.
type RequestStates interface {
	// Request returns one request, or access.NotFound.
	Request(ctx context.Context, id access.RequestID) (investigate.Request, error)
	// Requests returns the chosen requests.
	Requests(ctx context.Context, f investigate.Filter) ([]investigate.Request, error)
}

// Tasks tells what an employee has to work on; store.Store is one.
type Tasks interface {
	// TasksOf returns the tasks that are open at a moment and assigned to this
	// employee or his team then, newest first, at most 200.
	TasksOf(ctx context.Context, e access.EmployeeID, team access.TeamID, at time.Time) ([]access.Task, error)
}

// Standings tells how an employee stands to one task; task.Service is one.
type Standings interface {
	// Standing returns the task and how the employee stands to it now. A task
	// that doesn't exist is a nil Task and no error.
	Standing(ctx context.Context, e access.Employee, id access.TaskID) (task.Standing, error)
}

// People is the directory; store.Store is one.
type People interface {
	// Employee returns an employee, or access.NotFound.
	Employee(ctx context.Context, id access.EmployeeID) (access.Employee, error)
}

// Findings is what the follower raised; store.Store is one.
type Findings interface {
	// Findings returns findings (samples false) or samples (true), newest
	// first, at most limit.
	Findings(ctx context.Context, samples bool, limit int) ([]detect.Finding, error)
	// Finding returns one finding or sample by its id, or access.NotFound.
	Finding(ctx context.Context, id string) (detect.Finding, error)
	// CountFindings counts the findings, without the samples.
	CountFindings(ctx context.Context) (int, error)
}

// Index is the searchable index of what the ledger holds; store.Store is one.
type Index interface {
	// LookupsAt returns look-ups and acts about a customer, newest first, at
	// most limit; none for a customer that nobody looked at.
	LookupsAt(ctx context.Context, customer access.CustomerID, limit int) ([]investigate.Indexed, error)
	// LookupsBy returns an employee's look-ups and acts, newest first, at most
	// limit.
	LookupsBy(ctx context.Context, employee access.EmployeeID, limit int) ([]investigate.Indexed, error)
	// LookupsByID returns the look-ups of these ids that the index knows, in
	// order of time.
	LookupsByID(ctx context.Context, ids []access.LookupID) ([]investigate.Indexed, error)
	// CountLookups counts look-ups (acts apart) by outcome: for each outcome
	// that occurs one number per step, the first step beginning at since
	// (inclusive), each lasting step, steps of them.
	CountLookups(ctx context.Context, since time.Time, step time.Duration, steps int) (map[access.Outcome][]int, error)
}

// System is what the pages tell about the program itself; it holds no person.
type System struct {
	Version     string        // of the program
	Schema      int           // version of the store's tables
	StoreOK     bool          // the store answers
	Started     time.Time     // when the process began
	Ledger      ledger.State  // whether look-ups can be recorded
	LedgerSize  uint64        // records
	Node        string        // name of this node in the ledger
	Lag         time.Duration // how far the follower is behind the ledger
	LagRecords  uint64        // the same in records
	Explained   int           // look-ups that the follower could explain, since it began counting
	Unexplained int           // those that it couldn't

	Witnesses       []WitnessLine // in the order of the configuration; none: the ledger isn't witnessed
	WitnessNeed     int           // how many of them must cosign
	WitnessReason   string        // what is wrong while look-ups go on, in plain words; "" when nothing is
	WitnessRefusing string        // why nobody may look because of the witnesses; "" when they may
	Published       uint64        // records of the published checkpoint, of the log that is written to
	PublishedAt     time.Time     // when it was; zero: not known
}

// WitnessLine is how one witness does.
type WitnessLine struct {
	Name    string
	Size    uint64    // records of the last checkpoint that it cosigned, of the log that is written to
	At      time.Time // when that was; zero: never, as far as is known
	Error   string    // why it didn't cosign when it was asked last, in plain words; "" when it did
	Accuses bool      // it says that the ledger contradicts what it has seen
}
