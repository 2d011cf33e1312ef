package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/source"
	"paravent/internal/testenv"
)

// canaries are values of customers' that may stand in the answer to the one
// look-up that is granted, and nowhere else.
var canaries = []string{"Ann Archer", "ann@example.org", "High Street 1", "DE00123456781111", "Bob Baker", "bob@example.org", "Pharmacy", "Ointment"}

// quiet is a log that many may write to.
type quiet struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (q *quiet) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.Write(p)
}

func (q *quiet) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.b.String()
}

// house is the program as cmd wires it, over a real ledger, store and shop.
type house struct {
	*testenv.Env
	ledger  *ledger.Ledger
	lookups *lookup.Service
	server  *httptest.Server
	config  api.Config
	log     *quiet
	state   api.State
	tokens  map[string]string // by employee
	logs    []investigate.LogFacts
}

func newHouse(t testing.TB) *house {
	t.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Env: testenv.New(t), log: &quiet{}, tokens: map[string]string{}}
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(t.Context(), path, shop()); err != nil {
		t.Fatal(err)
	}
	db, err := source.Open(t.Context(), "shop", path, p, source.WithPseudonymKey(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, db) })
	dir := filepath.Join(t.TempDir(), "ledger")
	o := ledger.Options{Node: "n1", Clock: h.Clock.Now, Keys: h.Store.Keys(), Log: log}
	if err := ledger.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = ledger.Open(dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, h.ledger) })
	h.lookups, err = lookup.New(lookup.Config{
		Policy: p, Tasks: h.Tasks, Qualifications: h.Qualify, People: h.Store, Approvals: investigate.NewBook(h.Store, p),
		Source: db, Journal: h.ledger, Tries: h.Store.Tries(), Clock: h.Clock.Now, PseudonymKey: bytes.Repeat([]byte{2}, 32), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	follower, err := investigate.NewFollower(investigate.FollowerConfig{Journal: h.ledger, Facts: h.Store, Index: h.Store, Clock: h.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	erasures, err := investigate.NewErasures(investigate.ErasuresConfig{
		Requests: h.Store, People: h.Store, Policy: p, Recorder: h.lookups, Ledger: h.ledger, Follower: follower,
		Holds: []investigate.Holds{investigate.OpenCases{Facts: h.Store, Requests: h.Store}}, Clock: h.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.logs = []investigate.LogFacts{{Name: "0001", Size: 100, Frozen: true, First: h.Clock.Now().AddDate(-3, 0, 0), Last: h.Clock.Now().AddDate(-2, 0, 0), Bytes: 12345},
		{Name: "0002", Base: 100, Size: 50, First: h.Clock.Now().AddDate(-2, 0, 0)}}
	upkeep, err := investigate.NewUpkeep(investigate.UpkeepConfig{
		Requests: h.Store, Recorder: h.lookups, Holds: []investigate.LogHolds{investigate.OpenRecords{Facts: h.Store}}, Clock: h.Clock.Now,
		Keep: 365 * 24 * time.Hour, Logs: func() []investigate.LogFacts { return h.logs },
	})
	if err != nil {
		t.Fatal(err)
	}
	approvals, err := investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: h.Store, Tasks: h.Tasks, People: h.Store, Policy: p, Recorder: h.lookups, Clock: h.Clock.Now, Erasures: erasures, Upkeep: upkeep,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.state = api.State{OK: true, Version: "test"}
	h.server = httptest.NewUnstartedServer(nil)
	name := h.server.Listener.Addr().String()
	h.config = api.Config{
		SignOn: h.Identity, Accounts: h.Identity, Lookups: h.lookups, Requests: approvals, Erasures: erasures, Upkeep: upkeep, Facts: h.Tasks, Qualifications: h.Qualify,
		Cases: h.Store, Ledger: http.NotFoundHandler(),
		Evidence: func(_ context.Context, w io.Writer, about string, numbers []uint64) error {
			_, err := fmt.Fprint(w, about, numbers)
			return err
		},
		State: func() api.State { return h.state }, Hosts: []string{name}, Base: "https://paravent.example", Log: log,
	}
	h.server.Config.Handler, err = api.New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	h.server.Start()
	t.Cleanup(h.server.Close)
	h.fill(t)
	return h
}

func closeIt(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// fill hires people and gives them tasks.
func (h *house) fill(t testing.TB) {
	t.Helper()
	for _, e := range []access.Employee{
		{ID: "e1", Team: "blue", Role: access.RoleAgent, Manager: "l1"},
		{ID: "e2", Team: "red", Role: access.RoleAgent},
		{ID: "l1", Team: "blue", Role: access.RoleTeamLead},
		{ID: "p1", Role: access.RolePrivacyOfficer},
		{ID: "x1", Role: access.RoleProgram},
		{ID: "k1", Role: access.RoleConnector},
		{ID: "a1", Role: access.RoleAdministrator},
		{ID: "a2", Role: access.RoleAdministrator},
		{ID: "u1", Role: access.RoleAuditor},
	} {
		who := h.Who(t, e)
		secret, _, err := h.Identity.IssueToken(t.Context(), who, "test", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		h.tokens[string(e.ID)] = secret
		h.Qualified(t, e.ID)
	}
	since := h.Clock.Now().Add(-time.Hour)
	events := []access.Event{
		&access.CustomerKnown{Customer: access.Customer{ID: "c1"}}, &access.CustomerKnown{Customer: access.Customer{ID: "c2"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "star", Notable: true}},
	}
	open := func(id access.TaskID, c access.CustomerID, e access.EmployeeID, p access.Purpose, o access.OrderID) {
		events = append(events,
			&access.TaskOpened{Task: access.Task{ID: id, Customer: c, Purpose: p, Order: o, OpenedAt: since, OpenedBy: access.ByCustomer}},
			&access.Assigned{Assignment: access.Assignment{Task: id, Employee: e, Since: since, By: access.BySystem}})
	}
	open("mine", "c1", "e1", "refund", "o1")
	open("address", "c1", "e1", "account", "")
	open("theirs", "c2", "e2", "refund", "o4")
	open("famous", "star", "e1", "refund", "")
	open("closed", "c1", "e1", "refund", "o1")
	h.Save(t, append(events, &access.TaskClosed{Task: "closed", At: h.Clock.Now().Add(-time.Minute), By: "e1"})...)
}

// shop is a small shop. Ann (c1) has three orders, one with goods from the
// pharmacy; Bob (c2) has one.
func shop() []source.Content {
	return []source.Content{
		{Name: "customers", Columns: []string{"id", "name", "date_of_birth", "email", "phone", "street", "postcode", "city", "created_on"}, Rows: [][]any{
			{"c1", "Ann Archer", "1980-05-06", "ann@example.org", "+49 170 1112223", "High Street 1", "AB1 2CD", "Town", "2019-01-02"},
			{"c2", "Bob Baker", "1990-07-08", "bob@example.org", "0170/4445556", "Low Street 2", "AB1 2CD", "Town", "2020-01-02"},
			{"star", "Stella Star", nil, "star@example.org", nil, "Hill 3", "XY9 8ZW", "Village", nil},
		}},
		{Name: "orders", Columns: []string{"id", "customer_id", "placed_at", "status", "total_cents"}, Rows: [][]any{
			{"o1", "c1", "2026-03-01T10:00:00Z", "sent", 1000},
			{"o2", "c1", "2026-01-15T10:00:00Z", "sent", 2000},
			{"o4", "c2", "2026-02-28T10:00:00Z", "open", 4000},
		}},
		{Name: "order_items", Columns: []string{"id", "order_id", "article", "department", "quantity", "price_cents"}, Rows: [][]any{
			{"i1", "o1", "Kettle", "kitchen", 1, 1000},
			{"i3", "o1", "Ointment", "Pharmacy", 1, 500},
			{"i5", "o4", "Bicycle", "sports", 1, 4000},
		}},
		{Name: "payments", Columns: []string{"id", "order_id", "method", "iban", "card_number", "amount_cents", "paid_at"}, Rows: [][]any{
			{"p1", "o1", "debit", "DE00123456781111", nil, 1000, "2026-03-01T10:01:00Z"},
			{"p4", "o4", "debit", "DE00123456784444", nil, 4000, "2026-02-28T10:01:00Z"},
		}},
		{Name: "deliveries", Columns: []string{"id", "order_id", "recipient", "street", "postcode", "city", "carrier", "tracking", "delivered_at"}, Rows: [][]any{
			{"d1", "o1", "Ann Archer", "High Street 1", "AB1 2CD", "Town", "Swift", "T1", nil},
		}},
	}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request as an employee; "" is nobody.
func (h *house) do(t testing.TB, who, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+h.tokens[who])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	a, err := h.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return reply{status: a.StatusCode, header: a.Header, body: string(text)}
}

// decode reads the answer's JSON.
func decode[T any](t testing.TB, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

// records returns what the ledger holds of tries and acts.
func (h *house) records(t testing.TB) []lookup.Decoded {
	t.Helper()
	var out []lookup.Decoded
	for r, err := range h.ledger.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		d, ours, err := lookup.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if ours {
			out = append(out, d)
		}
	}
	return out
}

// silent fails the test if a customer's value is in text.
func silent(t testing.TB, where, text string) {
	t.Helper()
	for _, c := range canaries {
		if strings.Contains(text, c) {
			t.Errorf("%s holds %q", where, c)
		}
	}
}

// who signs somebody in again, for tests that need more than a token.
func (h *house) who(t testing.TB, id string) identity.Who {
	t.Helper()
	w, err := h.Identity.Token(t.Context(), h.tokens[id], "")
	if err != nil {
		t.Fatal(err)
	}
	return w
}
