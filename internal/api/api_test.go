package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

func TestNobodyGetsAnywhere(t *testing.T) {
	h := newHouse(t)
	for _, route := range []string{
		"POST /v1/lookups", "POST /v1/callers", "POST /v1/locks/e1/lift", "GET /v1/explain", "GET /v1/requests", "GET /v1/requests/r1",
		"POST /v1/requests/r1", "GET /v1/tokens", "DELETE /v1/tokens/t1", "POST /v1/import/tasks", "POST /access/v1/evaluation",
		"POST /v1/accounts", "POST /v1/accounts/e1/password", "POST /v1/accounts/e1/close", "POST /v1/accounts/e1/open",
	} {
		method, path, _ := strings.Cut(route, " ")
		for _, header := range []string{"", "Bearer", "Bearer pvt_aaaa", "Basic YTpi", "Bearer " + strings.Repeat("x", 5000)} {
			r := h.do(t, "", method, path, `{"task":"mine"}`, "Authorization", header)
			if r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %.20q: %d", route, header, r.status)
			}
		}
	}
	if n := len(h.records(t)); n != 0 {
		t.Errorf("%d records of nobody", n)
	}
}

func TestAForeignHostIsRefused(t *testing.T) { // DNS rebinding
	h := newHouse(t)
	for _, host := range []string{"evil.example", "evil.example:80", "localhost", "127.0.0.1"} {
		if r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"mine"}`, "Host", host); r.status != http.StatusBadRequest || len(h.records(t)) != 0 {
			t.Errorf("%s: %d %s", host, r.status, r.body)
		}
	}
}

func TestEveryAnswerKeepsBrowsersOut(t *testing.T) {
	h := newHouse(t)
	for _, r := range []reply{
		h.do(t, "e1", "POST", "/v1/lookups", `{"task":"mine"}`, "Origin", "https://evil.example"),
		h.do(t, "e1", "OPTIONS", "/v1/lookups", "", "Origin", "https://evil.example"),
		h.do(t, "", "GET", "/nowhere", ""),
	} {
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "",
			"Content-Type": "application/json", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%d %s: got %q, want %q", r.status, name, got, want)
			}
		}
	}
}

func TestARequestIDIsGivenBackOrMade(t *testing.T) {
	h := newHouse(t)
	if got := h.do(t, "", "GET", "/v1/state", "", "X-Request-ID", "abc-1").header.Get("X-Request-ID"); got != "abc-1" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "a b", strings.Repeat("x", 129), "h\u00e9"} {
		if got := h.do(t, "", "GET", "/v1/state", "", "X-Request-ID", bad).header.Get("X-Request-ID"); got == bad || len(got) < 20 {
			t.Errorf("for %.10q got %q", bad, got)
		}
	}
}

func TestWhatCannotBeUnderstoodIsRefusedAndRecorded(t *testing.T) {
	h := newHouse(t)
	bodies := []string{
		``, `{`, `[]`, `"mine"`, `{"task":7}`, `{"task":"mine","role":"admin"}`, `{"task":"mine"}{"task":"mine"}`,
		`{"task":"mine","categories":"all"}`, `{"task":""}`, `{"task":"` + strings.Repeat("x", 70_000) + `"}`, `{"task":"mine","action":"delete"}`,
	}
	for _, body := range bodies {
		r := h.do(t, "e1", "POST", "/v1/lookups", body, "Content-Type", "application/json")
		if r.status != http.StatusBadRequest || strings.Contains(r.body, "admin") {
			t.Errorf("%.40s: %d %s", body, r.status, r.body)
		}
	}
	if r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"mine"}`, "Content-Type", "text/plain"); r.status != http.StatusBadRequest {
		t.Errorf("text: %d", r.status)
	}
	all := h.records(t)
	if len(all) != len(bodies)+1 {
		t.Errorf("%d records of %d tries", len(all), len(bodies)+1)
	}
	for _, d := range all {
		if d.Kind != ledger.KindRefusal || d.Lookup.Employee != "e1" {
			t.Errorf("record: %+v", d)
		}
	}
}

