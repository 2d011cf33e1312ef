package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/pggate"
	"paravent/internal/policy"
	"paravent/internal/protect"
	"paravent/internal/qualify"
	"paravent/internal/store"
	"paravent/internal/task"
)

// product is what stands behind the gates: the product's own parts, wired as
// paravent serve wires them, without the follower, which reads the ledger later.
type product struct {
	login, token string
	identity     *identity.Service
	statements   *lookup.Statements
	ledger       *chain.Chain
	store        *store.Store
	stop         context.CancelFunc
	ran          chan error
	gates        []*door
	pool         *pgxpool.Pool
}

// door is one gate and where it listens.
type door struct {
	gate   *pggate.Gate
	port   int
	served chan error
}

const (
	employee = access.EmployeeID("e1")
	taskID   = access.TaskID("T-1")
	password = "four words nobody guesses"
)

func openProduct(ctx context.Context, dir string, p *policy.Policy) (_ *product, err error) {
	d := &product{ran: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := os.Mkdir(filepath.Join(dir, "store"), 0o700); err != nil {
		return nil, err
	}
	if d.store, err = store.Open(ctx, filepath.Join(dir, "store"), time.Now); err != nil {
		return nil, err
	}
	if err := d.people(ctx); err != nil {
		return nil, err
	}
	o := chain.Options{Ledger: ledger.Options{Node: "bench", Clock: time.Now, Keys: d.store.Keys()}}
	if err := chain.Create(filepath.Join(dir, "ledger"), o); err != nil {
		return nil, err
	}
	if d.ledger, err = chain.Open(filepath.Join(dir, "ledger"), o); err != nil {
		return nil, err
	}
	service, err := lookup.New(lookup.Config{
		Policy: p, Tasks: task.New(d.store, time.Now), Qualifications: qualify.New(d.store), People: d.store, Approvals: investigate.NewBook(d.store, p),
		Source: noSource{}, Journal: d.ledger, Tries: d.store.Tries(), Clock: time.Now, PseudonymKey: bytes.Repeat([]byte{7}, 32),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return nil, err
	}
	d.statements, err = lookup.NewStatements(lookup.StatementsConfig{Lookups: service, Journal: d.ledger, Proofs: d.identity})
	if err != nil {
		return nil, err
	}
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	go func() { d.ran <- d.statements.Run(recording) }()
	return d, nil
}

// people makes the one employee, his access token and his task for customer 42.
func (d *product) people(ctx context.Context) error {
	code, hash := identity.NewSetupCode()
	d.identity = identity.New(d.store, time.Now, identity.Options{SetupCodeHash: hash})
	if err := d.identity.Setup(ctx, code, "admin", "Ada Min", password); err != nil {
		return err
	}
	_, admin, err := d.identity.SignIn(ctx, "admin", password, "")
	if err != nil {
		return err
	}
	since := time.Now().Add(-time.Hour)
	err = d.store.SaveFacts(ctx, []access.Event{
		&access.EmployeeKnown{Employee: access.Employee{ID: employee, Role: access.RoleAgent, Name: "Bench"}},
		&access.CustomerKnown{Customer: access.Customer{ID: "42"}},
		&access.TaskOpened{Task: access.Task{ID: taskID, Customer: "42", Purpose: "case", OpenedAt: since, OpenedBy: access.ByCustomer}},
		&access.Assigned{Assignment: access.Assignment{Task: taskID, Employee: employee, Since: since, By: access.BySystem}},
	})
	if err != nil {
		return err
	}
	var rows []qualify.Row
	for _, kind := range []qualify.Kind{qualify.Guideline, qualify.Training, qualify.Attestation} {
		rows = append(rows, qualify.Row{Employee: employee, Kind: kind, ValidUntil: time.Now().AddDate(1, 0, 0)})
	}
	if err := d.store.SaveQualifications(ctx, rows); err != nil {
		return err
	}
	d.login = "bench1"
	if err := d.identity.AddAccount(ctx, admin.Who, identity.Account{Login: d.login, Kind: identity.KindEmployee, Employee: employee}, password); err != nil {
		return err
	}
	_, in, err := d.identity.SignIn(ctx, d.login, password, "")
	if err == nil {
		d.token, _, err = d.identity.IssueToken(ctx, in.Who, "pgbench", 0)
	}
	return err
}

// door opens a gate before PostgreSQL.
func (d *product) door(ctx context.Context, port int, p *policy.Policy, plan *protect.Plan, lookups pggate.Lookups, loops bool) (*door, error) {
	if d.pool == nil {
		var err error
		if d.pool, err = pgxpool.New(ctx, dsn(port, protect.Gate, "shop")); err != nil {
			return nil, err
		}
	}
	b, err := protect.NewBinder(ctx, d.pool, p, "shop")
	if err != nil {
		return nil, err
	}
	up, err := pgconn.ParseConfig(dsn(port, protect.Employees, "shop"))
	if err != nil {
		return nil, err
	}
	up.RuntimeParams["search_path"] = plan.SearchPath()
	cfg := pggate.Config{SignOn: signOn{d.identity, d.statements}, Lookups: lookups, Binder: binder{b}, Clock: time.Now, Upstream: up, Database: "shop", Loops: loops}
	for _, r := range append(plan.Protected(), plan.Base()...) {
		cfg.Protected = append(cfg.Protected, pggate.Relation(r))
	}
	gate, err := pggate.New(cfg)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, gate.Close())
	}
	one := &door{gate: gate, port: l.Addr().(*net.TCPAddr).Port, served: make(chan error, 1)}
	go func() { one.served <- gate.Serve(l) }()
	d.gates = append(d.gates, one)
	return one, nil
}

