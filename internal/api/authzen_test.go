package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/ledger"
)

const evaluation = "/access/v1/evaluation"

// decision is the answer to an evaluation.
type decision struct {
	Decision *bool
	Context  *struct {
		Grant    *access.Grant
		Recorded *ledger.Receipt   `json:"recorded_as"`
		Reason   map[string]string `json:"reason_user"`
	}
}

func TestAnEvaluationIsDecidedRecordedAndProven(t *testing.T) {
	h := newHouse(t)
	r := h.do(t, "x1", "POST", evaluation, `{"subject":{"type":"employee","id":"e1"},"action":{"name":"view"},
		"resource":{"type":"customer","id":"c1","properties":{"task":"mine","status":"archived"}},
		"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"},"foo":"bar","futureField":{"nested":true}}`)
	d := decode[decision](t, r)
	if r.status != 200 || d.Decision == nil || !*d.Decision || d.Context.Grant.Customer != "c1" || d.Context.Grant.Reach != access.ReachRecord || len(d.Context.Grant.Categories) != 5 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if err := d.Context.Recorded.Verify(h.ledger.Public()); err != nil {
		t.Errorf("receipt: %v", err)
	}
	all := h.records(t)
	if len(all) != 1 || all[0].Lookup.Employee != "e1" || all[0].Lookup.Customer != "c1" || !all[0].Ends {
		t.Errorf("records: %+v", all)
	}
}

func TestADenySaysWhatTheEmployeeMayHearAndNoMore(t *testing.T) { // G9
	h := newHouse(t)
	body := func(subject, kind, id, properties string) string {
		return fmt.Sprintf(`{"subject":{"type":"employee","id":%q},"action":{"name":"view"},"resource":{"type":%q,"id":%q,"properties":%s}}`, subject, kind, id, properties)
	}
	seen := map[string]string{}
	for name, b := range map[string]string{
		"another customer":     body("e1", "customer", "c2", `{"task":"mine"}`),
		"a customer not known": body("e1", "customer", "c404", `{"task":"mine"}`),
		"a colleague's task":   body("e1", "task", "theirs", `{}`),
		"a task not known":     body("e1", "task", "t404", `{}`),
	} {
		r := h.do(t, "x1", "POST", evaluation, b)
		d := decode[decision](t, r)
		if r.status != 200 || d.Decision == nil || *d.Decision || d.Context.Grant != nil || d.Context.Recorded != nil || d.Context.Reason["en"] == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		seen[r.body] = name
	}
	if len(seen) != 1 {
		t.Errorf("told apart: %v", seen)
	}
	for name, b := range map[string]string{
		"a resource of no kind": body("e1", "record", "record-1", `{"task":"mine"}`),
		"a subject of no kind":  strings.Replace(body("e1", "customer", "c1", `{"task":"mine"}`), `"employee"`, `"spaceship"`, 1),
		"an unknown action":     strings.Replace(body("e1", "customer", "c1", `{"task":"mine"}`), `"view"`, `"fly"`, 1),
		"no task":               body("e1", "customer", "c1", `{}`),
		"an empty customer":     body("e1", "customer", "", `{"task":"mine"}`),
		"somebody not known":    body("e404", "customer", "c1", `{"task":"mine"}`),
		"a role without tasks":  body("p1", "customer", "c1", `{"task":"mine"}`),
	} {
		r := h.do(t, "x1", "POST", evaluation, b)
		if d := decode[decision](t, r); r.status != 200 || d.Decision == nil || *d.Decision {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if n := len(h.records(t)); n != 11 {
		t.Errorf("%d records of 11 tries", n)
	}
}

func TestWhatIsNoEvaluationRequestIsRefused(t *testing.T) {
	h := newHouse(t)
	const ok = `{"subject":{"type":"employee","id":"e1"},"action":{"name":"view"},"resource":{"type":"customer","id":"c1","properties":{"task":"mine"}}}`
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(ok), &whole); err != nil {
		t.Fatal(err)
	}
	bodies := []string{
		``, `{`, `[]`, `null`, ok + ok,
		strings.Replace(ok, `"type":"employee",`, ``, 1), strings.Replace(ok, `,"id":"e1"`, ``, 1),
		strings.Replace(ok, `"name":"view"`, ``, 1), strings.Replace(ok, `"type":"customer",`, ``, 1), strings.Replace(ok, `"id":"c1",`, ``, 1),
		strings.Replace(ok, `{"type":"employee","id":"e1"}`, `"e1"`, 1), strings.Replace(ok, `"view"`, `123`, 1),
		strings.Replace(ok, `"e1"`, `7`, 1), strings.Replace(ok, `{"task":"mine"}`, `"mine"`, 1),
	}
	for field := range whole {
		rest := map[string]json.RawMessage{}
		for k, v := range whole {
			if k != field {
				rest[k] = v
			}
		}
		b, err := json.Marshal(rest)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	for _, b := range bodies {
		if r := h.do(t, "x1", "POST", evaluation, b, "Content-Type", "application/json"); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", b, r.status, r.body)
		}
	}
	if r := h.do(t, "x1", "POST", evaluation, ok, "Content-Type", "text/plain"); r.status != http.StatusBadRequest {
		t.Errorf("text: %d", r.status)
	}
	if n := len(h.records(t)); n != len(bodies)+1 {
		t.Errorf("%d records of %d tries", n, len(bodies)+1)
	}
	if r := h.do(t, "e1", "POST", evaluation, ok); r.status != http.StatusForbidden {
		t.Errorf("an employee asks in his own name: %d", r.status)
	}
}

func TestTheMetadataNameTheEndpoint(t *testing.T) {
	h := newHouse(t)
	r := h.do(t, "", "GET", "/.well-known/authzen-configuration", "", "X-Request-ID", "abc")
	m := decode[map[string]string](t, r)
	if r.status != 200 || r.header.Get("Content-Type") != "application/json" || r.header.Get("X-Request-ID") != "abc" ||
		m["policy_decision_point"] != "https://paravent.example" || m["access_evaluation_endpoint"] != "https://paravent.example"+evaluation {
		t.Errorf("%d %s", r.status, r.body)
	}
}
