package api_test

import (
	"net/http"
	"testing"
)

// The attack: say a name twice, or once more in other letters that Go takes for
// the same, so that a proxy in front reads one request and the server another.
// Such a body is none, and the try is recorded.
func TestABodyThatSaysANameTwiceIsRefusedAndRecorded(t *testing.T) {
	h := newHouse(t)
	for _, c := range [][2]string{
		{"/v1/lookups", `{"task":"mine","task":"mine"}`},
		{"/v1/lookups", `{"task":"theirs","Task":"mine"}`},
		{"/v1/lookups", `{"task":"mine","ta\u017fk":"mine"}`},
		{"/v1/lookups", `{"task":"mine"}{"task":"mine"}`},
		{"/v1/lookups", `{"task":"mine"}]`},
		{"/v1/callers", `{"said":{"order":"o1","postcode":"1","order":"o2"},"purpose":"refund"}`},
		{"/access/v1/evaluation", `{"subject":{"type":"employee","id":"e2","ID":"e1"},"action":{"name":"view"},"resource":{"type":"task","id":"mine"}}`},
	} {
		before := len(h.records(t))
		r := h.do(t, "e1", "POST", c[0], c[1])
		if r.status != http.StatusBadRequest {
			t.Errorf("%s: %d: %s", c[1], r.status, r.body)
		}
		if after := len(h.records(t)); after != before+1 {
			t.Errorf("%s: %d records, want 1", c[1], after-before)
		}
	}
	if r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"mine","categories":["identity","contact"],"reason":"task"}`); r.status != http.StatusOK {
		t.Errorf("a plain one: %d: %s", r.status, r.body)
	}
}
