package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"paravent/internal/console"
	"paravent/internal/investigate"
	"paravent/internal/testenv"
)

// requestOf returns the id of the request of that kind that waits.
func (h *house) requestOf(t *testing.T, kind string) string {
	t.Helper()
	all, err := h.env.Store.Requests(t.Context(), investigate.Filter{Kind: kind, State: investigate.Waiting})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d requests of kind %s wait, %v", len(all), kind, err)
	}
	return string(all[0].ID)
}

func TestTheLedgerIsRotatedAndALogDroppedByTwoPeople(t *testing.T) {
	h := newHouse(t)
	if err := h.env.Store.SaveCheckpoint(t.Context(), investigate.Checkpoint{Number: 1234, State: []byte{1}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	h.logs[0].Size, h.logs[1].Base, h.logs[1].Size = 50, 50, 1150 // the findings speak of later records
	page := text(h.send(t, "admin", "/system", nil))
	for _, want := range []string{"0001 Frozen 50 #0 – #49 2 Mar 2023", "12.3 MB", "Drop log 0001", "0002 Frozen 1 150 #50 – #1 199", "346 kB", "0003 Written to 34", "Rotate log 0003"} {
		if !strings.Contains(strings.ReplaceAll(page, "\u202f", " "), want) {
			t.Errorf("the page doesn't say %q: %s", want, page)
		}
	}
	if strings.Contains(page, "Drop log 0002") || strings.Contains(page, "What was asked") {
		t.Errorf("the page reads %s", page)
	}
	for path, form := range map[string]url.Values{
		"/system/drops":     {"log": {"0001"}, "reason": {"older than a year"}},
		"/system/rotations": {"log": {"0003"}, "reason": {"a new year"}},
	} {
		for _, role := range []string{"agent", "lead", "officer", "auditor", "customer", "stranger"} {
			if w := h.send(t, role, path, form); w.Code != http.StatusForbidden {
				t.Errorf("%s as %s: got %d", path, role, w.Code)
			}
			form.Del("csrf")
		}
		w := h.send(t, "admin", path, form)
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/system?asked=ledger_") {
			t.Fatalf("%s: got %d: %.600s", path, w.Code, text(w))
		}
		if page := text(h.send(t, "admin", w.Header().Get("Location"), nil)); !strings.Contains(page, "A second person is asked.") || !strings.Contains(page, "Waits for a second person") {
			t.Errorf("then: %s", page)
		}
	}
	rotation, drop := h.requestOf(t, investigate.KindRotation), h.requestOf(t, investigate.KindDrop)
	if page := text(h.send(t, "admin", "/requests", nil)); !strings.Contains(page, "Nothing waits for you.") {
		t.Errorf("the asker is asked himself: %s", page)
	}
	if w := h.send(t, "admin", "/requests/"+rotation, url.Values{"answer": {"agree"}}); w.Code != http.StatusForbidden || !strings.Contains(text(w), "You can't decide your own request") { // G8
		t.Errorf("the asker agrees: %d %s", w.Code, text(w))
	}
	page = text(h.send(t, "auditor", "/requests", nil))
	for _, want := range []string{"asks to freeze log 0003", "asks to drop log 0001", "a new year", "older than a year", "12.3 MB"} {
		if !strings.Contains(page, want) {
			t.Errorf("the auditor's page doesn't say %q: %s", want, page)
		}
	}
	if len(h.lookups.named("open_change")) != 2 {
		t.Error("his reading isn't recorded")
	}
	if page := text(h.send(t, "lead", "/requests", nil)); strings.Contains(page, "log 0003") {
		t.Errorf("the lead reads %s", page)
	}
	w := h.send(t, "auditor", "/requests/"+rotation, url.Values{"answer": {"agree"}})
	if w.Code != http.StatusSeeOther || !strings.Contains(text(h.send(t, "auditor", w.Header().Get("Location"), nil)), "You agreed.") {
		t.Errorf("agreeing: got %d %s", w.Code, text(w))
	}
	w = h.send(t, "officer", "/requests/"+drop, url.Values{"answer": {"decline"}, "note": {"not yet"}})
	if w.Code != http.StatusSeeOther || !strings.Contains(text(h.send(t, "officer", w.Header().Get("Location"), nil)), "The ledger stays as it is.") {
		t.Errorf("declining: got %d %s", w.Code, text(w))
	}
	if page := text(h.send(t, "admin", "/system", nil)); !strings.Contains(page, "Being done") || !strings.Contains(page, "Declined") {
		t.Errorf("the page reads %s", page)
	}
}

func TestAChangeOfTheLedgerThatIsntPossibleSaysWhy(t *testing.T) {
	h := newHouse(t)
	h.logs[0].Last = testenv.Start.AddDate(0, -6, 0)
	if page := text(h.send(t, "admin", "/system", nil)); !strings.Contains(page, "kept until 3 September 2026") || strings.Contains(page, "Ask for the drop") {
		t.Errorf("the page reads %s", page)
	}
	for want, form := range map[string]url.Values{
		"Log 0001 is too young to be dropped. It is kept until 3 September 2026.": {"log": {"0001"}, "reason": {"old"}},
		"Log 0002 isn't the oldest.":    {"log": {"0002"}, "reason": {"old"}},
		"Log 0003 is written to":        {"log": {"0003"}, "reason": {"old"}},
		"The reason is missing.":        {"log": {"0001"}, "reason": {" "}},
		"The ledger has no such log.":   {"log": {hostile}, "reason": {"old"}},
		"The reason is too long or hol": {"log": {"0001"}, "reason": {strings.Repeat("x", 501)}},
	} {
		if w := h.send(t, "admin", "/system/drops", form); w.Code < 400 || w.Code > 409 || !strings.Contains(text(w), want) || strings.Contains(w.Body.String(), hostile) {
			t.Errorf("got %d %s, want %q", w.Code, text(w), want)
		}
	}
}

// The page of the system must be there when the ledger can't record.
func TestThePageOfTheSystemIsShownWhenNothingCanBeRecorded(t *testing.T) {
	h := newHouse(t)
	if w := h.send(t, "admin", "/system/rotations", url.Values{"log": {"0003"}, "reason": {"a new year"}}); w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	h.lookups.mu.Lock()
	h.lookups.broken = true
	h.lookups.mu.Unlock()
	w := h.send(t, "admin", "/system", nil)
	if page := text(w); w.Code != http.StatusOK || !strings.Contains(page, "reading it can't be recorded") || strings.Contains(page, "a new year") || strings.Contains(page, errDisk.Error()) {
		t.Errorf("got %d %s", w.Code, page)
	}
	if w := h.send(t, "admin", "/system/rotations", url.Values{"log": {"0003"}, "reason": {"again"}}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("asking unrecorded: got %d", w.Code)
	}
}

func TestThePageOfTheSystemTellsOfTheWitnesses(t *testing.T) {
	h := newHouse(t, func(c *console.Config) { c.Upkeep = nil })
	if page := text(h.send(t, "admin", "/system", nil)); !strings.Contains(page, "Witnesses none") || strings.Contains(page, "Logs of the ledger") {
		t.Errorf("without any: %s", page)
	}
	if w := h.send(t, "admin", "/system/rotations", url.Values{"reason": {"x"}}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a rotation where none can be asked for: got %d", w.Code)
	}
	h.system.Witnesses = []console.WitnessLine{
		{Name: "council", Size: 1234, At: testenv.Start.Add(-time.Second)},
		{Name: "auditor", Size: 1200, At: testenv.Start.Add(-time.Hour), Error: "it can't be reached"},
		{Name: "late"},
	}
	h.system.WitnessNeed, h.system.Published, h.system.PublishedAt = 2, 1230, testenv.Start.Add(-time.Minute)
	for _, c := range []struct {
		name string
		do   func()
		want []string
	}{
		{"well", func() {}, []string{"Witnesses 1 of 3 cosign", "2 of 3 must cosign", "council Cosigns 1 234 records", "auditor Doesn’t cosign it can't be reached 1 200 records", "late Not asked yet – –", "1 230 records"}},
		{"behind", func() { h.system.WitnessReason = "4 records wait for a cosignature" }, []string{"Witnesses behind", "Not all is witnessed. 4 records wait for a cosignature."}},
		{"refusing", func() { h.system.WitnessRefusing = "records have waited an hour" }, []string{"Witnesses nobody may look", "Nobody may look now. Records have waited an hour."}},
		{"accused", func() {
			h.system.Witnesses[0].Accuses, h.system.Witnesses[0].Error = true, "it has seen another ledger"
		}, []string{"council Contradicts it has seen another ledger"}},
	} {
		c.do()
		page := strings.ReplaceAll(text(h.send(t, "admin", "/system", nil)), "\u202f", " ")
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page doesn't say %q: %s", c.name, want, page)
			}
		}
	}
}
