package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/testenv"
)

func TestAnErasureIsAskedForListedAndWaitsForSomebodyElse(t *testing.T) {
	h := newHouse(t)
	form := func() url.Values {
		return url.Values{"kind": {"customer"}, "person": {"c3"}, "reason": {"by letter"}}
	}
	for _, role := range []string{"auditor", "agent", "lead", "admin", "customer"} {
		if w := h.send(t, role, "/erasures", form()); w.Code != http.StatusForbidden {
			t.Errorf("%s asks: got %d", role, w.Code)
		}
	}
	if w := h.send(t, "officer", "/erasures", form()); w.Code != http.StatusSeeOther {
		t.Fatalf("the officer asks: got %d: %.300s", w.Code, text(w))
	}
	if len(h.lookups.named("ask_erasure")) != 1 {
		t.Error("the asking is not recorded")
	}
	if page := text(h.send(t, "officer", "/erasures", nil)); !strings.Contains(page, "Waits for a second person") || !strings.Contains(page, "customer c3") {
		t.Errorf("the list reads %.600s", page)
	}
	if page := text(h.send(t, "auditor", "/erasures", nil)); !strings.Contains(page, "customer c3") || strings.Contains(page, "Ask for an erasure") {
		t.Errorf("the auditor reads %.600s", page)
	}
	if page := text(h.send(t, "lead", "/requests", nil)); !strings.Contains(page, "asks to erase this person") || strings.Contains(page, "Why it waits") {
		t.Errorf("the second person reads %.600s", page)
	}
	if page := text(h.send(t, "officer", "/requests", nil)); strings.Contains(page, "asks to erase this person") {
		t.Error("the asker is asked himself")
	}
}

func TestAnErasureThatIsHeldBackSaysByWhatAndUntilWhen(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "officer", "/erasures", url.Values{"kind": {"customer"}, "person": {"c1"}})
	if page := text(w); w.Code != http.StatusConflict || !strings.Contains(page, "a finding of 2 March 2026") || !strings.Contains(page, "Can be erased when it is 2 April 2026") {
		t.Errorf("got %d: %.900s", w.Code, page)
	}
}

func TestARecordOfAnErasedCustomerSaysSoAndKeepsTheConduct(t *testing.T) {
	h := newHouse(t)
	if err := h.env.Store.SaveIndexed(t.Context(), []investigate.Indexed{{Number: 900, Kind: ledger.KindIntent, Purpose: "refund", Role: "agent",
		CustomerErased: testenv.Start, Lookup: access.Lookup{ID: "le", At: testenv.Start.Add(-time.Hour), Employee: "e1", Outcome: access.OutcomeShown}}}); err != nil {
		t.Fatal(err)
	}
	if page := text(h.send(t, "agent", "/own", nil)); !strings.Contains(page, "customer erased on 2 March 2026") || !strings.Contains(page, "#900") {
		t.Errorf("got %.900s", page)
	}
}
