package investigate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
)

// The kinds of a Request to change the ledger itself.
const (
	KindRotation = "ledger_rotation" // freeze the last log and open the next
	KindDrop     = "ledger_drop"     // remove the oldest frozen log, with all of its records
)

// upkeepWaits is so long a request to change the ledger waits for a second person.
const upkeepWaits = 7 * 24 * time.Hour

// LogFacts are what is known of one log of the ledger. They name nobody.
type LogFacts struct {
	Name   string // such as "0001"
	Base   uint64 // number of its first record in the whole ledger
	Size   uint64 // records
	Frozen bool
	First  time.Time // of its first record
	Last   time.Time // of its last record; zero: not known, and then it isn't dropped
	Bytes  int64     // on disk; 0: not told
}

// UpkeepConfig is what Upkeep needs; every field but Log is required.
type UpkeepConfig struct {
	Requests Requests
	Recorder Recorder
	Holds    []LogHolds // each may hold back a drop
	Clock    access.Clock
	Log      *slog.Logger
	Keep     time.Duration     // so long after its last record a log is kept at least; above 0
	Logs     func() []LogFacts // the ledger's logs, oldest first; empty while it isn't open
}

// Upkeep changes the ledger itself: it is rotated (the last log is frozen, the
// next one opened), and its oldest frozen log is dropped. Each is asked for by an
// administrator, agreed to by a second person through Approvals (G8), and then
// carried out by whoever holds the ledger, who hears of it from Wait.
//
// A request names the log that it is about, also a rotation: so a request that
// comes twice, or is found again after a crash, changes nothing twice.
type Upkeep struct {
	c      UpkeepConfig
	agreed chan struct{} // holds one element when somebody agreed
}