func TestATokenIsIssuedListedAndRevoked(t *testing.T) {
	h := newHouse(t)
	login := h.Account(t, access.Employee{ID: "e7", Team: "blue", Role: access.RoleAgent})
	issue := func(password, lasts string) reply {
		return h.do(t, "", "POST", "/v1/tokens", fmt.Sprintf(`{"login":%q,"password":%q,"name":"script","lasts":%q}`, login, password, lasts))
	}
	if r := issue("wrong", "1h"); r.status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", r.status)
	}
	if r := issue(testenv.Password, "soon"); r.status != http.StatusBadRequest {
		t.Errorf("no duration: %d", r.status)
	}
	r := issue(testenv.Password, "1h")
	token := decode[struct{ Token, ID string }](t, r)
	if r.status != http.StatusCreated || !strings.HasPrefix(token.Token, "pvt_") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	h.tokens["e7"] = token.Token
	if all := h.records(t); len(all) == 0 || all[len(all)-1].Act != "issue_token" || all[len(all)-1].Lookup.Employee != "e7" {
		t.Errorf("the issue isn't recorded: %+v", all)
	}
	if r := h.do(t, "e7", "GET", "/v1/tokens", ""); r.status != 200 || !strings.Contains(r.body, token.ID) || strings.Contains(r.body, token.Token) {
		t.Errorf("list: %d %s", r.status, r.body)
	}
	if r := h.do(t, "e1", "DELETE", "/v1/tokens/"+token.ID, ""); r.status != http.StatusNotFound {
		t.Errorf("somebody else revokes it: %d", r.status)
	}
	if r := h.do(t, "e7", "DELETE", "/v1/tokens/"+token.ID, ""); r.status != http.StatusNoContent {
		t.Errorf("revoke: %d %s", r.status, r.body)
	}
	if r := h.do(t, "e7", "GET", "/v1/tokens", ""); r.status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", r.status)
	}
	customer := h.CustomerAccount(t, "c1")
	if r := h.do(t, "", "POST", "/v1/tokens", fmt.Sprintf(`{"login":%q,"password":%q,"name":"script"}`, customer, testenv.Password)); r.status != http.StatusForbidden {
		t.Errorf("a customer: %d", r.status)
	}
	if strings.Contains(h.log.String(), testenv.Password) || strings.Contains(h.log.String(), token.Token) {
		t.Error("the log holds a secret")
	}
}

func TestATableIsImportedByWhoMayAndRecorded(t *testing.T) {
	h := newHouse(t)
	const tasks = "id,customer,purpose,channel,opened_at,opened_by,closed_at,closed_by\nt9,c1,refund,mail,2026-03-02T08:00:00Z,customer,,\n"
	for _, c := range []struct {
		who, table, body, kind string
		want                   int
	}{
		{"k1", "tasks", tasks, "text/csv", 200},
		{"k1", "tasks", tasks, "application/json", 400},
		{"k1", "tasks", "id,customer\nx", "text/csv", 400},
		{"k1", "qualifications", "employee,kind,valid_until\ne1,training,2027-01-01\n", "text/csv", 200},
		{"a1", "qualifications", "employee,kind,valid_until\ne1,training,2027-01-01\n", "text/csv", 200},
		{"a1", "tasks", tasks, "text/csv", 403},
		{"e1", "tasks", tasks, "text/csv", 403},
		{"l1", "employees", "id\ne9\n", "text/csv", 403},
		{"k1", "diaries", "", "text/csv", 404},
	} {
		before := len(h.records(t))
		r := h.do(t, c.who, "POST", "/v1/import/"+c.table, c.body, "Content-Type", c.kind)
		if r.status != c.want {
			t.Errorf("%s imports %s: %d %s, want %d", c.who, c.table, r.status, r.body, c.want)
		}
		if got := len(h.records(t)) - before; got != 1 && c.want != 404 {
			t.Errorf("%s imports %s: %d records", c.who, c.table, got)
		}
	}
}

func TestStateTellsNobodyMoreThanWhetherItWorks(t *testing.T) {
	h := newHouse(t)
	if r := h.do(t, "", "GET", "/v1/state", ""); r.status != 200 || strings.TrimSpace(r.body) != `{"ok":true}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := h.do(t, "a1", "GET", "/v1/state", ""); r.status != 200 || !strings.Contains(r.body, `"version":"test"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	h.state = api.State{Ledger: ledger.State{Reason: "disk full"}}
	if r := h.do(t, "", "GET", "/v1/state", ""); r.status != http.StatusServiceUnavailable || strings.Contains(r.body, "disk") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestAMissingFieldOfTheConfigurationIsRefused(t *testing.T) {
	if h, err := api.New(api.Config{}); err == nil || h != nil {
		t.Error("an empty configuration serves")
	}
}

// blowUp is a Lookups that panics with a customer's value.
type blowUp struct{ api.Lookups }

func (blowUp) Explain(context.Context, identity.Who, access.EmployeeID, access.TaskID) (lookup.Explanation, error) {
	panic(canaries[0])
}

func TestAPanicAnswersWithoutWhatItPanickedAbout(t *testing.T) {
	h := newHouse(t)
	c := h.config
	c.Lookups = blowUp{h.lookups}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.server.Config.Handler = handler
	r := h.do(t, "e1", "GET", "/v1/explain?task=mine", "")
	if r.status != http.StatusInternalServerError || !strings.Contains(h.log.String(), "handler panicked") {
		t.Errorf("%d %s", r.status, r.body)
	}
	silent(t, "the answer", r.body)
	silent(t, "the log", h.log.String())
}

// BenchmarkLookup is a whole look-up over HTTP: token, facts, decision, intent
// synced, source read, outcome synced, answer.
func BenchmarkLookup(b *testing.B) {
	for _, askers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d askers", askers), func(b *testing.B) {
			h := newHouse(b)
			h.server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = askers
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range askers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if r := h.do(b, "e1", "POST", "/v1/lookups", `{"task":"mine"}`); r.status != 200 {
							b.Errorf("%d %s", r.status, r.body)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "look-ups/s")
		})
	}
}
