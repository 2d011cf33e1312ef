package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
)

// Upkeep changes the ledger itself. *investigate.Upkeep is one.
type Upkeep interface {
	Ask(ctx context.Context, who identity.Who, kind, about, reason string) (investigate.Request, error)
	List(ctx context.Context, who identity.Who) ([]investigate.Request, error)
	Logs() []investigate.LogFacts
	KeptUntil(l investigate.LogFacts) time.Time
}

// changeBody is one request to change the ledger.
type changeBody struct {
	ID        access.RequestID  `json:"id"`
	Kind      string            `json:"kind"` // ledger_rotation or ledger_drop
	Log       string            `json:"log"`
	State     string            `json:"state"`
	Reason    string            `json:"reason"`
	Asker     access.EmployeeID `json:"asker"`
	By        access.EmployeeID `json:"by,omitempty"`
	At        time.Time         `json:"at"`
	Until     time.Time         `json:"until"` // it lapses then, unless somebody decided
	DecidedAt time.Time         `json:"decided_at,omitzero"`
	DoneAt    time.Time         `json:"done_at,omitzero"`
	Failure   string            `json:"failure,omitempty"` // why it couldn't be carried out
}

func change(q investigate.Request) changeBody {
	return changeBody{ID: q.ID, Kind: q.Kind, Log: q.About, State: q.State, Reason: q.Said, Asker: q.Asker, By: q.By,
		At: q.At, Until: q.Until, DecidedAt: q.DecidedAt, DoneAt: q.DoneAt, Failure: q.Failure}
}

// askChangeBody is the body of POST /v1/ledger/rotations and /v1/ledger/drops. A
// rotation may leave out the log: it is the last one then.
type askChangeBody struct {
	Log    string `json:"log"`
	Reason string `json:"reason"`
}

// handleRotate handles POST /v1/ledger/rotations: a second person is asked whether
// the last log is to be frozen and the next one opened.
func (a *api) handleRotate(w http.ResponseWriter, r *http.Request, who identity.Who) {
	a.askChange(w, r, who, investigate.KindRotation)
}

// handleDrop handles POST /v1/ledger/drops: a second person is asked whether the
// oldest log is to be dropped.
func (a *api) handleDrop(w http.ResponseWriter, r *http.Request, who identity.Who) {
	a.askChange(w, r, who, investigate.KindDrop)
}

func (a *api) askChange(w http.ResponseWriter, r *http.Request, who identity.Who, kind string) {
	var b askChangeBody
	err := read(r, &b)
	var q investigate.Request
	switch {
	case err != nil:
	case a.Upkeep == nil:
		err = errNoUpkeep()
	default:
		q, err = a.Upkeep.Ask(r.Context(), who, kind, b.Log, b.Reason)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusAccepted, change(q))
}

func errNoUpkeep() *access.Error {
	return access.Errorf(access.Unavailable, "The ledger can't be changed here.")
}

// logReaders read which logs the ledger has, and what was asked of it.
var logReaders = []access.Role{access.RoleAdministrator, access.RoleAuditor, access.RolePrivacyOfficer}

// logBody is one log of the ledger.
type logBody struct {
	Name      string    `json:"name"`
	Base      uint64    `json:"base"` // number of its first record
	Records   uint64    `json:"records"`
	Frozen    bool      `json:"frozen"`
	First     time.Time `json:"first,omitzero"`      // of its first record
	Last      time.Time `json:"last,omitzero"`       // of its last record, of a frozen one
	KeptUntil time.Time `json:"kept_until,omitzero"` // a frozen one can't be dropped before
	Bytes     int64     `json:"bytes,omitempty"`     // on disk
}

// handleLogs handles GET /v1/ledger/logs: the ledger's logs, oldest first, and the
// latest requests to change it.
func (a *api) handleLogs(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var changes []investigate.Request
	var err error
	switch {
	case !slices.Contains(logReaders, who.Employee().Role):
		err = access.Errorf(access.Denied, "Your role doesn't read the ledger's logs.")
	case a.Upkeep == nil:
		err = errNoUpkeep()
	default:
		changes, err = a.Upkeep.List(r.Context(), who)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := struct {
		Logs    []logBody    `json:"logs"`
		Changes []changeBody `json:"changes"`
	}{[]logBody{}, []changeBody{}}
	for _, l := range a.Upkeep.Logs() {
		b := logBody{Name: l.Name, Base: l.Base, Records: l.Size, Frozen: l.Frozen, First: l.First, Bytes: l.Bytes}
		if l.Frozen {
			b.Last, b.KeptUntil = l.Last, a.Upkeep.KeptUntil(l)
		}
		out.Logs = append(out.Logs, b)
	}
	for _, q := range changes {
		out.Changes = append(out.Changes, change(q))
	}
	a.write(w, r, http.StatusOK, out)
}
