package investigate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// maxNote bounds what a second person writes beside his decision, in bytes.
const maxNote = 500

// Approvals is where a second person reads and decides requests. Everything
// that he reads or does here is recorded before (G7).
type Approvals struct {
	c ApprovalsConfig
}

// ApprovalsConfig is what Approvals need; every field but Erasures and Upkeep is
// required.
type ApprovalsConfig struct {
	Requests Requests
	Tasks    Tasks
	People   lookup.People
	Policy   *policy.Policy
	Recorder Recorder
	Clock    access.Clock
	Erasures *Erasures // may be nil: then nobody can agree to an erasure
	Upkeep   *Upkeep   // may be nil: then nobody can agree to a change of the ledger
}

// NewApprovals returns the Approvals of c. It refuses one in which something is
// missing.
func NewApprovals(c ApprovalsConfig) (*Approvals, error) {
	if c.Requests == nil || c.Tasks == nil || c.People == nil || c.Policy == nil || c.Recorder == nil || c.Clock == nil {
		return nil, errors.New("open approvals: a field of the configuration is missing")
	}
	return &Approvals{c: c}, nil
}

// Waiting returns the pending requests that this employee may decide, oldest
// first. Unless there are none, his reading of them is recorded.
func (a *Approvals) Waiting(ctx context.Context, who identity.Who) ([]Request, error) {
	if !who.Proven() {
		return nil, errUnproven()
	}
	me := who.Employee()
	if !slices.Contains(a.c.Policy.SecondPerson().Who, me.Role) && !upkeepReads(me.Role) {
		return nil, nil
	}
	pending, err := a.c.Requests.Requests(ctx, Filter{State: Waiting, Alive: a.c.Clock().UTC()})
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	var mine []Request
	for _, r := range pending {
		if !a.decides(me.Role, r.Kind) {
			continue
		}
		ok, err := a.stranger(ctx, me, r.Asker)
		if err == nil && ok && r.Customer != "" {
			// A request names its customer and why: that an employee's former
			// partner called is not his to read.
			ok, err = tied(ctx, a.c.People, me, r.Customer)
			ok = !ok
		}
		if err != nil {
			return nil, err
		}
		if ok {
			mine = append(mine, r)
		}
	}
	if len(mine) == 0 {
		return nil, nil
	}
	if _, err := a.c.Recorder.Act(ctx, who, lookup.Act{Name: "list_requests", About: strconv.Itoa(len(mine)) + " waiting"}); err != nil {
		return nil, err
	}
	slices.SortFunc(mine, func(x, y Request) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.ID, y.ID)) })
	return mine, nil
}

// Own returns the asker's own request, as far as he may know it: its state, not
// why it was needed nor what was noted. access.NotFound where it isn't his.
func (a *Approvals) Own(ctx context.Context, who identity.Who, id access.RequestID) (Request, error) {
	if !who.Proven() {
		return Request{}, errUnproven()
	}
	r, err := a.c.Requests.Request(ctx, id)
	if err == nil && r.Asker != who.Employee().ID {
		err = errNoRequest()
	}
	if err != nil {
		return Request{}, err
	}
	if r.State == Waiting && !a.c.Clock().Before(r.Until) {
		r.State = Lapsed
	}
	r.Why, r.Final, r.Note, r.By = nil, false, "", "" // G9: whatever rests on a fact about the customer reads the same
	return r, nil
}

// Decide records and carries out a yes or no. It returns access.Denied where
// this employee may not decide, or a yes can't help; access.Conflict where the
// request was decided before or has lapsed; access.NotFound where there is none.
func (a *Approvals) Decide(ctx context.Context, who identity.Who, id access.RequestID, yes bool, note string) error {
	if !who.Proven() {
		return errUnproven()
	}
	if len(note) > maxNote || !utf8.ValidString(note) || containsControl(note) {
		return access.Errorf(access.Invalid, "The note is too long or holds what can't be printed.")
	}
	r, err := a.c.Requests.Request(ctx, id)
	if err != nil {
		return err
	}
	me, at := who.Employee(), a.c.Clock().UTC()
	refused, err := a.mayDecide(ctx, me, r, yes)
	if err != nil {
		return err
	}
	act, of := lookup.Act{Name: "decline", Customer: r.Customer, Employee: r.Asker, About: string(r.ID)}, ""
	switch {
	case r.Kind == KindErasure:
		of = "_" + KindErasure
		refused, act.Customer, err = a.mayErase(ctx, r, yes, refused)
	case upkeepKind(r.Kind):
		of, act.About = "_"+r.Kind, r.aboutLog()
		refused, err = a.mayUpkeep(ctx, r, yes, refused)
	}
	if err != nil {
		return err
	}
	switch {
	case refused != nil:
		act.Name = "decide_refused"
	case yes:
		act.Name = "agree"
	}
	act.Name += of
	if _, err := a.c.Recorder.Act(ctx, who, act); err != nil { // G7: before it takes effect
		return err
	}
	if refused != nil {
		return refused
	}
	return a.carryOut(ctx, me, r, yes, at, note)
}

