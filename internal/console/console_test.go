package console_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/console"
	"paravent/internal/detect"
	"paravent/internal/explain"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/source"
	"paravent/internal/testenv"
)

// house is a console over real services, but for the way to the ledger, which
// a test can watch and break.
type house struct {
	env      *testenv.Env
	handler  http.Handler
	lookups  *watched
	system   *console.System
	logs     []investigate.LogFacts
	sessions map[string]session // by the short names of people below
	logins   map[string]string
	log      *strings.Builder
}

type session struct{ secret, csrf string }

// watched is the real lookup.Service, except that its acts are noted and can be
// made to fail, as if the disk were full.
type watched struct {
	*lookup.Service
	mu     sync.Mutex
	broken bool
	acts   []lookup.Act
}

var errDisk = errors.New("the disk with the secret name is full")

func (w *watched) Act(ctx context.Context, who identity.Who, a lookup.Act) (ledger.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return ledger.Receipt{}, access.Errorf(access.Unavailable, "This can't be recorded now, so it can't be done.").Because(errDisk)
	}
	w.acts = append(w.acts, a)
	return w.Service.Act(ctx, who, a)
}

func (w *watched) named(name string) []lookup.Act {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []lookup.Act
	for _, a := range w.acts {
		if a.Name == name {
			out = append(out, a)
		}
	}
	return out
}

// The people of the house, by the short names that tests use.
var people = map[string]access.Employee{
	"agent":    {ID: "e1", Name: "Ann Agent", Team: "care", Role: access.RoleAgent, Manager: "l1"},
	"lead":     {ID: "l1", Name: "Lea Lead", Team: "care", Role: access.RoleTeamLead},
	"officer":  {ID: "p1", Name: "Pia Privacy", Team: "privacy", Role: access.RolePrivacyOfficer},
	"auditor":  {ID: "a1", Name: "Ada Audit", Team: "audit", Role: access.RoleAuditor},
	"program":  {ID: "b1", Name: "Exporter", Team: "systems", Role: access.RoleProgram},
	"stranger": {ID: "x1", Name: "Xe Strange", Team: "care", Role: "janitor"},
}

// hostile is a value that breaks out of a page that doesn't escape it.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>`

func newHouse(t *testing.T, options ...func(*console.Config)) *house {
	t.Helper()
	t.Parallel() // each house stands alone, and most of its time is waiting for the disk
	env := testenv.New(t)
	h := &house{env: env, sessions: map[string]session{}, logins: map[string]string{"admin": "admin"}, log: &strings.Builder{}}
	facts := []access.Event{
		&access.CustomerKnown{Customer: access.Customer{ID: "c1"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "c2", Notable: true}},
		&access.CustomerKnown{Customer: access.Customer{ID: "c3"}},
	}
	for _, k := range []access.Task{
		{ID: "t1", Customer: "c1", Purpose: "refund", Channel: "call", Order: "o1", OpenedBy: access.ByCustomer},
		{ID: "t2", Customer: "c2", Purpose: "account", Channel: "mail", OpenedBy: access.ByCustomer},
		{ID: "t3", Customer: "c3", Purpose: "account", Channel: "mail", OpenedBy: access.ByCustomer},
	} {
		k.OpenedAt = testenv.Start.Add(-40 * time.Minute)
		to := access.EmployeeID("e1")
		if k.ID == "t3" {
			to = "e9"
		}
		facts = append(facts, &access.TaskOpened{Task: k},
			&access.Assigned{Assignment: access.Assignment{Task: k.ID, Employee: to, Since: k.OpenedAt, By: access.BySystem}})
	}
	env.Save(t, facts...)
	for name, e := range people {
		h.logins[name] = env.Account(t, e)
		env.Qualified(t, e.ID)
	}
	h.logins["customer"] = env.CustomerAccount(t, "c1")
	for name, login := range h.logins {
		secret, in := env.SignIn(t, login)
		h.sessions[name] = session{secret, in.CSRF}
	}
	h.open(t, options)
	return h
}

