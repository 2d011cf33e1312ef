package investigate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// KindErasure is the kind of a Request to make a person's data unreadable.
const KindErasure = "erasure"

// How erasures pace themselves.
const (
	erasureWaits = 14 * 24 * time.Hour // so long a request waits for a second person
	erasureTime  = time.Minute         // so long whoever agreed waits for it to be carried out
	mostAgreed   = 100_000             // confirmed erasures that are looked through for one that isn't done
	erasureAgain = 30 * time.Second    // between two tries to finish what a crash or a fault left half done
)

// Destroyer destroys keys. *ledger.Ledger is one.
type Destroyer interface {
	// Destroy makes everything sealed about the person unreadable and says so in a
	// leaf; ledger.ErrNoKey where there is nothing.
	Destroy(ctx context.Context, person string) (ledger.Receipt, error)
	// Size returns the number of the next record.
	Size() uint64
	// Returned names the persons whose destroyed keys had come back at the start
	// and are destroyed again.
	Returned() []string
}

// Eraser forgets what was read of a person. *Follower is one.
type Eraser interface {
	// Erase takes the person out of the index, the engine and the store (G5).
	Erase(ctx context.Context, e Erasure) error
}

// ErasuresConfig is what Erasures need; every field but Log is required.
type ErasuresConfig struct {
	Requests Requests
	People   lookup.People
	Policy   *policy.Policy
	Recorder Recorder
	Ledger   Destroyer
	Follower Eraser
	Holds    []Holds // each may hold back an erasure
	Clock    access.Clock
	Log      *slog.Logger
}

// Erasures forgets people (G5): asked for by one privacy officer, agreed to by a
// second person through Approvals, then carried out. After a crash Run goes on.
type Erasures struct {
	c    ErasuresConfig
	turn sync.Mutex // held while one is carried out
}

