package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"paravent/internal/console"
	"paravent/internal/ledger"
)

func TestEachRoleOpensItsPagesAndNoOther(t *testing.T) {
	h := newHouse(t)
	roles := []string{"agent", "lead", "officer", "auditor", "admin", "customer", "program", "stranger"}
	for _, row := range []struct {
		path string
		may  string // who gets 200; all others 403
	}{
		{"/tasks", "agent lead"},
		{"/tasks/t1", "agent"}, // a lead may open tasks, but this one isn't his: 404 below
		{"/caller", "agent lead"},
		{"/own", "agent lead officer auditor admin program stranger"},
		{"/requests", "lead officer auditor admin"},
		{"/overview", "officer auditor"},
		{"/overview/figures", "officer auditor"},
		{"/findings", "officer auditor"},
		{"/findings/f1", "officer auditor"},
		{"/findings/f2", "officer auditor"},
		{"/findings/s1", "officer auditor"},
		{"/samples", "officer auditor"},
		{"/customers", "officer auditor"},
		{"/customers?id=c1", "officer auditor"},
		{"/erasures", "officer auditor"},
		{"/system", "admin"},
		{"/accounts", "admin"},
		{"/account", "agent lead officer auditor admin program stranger customer"},
		{"/mine", "customer"},
	} {
		for _, role := range roles {
			want := http.StatusForbidden
			for _, may := range strings.Fields(row.may) {
				if may == role {
					want = http.StatusOK
				}
			}
			if row.path == "/tasks/t1" && role == "lead" {
				want = http.StatusNotFound
			}
			w := h.send(t, role, row.path, nil)
			if w.Code != want {
				t.Errorf("%s as %s: got %d, want %d: %.300s", row.path, role, w.Code, want, text(w))
			}
			if want == http.StatusForbidden && !strings.Contains(text(w), "What you can do:") {
				t.Errorf("%s as %s: the refusal doesn't say what he can do instead", row.path, role)
			}
		}
		if w := h.send(t, "", row.path, nil); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/sign-in") {
			t.Errorf("%s as nobody: got %d to %q, want a way to the sign-in page", row.path, w.Code, w.Header().Get("Location"))
		}
	}
	if got := len(h.lookups.named("page_refused")); got == 0 {
		t.Error("tries at pages of other roles are not recorded")
	}
}

func TestHomeDependsOnTheRole(t *testing.T) {
	h := newHouse(t)
	for role, want := range map[string]string{
		"agent": "/tasks", "lead": "/requests", "officer": "/overview", "auditor": "/overview",
		"admin": "/system", "customer": "/mine", "program": "/own",
	} {
		if w := h.send(t, role, "/", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("home of %s: got %d to %q, want %q", role, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestTheTaskListShowsOpenTasksOfOnesOwn(t *testing.T) {
	h := newHouse(t)
	page := text(h.send(t, "agent", "/tasks", nil))
	for _, want := range []string{"t1", "Money back", "c1", "Call", "40 min"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if strings.Contains(page, "t3") {
		t.Error("the list shows a colleague's task")
	}
	if page := text(h.send(t, "lead", "/tasks", nil)); !strings.Contains(page, "Nothing is open.") {
		t.Errorf("the empty list doesn't say so: %.200s", page)
	}
}

func TestAForeignAndAnUnknownTaskReadTheSame(t *testing.T) {
	h := newHouse(t)
	id := func(s string) string { i := strings.Index(s, "Request id"); return s[:i] }
	foreign, unknown := h.send(t, "agent", "/tasks/t3", nil), h.send(t, "agent", "/tasks/t999", nil)
	if foreign.Code != http.StatusNotFound || unknown.Code != foreign.Code || id(text(foreign)) != id(text(unknown)) {
		t.Errorf("got %d %q and %d %q", foreign.Code, text(foreign), unknown.Code, text(unknown))
	}
	foreign, unknown = h.send(t, "agent", "/tasks/t3/lookups", look("identity")), h.send(t, "agent", "/tasks/t999/lookups", look("identity"))
	if foreign.Code != unknown.Code || foreign.Code < 400 || id(text(foreign)) != id(text(unknown)) {
		t.Errorf("got %d %q and %d %q", foreign.Code, text(foreign), unknown.Code, text(unknown))
	}
}

func TestALookUpShowsDataMasksAndItsRecord(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "agent", "/tasks/t1/lookups", look("identity", "orders", "order_items"))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d: %s", w.Code, text(w))
	}
	page := text(w)
	for _, want := range []string{"This look-up was recorded as #", "before it was shown", "Kettle", "1234.56", "•••", "(masked)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, hidden := range []string{"ann@example.org", "High Street", "DE00123456781111"} {
		if strings.Contains(page, hidden) {
			t.Errorf("the page shows %q, which wasn't asked for", hidden)
		}
	}
}

func TestALookUpForHtmxIsTheAnswerAlone(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "agent", "/tasks/t1/lookups", look("identity"), func(r *http.Request) {
		r.Header.Set("HX-Request", "true")
		r.Header.Set("HX-Target", "answer")
	})
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<html") || !strings.Contains(text(w), "was recorded as #") {
		t.Errorf("got %d: %.300s", w.Code, w.Body)
	}
}

func TestARefusedLookUpSaysWhatToDo(t *testing.T) {
	h := newHouse(t)
	for name, form := range map[string]url.Values{
		"more categories":    look("identity", "delivery"),
		"unknown category":   look("everything"),
		"a foreign order":    {"category": {"orders"}, "order": {"o99"}},
		"another customer":   {"category": {"identity"}, "customer": {"c2"}},
		"nothing was chosen": look(),
	} {
		w := h.send(t, "agent", "/tasks/t1/lookups", form)
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("%s: got %d", name, w.Code)
		}
		if page := w.Body.String(); strings.Contains(page, "Kettle") || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s: the page shows data, or no refusal", name)
		}
	}
}