// carryOut saves a decision that was recorded, and does what it says.
func (a *Approvals) carryOut(ctx context.Context, me access.Employee, r Request, yes bool, at time.Time, note string) error {
	state := Declined
	if yes {
		state = Confirmed
	}
	again := r.State == state && r.By == me.ID // a crash may have come between the two steps below
	if !again {
		if err := a.c.Requests.DecideRequest(ctx, r.ID, state, me.ID, at, note); err != nil {
			return err
		}
	}
	if yes && r.Kind == KindErasure {
		if err := a.c.Erasures.CarryOut(ctx, r); err != nil {
			return access.Errorf(access.Unavailable, "You agreed, but the erasure isn't done yet.").
				WithHint("It goes on by itself; its state is in the list of erasures.").Because(err)
		}
		return nil
	}
	if yes && upkeepKind(r.Kind) {
		a.c.Upkeep.tell()
		return nil
	}
	if !yes || r.Kind != lookup.ApproveTask {
		return nil
	}
	if err := a.c.Tasks.Confirm(ctx, r.Task, me.ID); err != nil && access.CodeOf(err) != access.Conflict {
		return fmt.Errorf("confirm the task: %w", err)
	}
	return nil
}

// mayDecide returns why this employee may not decide so, nil where he may. Its
// reasons concern only himself and the request, which he may read.
func (a *Approvals) mayDecide(ctx context.Context, me access.Employee, r Request, yes bool) (*access.Error, error) {
	if !a.decides(me.Role, r.Kind) {
		refused := access.Errorf(access.Denied, "Your role doesn't decide requests.")
		switch {
		case r.Kind == KindDrop && me.Role == access.RoleAdministrator:
			refused = access.Errorf(access.Denied, "An administrator doesn't agree to the drop of a log.").
				WithHint("An auditor or a privacy officer can: somebody who doesn't run the system.")
		case upkeepKind(r.Kind):
			refused = access.Errorf(access.Denied, "Your role doesn't decide about the ledger.")
		}
		return refused, nil
	}
	ok, err := a.stranger(ctx, me, r.Asker)
	if err != nil {
		return nil, err
	}
	if !ok {
		return access.Errorf(access.Denied, "You can't decide your own request, nor your superior's.").
			WithHint("Somebody else of your role can."), nil
	}
	tied, err := tied(ctx, a.c.People, me, r.Customer)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Employee == me.ID && r.Kind == KindErasure:
		return access.Errorf(access.Denied, "You can't decide about yourself.").WithHint("Somebody else of your role can."), nil
	case tied:
		return access.Errorf(access.Denied, "You can't decide about this customer.").WithHint("Somebody else of your role can."), nil
	case yes && r.Final:
		return access.Errorf(access.Denied, "Nobody can agree to this; it can only be declined."), nil
	}
	return nil, nil
}

// decides reports whether a role is the second person of such requests.
func (a *Approvals) decides(role access.Role, kind string) bool {
	if upkeepKind(kind) {
		return upkeepAgrees(kind, role)
	}
	return slices.Contains(a.c.Policy.SecondPerson().Who, role)
}

// mayUpkeep adds what holds of changes of the ledger only: what was possible when
// it was asked for may not be any more.
func (a *Approvals) mayUpkeep(ctx context.Context, r Request, yes bool, refused *access.Error) (*access.Error, error) {
	if a.c.Upkeep == nil {
		return nil, access.Errorf(access.Unavailable, "Changes of the ledger can't be decided here.")
	}
	if refused != nil {
		return refused, nil
	}
	if !r.DoneAt.IsZero() {
		return access.Errorf(access.Conflict, "This was carried out, or tried, already."), nil
	}
	if !yes || r.State == Confirmed {
		return nil, nil
	}
	return a.c.Upkeep.stands(ctx, r)
}

// mayErase adds what holds of erasures only: something may need the data, and
// the act may not name the person where her key wouldn't take that with it.
func (a *Approvals) mayErase(ctx context.Context, r Request, yes bool, refused *access.Error) (*access.Error, access.CustomerID, error) {
	if a.c.Erasures == nil {
		return nil, "", access.Errorf(access.Unavailable, "Erasures can't be decided here.")
	}
	if refused == nil && !r.DoneAt.IsZero() {
		refused = access.Errorf(access.Conflict, "This erasure was carried out.")
	}
	if refused == nil && yes {
		var err error
		if refused, err = a.c.Erasures.held(ctx, r); err != nil {
			return nil, "", err
		}
	}
	named, err := a.c.Erasures.named(ctx, r)
	return refused, named, err
}

// stranger reports whether me may judge asker at all: he isn't himself, and not
// somebody who leads him (G8).
func (a *Approvals) stranger(ctx context.Context, me access.Employee, asker access.EmployeeID) (bool, error) {
	if me.ID == asker || me.Manager == asker {
		return false, nil
	}
	e, err := a.c.People.Employee(ctx, asker)
	if access.CodeOf(err) == access.NotFound {
		return false, nil // nobody agrees to the request of somebody who isn't there
	}
	if err != nil {
		return false, fmt.Errorf("find the asker: %w", err)
	}
	leadsMe := e.Role.Lead() && e.Team != "" && e.Team == me.Team && !me.Role.Lead()
	return !leadsMe, nil
}

func errUnproven() *access.Error { return access.Errorf(access.Unauthenticated, "Please sign in.") }

func errNoRequest() *access.Error { return access.Errorf(access.NotFound, "There is no such request.") }

// containsControl reports whether text holds what doesn't print, besides line ends.
func containsControl(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\n' {
			return true
		}
	}
	return false
}
