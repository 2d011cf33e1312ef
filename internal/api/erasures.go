package api

import (
	"context"
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
)

// Erasures forgets people (G5). *investigate.Erasures is one.
type Erasures interface {
	Ask(ctx context.Context, who identity.Who, c access.CustomerID, e access.EmployeeID, reason string) (investigate.Request, error)
	List(ctx context.Context, who identity.Who) ([]investigate.Request, error)
}

// erasureBody is one erasure. Once it is carried out it names only who asked
// and who agreed.
type erasureBody struct {
	ID        access.RequestID  `json:"id"`
	State     string            `json:"state"`
	Customer  access.CustomerID `json:"customer,omitempty"`
	Employee  access.EmployeeID `json:"employee,omitempty"`
	Asker     access.EmployeeID `json:"asker"`
	By        access.EmployeeID `json:"by,omitempty"`
	At        time.Time         `json:"at"`
	Until     time.Time         `json:"until"` // it lapses then, unless somebody decided
	DecidedAt time.Time         `json:"decided_at,omitzero"`
	DoneAt    time.Time         `json:"done_at,omitzero"`
}

func erasure(q investigate.Request) erasureBody {
	return erasureBody{ID: q.ID, State: q.State, Customer: q.Customer, Employee: q.Employee, Asker: q.Asker, By: q.By,
		At: q.At, Until: q.Until, DecidedAt: q.DecidedAt, DoneAt: q.DoneAt}
}

// askErasureBody is the body of POST /v1/erasures; of the two ids one is given.
type askErasureBody struct {
	Customer access.CustomerID `json:"customer"`
	Employee access.EmployeeID `json:"employee"`
	Reason   string            `json:"reason"`
}

// handleAskErasure handles POST /v1/erasures: a second person is asked.
func (a *api) handleAskErasure(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b askErasureBody
	err := read(r, &b)
	var q investigate.Request
	if err == nil {
		q, err = a.Erasures.Ask(r.Context(), who, b.Customer, b.Employee, b.Reason)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusAccepted, erasure(q))
}

// handleErasures handles GET /v1/erasures.
func (a *api) handleErasures(w http.ResponseWriter, r *http.Request, who identity.Who) {
	all, err := a.Erasures.List(r.Context(), who)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := struct {
		Erasures  []erasureBody `json:"erasures"`
		Untouched []string      `json:"untouched"` // what an erasure leaves alone
	}{[]erasureBody{}, investigate.Untouched()}
	for _, q := range all {
		out.Erasures = append(out.Erasures, erasure(q))
	}
	a.write(w, r, http.StatusOK, out)
}