func TestASecondPersonAgrees(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "agent", "/tasks/t2/lookups", look("identity"))
	if w.Code != http.StatusAccepted || !strings.Contains(text(w), "Waiting for a second person") || strings.Contains(w.Body.String(), "Nora") {
		t.Fatalf("got %d: %s", w.Code, text(w))
	}
	for _, told := range []string{"notable", "public eye"} {
		if strings.Contains(strings.ToLower(text(w)), told) {
			t.Errorf("the asker is told %q (G9)", told)
		}
	}
	state := w.Body.String()[strings.Index(w.Body.String(), `hx-get="/requests/`)+len(`hx-get="`):]
	state = state[:strings.Index(state, `"`)]
	if page := text(h.send(t, "agent", state, nil)); !strings.Contains(page, "Nobody has decided yet") {
		t.Errorf("the state reads %q", page)
	}
	if w := h.send(t, "lead", state, nil); w.Code != http.StatusNotFound {
		t.Errorf("somebody else's state: got %d, want 404", w.Code)
	}
	list := h.send(t, "lead", "/requests", nil)
	if page := text(list); !strings.Contains(page, "Ann Agent (e1)") || !strings.Contains(page, "t2") {
		t.Fatalf("the request isn't listed: %s", page)
	}
	if acts := h.lookups.named("open_request"); len(acts) != 1 || acts[0].Customer != "c2" {
		t.Errorf("reading the request was recorded as %+v", acts)
	}
	decide := strings.TrimSuffix(state, "/state")
	if w := h.send(t, "agent", decide, url.Values{"answer": {"agree"}}); w.Code != http.StatusForbidden {
		t.Errorf("the asker himself: got %d, want 403 (G8)", w.Code)
	}
	done := h.send(t, "lead", decide, url.Values{"answer": {"agree"}, "note": {"He asked me"}})
	if done.Code != http.StatusSeeOther {
		t.Fatalf("agreeing: got %d: %s", done.Code, text(done))
	}
	if page := text(h.send(t, "lead", done.Header().Get("Location"), nil)); !strings.Contains(page, "You agreed.") {
		t.Errorf("no result is told: %s", page)
	}
	if page := text(h.send(t, "agent", state, nil)); !strings.Contains(page, "A second person agreed") || strings.Contains(page, "Lea") {
		t.Errorf("the state reads %q", page)
	}
	if w := h.send(t, "agent", "/tasks/t2/lookups", look("identity")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Nora Notable") {
		t.Errorf("the look-up afterwards: got %d: %s", w.Code, text(w))
	}
}

// What the asker doesn't know yet, his task doesn't tell him either (G9).
func TestAnUnconfirmedTaskDoesNotNameItsCustomer(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "lead", "/caller", url.Values{"said_order": {"o1"}, "said_postcode": {"ab12cd"}, "purpose": {"refund"}})
	_, rest, ok := strings.Cut(w.Body.String(), `href="/tasks/`)
	if w.Code != http.StatusOK || !ok {
		t.Fatalf("no task was opened: got %d: %s", w.Code, text(w))
	}
	own, _, _ := strings.Cut(rest, `"`)
	for _, path := range []string{"/tasks", "/tasks/" + own} {
		w := h.send(t, "lead", path, nil)
		if page := text(w); w.Code != http.StatusOK || strings.Contains(page, "c1") || !strings.Contains(page, "a colleague must confirm first") {
			t.Errorf("%s: got %d: %s", path, w.Code, page)
		}
	}
}

