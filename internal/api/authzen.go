package api

import (
	"encoding/json"
	"net/http"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// evaluationBody is the body of POST /access/v1/evaluation (OpenID AuthZEN
// Authorization API 1.0). A subject is an employee, a resource a customer (or
// a task, which stands for its customer); everything else we need is in the
// resource's properties, or in the context. Unknown fields are ignored, as
// the specification says.
type evaluationBody struct {
	Subject  *subject  `json:"subject"`
	Action   *action   `json:"action"`
	Resource *resource `json:"resource"`
	Context  *details  `json:"context"`
}

type entity struct {
	Type *string `json:"type"`
	ID   *string `json:"id"`
}

type subject struct {
	entity
	Properties json.RawMessage `json:"properties"` // an object; nothing in it is ours
}

type resource struct {
	entity
	Properties *details `json:"properties"`
}

type action struct {
	Name       *string         `json:"name"`
	Properties json.RawMessage `json:"properties"` // an object; nothing in it is ours
}

// details are the properties that we know, in a resource or in the context.
type details struct {
	Task       string   `json:"task"`
	Order      string   `json:"order"`
	Categories []string `json:"categories"`
	Reason     string   `json:"reason"`
}

// decisionBody is the answer: to a deny only what the employee may hear (G9).
type decisionBody struct {
	Decision bool             `json:"decision"`
	Context  *decisionContext `json:"context,omitempty"`
}

type decisionContext struct {
	Grant    *access.Grant     `json:"grant,omitempty"`
	Recorded *ledger.Receipt   `json:"recorded_as,omitempty"`
	Reason   map[string]string `json:"reason_user,omitempty"`
}

// handleEvaluation handles POST /access/v1/evaluation.
func (a *api) handleEvaluation(w http.ResponseWriter, r *http.Request, who identity.Who) {
	subject, ask, err := readEvaluation(r)
	if err != nil {
		a.malformed(w, r, who, lookup.DoorAuthZEN, err)
		return
	}
	e, err := a.Lookups.Evaluate(r.Context(), who, subject, ask)
	switch {
	case access.CodeOf(err) == access.Invalid: // well-formed AuthZEN that means nothing here is a deny
		message, hint := access.Public(err)
		a.write(w, r, http.StatusOK, denied(message, hint))
	case err != nil:
		a.fail(w, r, err)
	case e.Allowed:
		a.write(w, r, http.StatusOK, decisionBody{Decision: true, Context: &decisionContext{Grant: &e.Grant, Recorded: &e.Receipt}})
	default:
		message, hint := access.Public(e.Answer)
		a.write(w, r, http.StatusOK, denied(message, hint))
	}
}

// denied is a deny with what the employee may hear.
func denied(message, hint string) decisionBody {
	if hint != "" {
		message += " " + hint
	}
	return decisionBody{Context: &decisionContext{Reason: map[string]string{"en": message}}}
}

// readEvaluation reads an evaluation request. An error means that it isn't one.
func readEvaluation(r *http.Request) (access.EmployeeID, lookup.Request, error) {
	malformed := access.Errorf(access.Invalid, "This is no AuthZEN evaluation request.").
		WithHint("Send JSON with subject (type, id), action (name) and resource (type, id), with Content-Type: application/json.")
	var b evaluationBody
	if !isJSON(r) || decode(r.Body, &b, false) != nil {
		return "", lookup.Request{}, malformed
	}
	if b.Subject == nil || b.Action == nil || b.Resource == nil || b.Action.Name == nil ||
		!b.Subject.whole() || !b.Resource.whole() || !object(b.Action.Properties) || !object(b.Subject.Properties) {
		return "", lookup.Request{}, malformed
	}
	ask := lookup.Request{Action: access.Action(*b.Action.Name), Door: lookup.DoorAuthZEN}
	for _, d := range []*details{b.Context, b.Resource.Properties} { // the resource's own come last
		if d != nil {
			d.fill(&ask)
		}
	}
	switch *b.Resource.Type {
	case "customer":
		ask.Customer = access.CustomerID(*b.Resource.ID)
		if ask.Customer == "" {
			ask.Task = "" // it would mean the task's customer
		}
	case "task":
		ask.Task = access.TaskID(*b.Resource.ID)
	default:
		ask.Task = "" // a resource that isn't ours; without a task it's a recorded deny
	}
	if *b.Subject.Type != "employee" && *b.Subject.Type != "user" {
		ask.Task = ""
	}
	return access.EmployeeID(*b.Subject.ID), ask, nil
}

// whole reports whether the entity has what every entity needs.
func (e *entity) whole() bool { return e.Type != nil && e.ID != nil }

// object reports whether raw is absent or a JSON object.
func object(raw json.RawMessage) bool {
	return len(raw) == 0 || raw[0] == '{' || string(raw) == "null"
}

// fill puts the properties that are there into ask.
func (d *details) fill(ask *lookup.Request) {
	if d.Task != "" {
		ask.Task = access.TaskID(d.Task)
	}
	if d.Order != "" {
		ask.Order = access.OrderID(d.Order)
	}
	if d.Reason != "" {
		ask.Reason = d.Reason
	}
	if len(d.Categories) > 0 {
		ask.Categories = nil
		for _, c := range d.Categories {
			ask.Categories = append(ask.Categories, access.Category(c))
		}
	}
}

// metadataBody is the answer of GET /.well-known/authzen-configuration.
type metadataBody struct {
	Point      string `json:"policy_decision_point"`
	Evaluation string `json:"access_evaluation_endpoint"`
}

// handleMetadata handles GET /.well-known/authzen-configuration.
func (a *api) handleMetadata(w http.ResponseWriter, r *http.Request) {
	a.write(w, r, http.StatusOK, metadataBody{Point: a.Base, Evaluation: a.Base + "/access/v1/evaluation"})
}
