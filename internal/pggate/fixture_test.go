package pggate_test

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// people signs on whom the test has made.
type people struct {
	env    *testenv.Env
	mu     sync.Mutex
	tokens map[string][]string // login → secrets
	behalf map[string]identity.Who
	tools  map[access.EmployeeID]bool
}

func (p *people) Verifiers(_ context.Context, login string) (pggate.Verifiers, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	salt := sha256.Sum256([]byte("salt of " + login))
	v := pggate.Verifiers{Salt: salt[:16], Iterations: 4096}
	for i, secret := range p.tokens[login] {
		salted, err := pbkdf2.Key(sha256.New, secret, v.Salt, v.Iterations, 32)
		if err != nil {
			return v, err
		}
		sum := func(text string) []byte {
			mac := hmac.New(sha256.New, salted)
			mac.Write([]byte(text))
			return mac.Sum(nil)
		}
		v.Keys = append(v.Keys, pggate.VerifierKey{Token: pggate.TokenID(fmt.Sprint(i)), StoredKey: sha256.Sum256(sum("Client Key")), ServerKey: [32]byte(sum("Server Key"))})
	}
	return v, nil
}

func (p *people) Proven(ctx context.Context, login string, token pggate.TokenID) (identity.Who, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, secret := range p.tokens[login] {
		if fmt.Sprint(i) == string(token) {
			return p.env.Identity.Token(ctx, secret, "")
		}
	}
	return identity.Who{}, access.Errorf(access.Unauthenticated, "no")
}

func (p *people) ByCertificate(ctx context.Context, login string, cert *x509.Certificate) (identity.Who, error) {
	if cert.Subject.CommonName != login {
		return identity.Who{}, access.Errorf(access.Unauthenticated, "no")
	}
	return p.Proven(ctx, login, "0")
}

func (p *people) OnBehalf(_ context.Context, service identity.Who, token string) (identity.Who, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.behalf[token]
	if !ok || !p.tools[service.Employee().ID] {
		return identity.Who{}, access.Errorf(access.Unauthenticated, "This token proves nobody.")
	}
	return who, nil
}

func (p *people) Service(who identity.Who) bool { return p.tools[who.Employee().ID] }

// add makes an employee and returns his login and a token of his.
func (p *people) add(t testing.TB, id access.EmployeeID, role access.Role) (login, token string, who identity.Who) {
	t.Helper()
	login = p.env.Account(t, access.Employee{ID: id, Role: role, Name: string(id)})
	_, in := p.env.SignIn(t, login)
	token, _, err := p.env.Identity.IssueToken(t.Context(), in.Who, "psql", 0)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[login] = append(p.tokens[login], token)
	return login, token, in.Who
}

// book is a recorder that a test can slow down and break.
type book struct {
	mu       sync.Mutex
	clock    access.Clock
	tasks    map[access.TaskID]access.EmployeeID
	lasts    time.Duration
	intents  []pggate.Statement
	outcomes []pggate.Ended
	refusals []pggate.Refusal
	ended    map[*handle]int
	dead     map[access.EmployeeID]bool
	revoked  chan access.EmployeeID

	intentGate  func(*pggate.Statement) error // blocks and fails intents; nil: at once
	outcomeGate func(pggate.Ended) error
	pending     atomic.Int32 // intents and outcomes asked for and not done
}

type handle struct{ st pggate.Statement }

func (b *book) Open(_ context.Context, who identity.Who, task access.TaskID) (access.Grant, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tasks[task] != who.Employee().ID {
		return access.Grant{}, access.Errorf(access.Denied, "No open task %s of yours.", "like that").WithHint("Look into your list of tasks.")
	}
	now := b.clock()
	return access.Grant{ID: "g-" + string(task) + "-" + string(who.Session()), Employee: who.Employee().ID, Session: who.Session(), Customer: "42",
		Task: task, Purpose: "delivery", Since: now, Until: now.Add(b.lasts)}, nil
}

func (b *book) Statement(s *pggate.Statement, done func(error)) pggate.Handle {
	h := &handle{st: *s}
	b.mu.Lock()
	b.intents = append(b.intents, *s)
	b.ended[h] = 0
	wait := b.intentGate
	b.mu.Unlock()
	b.pending.Add(1)
	if wait == nil {
		b.pending.Add(-1)
		done(nil)
		return h
	}
	go func() {
		err := wait(&h.st)
		b.pending.Add(-1)
		done(err)
	}()
	return h
}

func (b *book) Ended(h pggate.Handle, o pggate.Ended, done func(error)) {
	b.mu.Lock()
	b.outcomes = append(b.outcomes, o)
	b.ended[h.(*handle)]++
	wait := b.outcomeGate
	b.mu.Unlock()
	if wait == nil {
		done(nil)
		return
	}
	b.pending.Add(1)
	go func() {
		err := wait(o)
		b.pending.Add(-1)
		done(err)
	}()
}

