package lookup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/pgaudit"
)

// Sighting is one read of protected tables that PostgreSQL's log tells of.
// Everything in it is the word of that log.
type Sighting struct {
	ID        string    // SHA-256 of the line in hex: the same line is recorded once
	At        time.Time // zero: not known
	Reader    string    // the role that logged in
	Database  string
	Program   string // what the client called itself
	Host      string
	Session   string // PostgreSQL's
	Command   string // SELECT, COPY, …
	Relations []string
	Statement string // without literals
}

// Sightings remembers which sightings are recorded. *store.Store is one. What
// changes is durable on return.
type Sightings interface {
	// Sighted returns those of the ids that are recorded.
	Sighted(ctx context.Context, ids []string) (map[string]bool, error)
	// BeginSightings notes from which record on sightings may be recorded of which
	// EndSightings wasn't told; an older note stays.
	BeginSightings(ctx context.Context, from uint64) error
	// Unsettled returns that note; false where there is none.
	Unsettled(ctx context.Context) (from uint64, ok bool, err error)
	// EndSightings notes that these are recorded, and takes the note back.
	EndSightings(ctx context.Context, ids []string) error
}

// Log is the journal for who reads it, too. *ledger.Ledger and *chain.Chain are
// ones.
type Log interface {
	Recorder
	Records(ctx context.Context, from uint64) iter.Seq2[ledger.Record, error]
	Size() uint64
}

// Logins finds the account of a login. *store.Store is one.
type Logins interface {
	Account(ctx context.Context, login string) (identity.Account, error)
}

// ObserverConfig is what an Observer needs. Every field but Allowed is required.
type ObserverConfig struct {
	Lookups   *Service
	Journal   Log
	Sightings Sightings
	Logins    Logins
	// Gate are the database's roles under which the gateway itself reads; its
	// statements are recorded on their way.
	Gate []string
	// Allowed are the database's roles of the shop's own programs, which may read
	// protected tables. Everybody else's reads are recorded.
	Allowed []string
}

// Observer records reads that came past Paravent. It is safe for concurrent use;
// batches are recorded one after the other.
type Observer struct {
	c         ObserverConfig
	relations map[string][]access.Category // by schema.name
	turn      chan struct{}
}

// mostSightings is how many one batch may hold.
const mostSightings = 1000

// Whatever a log says of times, records have one between these.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// NewObserver returns an Observer of the tables that the policy maps.
func NewObserver(c ObserverConfig) (*Observer, error) {
	if c.Lookups == nil || c.Journal == nil || c.Sightings == nil || c.Logins == nil || len(c.Gate) == 0 {
		return nil, errors.New("open the observer: a field of the configuration is missing")
	}
	o := &Observer{c: c, relations: map[string][]access.Category{}, turn: make(chan struct{}, 1)}
	for _, s := range c.Lookups.Policy.Sources() {
		for _, t := range s.Tables {
			name := t.Name
			if !strings.Contains(name, ".") {
				name = "public." + name
			}
			cats := o.relations[name]
			for _, col := range t.Columns {
				cats = append(cats, col.Category)
			}
			slices.Sort(cats)
			o.relations[name] = slices.Compact(cats)
		}
	}
	return o, nil
}

// Watched is what whoever reads a log needs to know in order to send no more
// than he must.
type Watched struct {
	Relations []string // the protected ones: schema.name, sorted
	Passed    []string // roles whose reads aren't recorded: the gateway's own, and those that are allowed; sorted
}

// Watched returns what is watched. Only a connector's account may ask.
func (o *Observer) Watched(who identity.Who) (Watched, error) {
	if err := connector(who); err != nil {
		return Watched{}, err
	}
	var w Watched
	for name := range o.relations {
		w.Relations = append(w.Relations, name)
	}
	slices.Sort(w.Relations)
	w.Passed = slices.Concat(o.c.Gate, o.c.Allowed)
	slices.Sort(w.Passed)
	w.Passed = slices.Compact(w.Passed)
	return w, nil
}

// connector refuses everybody who isn't a machine that brings in facts.
func connector(who identity.Who) error {
	if !who.Proven() {
		return access.Errorf(access.Unauthenticated, "Please sign in.")
	}
	if who.Employee().Role != access.RoleConnector {
		return access.Errorf(access.Denied, "Your role may not report what a database was asked.").WithHint("A connector's account can.")
	}
	return nil
}

// Counted is what became of a batch.
type Counted struct {
	Recorded int // now
	Known    int // recorded before
	Passed   int // of roles or relations that aren't watched
}

// Observe records each sighting that isn't recorded yet, as off the path; on
// return they are durable. The same batch may be sent again, after a crash of
// either side too: nothing is recorded twice. Only a connector's account may; a
// try of anybody else is recorded as his own act.
func (o *Observer) Observe(ctx context.Context, who identity.Who, batch []Sighting) (Counted, error) {
	if err := connector(who); err != nil {
		if who.Proven() {
			if _, broken := o.c.Lookups.Act(ctx, who, Act{Name: "observe_refused", Door: DoorAPI}); broken != nil {
				return Counted{}, broken
			}
		}
		return Counted{}, err
	}
	if len(batch) > mostSightings {
		return Counted{}, access.Errorf(access.Invalid, "A batch holds at most %d.", mostSightings).WithHint("Send it in several parts.")
	}
	var counted Counted
	var kept []Sighting
	for _, s := range batch {
		watched, err := o.watched(s)
		if err != nil {
			return Counted{}, err
		}
		if len(watched.Relations) == 0 {
			counted.Passed++
			continue
		}
		kept = append(kept, watched)
	}
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return Counted{}, ctx.Err()
	}
	n, err := o.record(ctx, who, kept)
	counted.Recorded, counted.Known = n, len(kept)-n
	return counted, err
}

