package api

import (
	"net/http"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
)

// lookupBody is the body of POST /v1/lookups.
type lookupBody struct {
	Task       access.TaskID     `json:"task"`
	Customer   access.CustomerID `json:"customer"`
	Categories []access.Category `json:"categories"`
	Order      access.OrderID    `json:"order"`
	Action     access.Action     `json:"action"`
	Reason     string            `json:"reason"`
}

// tableBody is one table of an answer.
type tableBody struct {
	Name    string       `json:"name"`
	Columns []columnBody `json:"columns"`
	Rows    [][]any      `json:"rows"`
}

// columnBody is one column of an answer.
type columnBody struct {
	Source   string          `json:"source,omitempty"`
	Table    string          `json:"table,omitempty"`
	Name     string          `json:"name"`
	Category access.Category `json:"category"`
	Masked   bool            `json:"masked"`
}

// disclosureBody is the answer to a look-up.
type disclosureBody struct {
	Lookup   access.LookupID `json:"lookup"`
	Grant    access.Grant    `json:"grant"`
	Tables   []tableBody     `json:"tables"`
	Cut      bool            `json:"cut"`         // there was more than one answer may hold
	Recorded ledger.Receipt  `json:"recorded_as"` // the intent's
	Outcome  ledger.Receipt  `json:"outcome"`
}

// handleLookup handles POST /v1/lookups.
func (a *api) handleLookup(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b lookupBody
	if err := read(r, &b); err != nil {
		a.malformed(w, r, who, lookup.DoorAPI, err)
		return
	}
	d, err := a.Lookups.Look(r.Context(), who, lookup.Request{
		Task: b.Task, Customer: b.Customer, Categories: b.Categories, Order: b.Order, Action: b.Action, Reason: b.Reason, Door: lookup.DoorAPI,
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := disclosureBody{Lookup: d.ID, Grant: d.Grant, Cut: d.Result.Cut, Recorded: d.Intent, Outcome: d.Outcome, Tables: []tableBody{}}
	for _, t := range d.Result.Tables {
		table := tableBody{Name: t.Name, Columns: []columnBody{}, Rows: t.Rows}
		for _, c := range t.Columns {
			table.Columns = append(table.Columns, columnBody{Name: c.Name, Category: c.Category, Masked: c.Masked})
		}
		if table.Rows == nil {
			table.Rows = [][]any{}
		}
		out.Tables = append(out.Tables, table)
	}
	a.write(w, r, http.StatusOK, out)
}

// malformed records what an employee sent that can't be understood, then
// answers with why.
func (a *api) malformed(w http.ResponseWriter, r *http.Request, who identity.Who, door string, why error) {
	if err := a.Lookups.Refused(r.Context(), who, door); access.CodeOf(err) != access.Invalid {
		why = err // it couldn't even be recorded
	}
	a.fail(w, r, why)
}

// callerBody is the body of POST /v1/callers.
type callerBody struct {
	Said    map[string]string `json:"said"`
	Purpose access.Purpose    `json:"purpose"`
}

// foundBody is the answer to a caller who was found.
type foundBody struct {
	Lookup   access.LookupID   `json:"lookup"`
	Task     access.TaskID     `json:"task"`
	SelfMade bool              `json:"self_made"`
	Waiting  access.RequestID  `json:"waiting_request,omitempty"`
	Said     map[string]string `json:"said"`
	Recorded ledger.Receipt    `json:"recorded_as"`
}

// handleCaller handles POST /v1/callers.
func (a *api) handleCaller(w http.ResponseWriter, r *http.Request, who identity.Who) {
	var b callerBody
	if err := read(r, &b); err != nil {
		a.malformed(w, r, who, lookup.DoorAPI, err)
		return
	}
	f, err := a.Lookups.FindCaller(r.Context(), who, lookup.Said{Fields: b.Said, Purpose: b.Purpose, Door: lookup.DoorAPI})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, foundBody{Lookup: f.Lookup, Task: f.Task, SelfMade: f.SelfMade, Waiting: f.Request, Said: f.Said, Recorded: f.Receipt})
}

// handleLift handles POST /v1/locks/{employee}/lift.
func (a *api) handleLift(w http.ResponseWriter, r *http.Request, who identity.Who) {
	employee := access.EmployeeID(r.PathValue("employee"))
	if err := a.Lookups.LiftLock(r.Context(), who, employee); err != nil {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, http.StatusOK, struct {
		Lifted access.EmployeeID `json:"lifted"`
	}{employee})
}

// reasonBody is one reason of an explanation or a request.
type reasonBody struct {
	ID     string `json:"id"`
	Effect string `json:"effect"`
	Text   string `json:"text"`
}

// reasons returns the bodies of reasons.
func reasons(all []policy.Reason) []reasonBody {
	out := []reasonBody{}
	for _, r := range all {
		out = append(out, reasonBody{ID: r.ID, Effect: r.Effect, Text: r.Text})
	}
	return out
}

// explanationBody is the answer of GET /v1/explain.
type explanationBody struct {
	Employee access.EmployeeID `json:"employee"`
	Task     access.TaskID     `json:"task"`
	Effect   policy.Effect     `json:"effect"`
	Message  string            `json:"message,omitempty"`
	Hint     string            `json:"hint,omitempty"`
	Reasons  []reasonBody      `json:"reasons"`
	Grant    *access.Grant     `json:"grant,omitempty"`
	Columns  []columnBody      `json:"columns,omitempty"`
}

// handleExplain handles GET /v1/explain?employee=&task=. Without an employee
// the asker himself is meant.
func (a *api) handleExplain(w http.ResponseWriter, r *http.Request, who identity.Who) {
	q := r.URL.Query()
	employee, task := access.EmployeeID(q.Get("employee")), access.TaskID(q.Get("task"))
	if employee == "" {
		employee = who.Employee().ID
	}
	e, err := a.Lookups.Explain(r.Context(), who, employee, task)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := explanationBody{Employee: e.Employee, Task: e.Task, Effect: e.Effect, Reasons: reasons(e.Reasons)}
	if e.Answer != nil {
		out.Message, out.Hint = e.Answer.Message, e.Answer.Hint
	}
	if e.Effect == policy.Allow {
		out.Grant = &e.Grant
	}
	for _, c := range e.Columns {
		out.Columns = append(out.Columns, columnBody(c))
	}
	a.write(w, r, http.StatusOK, out)
}