func (b *book) Refused(r *pggate.Refusal, done func(error)) {
	b.mu.Lock()
	b.refusals = append(b.refusals, *r)
	b.mu.Unlock()
	done(nil)
}

func (b *book) Live(_ context.Context, g access.Grant) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead[g.Employee] {
		return access.Errorf(access.Denied, "gone")
	}
	return nil
}

func (b *book) Revoked() <-chan access.EmployeeID { return b.revoked }

// take returns what was recorded since it was last asked.
func (b *book) take() (intents []pggate.Statement, outcomes []pggate.Ended, refusals []pggate.Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	intents, outcomes, refusals = b.intents, b.outcomes, b.refusals
	b.intents, b.outcomes, b.refusals = nil, nil, nil
	return
}

func (b *book) set(intent func(*pggate.Statement) error, outcome func(pggate.Ended) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.intentGate, b.outcomeGate = intent, outcome
}

// binds remembers who is bound.
type binds struct {
	mu  sync.Mutex
	now map[uint32]access.Grant
	all int

	hello string
}

func (b *binds) Bind(_ context.Context, pid uint32, g access.Grant) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[pid] = g
	b.all++
	return nil
}

func (b *binds) Release(_ context.Context, pid uint32) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.now, pid)
	return nil
}

func (b *binds) Token(string, access.Grant, time.Time) (string, error) { return "token", nil }

func (b *binds) Hello() string { return b.hello }

// door is a gate over a database of the test's own.
type door struct {
	pg     *testenv.PG
	env    *testenv.Env
	gate   *pggate.Gate
	addr   string
	people *people
	book   *book
	binds  *binds
	login  string // of e1, who works T-1
	token  string
	who    identity.Who
}

// open starts a gate before pg. change may change its configuration.
func open(t testing.TB, pg *testenv.PG, change func(*pggate.Config)) *door {
	t.Helper()
	env := testenv.New(t)
	d := &door{pg: pg, env: env,
		people: &people{env: env, tokens: map[string][]string{}, behalf: map[string]identity.Who{}, tools: map[access.EmployeeID]bool{}},
		book: &book{clock: time.Now, tasks: map[access.TaskID]access.EmployeeID{"T-1": "e1", "T-2": "e1", "T-9": "e2"}, lasts: time.Hour,
			ended: map[*handle]int{}, dead: map[access.EmployeeID]bool{}, revoked: make(chan access.EmployeeID)},
		binds: &binds{now: map[uint32]access.Grant{}},
	}
	d.login, d.token, d.who = d.people.add(t, "e1", access.RoleAgent)
	up, err := pgconn.ParseConfig(pg.DSN("reader"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := pggate.Config{SignOn: d.people, Lookups: d.book, Binder: d.binds, Clock: time.Now, Upstream: up, Database: "shop",
		Protected: []pggate.Relation{{Schema: "public", Name: "customers"}, {Schema: "public", Name: "orders"}}, Tick: 20 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	if d.gate, err = pggate.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- d.gate.Serve(l) }()
	t.Cleanup(func() {
		d.book.set(nil, nil)
		if err := d.gate.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		d.book.mu.Lock()
		defer d.book.mu.Unlock()
		for h, n := range d.book.ended {
			if n != 1 {
				t.Errorf("an intent (%s) has %d outcomes", h.st.Text, n)
			}
		}
	})
	return d
}

// shop starts PostgreSQL with a shop and a reader who may read everything, so
// that what is tried here is the gate alone.
func shop(t testing.TB, version string) *testenv.PG {
	t.Helper()
	pg := testenv.Postgres(t, version)
	pg.Shop(t)
	pg.Exec(t, `CREATE ROLE reader LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader`)
	return pg
}

func (d *door) dsn(more string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/shop?sslmode=disable%s", d.login, d.token, d.addr, more)
}

// dial connects through the gate as e1.
func (d *door) dial(t testing.TB, more string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), d.dsn(more))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// onTask connects through the gate for task T-1.
func (d *door) onTask(t testing.TB) *pgx.Conn {
	t.Helper()
	return d.dial(t, "&options=-cparavent.task%3DT-1")
}

// long says whether the long tests run: those of the loops, which are not the
// default, among them.
func long() bool { return os.Getenv("PARAVENT_LONG") != "" }

// looped has clients served by loops, in the long tests.
func looped(t *testing.T) func(*pggate.Config) {
	t.Helper()
	return func(c *pggate.Config) { c.Loops = long() }
}