// watched returns the sighting as it is recorded: of the relations those that
// are protected, none where its role may read them.
func (o *Observer) watched(s Sighting) (Sighting, error) {
	if len(s.ID) != 64 || strings.Trim(s.ID, "0123456789abcdef") != "" || s.Reader == "" {
		return s, access.Errorf(access.Invalid, "A sighting needs its id and a role.").WithHint("Use paravent ingest of this version.")
	}
	relations := s.Relations
	s.Relations = nil
	if slices.Contains(o.c.Gate, s.Reader) || slices.Contains(o.c.Allowed, s.Reader) {
		return s, nil
	}
	for _, r := range relations {
		if _, protected := o.relations[r]; protected && !slices.Contains(s.Relations, r) {
			s.Relations = append(s.Relations, r)
		}
	}
	slices.Sort(s.Relations)
	now := o.c.Lookups.Clock().UTC()
	if s.At.Before(earliest) || s.At.After(now) {
		s.At = now
	}
	// Twice is once: whatever the client did, no literal comes in.
	s.Statement = bounded(pgaudit.WithoutLiterals(s.Statement), maxStatement)
	for _, field := range []*string{&s.Reader, &s.Database, &s.Program, &s.Host, &s.Session, &s.Command} {
		*field = printable(*field)
	}
	return s, nil
}

// printable returns text with what doesn't print replaced, at most so long as
// an id.
func printable(text string) string {
	clean := strings.Map(func(r rune) rune {
		if !readable(string(r), maxID) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return bounded(clean, maxID)
}

// record records those that aren't yet, and returns how many.
func (o *Observer) record(ctx context.Context, who identity.Who, batch []Sighting) (int, error) {
	if err := o.settle(ctx); err != nil {
		return 0, err
	}
	ids := make([]string, len(batch))
	for i := range batch {
		ids[i] = batch[i].ID
	}
	known, err := o.c.Sightings.Sighted(ctx, ids)
	if err != nil {
		return 0, err
	}
	var entries []ledger.Entry
	var fresh []string
	for _, s := range batch {
		if known[s.ID] {
			continue
		}
		known[s.ID] = true
		e, err := o.entry(ctx, who, s)
		if err != nil {
			return 0, err
		}
		entries, fresh = append(entries, e), append(fresh, s.ID)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	if err := o.c.Sightings.BeginSightings(ctx, o.c.Journal.Size()); err != nil {
		return 0, err
	}
	// From here on it is recorded whoever goes away; what comes between this and
	// the note is found by settle.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if _, err := o.c.Journal.AppendAll(ctx, entries); err != nil {
		o.c.Lookups.Log.ErrorContext(ctx, "sightings can't be recorded", "of", len(entries), "error", err)
		return 0, errUnrecorded(err)
	}
	return len(entries), o.c.Sightings.EndSightings(ctx, fresh)
}

// settle finds, after a crash or a failure, which sightings were recorded
// without a note, by reading the journal from where they began.
func (o *Observer) settle(ctx context.Context) error {
	from, unsettled, err := o.c.Sightings.Unsettled(ctx)
	if err != nil || !unsettled {
		return err
	}
	var ids []string
	for r, err := range o.c.Journal.Records(ctx, from) {
		if err != nil {
			return fmt.Errorf("read which sightings are recorded: %w", err)
		}
		if r.Kind != ledger.KindObserved || r.Outcome != string(access.OutcomeOffPath) {
			continue
		}
		var c Conduct
		if err := open(r.Employee, &c); err != nil {
			return fmt.Errorf("read record %d: %w", r.Number, err)
		}
		if c.Source != "" {
			ids = append(ids, c.Source)
		}
	}
	return o.c.Sightings.EndSightings(ctx, ids)
}

// readerPrefix begins the id of a reader who is nobody's account: a role of the
// database.
const readerPrefix = "db:"

// entry is the record of a sighting. Its employee is the one whose login the
// role is, otherwise a stand-in for the role. There is no customer part: whom he
// saw isn't known.
func (o *Observer) entry(ctx context.Context, who identity.Who, s Sighting) (ledger.Entry, error) {
	c := Conduct{
		ID: access.LookupID("off-" + s.ID[:32]), Employee: access.EmployeeID(readerPrefix + s.Reader), By: who.Employee().ID, Action: access.ActionStatement,
		Session: access.SessionID(printable("db:" + s.Session)), Site: s.Database, Statement: s.Statement, Relations: s.Relations,
		Reader: s.Reader, Host: s.Host, Program: s.Program, Source: s.ID, Reason: s.Command,
	}
	for _, r := range s.Relations {
		c.Categories = append(c.Categories, o.relations[r]...)
	}
	slices.Sort(c.Categories)
	c.Categories = slices.Compact(c.Categories)
	a, err := o.c.Logins.Account(ctx, strings.ToLower(s.Reader))
	switch {
	case err == nil && a.Employee != "":
		c.Employee = a.Employee
		e, err := o.c.Lookups.People.Employee(ctx, a.Employee)
		if err != nil && access.CodeOf(err) != access.NotFound {
			return ledger.Entry{}, err
		}
		c.Role = e.Role
	case err != nil && access.CodeOf(err) != access.NotFound:
		return ledger.Entry{}, err
	}
	e, err := entry(ledger.KindObserved, string(access.OutcomeOffPath), 0, c, nil)
	e.At = s.At
	return e, err
}
