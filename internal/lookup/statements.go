package lookup

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/policy"
)

// DoorSQL is the door for SQL, as it is named in records.
const DoorSQL = "sql"

// The acts of the SQL door, and reasons of our own.
const (
	actOpenGrant  = "open_grant"
	reasonService = "service_account"
	reasonSQL     = "sql_" // and the door's own word
)

// Proofs tells whether somebody still proves who he is. *identity.Service is
// one.
type Proofs interface {
	Lasts(ctx context.Context, w identity.Who) error
}

// Recorder records many entries at once. *ledger.Ledger is one.
type Recorder interface {
	// AppendAll returns once all entries are durable, in their order. With an
	// error the receipts are those of a beginning of them that surely is.
	AppendAll(ctx context.Context, entries []ledger.Entry) ([]ledger.Receipt, error)
}

// StatementsConfig is what Statements need. Every field but Refusing is
// required.
type StatementsConfig struct {
	Lookups *Service
	Journal Recorder
	Proofs  Proofs
	// Refusing returns why no intent may be recorded now; nil: none is ever
	// refused. It is asked once for all that are recorded together.
	Refusing func() error
}

// Statements is the way of a SQL statement. A grant is opened for a task by the
// same decision as a look-up's (Open); each statement under it has an intent
// (Statement) and an outcome (Ended), both recorded by one goroutine, as many
// at once as are waiting. What was withdrawn ends a grant within a second
// (Revoked). It is safe for concurrent use.
type Statements struct {
	c       StatementsConfig
	queue   queue
	revoked chan access.EmployeeID

	mu    sync.Mutex
	live  map[string]*opened // by the grant's id
	here  map[access.SessionID]signedOn
	owing bool // somebody must be told that the channel was full
}

// opened is a grant in force. It doesn't change, but for ended.
type opened struct {
	grant  access.Grant
	who    identity.Who
	second access.EmployeeID
	parts  parts
	ended  error // guarded by Statements.mu
}

// signedOn is somebody who signed on at the door, with or without a grant.
type signedOn struct {
	who  identity.Who
	last time.Time // when he did so last
}

// rememberFor is how long somebody is watched after he signed on last.
const rememberFor = 24 * time.Hour

// NewStatements returns Statements. Nothing is recorded before Run.
func NewStatements(c StatementsConfig) (*Statements, error) {
	if c.Lookups == nil || c.Journal == nil || c.Proofs == nil {
		return nil, errors.New("open the way of statements: a field of the configuration is missing")
	}
	if c.Refusing == nil {
		c.Refusing = func() error { return nil }
	}
	s := &Statements{c: c, live: map[string]*opened{}, here: map[access.SessionID]signedOn{}, revoked: make(chan access.EmployeeID, 256)}
	s.queue.init()
	return s, nil
}

