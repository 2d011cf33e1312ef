package investigate

import (
	"context"
	"iter"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// The states of a Request.
const (
	Waiting   = "pending"
	Confirmed = "confirmed"
	Declined  = "declined"
	Lapsed    = "lapsed" // nobody answered in time
	Failed    = "failed" // agreed to, but it couldn't be carried out
)

// Request is one asking for a second person's yes.
type Request struct {
	ID        access.RequestID
	Kind      string // lookup.ApproveLookup, lookup.ApproveTask, KindErasure, KindRotation or KindDrop
	Asker     access.EmployeeID
	Employee  access.EmployeeID // the employee whom an erasure is about
	About     string            // the log that a change of the ledger is about
	Task      access.TaskID
	Customer  access.CustomerID
	Purpose   access.Purpose
	Why       []policy.Reason // the true reasons; never shown to the asker
	Said      string          // the asker's own words
	Final     bool            // nobody's yes can help
	At        time.Time
	Until     time.Time // it lapses then, unless somebody decided before
	State     string    // Waiting, Confirmed, Declined, Lapsed or Failed
	By        access.EmployeeID
	DecidedAt time.Time
	Note      string
	DoneAt    time.Time // when a confirmed erasure or change of the ledger was carried out, or failed; of an erasure it names nobody from then on
	Failure   string    // why a change of the ledger that was agreed to failed
}

// Filter chooses requests; an empty field chooses all.
type Filter struct {
	Asker    access.EmployeeID
	Task     access.TaskID
	Customer access.CustomerID
	Kind     string
	State    string
	Alive    time.Time // only those whose Until is after this moment
	Limit    int       // 0: 200
}

// Requests keeps the requests. Each method is durable on return. A request whose Until
// has passed is stored as pending still; who reads it sees that it lapsed.
type Requests interface {
	// SaveRequest saves r, unless a pending request of the same kind, asker,
	// task, customer, employee and log exists whose Until is after r.At: then
	// nothing is saved. It returns the one that now waits. Of several at once
	// one is saved.
	SaveRequest(ctx context.Context, r Request) (Request, error)
	// Request returns one request, access.NotFound otherwise.
	Request(ctx context.Context, id access.RequestID) (Request, error)
	// Requests returns the chosen requests, newest first.
	Requests(ctx context.Context, f Filter) ([]Request, error)
	// DecideRequest moves a request that is pending, and whose Until is after
	// at, to state, in one step; access.Conflict when it is neither,
	// access.NotFound when there is none.
	DecideRequest(ctx context.Context, id access.RequestID, state string, by access.EmployeeID, at time.Time, note string) error
	// FinishRequest notes that a confirmed request was carried out at that moment
	// or, where failure says why, that it couldn't be: then it is Failed. One that is
	// finished stays as it is, without an error; access.Conflict where it wasn't
	// confirmed, access.NotFound when there is none.
	FinishRequest(ctx context.Context, id access.RequestID, at time.Time, failure string) error
}

// Tasks is where a confirmed task is marked. *task.Service is one.
type Tasks interface {
	// Confirm marks a self-made task as confirmed by a colleague, durable on
	// return: access.Conflict where it is confirmed already, access.Denied where by
	// made it or works on it (G8).
	Confirm(ctx context.Context, id access.TaskID, by access.EmployeeID) error
}

// Recorder records what people do. *lookup.Service is one.
type Recorder interface {
	// Act returns once the act is durable in the journal.
	Act(ctx context.Context, who identity.Who, a lookup.Act) (ledger.Receipt, error)
}

// Journal is read by the Follower. *ledger.Ledger is one.
type Journal interface {
	// Records returns the opened records from that number up to the durable end.
	Records(ctx context.Context, from uint64) iter.Seq2[ledger.Record, error]
	// Size returns how many records are durable.
	Size() uint64
	// Wait returns when Size is greater than size, or ctx ends.
	Wait(ctx context.Context, size uint64) error
}

// Fact is one fact of the business in the order in which it became known.
type Fact struct {
	Seq   int64 // from 1, rising
	Event access.Event
}

// Facts is the change log that the store keeps of every fact.
type Facts interface {
	// Facts returns up to limit facts with Seq greater than after, in order of Seq.
	Facts(ctx context.Context, after int64, limit int) ([]Fact, error)
}

// Indexed is one record as the pages find it: a look-up with its outcome, or an
// act. It can be made again from the journal and the keys at any time.
type Indexed struct {
	Number    uint64        `json:"number"` // of its first record (the intent); the key of the index
	Kind      ledger.Kind   `json:"kind"`   // of its first record
	Lookup    access.Lookup `json:"lookup"` // of an act: ID, At, Employee, Customer and Session alone
	Purpose   string        `json:"purpose,omitempty"`
	Role      string        `json:"role,omitempty"`      // the looker's
	Pseudonym string        `json:"pseudonym,omitempty"` // the looker's
	Door      string        `json:"door,omitempty"`
	Reasons   []string      `json:"reasons,omitempty"` // the policy's own ids
	Rows      int           `json:"rows,omitempty"`
	Act       string        `json:"act,omitempty"`      // the act's name; "" for a look-up
	About     string        `json:"about,omitempty"`    // what the act is about
	Employee  string        `json:"employee,omitempty"` // the employee whom the act is about

	// Of SQL: the statement without its literals, and the protected relations that
	// it names; where it came past Paravent, the database's role that it ran as.
	Statement string   `json:"statement,omitempty"`
	Relations []string `json:"relations,omitempty"`
	Reader    string   `json:"reader,omitempty"`

	// Set once the person was erased: what the row said of her is gone.
	CustomerErased time.Time `json:"customer_erased,omitzero"`
	EmployeeErased time.Time `json:"employee_erased,omitzero"`
}

// Index is where the Follower writes.
type Index interface {
	// SaveIndexed saves the rows in one transaction; a row of the same Number is
	// replaced.
	SaveIndexed(ctx context.Context, rows []Indexed) error
	// Checkpoint returns the last saved checkpoint, the zero one when there is none.
	Checkpoint(ctx context.Context) (Checkpoint, error)
	// SaveCheckpoint saves c, the findings and the samples in one transaction,
	// so that after a crash either all of them are there or none. A finding of
	// the same ID is replaced.
	SaveCheckpoint(ctx context.Context, c Checkpoint, findings, samples []detect.Finding) error
	// Erasing reads what the store holds of a person and what it is to become.
	Erasing(ctx context.Context, e Erasure) (Erasing, error)
	// Erase carries it out and saves the checkpoint, all in one transaction:
	// rows of the index, facts, findings, requests, accounts and everything
	// else by which the person is named. On return nothing of it is left in any
	// file of the store (G5).
	Erase(ctx context.Context, e Erasing, c Checkpoint, findings, samples []detect.Finding) error
}

// Checkpoint is how far the Follower has come.
type Checkpoint struct {
	Number uint64 // the next record to be read
	Seq    int64  // the last fact that was read
	State  []byte // the engine, and what waits for its turn
}