// NewUpkeep returns the Upkeep of c. It refuses one in which something is
// missing, or that would keep no log at all.
func NewUpkeep(c UpkeepConfig) (*Upkeep, error) {
	if c.Requests == nil || c.Recorder == nil || c.Clock == nil || c.Logs == nil || len(c.Holds) == 0 || slices.Contains(c.Holds, nil) {
		return nil, errors.New("open the ledger's upkeep: a field of the configuration is missing")
	}
	if c.Keep <= 0 {
		return nil, errors.New("open the ledger's upkeep: it isn't said how long a log is kept")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Upkeep{c: c, agreed: make(chan struct{}, 1)}, nil
}

// upkeepKind reports whether a request of that kind changes the ledger.
func upkeepKind(kind string) bool { return kind == KindRotation || kind == KindDrop }

// upkeepAgrees reports whether a role may be the second person of such a
// request. To a drop, after which nobody reads the records again, somebody agrees
// who doesn't run the system: two administrators alone can't remove what is
// recorded of them (G7).
func upkeepAgrees(kind string, role access.Role) bool {
	switch role {
	case access.RoleAuditor, access.RolePrivacyOfficer:
		return upkeepKind(kind)
	case access.RoleAdministrator:
		return kind == KindRotation
	}
	return false
}

// upkeepReads reports whether a role reads the requests to change the ledger.
func upkeepReads(role access.Role) bool {
	return role == access.RoleAdministrator || role == access.RoleAuditor || role == access.RolePrivacyOfficer
}

// Ask asks for a rotation or a drop and returns the request that waits now.
// About is the log's name; a rotation may leave it out, and is about the last one
// then. It is recorded before (G7). It returns access.Denied to whoever isn't an
// administrator, access.NotFound where there is no such log, and access.Conflict
// where it can't be done, with the reason and what can be.
func (x *Upkeep) Ask(ctx context.Context, who identity.Who, kind, about, reason string) (Request, error) {
	if !who.Proven() {
		return Request{}, errUnproven()
	}
	if !upkeepKind(kind) || len(about) > maxNote {
		return Request{}, access.Errorf(access.Invalid, "Ask for a rotation or for the drop of one log.")
	}
	if strings.TrimSpace(reason) == "" {
		return Request{}, access.Errorf(access.Invalid, "The reason is missing.").WithHint("Say why; the second person reads it.")
	}
	if len(reason) > maxNote || !utf8.ValidString(reason) || containsControl(reason) {
		return Request{}, access.Errorf(access.Invalid, "The reason is too long or holds what can't be printed.")
	}
	at, me := x.c.Clock().UTC(), who.Employee()
	if logs := x.c.Logs(); kind == KindRotation && about == "" && len(logs) > 0 {
		about = logs[len(logs)-1].Name
	}
	r := Request{ID: access.RequestID(strings.ToLower(rand.Text())), Kind: kind, Asker: me.ID, About: about, Said: reason,
		At: at, Until: at.Add(upkeepWaits), State: Waiting}
	refused, err := x.mayAsk(ctx, me, r)
	if err != nil {
		return Request{}, err
	}
	act := lookup.Act{Name: "ask_" + kind, About: r.aboutLog()}
	if refused != nil {
		act = lookup.Act{Name: "ask_" + kind + "_refused"} // what was named may be no log's name
	}
	if _, err := x.c.Recorder.Act(ctx, who, act); err != nil {
		return Request{}, err
	}
	if refused != nil {
		return Request{}, refused
	}
	if r, err = x.c.Requests.SaveRequest(ctx, r); err != nil {
		return Request{}, fmt.Errorf("ask for a change of the ledger: %w", err)
	}
	return r, nil
}

// aboutLog names a request and its log for the record.
func (r Request) aboutLog() string { return fmt.Sprintf("log %s, request %s", r.About, r.ID) }

// mayAsk returns why this employee may not ask so now, nil where he may.
func (x *Upkeep) mayAsk(ctx context.Context, me access.Employee, r Request) (*access.Error, error) {
	if me.Role != access.RoleAdministrator {
		return access.Errorf(access.Denied, "Your role doesn't change the ledger.").WithHint("An administrator asks for it, and a second person agrees."), nil
	}
	if refused, err := x.stands(ctx, r); refused != nil || err != nil {
		return refused, err
	}
	for _, state := range []string{Waiting, Confirmed} {
		f := Filter{Kind: r.Kind, State: state, Limit: mostAgreed}
		if state == Waiting {
			f.Alive = r.At
		}
		others, err := x.c.Requests.Requests(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("look for what was asked before: %w", err)
		}
		for _, o := range others {
			switch {
			case o.About != r.About || !o.DoneAt.IsZero():
			case state == Confirmed:
				return access.Errorf(access.Conflict, "This was agreed to, and is being done."), nil
			case o.Asker != me.ID:
				return access.Errorf(access.Conflict, "Another administrator has asked for this.").WithHint("It waits for a second person."), nil
			}
		}
	}
	return nil, nil
}

// stands returns why the log of a request can't be rotated or dropped now, nil
// where it can.
func (x *Upkeep) stands(ctx context.Context, r Request) (*access.Error, error) {
	logs := x.c.Logs()
	if len(logs) == 0 {
		return access.Errorf(access.Unavailable, "The ledger isn't open at the moment.").WithHint("Try again in a minute."), nil
	}
	i := slices.IndexFunc(logs, func(l LogFacts) bool { return l.Name == r.About })
	last := i == len(logs)-1
	switch {
	case i < 0:
		return access.Errorf(access.NotFound, "The ledger has no such log.").WithHint("Choose one of the list."), nil
	case r.Kind == KindRotation && (!last || logs[i].Frozen):
		return access.Errorf(access.Conflict, "Log %s is frozen already.", r.About).WithHint("Only the last log, the one that is written to, can be frozen."), nil
	case r.Kind == KindRotation:
		return nil, nil
	case last || !logs[i].Frozen:
		return access.Errorf(access.Conflict, "Log %s is written to; it can't be dropped.", r.About).
			WithHint("Ask for a rotation first; once it is frozen it can be dropped when it is old enough."), nil
	case i > 0:
		return access.Errorf(access.Conflict, "Log %s isn't the oldest.", r.About).WithHint("Only the oldest log can be dropped: now " + logs[0].Name + "."), nil
	}
	return x.kept(ctx, logs[i])
}

// kept returns why a frozen log must be kept for now, nil where it needn't.
func (x *Upkeep) kept(ctx context.Context, l LogFacts) (*access.Error, error) {
	now := x.c.Clock().UTC()
	if until := x.KeptUntil(l); until.IsZero() || now.Before(until) {
		refused := access.Errorf(access.Conflict, "Log %s is too young to be dropped.", l.Name)
		if until.IsZero() {
			return refused.WithHint("It isn't known of when its last record is."), nil
		}
		return refused.WithHint("It is kept until " + dayOf(until) + "."), nil
	}
	var all []Hold
	for _, h := range x.c.Holds {
		some, err := h.HoldingRecords(ctx, l.Base, l.Base+l.Size, now)
		if err != nil {
			return nil, fmt.Errorf("look for what holds a log: %w", err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	why, when := told(all)
	return access.Errorf(access.Conflict, "Log %s can't be dropped yet: %s.", l.Name, why).
		WithHint("Can be dropped when " + when + ". Ask again then."), nil
}

// KeptUntil returns from when on a frozen log may be dropped, as far as its age
// goes: the first midnight UTC from then on. The zero time where that isn't known.
func (x *Upkeep) KeptUntil(l LogFacts) time.Time {
	if l.Last.IsZero() {
		return time.Time{}
	}
	return l.Last.UTC().Add(x.c.Keep).Add(24*time.Hour - time.Nanosecond).Truncate(24 * time.Hour)
}

// Logs returns the ledger's logs, oldest first; none while it isn't open. It
// names nobody.
func (x *Upkeep) Logs() []LogFacts { return x.c.Logs() }

// List returns the latest requests to change the ledger, newest first. Unless there
// are none, reading them is recorded.
func (x *Upkeep) List(ctx context.Context, who identity.Who) ([]Request, error) {
	if !who.Proven() {
		return nil, errUnproven()
	}
	if !upkeepReads(who.Employee().Role) {
		return nil, access.Errorf(access.Denied, "Your role doesn't read what was asked of the ledger.")
	}
	var all []Request
	for _, kind := range []string{KindRotation, KindDrop} {
		some, err := x.c.Requests.Requests(ctx, Filter{Kind: kind, Limit: mostListed})
		if err != nil {
			return nil, fmt.Errorf("list requests: %w", err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	if _, err := x.c.Recorder.Act(ctx, who, lookup.Act{Name: "list_ledger_changes"}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Request) int { return b.At.Compare(a.At) })
	all = all[:min(len(all), mostListed)]
	now := x.c.Clock()
	for i := range all {
		if all[i].State == Waiting && !now.Before(all[i].Until) {
			all[i].State = Lapsed
		}
	}
	return all, nil
}

// mostListed is how many requests to change the ledger are listed.
const mostListed = 20