// Open decides whether who may look for this task now, and returns the grant
// under which his statements run. It is the decision of Look, for all that the
// task's purpose needs; it is recorded before the grant is known to anybody, and
// so is a refusal, with every true reason (G9). A tool's own account gets no
// grant: somebody must have let it act for him.
//
// Asked again for the same session and task, it decides anew, and returns the
// grant that is in force as long as more than half of it is left.
func (s *Statements) Open(ctx context.Context, who identity.Who, task access.TaskID) (access.Grant, error) {
	l := s.c.Lookups
	a, err := l.ask(who, Request{Task: task, Door: DoorSQL})
	if err != nil {
		return access.Grant{}, err
	}
	a.by = who.By()
	var ok bool
	if a.Request, ok = understood(a.Request); !ok {
		return access.Grant{}, l.refuseMalformed(ctx, a)
	}
	f, d := s.decide(ctx, a)
	a.Action = access.ActionStatement
	if d.Effect != policy.Allow {
		return access.Grant{}, l.refuse(ctx, a, f, d)
	}
	o := s.inForce(a, d)
	if o == nil {
		g := grant(a, d)
		if end := who.Until(); !end.IsZero() && end.Before(g.Until) {
			g.Until = end
		}
		o = &opened{grant: g, who: who, second: f.SecondPerson}
		if o.parts, err = l.parts(a, o); err != nil {
			return access.Grant{}, err
		}
	}
	if err := s.recordOpen(ctx, a, o, d); err != nil {
		return access.Grant{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.ended != nil { // meanwhile
		return access.Grant{}, o.ended
	}
	s.live[o.grant.ID] = o
	return o.grant, nil
}

// decide gathers the facts of an opening and decides.
func (s *Statements) decide(ctx context.Context, a asking) (known, policy.Decision) {
	if a.by == "" && (a.employee.Role == access.RoleProgram || a.employee.Role == access.RoleConnector) {
		return known{}, refusal(reasonService, "A tool's own account sees no customer.",
			access.Errorf(access.Denied, "This account sees no customer by itself.").
				WithHint("Let it act for a person: SET paravent.on_behalf_of = '<token>', issued when the person signs in to the tool."))
	}
	f, err := s.c.Lookups.facts(ctx, a)
	return f, s.c.Lookups.decide(ctx, a, f, err)
}

// inForce returns the grant that this session has for this task already, where
// the decision still gives the same and more than half of its time is left.
func (s *Statements) inForce(a asking, d policy.Decision) *opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.live {
		g := o.grant
		if g.Employee == d.Grant.Employee && g.Session == a.session && g.Task == d.Grant.Task && o.ended == nil &&
			same(g, d.Grant) && a.at.Before(g.Since.Add(g.Until.Sub(g.Since)/2)) {
			return o
		}
	}
	return nil
}

// same reports whether two grants show the same.
func same(a, b access.Grant) bool {
	a.ID, a.Since, a.Until, a.Session = b.ID, b.Since, b.Until, b.Session
	return equalGrants(a, b)
}

// recordOpen makes it durable that a grant is opened: as an act, for nothing is
// shown by it. The statements are the look-ups.
func (s *Statements) recordOpen(ctx context.Context, a asking, o *opened, d policy.Decision) error {
	l, g := s.c.Lookups, o.grant
	c, sub := a.conduct(), l.subject(a, g.Customer)
	c.Act, sub.Act = actOpenGrant, actOpenGrant
	c.Purpose, sub.Purpose = g.Purpose, g.Purpose
	c.Categories, sub.Categories = g.Categories, g.Categories
	c.Order, sub.Order, sub.Reach = g.Order, g.Order, g.Reach
	c.Reasons = ids(d.Reasons)
	sub.Reasons = c.Reasons
	c.Grant, c.Until, c.Second = g.ID, g.Until, o.second
	_, err := l.record(ctx, ledger.KindAct, outcomeDone, 0, c, sub)
	return err
}

// Close forgets a grant before its time; no statement runs under it any more.
func (s *Statements) Close(g access.Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.live[g.ID]; o != nil {
		o.ended = errEnded(nil)
		delete(s.live, g.ID)
	}
}

// errEnded is the answer to whoever goes on under a grant that is over.
func errEnded(cause error) *access.Error {
	return access.Errorf(access.Denied, "Your leave to look for this task has ended.").
		WithHint("Set the task again; what doesn't hold any more will be said.").Because(cause)
}

// SignedOn tells that somebody signed on at the door: from then on he is watched
// for a day, also while he has no grant. Doors call it for everybody whom they
// let in.
func (s *Statements) SignedOn(who identity.Who) {
	if !who.Proven() {
		return
	}
	now := s.c.Lookups.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here[who.Session()] = signedOn{who, now}
}

// Live returns nil while the grant stands: what was decided when it was opened
// would be decided now, and whoever it was given to still proves who he is. Of a
// grant without an id it is asked only whether its session, which SignedOn told
// of, still proves its employee.
func (s *Statements) Live(ctx context.Context, g access.Grant) error {
	s.mu.Lock()
	o, in := s.live[g.ID], s.here[g.Session]
	s.mu.Unlock()
	if g.ID == "" {
		if in.who.Employee().ID != g.Employee || g.Employee == "" {
			return errEnded(nil)
		}
		return s.c.Proofs.Lasts(ctx, in.who)
	}
	if o == nil {
		return errEnded(nil)
	}
	return s.check(ctx, o)
}

// check holds a grant against the facts of this moment.
func (s *Statements) check(ctx context.Context, o *opened) error {
	now := s.c.Lookups.Clock().UTC()
	if !now.Before(o.grant.Until) {
		return errEnded(nil)
	}
	if err := s.c.Proofs.Lasts(ctx, o.who); err != nil {
		return err
	}
	// Who left a team, or got another role, since he was proven isn't who he was.
	e, err := s.c.Lookups.People.Employee(ctx, o.grant.Employee)
	if err != nil {
		return err
	}
	a := asking{Request: Request{Task: o.grant.Task, Action: access.ActionView}, at: now, employee: e, by: o.who.By(), session: o.grant.Session}
	f, d := s.decide(ctx, a)
	if d.Effect != policy.Allow || f.Task.Customer != o.grant.Customer || !same(o.grant, d.Grant) {
		return withdrawn(d)
	}
	return nil
}

// withdrawn is the error of a grant that wouldn't be given any more, in the
// words of the decision (G9).
func withdrawn(d policy.Decision) error {
	if answer := d.Answer.Err(); answer != nil {
		return answer
	}
	return errEnded(nil)
}

// Revoked tells of employees of whom a grant was withdrawn; "": of anybody.
// One goroutine reads it.
func (s *Statements) Revoked() <-chan access.EmployeeID { return s.revoked }

// How often grants in force are held against the facts, and how long facts may
// be out of reach before that ends them.
const (
	checkEvery  = 500 * time.Millisecond
	checkFailed = 5 * time.Second
)

// Run records what is queued and watches over the grants in force, until ctx
// ends; what waits then is still recorded, and what comes later is refused.
func (s *Statements) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { s.commit(ctx) })
	both.Go(func() { s.watch(ctx) })
	both.Wait()
	return nil
}