// NewErasures returns the Erasures of c. It refuses one in which something is
// missing.
func NewErasures(c ErasuresConfig) (*Erasures, error) {
	if c.Requests == nil || c.People == nil || c.Policy == nil || c.Recorder == nil || c.Ledger == nil || c.Follower == nil ||
		c.Clock == nil || len(c.Holds) == 0 || slices.Contains(c.Holds, nil) {
		return nil, errors.New("open erasures: a field of the configuration is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Erasures{c: c}, nil
}

// Ask asks for the erasure of a customer or of an employee, of whom one is
// named, and returns the request that waits now. It is recorded before (G7).
// It returns access.Denied to whoever may not ask, and access.Conflict while
// something holds the data, with what and until when.
func (x *Erasures) Ask(ctx context.Context, who identity.Who, c access.CustomerID, e access.EmployeeID, reason string) (Request, error) {
	if !who.Proven() {
		return Request{}, errUnproven()
	}
	if (c == "") == (e == "") || len(c) > maxNote || len(e) > maxNote {
		return Request{}, access.Errorf(access.Invalid, "Name one customer or one employee.")
	}
	if len(reason) > maxNote || !utf8.ValidString(reason) || containsControl(reason) {
		return Request{}, access.Errorf(access.Invalid, "The reason is too long or holds what can't be printed.")
	}
	at := x.c.Clock().UTC()
	r := Request{ID: access.RequestID(strings.ToLower(rand.Text())), Kind: KindErasure, Asker: who.Employee().ID, Customer: c, Employee: e,
		Said: reason, At: at, Until: at.Add(erasureWaits), State: Waiting}
	refused, err := x.mayAsk(ctx, who.Employee(), r)
	if err == nil && refused == nil {
		refused, err = x.held(ctx, r)
	}
	if err != nil {
		return Request{}, err
	}
	act := lookup.Act{Name: "ask_erasure", About: string(r.ID), Customer: c}
	if refused != nil {
		act.Name = "ask_erasure_refused"
	}
	if act.Customer, err = x.named(ctx, r); err != nil {
		return Request{}, err
	}
	if _, err := x.c.Recorder.Act(ctx, who, act); err != nil {
		return Request{}, err
	}
	if refused != nil {
		return Request{}, refused
	}
	r, err = x.c.Requests.SaveRequest(ctx, r)
	if err != nil {
		return Request{}, fmt.Errorf("ask for an erasure: %w", err)
	}
	return r, nil
}

// mayAsk returns why this employee may not ask so, nil where he may.
func (x *Erasures) mayAsk(ctx context.Context, me access.Employee, r Request) (*access.Error, error) {
	if me.Role != access.RolePrivacyOfficer {
		return access.Errorf(access.Denied, "Your role doesn't ask for erasures.").WithHint("The privacy officer does."), nil
	}
	if r.Employee == me.ID {
		return errOwnErasure(), nil // G8
	}
	if r.Employee != "" {
		e, err := x.c.People.Employee(ctx, r.Employee)
		switch {
		case access.CodeOf(err) == access.NotFound:
		case err != nil:
			return nil, fmt.Errorf("find the employee: %w", err)
		case e.LeavesOn.IsZero() || e.LeavesOn.After(r.At):
			return access.Errorf(access.Conflict, "This employee still works here.").
				WithHint("An employee can be erased once the directory says that he has left."), nil
		}
		return nil, nil
	}
	tied, err := tied(ctx, x.c.People, me, r.Customer)
	if err != nil {
		return nil, err
	}
	if tied {
		return errOwnErasure(), nil // G8
	}
	return nil, nil
}

func errOwnErasure() *access.Error {
	return access.Errorf(access.Denied, "You can't ask for this erasure, because it concerns you.").
		WithHint("Another privacy officer can.")
}

// tied reports whether an employee is the customer or is known to know her.
func tied(ctx context.Context, people lookup.People, me access.Employee, customer access.CustomerID) (bool, error) {
	c, err := people.Customer(ctx, customer)
	if err != nil && access.CodeOf(err) != access.NotFound {
		return false, fmt.Errorf("find what is known of the customer: %w", err)
	}
	ties, err := people.Relations(ctx, me.ID, customer)
	if err != nil {
		return false, fmt.Errorf("find relations: %w", err)
	}
	return c.Employee == me.ID || len(ties) > 0, nil
}

// named returns the customer of an erasure as its act may name her: only where
// she has a part of her own in the record, which goes with her key. An employee
// who is erased is in no act's words: the request's number stands for him.
func (x *Erasures) named(ctx context.Context, r Request) (access.CustomerID, error) {
	if r.Customer == "" {
		return "", nil
	}
	_, err := x.c.People.Customer(ctx, r.Customer)
	if access.CodeOf(err) == access.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find what is known of the customer: %w", err)
	}
	return r.Customer, nil
}

// held returns why the person can't be erased now, nil where nothing holds.
func (x *Erasures) held(ctx context.Context, r Request) (*access.Error, error) {
	var all []Hold
	for _, h := range x.c.Holds {
		some, err := h.Holding(ctx, detect.Person{Customer: r.Customer, Employee: r.Employee}, x.c.Clock().UTC())
		if err != nil {
			return nil, fmt.Errorf("look for what holds an erasure: %w", err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	why, when := told(all)
	return access.Errorf(access.Conflict, "The data can't be erased yet: %s.", why).
		WithHint("Can be erased when " + when + ". Ask again then."), nil
}

// List returns the latest erasures, newest first. Who was erased is in
// none of them. Reading them is recorded.
func (x *Erasures) List(ctx context.Context, who identity.Who) ([]Request, error) {
	if !who.Proven() {
		return nil, errUnproven()
	}
	if role := who.Employee().Role; role != access.RolePrivacyOfficer && role != access.RoleAuditor {
		return nil, access.Errorf(access.Denied, "Your role doesn't read erasures.")
	}
	if _, err := x.c.Recorder.Act(ctx, who, lookup.Act{Name: "list_erasures"}); err != nil {
		return nil, err
	}
	all, err := x.c.Requests.Requests(ctx, Filter{Kind: KindErasure})
	if err != nil {
		return nil, fmt.Errorf("list erasures: %w", err)
	}
	now := x.c.Clock()
	for i := range all {
		if all[i].State == Waiting && !now.Before(all[i].Until) {
			all[i].State = Lapsed
		}
	}
	return all, nil
}

// CarryOut erases the person of a request that a second person has agreed to.
// Each step can be done again: the key is destroyed with its leaf, then the
// index, the engine and the store forget, and the request itself with them.
func (x *Erasures) CarryOut(ctx context.Context, r Request) error {
	x.turn.Lock()
	defer x.turn.Unlock()
	r, err := x.c.Requests.Request(ctx, r.ID) // as it is now: somebody may have carried it out meanwhile
	if err != nil {
		return err
	}
	if r.Kind != KindErasure || r.State != Confirmed || r.By == r.Asker || r.By == "" || (r.Customer == "") == (r.Employee == "") {
		if !r.DoneAt.IsZero() {
			return nil
		}
		return errors.New("carry out an erasure: nobody has agreed to it")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), erasureTime)
	defer cancel()
	person := lookup.PersonOfCustomer(r.Customer)
	if r.Customer == "" {
		person = lookup.PersonOfEmployee(r.Employee)
	}
	before := x.c.Ledger.Size() // where there is no key, nothing before this can be read
	leaf, err := x.c.Ledger.Destroy(ctx, person)
	switch {
	case err == nil:
		before = leaf.Number
	case !errors.Is(err, ledger.ErrNoKey):
		return fmt.Errorf("carry out an erasure: %w", err)
	}
	p := detect.Person{Customer: r.Customer, Employee: r.Employee, As: newWord()}
	if err := x.c.Follower.Erase(ctx, Erasure{Person: p, At: x.c.Clock().UTC(), Before: before}); err != nil {
		return fmt.Errorf("carry out an erasure: %w", err)
	}
	x.c.Log.InfoContext(ctx, "a person was erased", "request", string(r.ID))
	return nil
}

// Run carries out, until ctx ends, what was agreed to and is not done: at the
// start what a crash left or a restored backup brought back, later what failed.
func (x *Erasures) Run(ctx context.Context) error {
	returned := x.c.Ledger.Returned()
	for {
		err := x.finish(ctx)
		for len(returned) > 0 && err == nil {
			if err = x.again(ctx, returned[0]); err == nil {
				returned = returned[1:]
			}
		}
		if err != nil && ctx.Err() == nil {
			x.c.Log.ErrorContext(ctx, "an erasure is not carried out yet; it is tried again", "error", err, "in", erasureAgain)
		}
		select {
		case <-time.After(erasureAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// again takes a person out of a store that was restored with the key table.
func (x *Erasures) again(ctx context.Context, person string) error {
	x.turn.Lock()
	defer x.turn.Unlock()
	p := detect.Person{As: newWord()}
	if p.Customer, p.Employee = lookup.OfPerson(person); p.Customer == "" && p.Employee == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, erasureTime)
	defer cancel()
	if err := x.c.Follower.Erase(ctx, Erasure{Person: p, At: x.c.Clock().UTC(), Before: x.c.Ledger.Size()}); err != nil {
		return fmt.Errorf("repeat an erasure after a restore: %w", err)
	}
	x.c.Log.InfoContext(ctx, "an erasure was repeated after a restore")
	return nil
}

// newWord returns what stands in the place of an erased person's id.
func newWord() string { return "erased-" + strings.ToLower(rand.Text()[:8]) }

// finish carries out every confirmed erasure that isn't done.
func (x *Erasures) finish(ctx context.Context) error {
	agreed, err := x.c.Requests.Requests(ctx, Filter{Kind: KindErasure, State: Confirmed, Limit: mostAgreed})
	if err != nil {
		return fmt.Errorf("list erasures: %w", err)
	}
	var failed []error
	for _, r := range agreed {
		if r.DoneAt.IsZero() {
			failed = append(failed, x.CarryOut(ctx, r))
		}
	}
	return errors.Join(failed...)
}

// Untouched says, in sentences, what an erasure leaves alone.
func Untouched() []string {
	return []string{
		"The shop's own database: her master data, orders, payments. The company erases them there.",
		"The ticket and telephone systems: what they hold, and what a connector brings in again from there.",
		"Backups of the key table, until their stated end. Restoring one replays this erasure; keep none longer than you say.",
		"Backups of the store made before now: they hold the index in the clear, until their stated end.",
		"What an employee typed in: the free text of a look-up stays sealed in the record of his own conduct, and so does an id that he asked for without a task of it.",
		"Exports, printed pages, mails and evidence that left Paravent, and the log of whatever stands before it.",
		"Blocks that a file system, a snapshot or a disk keeps of overwritten data. Encrypt the disk.",
	}
}
