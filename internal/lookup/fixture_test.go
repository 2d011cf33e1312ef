package lookup_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/source"
	"paravent/internal/task"
	"paravent/internal/testenv"
)

// canary is a value of a customer's that must be seen in a disclosure and nowhere else.
const canary = "Canary-Street-77"

// journal is a Journal in memory that can fail.
type journal struct {
	mu      sync.Mutex
	records []ledger.Record
	steps   *[]string
	fail    func(ledger.Entry) (persists bool, err error)
}

func (j *journal) Append(_ context.Context, e ledger.Entry) (ledger.Receipt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	keep := true
	if j.fail != nil {
		keep, err = j.fail(e)
	}
	if keep {
		j.records = append(j.records, ledger.Record{
			Frame:    ledger.Frame{Position: uint64(len(j.records)), Kind: e.Kind, Outcome: e.Outcome, Of: e.Of, Time: testenv.Start},
			Customer: ledger.Opened{Person: e.Customer.Person, Plain: e.Customer.Plain},
			Employee: ledger.Opened{Person: e.Employee.Person, Plain: e.Employee.Plain},
			Number:   uint64(len(j.records)),
		})
	}
	if err != nil {
		return ledger.Receipt{}, err
	}
	if j.steps != nil {
		*j.steps = append(*j.steps, string(e.Kind))
	}
	return ledger.Receipt{Position: uint64(len(j.records) - 1), Number: uint64(len(j.records) - 1)}, nil
}

func (j *journal) all(t *testing.T) []lookup.Decoded {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []lookup.Decoded
	for _, r := range j.records {
		d, ours, err := lookup.Decode(r)
		if err != nil || !ours {
			t.Fatalf("decode record %d: ours %v, %v", r.Position, ours, err)
		}
		out = append(out, d)
	}
	return out
}

func (j *journal) last(t *testing.T) lookup.Decoded {
	t.Helper()
	all := j.all(t)
	if len(all) == 0 {
		t.Fatal("nothing is recorded")
	}
	return all[len(all)-1]
}

func (j *journal) persons() map[string]bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string]bool{}
	for _, r := range j.records {
		out[r.Customer.Person] = true
		out[r.Employee.Person] = true
	}
	delete(out, "")
	return out
}

// shop is a Source that counts what is read.
type shop struct {
	mu     sync.Mutex
	steps  *[]string
	reads  int
	grants []access.Grant
	finds  int
	err    error
	during func() // runs while the source is read
	orders map[access.OrderID]access.CustomerID
	people map[string]access.CustomerID // by e-mail and date of birth
}

func (s *shop) Read(_ context.Context, g access.Grant) (*source.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	s.grants = append(s.grants, g)
	if s.steps != nil {
		*s.steps = append(*s.steps, "read")
	}
	if s.during != nil {
		s.during()
	}
	if s.err != nil {
		return nil, s.err
	}
	return &source.Result{Rows: 1, Bytes: int64(len(canary)), Tables: []source.Table{{
		Name: "customers", Columns: []source.Column{{Name: "street", Category: "contact"}}, Rows: [][]any{{canary}},
	}}}, nil
}

func (s *shop) OrderOf(_ context.Context, o access.OrderID, c access.CustomerID) (bool, error) {
	return s.orders[o] == c && c != "", nil
}

func (s *shop) Find(_ context.Context, said map[string]string) (source.Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	if s.err != nil {
		return source.Found{}, s.err
	}
	if c, ok := s.people[said["email"]+" "+said["date_of_birth"]]; ok {
		return source.Found{Customer: c}, nil
	}
	for key, c := range s.people {
		if strings.HasPrefix(key, said["email"]+" ") {
			return source.Found{Partial: []access.CustomerID{c}}, nil
		}
	}
	return source.Found{}, nil
}

// broken makes one of the facts fail. With memo it asks for each fact once:
// for tests that ask very often while nothing changes.
type broken struct {
	lookup.People
	lookup.Qualifications
	lookup.Tasks
	lookup.Approvals
	what string
	memo map[string]any
}

var errBroken = errors.New("broken on purpose")

// fact returns a fact, unless it is the one that is broken.
func fact[T any](b *broken, what, key string, find func() (T, error)) (T, error) {
	var none T
	if b.what == what {
		return none, errBroken
	}
	key = what + " " + key
	if known, ok := b.memo[key]; ok {
		return known.(T), nil
	}
	v, err := find()
	if err == nil && b.memo != nil && len(b.memo) < 100 {
		b.memo[key] = v
	}
	return v, err
}

func (b *broken) Standing(ctx context.Context, e access.Employee, id access.TaskID) (task.Standing, error) {
	if b.memo != nil && strings.HasPrefix(string(id), "invented") {
		return task.Standing{}, nil
	}
	return fact(b, "task", string(e.ID)+" "+string(id), func() (task.Standing, error) { return b.Tasks.Standing(ctx, e, id) })
}

func (b *broken) Qualification(ctx context.Context, e access.EmployeeID, at time.Time) (policy.Qualification, error) {
	return fact(b, "qualification", string(e), func() (policy.Qualification, error) { return b.Qualifications.Qualification(ctx, e, at) })
}

func (b *broken) Customer(ctx context.Context, id access.CustomerID) (access.Customer, error) {
	return fact(b, "customer", string(id), func() (access.Customer, error) { return b.People.Customer(ctx, id) })
}