// watch checks every grant in force again and again.
func (s *Statements) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	failing := map[string]time.Time{}
	for {
		select {
		case <-tick.C:
			s.sweep(ctx, failing)
		case <-ctx.Done():
			return
		}
	}
}

// sweep ends the grants that no longer stand, and tells of whoever proves
// nothing any more. failing says since when something can't be found out: that
// isn't a withdrawal, but it ends what it is about when it lasts.
func (s *Statements) sweep(ctx context.Context, failing map[string]time.Time) {
	grants, people := s.watched()
	for _, o := range grants {
		err := s.check(ctx, o)
		if ctx.Err() != nil {
			return
		}
		if s.over(ctx, "grant "+o.grant.ID, err, failing) {
			s.end(o, err)
		}
	}
	for id, in := range people {
		err := s.c.Proofs.Lasts(ctx, in.who)
		if ctx.Err() != nil {
			return
		}
		if s.over(ctx, string(id), err, failing) {
			s.mu.Lock()
			delete(s.here, id)
			s.mu.Unlock()
			s.say(in.who.Employee().ID)
		}
	}
	s.pay()
}

// watched returns the grants in force, and who signed on within a day.
func (s *Statements) watched() (grants []*opened, people map[access.SessionID]signedOn) {
	now := s.c.Lookups.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.live {
		grants = append(grants, o)
	}
	maps.DeleteFunc(s.here, func(_ access.SessionID, in signedOn) bool { return now.Sub(in.last) > rememberFor })
	return grants, maps.Clone(s.here)
}

// over reports whether an error ends what it is about.
func (s *Statements) over(ctx context.Context, what string, err error, failing map[string]time.Time) bool {
	switch access.CodeOf(err) {
	case "":
		delete(failing, what)
		return false
	case access.Unavailable, access.Internal:
		now := s.c.Lookups.Clock()
		if _, known := failing[what]; !known {
			failing[what] = now
		}
		if now.Sub(failing[what]) < checkFailed {
			return false
		}
		s.c.Lookups.Log.ErrorContext(ctx, "what can't be checked ends", "what", what, "error", err)
	}
	delete(failing, what)
	return true
}

// end ends a grant and tells of it.
func (s *Statements) end(o *opened, why error) {
	s.mu.Lock()
	o.ended = why
	delete(s.live, o.grant.ID)
	s.mu.Unlock()
	s.say(o.grant.Employee)
}

// say tells of an employee, or, where nobody reads, later of everybody.
func (s *Statements) say(e access.EmployeeID) {
	select {
	case s.revoked <- e:
	default:
		s.mu.Lock()
		s.owing = true
		s.mu.Unlock()
	}
}

// pay tells that anybody may be meant, after there was no room to name some.
func (s *Statements) pay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.owing {
		return
	}
	select {
	case s.revoked <- "":
		s.owing = false
	default:
	}
}
