package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/detect"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
)

// Evidence holds opened records: the privacy office and auditors take it out,
// nobody else, and each taking is an act about the customer before it happens.
func TestEvidenceIsTakenOutByOfficersAndRecorded(t *testing.T) {
	h := newHouse(t)
	row := investigate.Indexed{Number: 7, Kind: ledger.KindIntent,
		Lookup: access.Lookup{ID: "look-7", At: h.Clock.Now(), Customer: "c1", Employee: "e1"}}
	if err := h.Store.SaveIndexed(t.Context(), []investigate.Indexed{row}); err != nil {
		t.Fatal(err)
	}
	f := detect.Finding{ID: "f-1", Kind: "pair", Customers: []access.CustomerID{"c1"}, Employees: []access.EmployeeID{"e1"},
		Accesses: []access.LookupID{"look-7"}, FirstAt: h.Clock.Now(), RaisedAt: h.Clock.Now().Add(time.Minute)}
	if err := h.Store.SaveCheckpoint(t.Context(), investigate.Checkpoint{State: []byte{1}}, []detect.Finding{f}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, who, id string
		status        int
		says          string
	}{
		{"an officer takes out a finding", "p1", "f-1", http.StatusOK, "finding f-1[7]"},
		{"an officer takes out a look-up", "p1", "look-7", http.StatusOK, "look-up look-7[7]"},
		{"nothing of that id", "p1", "f-2", http.StatusNotFound, "There is no finding or look-up of that id."},
		{"an agent takes out nothing", "e1", "f-1", http.StatusForbidden, "taken out by the privacy office"},
		{"an administrator takes out nothing", "a1", "f-1", http.StatusForbidden, "taken out by the privacy office"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.ledger.Size()
			got := h.do(t, c.who, "GET", "/v1/evidence/"+c.id, "")
			if got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("answered %d %s, want %d %s", got.status, got.body, c.status, c.says)
			}
			if h.ledger.Size() == before {
				t.Error("it is not in the records")
			}
		})
	}
}

// The ledger's tiles name nobody; they are for auditors all the same, unless
// the configuration opens them.
func TestTheLedgerIsReadByAuditorsUnlessItIsPublic(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		who    string
		status int
	}{
		{"p1", http.StatusNotFound}, // past the door: this ledger has no tiles
		{"a1", http.StatusNotFound},
		{"e1", http.StatusForbidden},
		{"l1", http.StatusForbidden},
		{"", http.StatusUnauthorized},
	} {
		if got := h.do(t, c.who, "GET", "/ledger/checkpoint", ""); got.status != c.status {
			t.Errorf("%q: answered %d %s, want %d", c.who, got.status, got.body, c.status)
		}
	}
	h.config.LedgerPublic = true
	handler, err := api.New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.server.Config.Handler = handler
	if got := h.do(t, "", "GET", "/ledger/checkpoint", ""); got.status != http.StatusNotFound {
		t.Errorf("public: answered %d %s", got.status, got.body)
	}
}