// open puts the services and the console over the house's store.
func (h *house) open(t *testing.T, options []func(*console.Config)) {
	t.Helper()
	ctx, env, log := t.Context(), h.env, slog.New(slog.NewTextHandler(&locked{b: h.log}, nil))
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(ctx, path, shop()); err != nil {
		t.Fatal(err)
	}
	db, err := source.Open(ctx, "shop", path, p)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "ledger")
	o := ledger.Options{Node: "test", Clock: env.Clock.Now, Keys: env.Store.Keys()}
	if err := ledger.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	journal, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), journal.Close()); err != nil {
			t.Error(err)
		}
	})
	service, err := lookup.New(lookup.Config{
		Policy: p, Tasks: env.Tasks, Qualifications: env.Qualify, People: env.Store, Approvals: investigate.NewBook(env.Store, p),
		Source: db, Journal: journal, Tries: env.Store.Tries(), Clock: env.Clock.Now, PseudonymKey: make([]byte, 32), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.lookups = &watched{Service: service}
	follower, err := investigate.NewFollower(investigate.FollowerConfig{Journal: journal, Facts: env.Store, Index: env.Store, Clock: env.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	erasures, err := investigate.NewErasures(investigate.ErasuresConfig{
		Requests: env.Store, People: env.Store, Policy: p, Recorder: h.lookups, Ledger: journal, Follower: follower,
		Holds: []investigate.Holds{investigate.OpenCases{Facts: env.Store, Requests: env.Store}}, Clock: env.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.logs = []investigate.LogFacts{
		{Name: "0001", Size: 1000, Frozen: true, First: testenv.Start.AddDate(-3, 0, 0), Last: testenv.Start.AddDate(-2, 0, 0), Bytes: 12_345_678},
		{Name: "0002", Base: 1000, Size: 200, Frozen: true, First: testenv.Start.AddDate(-2, 0, 0), Last: testenv.Start.AddDate(0, -1, 0), Bytes: 345_678},
		{Name: "0003", Base: 1200, Size: 34, First: testenv.Start.AddDate(0, -1, 0)},
	}
	upkeep, err := investigate.NewUpkeep(investigate.UpkeepConfig{
		Requests: env.Store, Recorder: h.lookups, Holds: []investigate.LogHolds{investigate.OpenRecords{Facts: env.Store}}, Clock: env.Clock.Now,
		Keep: 365 * 24 * time.Hour, Logs: func() []investigate.LogFacts { return h.logs },
	})
	if err != nil {
		t.Fatal(err)
	}
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: env.Store, Tasks: env.Tasks, People: env.Store, Policy: p, Recorder: h.lookups, Clock: env.Clock.Now, Erasures: erasures, Upkeep: upkeep,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.system = &console.System{Version: "test", Schema: 1, StoreOK: true, Started: testenv.Start.Add(-3 * time.Hour), Node: "test",
		Ledger: ledger.State{OK: true}, LedgerSize: 1234, Explained: 990, Unexplained: 10}
	cfg := console.Config{
		SignOn: env.Identity, Accounts: env.Identity, Lookups: h.lookups, Requests: approvals, RequestStates: env.Store, Erasures: erasures, Upkeep: upkeep, Tasks: env.Store, Standings: env.Tasks,
		People: env.Store, Findings: env.Store, Index: env.Store, Policy: p, System: func() console.System { return *h.system },
		Pseudonym: service.Pseudonym, Clock: env.Clock.Now, Log: log,
	}
	for _, option := range options {
		option(&cfg)
	}
	if h.handler, err = console.New(cfg); err != nil {
		t.Fatal(err)
	}
	h.history(t, service.Pseudonym)
}

// history fills index and findings as the follower would.
func (h *house) history(t *testing.T, pseudonym func(access.EmployeeID) string) {
	t.Helper()
	var rows []investigate.Indexed
	for i := range 18 {
		e, outcome, task := access.EmployeeID(fmt.Sprintf("e%d", 1+i%5)), access.OutcomeShown, access.TaskID("t1")
		if i%6 == 5 {
			outcome, task = access.OutcomeRefused, ""
		}
		rows = append(rows, investigate.Indexed{
			Number: uint64(100 + i), Kind: ledger.KindIntent, Purpose: "refund", Role: "agent", Pseudonym: pseudonym(e), Rows: 7,
			Lookup: access.Lookup{
				ID: access.LookupID(fmt.Sprintf("l%d", i)), At: testenv.Start.Add(-time.Duration(i*i) * time.Minute / 2), Employee: e,
				Customer: "c1", Task: task, Action: access.ActionView, Categories: []access.Category{"identity", "orders"}, Outcome: outcome,
			},
		})
	}
	rows = append(rows, investigate.Indexed{Number: 200, Kind: ledger.KindIntent, Role: "agent", Lookup: access.Lookup{
		ID: "lh", At: testenv.Start.Add(-time.Minute), Employee: hostile, Customer: "c3", Task: hostile, Outcome: access.OutcomeShown,
	}})
	if err := h.env.Store.SaveIndexed(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	crowd := detect.Finding{
		ID: "f1", Rank: 1, Score: 0.94, Kind: detect.KindCrowd, Customers: []access.CustomerID{"c1"}, Employees: []access.EmployeeID{"e1", "e2", "e3", "e4", "e5"},
		FirstAt: testenv.Start.Add(-3 * time.Hour), LastAt: testenv.Start.Add(-time.Minute), RaisedAt: testenv.Start.Add(-30 * time.Second),
		Reasons: []detect.Reason{
			{Code: "crowd", Weight: 1.9, Text: "5 employees looked at this customer within 3 hours, e1 first; before, it was one a month."},
			{Code: "no_task", Weight: 0.7, Text: "3 of the look-ups named no task."},
			{Code: "news", Weight: 0.3, Text: "The customer was in the news that day."},
		},
		Best: &detect.Best{Template: "team", Strength: 0.24, Missing: "Nothing ties this employee to a task or contact of this customer's.", Path: []explain.Step{
			{From: "customer c1", Relation: "is the customer of", To: "task t1", At: testenv.Start.Add(-40 * time.Minute), By: access.ByCustomer},
			{From: "task t1", Relation: "was assigned to", To: "employee e2", By: "e1", Missing: true},
		}},
	}
	for i := range 18 {
		crowd.Accesses = append(crowd.Accesses, access.LookupID(fmt.Sprintf("l%d", i)))
	}
	odd := detect.Finding{ID: "f2", Score: 0.6, Kind: detect.KindPair, Customers: []access.CustomerID{hostile}, Employees: []access.EmployeeID{hostile},
		Accesses: []access.LookupID{"lh"}, RaisedAt: testenv.Start.Add(-26 * time.Hour), Reasons: []detect.Reason{{Code: "x", Weight: 1, Text: hostile}}}
	sample := detect.Finding{ID: "s1", Kind: detect.KindSample, Customers: []access.CustomerID{"c1"}, Employees: []access.EmployeeID{"e2"},
		Accesses: []access.LookupID{"l1"}, RaisedAt: testenv.Start.Add(-time.Hour)}
	if err := h.env.Store.SaveCheckpoint(t.Context(), investigate.Checkpoint{}, []detect.Finding{crowd, odd}, []detect.Finding{sample}); err != nil {
		t.Fatal(err)
	}
}

// locked lets several requests log at once.
type locked struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// shop is the protected database: Ann (c1) with an order and a payment, a
// notable customer (c2), and one whose name breaks out of careless pages (c3).
func shop() []source.Content {
	return []source.Content{
		{Name: "customers", Columns: []string{"id", "name", "date_of_birth", "email", "phone", "street", "postcode", "city", "created_on"}, Rows: [][]any{
			{"c1", "Ann " + hostile, "1980-05-06", "ann@example.org", "+49 170 1112223", "High Street 1", "AB1 2CD", "Town", "2019-01-02"},
			{"c2", "Nora Notable", "1990-07-08", "nora@example.org", "0170/4445556", "Low Street 2", "AB1 2CE", "Town", "2020-01-02"},
			{"c3", "Cy Clark", "1991-01-01", "cy@example.org", "0170/999", "Mid Street 3", "XY9 8ZW", "Village", nil},
		}},
		{Name: "orders", Columns: []string{"id", "customer_id", "placed_at", "status", "total_cents"}, Rows: [][]any{
			{"o1", "c1", "2026-03-01T10:00:00Z", "sent", 123456}, {"o2", "c1", "2026-02-01T10:00:00Z", "sent", 2000},
		}},
		{Name: "order_items", Columns: []string{"id", "order_id", "article", "department", "quantity", "price_cents"}, Rows: [][]any{
			{"i1", "o1", "Kettle", "kitchen", 1, 1000}, {"i2", "o1", "Teapot, blue", "kitchen", 2, 2450},
		}},
		{Name: "payments", Columns: []string{"id", "order_id", "method", "iban", "card_number", "amount_cents", "paid_at"}, Rows: [][]any{
			{"p1", "o1", "debit", "DE00123456781111", nil, 1000, "2026-03-01T10:01:00Z"},
		}},
		{Name: "deliveries", Columns: []string{"id", "order_id", "recipient", "street", "postcode", "city", "carrier", "tracking", "delivered_at"}, Rows: [][]any{
			{"d1", "o1", "Ann Archer", "High Street 1", "AB1 2CD", "Town", "Swift", "T1", nil},
		}},
	}
}

// send sends one request as somebody ("" is nobody); form makes it a POST, with
// his form token unless the form has one.
func (h *house) send(t *testing.T, as, target string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		if _, ok := form["csrf"]; !ok {
			form.Set("csrf", h.sessions[as].csrf)
		}
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if as != "" {
		s, ok := h.sessions[as]
		if !ok {
			t.Fatalf("nobody is called %q here", as)
		}
		r.AddCookie(&http.Cookie{Name: "paravent-session", Value: s.secret})
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// look is the form of a look-up as the task's page sends it.
func look(categories ...string) url.Values { return url.Values{"category": categories} }

var tagPattern = regexp.MustCompile(`<[^>]*>`)

// text is a page without its tags, blanks folded.
func text(w *httptest.ResponseRecorder) string {
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString(w.Body.String(), " "))), " ")
}

// pending chooses the requests that wait.
var pending = investigate.Filter{State: investigate.Waiting}

// saveLookup puts one more look-up into the index, as of now.
func saveLookup(t *testing.T, h *house) {
	t.Helper()
	row := investigate.Indexed{Number: 900, Kind: ledger.KindIntent, Role: "agent", Lookup: access.Lookup{
		ID: "l900", At: h.env.Clock.Now(), Employee: "e1", Customer: "c1", Outcome: access.OutcomeShown,
	}}
	if err := h.env.Store.SaveIndexed(t.Context(), []investigate.Indexed{row}); err != nil {
		t.Fatal(err)
	}
}

// renew signs people in again and qualifies them, after the clock was moved.
func (h *house) renew(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		h.env.Qualified(t, people[name].ID)
		secret, in := h.env.SignIn(t, h.logins[name])
		h.sessions[name] = session{secret, in.CSRF}
	}
}
