package api_test

import (
	"net/http"
	"strings"
	"testing"

	"paravent/internal/investigate"
)

type changes struct {
	Logs []struct {
		Name    string
		Records uint64
		Frozen  bool
		Bytes   int64
	}
	Changes []struct{ ID, Kind, Log, State, Reason, Asker, By string }
}

func TestALedgerIsChangedByTwoPeople(t *testing.T) {
	h := newHouse(t)
	if err := h.Store.SaveCheckpoint(t.Context(), investigate.Checkpoint{Number: 150, State: []byte{1}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, who, path, body string
		want                  int
		says                  string
	}{
		{"an agent asks", "e1", "rotations", `{"reason":"yearly"}`, http.StatusForbidden, "Your role doesn't change the ledger."},
		{"an officer asks", "p1", "drops", `{"log":"0001","reason":"old"}`, http.StatusForbidden, "Your role doesn't change the ledger."},
		{"nobody asks", "", "rotations", `{"reason":"yearly"}`, http.StatusUnauthorized, "unauthenticated"},
		{"without a reason", "a1", "rotations", `{}`, http.StatusBadRequest, "The reason is missing."},
		{"with an unknown field", "a1", "drops", `{"log":"0001","reason":"old","now":true}`, http.StatusBadRequest, "no others"},
		{"of no log", "a1", "drops", `{"log":"0009","reason":"old"}`, http.StatusNotFound, "The ledger has no such log."},
		{"of the one that is written to", "a1", "drops", `{"log":"0002","reason":"old"}`, http.StatusConflict, "Log 0002 is written to"},
		{"a rotation", "a1", "rotations", `{"reason":"yearly"}`, http.StatusAccepted, `"log":"0002"`},
		{"another administrator, the same", "a2", "rotations", `{"reason":"yearly"}`, http.StatusConflict, "Another administrator has asked for this."},
		{"a drop", "a1", "drops", `{"log":"0001","reason":"older than ten years"}`, http.StatusAccepted, `"log":"0001"`},
	} {
		if r := h.do(t, row.who, "POST", "/v1/ledger/"+row.path, row.body); r.status != row.want || !strings.Contains(r.body, row.says) {
			t.Errorf("%s: got %d %s, want %d %s", row.name, r.status, r.body, row.want, row.says)
		}
	}
	if r := h.do(t, "e1", "GET", "/v1/ledger/logs", ""); r.status != http.StatusForbidden {
		t.Errorf("an agent reads the logs: %d %s", r.status, r.body)
	}
	all := decode[changes](t, h.do(t, "u1", "GET", "/v1/ledger/logs", ""))
	if len(all.Logs) != 2 || all.Logs[0].Name != "0001" || !all.Logs[0].Frozen || all.Logs[0].Records != 100 || all.Logs[0].Bytes != 12345 || len(all.Changes) != 2 {
		t.Fatalf("the auditor reads %+v", all)
	}
	ids := map[string]string{}
	for _, c := range all.Changes {
		ids[c.Kind] = c.ID
	}
	for _, row := range []struct {
		name, who, kind string
		want            int
		says            string
	}{
		{"the asker agrees", "a1", "ledger_rotation", http.StatusForbidden, "You can't decide your own request"},
		{"a team lead agrees", "l1", "ledger_rotation", http.StatusForbidden, "Your role doesn't decide about the ledger."},
		{"another administrator agrees to a drop", "a2", "ledger_drop", http.StatusForbidden, "An administrator doesn't agree to the drop of a log."},
		{"another administrator agrees to a rotation", "a2", "ledger_rotation", http.StatusOK, `"agree":true`},
		{"the auditor agrees to a drop", "u1", "ledger_drop", http.StatusOK, `"agree":true`},
		{"the officer once more", "p1", "ledger_drop", http.StatusConflict, "decided"},
	} {
		if r := h.do(t, row.who, "POST", "/v1/requests/"+ids[row.kind], `{"agree":true}`); r.status != row.want || !strings.Contains(r.body, row.says) {
			t.Errorf("%s: got %d %s, want %d %s", row.name, r.status, r.body, row.want, row.says)
		}
	}
	if r := h.do(t, "u1", "GET", "/v1/requests", ""); r.status != http.StatusOK || strings.Contains(r.body, "ledger_") {
		t.Errorf("what is decided still waits: %d %s", r.status, r.body)
	}
}
