package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestAnErasureIsAskedForByTheOfficerAndWaits(t *testing.T) {
	h := newHouse(t)
	for _, row := range []struct {
		name, who, body string
		want            int
	}{
		{"an agent", "e1", `{"customer":"c2"}`, http.StatusForbidden},
		{"an administrator", "a1", `{"customer":"c2"}`, http.StatusForbidden},
		{"nobody", "", `{"customer":"c2"}`, http.StatusUnauthorized},
		{"of nobody", "p1", `{}`, http.StatusBadRequest},
		{"of two", "p1", `{"customer":"c2","employee":"e2"}`, http.StatusBadRequest},
		{"of an employee who works here", "p1", `{"employee":"e2"}`, http.StatusConflict},
		{"of himself", "p1", `{"employee":"p1"}`, http.StatusForbidden},
		{"with an unknown field", "p1", `{"customer":"c2","now":true}`, http.StatusBadRequest},
		{"the officer", "p1", `{"customer":"c2","reason":"by letter"}`, http.StatusAccepted},
	} {
		if r := h.do(t, row.who, "POST", "/v1/erasures", row.body); r.status != row.want {
			t.Errorf("%s: got %d %s, want %d", row.name, r.status, r.body, row.want)
		}
	}
	type list struct {
		Erasures  []struct{ ID, State, Customer, Asker string }
		Untouched []string
	}
	all := decode[list](t, h.do(t, "p1", "GET", "/v1/erasures", ""))
	if len(all.Erasures) != 1 || all.Erasures[0].Customer != "c2" || all.Erasures[0].State != "pending" || len(all.Untouched) == 0 {
		t.Errorf("the list reads %+v", all)
	}
	if r := h.do(t, "e1", "GET", "/v1/erasures", ""); r.status != http.StatusForbidden {
		t.Errorf("an agent reads the list: %d", r.status)
	}
	if r := h.do(t, "l1", "GET", "/v1/requests", ""); r.status != http.StatusOK || !strings.Contains(r.body, `"kind":"erasure"`) {
		t.Errorf("the second person reads %d %s", r.status, r.body)
	}
	if r := h.do(t, "p1", "POST", "/v1/requests/"+all.Erasures[0].ID, `{"agree":true}`); r.status != http.StatusForbidden {
		t.Errorf("the asker agrees: %d %s", r.status, r.body)
	}
}