func TestTheCallerIsFoundOrNobodyIs(t *testing.T) {
	h := newHouse(t)
	said := func(order, postcode string) url.Values {
		return url.Values{"said_order": {order}, "said_postcode": {postcode}, "purpose": {"refund"}}
	}
	w := h.send(t, "agent", "/caller", said("o1", "ab12cd"))
	if w.Code != http.StatusOK || !strings.Contains(text(w), "Found: task") || strings.Contains(text(w), "Ann ") && strings.Contains(text(w), "example.org") {
		t.Fatalf("got %d: %s", w.Code, text(w))
	}
	w = h.send(t, "agent", "/caller", said("o1", "ZZ1 1ZZ"))
	if w.Code != http.StatusNotFound || !strings.Contains(text(w), "Nobody was found") {
		t.Errorf("a miss: got %d: %s", w.Code, text(w))
	}
	for range 5 {
		w = h.send(t, "agent", "/caller", said("o1", "ZZ1 1ZZ"))
	}
	if w.Code == http.StatusOK || w.Code == http.StatusNotFound {
		t.Errorf("after six misses: got %d: %s", w.Code, text(w))
	}
	if w := h.send(t, "lead", "/locks", url.Values{"employee": {"e1"}}); w.Code != http.StatusSeeOther {
		t.Errorf("lifting the lock: got %d: %s", w.Code, text(w))
	}
	if w := h.send(t, "officer", "/locks", url.Values{"employee": {"e1"}}); w.Code != http.StatusForbidden {
		t.Errorf("lifting by another role: got %d", w.Code)
	}
}

func TestFindingsNameEmployeesByPseudonymOnly(t *testing.T) {
	h := newHouse(t)
	for _, path := range []string{"/findings", "/findings/f1", "/samples", "/findings/s1", "/customers?id=c1"} {
		page := text(h.send(t, "officer", path, nil))
		for _, e := range []string{"e1", "e2", "e3", "e4", "e5"} {
			for _, word := range strings.FieldsFunc(page, func(r rune) bool { return strings.ContainsRune(" ,.()→", r) }) {
				if word == e {
					t.Errorf("%s names employee %s", path, e)
				}
			}
		}
	}
	page := h.send(t, "officer", "/findings/f1", nil).Body.String()
	for _, want := range []string{`class="step missing"`, `class="timeline"`, `<circle class="dot bad"`, "What is missing:", "1.90"} {
		if !strings.Contains(page, want) {
			t.Errorf("the finding's page lacks %q", want)
		}
	}
	if list := text(h.send(t, "officer", "/findings", nil)); strings.Contains(list, "Drawn by chance") {
		t.Error("a sample stands among the findings")
	}
}

func TestTheOverviewCounts(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "officer", "/overview/figures", nil)
	var f struct {
		Tiles          map[string]string
		From           int64
		Shown, Refused []int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Tiles["findings"] != "2" || f.Tiles["explained"] != "99.0 %" || f.Tiles["records"] != "1\u202f234" || f.Tiles["waiting"] != "0" {
		t.Errorf("got %v", f.Tiles)
	}
	if len(f.Shown) != 60 || f.Shown[59] != 1 || time.Unix(f.From, 0).Minute() != 1 {
		t.Errorf("got %d minutes, %v", len(f.Shown), f.Shown)
	}
}

func TestALedgerThatDoesNotRecordIsSaidOnEveryPage(t *testing.T) {
	h := newHouse(t)
	h.system.Ledger = ledger.State{OK: false, Reason: "the disk is full", Since: h.env.Clock.Now()}
	if page := text(h.send(t, "agent", "/tasks", nil)); !strings.Contains(page, "Look-ups are paused.") || strings.Contains(page, "the disk is full") {
		t.Errorf("the agent reads %.200q", page)
	}
	for role, path := range map[string]string{"officer": "/overview", "admin": "/system"} {
		if page := text(h.send(t, role, path, nil)); !strings.Contains(page, "the disk is full") {
			t.Errorf("%s doesn't tell why", path)
		}
	}
}

func TestTheCustomerReadsWhoLooked(t *testing.T) {
	h := newHouse(t)
	page := text(h.send(t, "customer", "/mine", nil))
	for _, want := range []string{"shown 15 times to 5 employees", "Agent", "Money back", "task t1", "#100", "no data of yours"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %.400s", want, page)
		}
	}
	if strings.Contains(page, "Ann Agent") {
		t.Error("the page names an employee")
	}
}

func TestNewRefusesAConfigInWhichSomethingIsMissing(t *testing.T) {
	if _, err := console.New(console.Config{Clock: func() time.Time { return time.Time{} }}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

func TestAnEmployeesOwnListHoldsWhatHeDid(t *testing.T) {
	h := newHouse(t)
	page := text(h.send(t, "agent", "/own", nil))
	if !strings.Contains(page, "#100") || strings.Contains(page, "#101") {
		t.Errorf("got %.300s", page)
	}
	if page := text(h.send(t, "lead", "/own", nil)); !strings.Contains(page, "You haven't looked up anybody.") {
		t.Errorf("got %.300s", page)
	}
}
