package api

import (
	"net/http"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
)

// requestBody is one request for a second person. Who asked reads of it only
// its state.
type requestBody struct {
	ID        access.RequestID  `json:"id"`
	Kind      string            `json:"kind"`
	Asker     access.EmployeeID `json:"asker"`
	Task      access.TaskID     `json:"task"`
	Customer  access.CustomerID `json:"customer,omitempty"`
	Employee  access.EmployeeID `json:"employee,omitempty"` // whom an erasure is about
	Log       string            `json:"log,omitempty"`      // which a change of the ledger is about
	Purpose   access.Purpose    `json:"purpose"`
	Why       []reasonBody      `json:"why,omitempty"`
	Said      string            `json:"said,omitempty"`
	Final     bool              `json:"final,omitempty"` // can only be declined
	At        time.Time         `json:"at"`
	Until     time.Time         `json:"until"`
	State     string            `json:"state"`
	DecidedAt time.Time         `json:"decided_at,omitzero"`
}

// handleRequests handles GET /v1/requests: those that the asker may decide.
func (a *api) handleRequests(w http.ResponseWriter, r *http.Request, who identity.Who) {
	all, err := a.Requests.Waiting(r.Context(), who)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := struct {
		Requests []requestBody `json:"requests"`
	}{[]requestBody{}}
	for _, q := range all {
		b := body(q)
		b.Customer, b.Employee, b.Why, b.Final = q.Customer, q.Employee, reasons(q.Why), q.Final
		out.Requests = append(out.Requests, b)
	}
	a.write(w, r, http.StatusOK, out)
}

// handleRequest handles GET /v1/requests/{id}: the asker's own.
func (a *api) handleRequest(w http.ResponseWriter, r *http.Request, who identity.Who) {
	q, err := a.Requests.Own(r.Context(), who, access.RequestID(r.PathValue("id")))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, body(q))
}

// body returns of a request what its asker may know, too.
func body(q investigate.Request) requestBody {
	return requestBody{
		ID: q.ID, Kind: q.Kind, Asker: q.Asker, Log: q.About, Task: q.Task, Purpose: q.Purpose, Said: q.Said,
		At: q.At, Until: q.Until, State: q.State, DecidedAt: q.DecidedAt,
	}
}

// decideBody is the body of POST /v1/requests/{id}.
type decideBody struct {
	Agree *bool  `json:"agree"`
	Note  string `json:"note"`
}

// handleDecide handles POST /v1/requests/{id}.
func (a *api) handleDecide(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b decideBody
	err := read(r, &b)
	if err == nil && b.Agree == nil {
		err = access.Errorf(access.Invalid, "The field agree is missing.").WithHint("Send true or false.")
	}
	id := access.RequestID(r.PathValue("id"))
	if err == nil {
		err = a.Requests.Decide(r.Context(), who, id, *b.Agree, b.Note)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, struct {
		ID    access.RequestID `json:"id"`
		Agree bool             `json:"agree"`
	}{id, *b.Agree})
}