func (d *product) close() error {
	if d == nil {
		return nil
	}
	var errs []error
	for _, g := range d.gates {
		errs = append(errs, g.gate.Close(), <-g.served)
	}
	if d.pool != nil {
		d.pool.Close()
	}
	if d.stop != nil {
		d.stop()
		errs = append(errs, <-d.ran)
	}
	if d.ledger != nil {
		errs = append(errs, d.ledger.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// noSource is a source that nobody asks: statements go through the gate.
type noSource struct{ lookup.Source }

// binder is protect's Binder as the gate needs it.
type binder struct{ *protect.Binder }

func (binder) Hello() string { return protect.Hello }

// signOn is identity as the gate needs it.
type signOn struct {
	people     *identity.Service
	statements *lookup.Statements
}

func (s signOn) Verifiers(ctx context.Context, login string) (pggate.Verifiers, error) {
	v, err := s.people.Verifiers(ctx, login)
	out := pggate.Verifiers{Salt: v.Salt, Iterations: v.Iterations}
	for _, k := range v.Keys {
		out.Keys = append(out.Keys, pggate.VerifierKey{Token: pggate.TokenID(k.Token), StoredKey: k.StoredKey, ServerKey: k.ServerKey})
	}
	return out, err
}

func (s signOn) Proven(ctx context.Context, login string, token pggate.TokenID) (identity.Who, error) {
	who, err := s.people.Proven(ctx, login, string(token))
	if err == nil {
		s.statements.SignedOn(who)
	}
	return who, err
}

func (s signOn) ByCertificate(ctx context.Context, login string, cert *x509.Certificate) (identity.Who, error) {
	return identity.Who{}, access.Errorf(access.Unauthenticated, "no certificates here")
}

func (s signOn) OnBehalf(ctx context.Context, service identity.Who, token string) (identity.Who, error) {
	return s.people.OnBehalf(ctx, service, token)
}

func (s signOn) Service(who identity.Who) bool { return s.people.Service(who) }

// durable records in the ledger, as the product does.
type durable struct{ *lookup.Statements }

func (l durable) Statement(s *pggate.Statement, done func(error)) pggate.Handle {
	st := lookup.Statement(*s)
	return l.Statements.Statement(&st, done)
}

func (l durable) Ended(h pggate.Handle, o pggate.Ended, done func(error)) {
	l.Statements.Ended(h.(*lookup.Handle), lookup.Ended{Rows: o.Rows, Bytes: o.Bytes, How: string(o.How), Code: o.Code, Failed: o.How == pggate.EndedNotRun}, done)
}

func (l durable) Refused(r *pggate.Refusal, done func(error)) {
	l.Statements.Refused(&lookup.Refused{Statement: lookup.Statement(r.Statement), Code: r.Code, Reason: r.Reason}, done)
}

// relay opens grants as the product does, and records no statement: what the gate
// itself costs. Nothing like it is in the product.
type relay struct {
	*lookup.Statements
	nobody chan access.EmployeeID
}

func (relay) Statement(_ *pggate.Statement, done func(error)) pggate.Handle { done(nil); return nil }

func (relay) Ended(_ pggate.Handle, _ pggate.Ended, done func(error)) {
	if done != nil {
		done(nil)
	}
}

func (relay) Refused(r *pggate.Refusal, done func(error)) {
	done(fmt.Errorf("refused: %s", r.Reason))
}

func (r relay) Revoked() <-chan access.EmployeeID { return r.nobody }