func (b *broken) Relations(ctx context.Context, e access.EmployeeID, c access.CustomerID) ([]access.RelationKind, error) {
	return fact(b, "relations", string(e)+" "+string(c), func() ([]access.RelationKind, error) { return b.People.Relations(ctx, e, c) })
}

func (b *broken) Approved(ctx context.Context, e access.EmployeeID, t access.TaskID, c access.CustomerID, at time.Time) (access.EmployeeID, []policy.Reason, error) {
	type yes struct {
		by  access.EmployeeID
		why []policy.Reason
	}
	y, err := fact(b, "approvals", string(e)+" "+string(t), func() (y yes, err error) {
		y.by, y.why, err = b.Approvals.Approved(ctx, e, t, c, at)
		return y, err
	})
	return y.by, y.why, err
}

// stage is a shop with its people, and the service under test.
type stage struct {
	*testenv.Env
	policy  *policy.Policy
	journal *journal
	shop    *shop
	log     *bytes.Buffer
	service *lookup.Service
	faults  *broken
	steps   []string
	agent, colleague, lead, officer,
	program identity.Who
}

func newStage(t testing.TB) *stage {
	t.Helper()
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{Env: testenv.New(t), policy: p, log: &bytes.Buffer{}}
	s.journal = &journal{steps: &s.steps}
	s.shop = &shop{
		steps:  &s.steps,
		orders: map[access.OrderID]access.CustomerID{"o1": "c1", "o2": "c2"},
		people: map[string]access.CustomerID{"ann@example.org 1980-05-06": "c1", "bob@example.org 1990-07-08": "c2"},
	}
	s.faults = &broken{
		People: s.Store, Qualifications: s.Qualify, Tasks: s.Tasks, Approvals: investigate.NewBook(s.Store, p),
	}
	s.service, err = lookup.New(lookup.Config{
		Policy: p, Tasks: s.faults, Qualifications: s.faults, People: s.faults, Approvals: s.faults,
		Source: s.shop, Journal: s.journal, Tries: s.Store.Tries(), Clock: s.Clock.Now,
		PseudonymKey: bytes.Repeat([]byte{7}, 32), Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.people(t)
	s.tasks(t)
	return s
}

func (s *stage) people(t testing.TB) {
	t.Helper()
	s.lead = s.Who(t, access.Employee{ID: "l1", Team: "blue", Role: access.RoleTeamLead})
	s.agent = s.Who(t, access.Employee{ID: "e1", Team: "blue", Role: access.RoleAgent, Manager: "l1"})
	s.colleague = s.Who(t, access.Employee{ID: "e2", Team: "red", Role: access.RoleAgent})
	s.officer = s.Who(t, access.Employee{ID: "p1", Role: access.RolePrivacyOfficer})
	s.program = s.Who(t, access.Employee{ID: "x1", Role: access.RoleProgram})
	for _, e := range []access.EmployeeID{"e1", "e2", "l1"} {
		s.Qualified(t, e)
	}
	s.Save(t,
		&access.CustomerKnown{Customer: access.Customer{ID: "c1"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "c2"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "star", Notable: true}},
		&access.CustomerKnown{Customer: access.Customer{ID: "me", Employee: "e1"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "ex"}},
		&access.Related{Relation: access.Relation{Employee: "e1", Customer: "ex", Kind: access.RelationFormerPartner}},
	)
}

func (s *stage) tasks(t testing.TB) {
	t.Helper()
	since := testenv.Start.Add(-time.Hour)
	var facts []access.Event
	open := func(id access.TaskID, c access.CustomerID, e access.EmployeeID, team access.TeamID) {
		facts = append(facts,
			&access.TaskOpened{Task: access.Task{ID: id, Customer: c, Purpose: "refund", Order: "o1", OpenedAt: since, OpenedBy: access.ByCustomer}},
			&access.Assigned{Assignment: access.Assignment{Task: id, Employee: e, Team: team, Since: since, By: access.BySystem}},
		)
	}
	open("mine", "c1", "e1", "")
	open("team", "c1", "", "blue")
	open("theirs", "c2", "e2", "")
	open("famous", "star", "e1", "")
	open("myself", "me", "e1", "")
	open("former", "ex", "e1", "")
	open("stranger", "c9", "e1", "") // nothing is known of c9
	open("closed", "c1", "e1", "")
	s.Save(t, append(facts, &access.TaskClosed{Task: "closed", At: testenv.Start.Add(-time.Minute), By: "e1"})...)
}

// reset forgets what was recorded and read, and mends what was broken.
func (s *stage) reset() {
	s.journal.records, s.journal.fail = nil, nil
	s.shop.reads, s.shop.finds, s.shop.grants, s.shop.err = 0, 0, nil, nil
	s.faults.what, s.steps = "", nil
}

// answer is what the asker hears, as text to compare.
func answer(err error) string {
	message, hint := access.Public(err)
	return string(access.CodeOf(err)) + ": " + message + " / " + hint
}

// silent fails the test if a customer's value shows in what the test saw.
func (s *stage) silent(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(s.log.String(), canary) {
		t.Error("the log holds a customer's value")
	}
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Error("an error holds a customer's value")
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	for _, r := range s.journal.records {
		if bytes.Contains(r.Customer.Plain, []byte(canary)) || bytes.Contains(r.Employee.Plain, []byte(canary)) {
			t.Error("a record holds a customer's value")
		}
	}
}
