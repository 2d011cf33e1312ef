package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/lookup"
	"paravent/internal/testenv"
)

// watching gives the house an observer.
func (h *house) watching(t *testing.T) {
	t.Helper()
	o, err := lookup.NewObserver(lookup.ObserverConfig{
		Lookups: h.lookups, Journal: h.ledger, Sightings: h.Store, Logins: h.Store, Gate: []string{"paravent_reader"}, Allowed: []string{"shop_app"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.config.Observer = o
	if h.server.Config.Handler, err = api.New(h.config); err != nil {
		t.Fatal(err)
	}
}

func TestReadsPastParaventAreReportedOverTheAPI(t *testing.T) {
	h := newHouse(t)
	if r := h.do(t, "k1", "GET", "/v1/observed", ""); r.status != http.StatusNotFound || !strings.Contains(r.body, "configuration") {
		t.Errorf("where nothing is watched: %d %s", r.status, r.body)
	}
	h.watching(t)
	watched := decode[struct{ Relations, Passed []string }](t, h.do(t, "k1", "GET", "/v1/observed", ""))
	if !slices.Contains(watched.Relations, "public.customers") || !slices.Equal(watched.Passed, []string{"paravent_reader", "shop_app"}) {
		t.Errorf("watched: %+v", watched)
	}
	body := func(n int, extra string) string {
		return fmt.Sprintf(`{"sightings":[{"id":"%064x","reader":"dba","relations":["public.customers"],"statement":"select ?","at":"2026-03-02T08:00:00Z"%s}]}`, n, extra)
	}
	for i, want := range []string{`{"recorded":1,"known":0,"passed":0}`, `{"recorded":0,"known":1,"passed":0}`} {
		if r := h.do(t, "k1", "POST", "/v1/observed", body(1, "")); r.status != http.StatusOK || strings.TrimSpace(r.body) != want {
			t.Errorf("try %d: %d %s", i+1, r.status, r.body)
		}
	}
	if d := h.last(t); d.Lookup.Outcome != access.OutcomeOffPath || d.Reader != "dba" || !d.Lookup.At.Equal(testenv.Start.Add(-time.Hour)) {
		t.Errorf("recorded as %+v", d)
	}
	for _, who := range []string{"e1", "l1", "a1", "x1"} {
		if r := h.do(t, who, "POST", "/v1/observed", body(2, "")); r.status != http.StatusForbidden || h.last(t).Act != "observe_refused" {
			t.Errorf("%s: %d, recorded as %+v", who, r.status, h.last(t))
		}
	}
	if r := h.do(t, "", "POST", "/v1/observed", body(2, "")); r.status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", r.status)
	}
	for _, bad := range []string{"", "{}x", body(3, `,"parameters":"secret"`), `{"sightings":[{"id":"1","reader":"dba"}]}`} {
		if r := h.do(t, "k1", "POST", "/v1/observed", bad); r.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, r.status, r.body)
		}
	}
}

func TestAPersonLetsAToolActOverTheAPI(t *testing.T) {
	h := newHouse(t)
	tool := h.who(t, "x1")
	ask := func(who, tool, lasts string, headers ...string) reply {
		return h.do(t, who, "POST", "/v1/on-behalf", fmt.Sprintf(`{"tool":%q,"lasts":%q}`, tool, lasts), headers...)
	}
	type leave struct {
		Token, Tool string
		Until       time.Time
	}
	r := ask("e1", tool.Login(), "2m")
	l := decode[leave](t, r)
	if r.status != http.StatusCreated || l.Tool != tool.Login() || !l.Until.Equal(testenv.Start.Add(2*time.Minute)) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if d := h.last(t); d.Act != "issue_on_behalf" || d.About != tool.Login() || d.Whom != "x1" || d.Lookup.Employee != "e1" {
		t.Errorf("recorded as %+v", d)
	}
	if w, err := h.Identity.OnBehalf(t.Context(), tool, l.Token); err != nil || w.Employee().ID != "e1" {
		t.Errorf("used: %+v, %v", w.Employee(), err)
	}
	secret, _ := h.SignIn(t, "admin")
	if r := ask("", tool.Login(), "", "Authorization", "Bearer "+secret); r.status != http.StatusCreated {
		t.Errorf("by a session: %d %s", r.status, r.body)
	}
	for name, c := range map[string]struct {
		r    reply
		want int
	}{
		"nobody":            {ask("", tool.Login(), ""), 401},
		"a guessed session": {ask("", tool.Login(), "", "Authorization", "Bearer pvs_guess"), 401},
		"a tool":            {ask("x1", tool.Login(), ""), 403},
		"a connector":       {ask("k1", tool.Login(), ""), 403},
		"no tool":           {ask("e1", "nobody", ""), 404},
		"a colleague":       {ask("e1", h.who(t, "l1").Login(), ""), 404},
		"for too long":      {ask("e1", tool.Login(), "6m"), 400},
		"in no time":        {ask("e1", tool.Login(), "soon"), 400},
	} {
		if c.r.status != c.want || strings.Contains(c.r.body, "pvb_") {
			t.Errorf("%s: %d %s", name, c.r.status, c.r.body)
		}
	}
	if d := h.last(t); d.Act == "issue_on_behalf" && d.Whom != "x1" {
		t.Errorf("recorded as %+v", d)
	}
	if log := h.log.String(); strings.Contains(log, l.Token) || strings.Contains(log, secret) {
		t.Error("the log holds a secret")
	}
	// A first password proves nobody yet.
	h.Save(t, &access.EmployeeKnown{Employee: access.Employee{ID: "E17", Role: access.RoleAgent}})
	first := decode[struct{ Login, Password string }](t, h.do(t, "a1", "POST", "/v1/accounts", `{"employee":"E17"}`))
	session, in, err := h.Identity.SignIn(t.Context(), first.Login, first.Password, "")
	if err != nil || in.Who.Proven() {
		t.Fatalf("sign in: %v", err)
	}
	if r := ask("", tool.Login(), "", "Authorization", "Bearer "+session); r.status != http.StatusUnauthorized {
		t.Errorf("with a first password: %d %s", r.status, r.body)
	}
}
