package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"paravent/internal/access"
	"paravent/internal/api"
	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/console"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/protect"
	"paravent/internal/qualify"
	"paravent/internal/source"
	"paravent/internal/store"
	"paravent/internal/task"
	"paravent/internal/witness"
)

// system is the whole program, opened: the parts in the order in which they
// need each other.
type system struct {
	config  *Config
	clock   access.Clock
	log     *slog.Logger
	started time.Time

	folder   *folder
	policy   *policy.Policy
	store    *store.Store
	ledger   *chain.Chain
	source   protectedSource
	signOn   *identity.Service
	tasks    *task.Service
	qualify  *qualify.Service
	lookups  *lookup.Service
	observer *lookup.Observer

	protected  *protect.Source    // source, where it is a PostgreSQL
	statements *lookup.Statements // where there is a SQL door …
	sql        *net.TCPListener   // … its address
	sqlTLS     *tls.Config        // … and its certificates

	tiles     []*audit.Publisher // of each log, oldest first: tiles behind the journal, proofs from them
	cosign    *witness.Publisher // checkpoints of the last log, cosigned
	turnstile *turnstile         // before all doors

	follower  *investigate.Follower
	erasures  *investigate.Erasures
	upkeep    *investigate.Upkeep
	approvals *investigate.Approvals
	handler   http.Handler
}

// openSystem opens everything that the configuration names, and nothing is
// served before all of it stands. What was opened is closed again on an error.
func openSystem(ctx context.Context, c *Config, p *policy.Policy, clock access.Clock, log *slog.Logger) (_ *system, err error) {
	s := &system{config: c, policy: p, clock: clock, log: log, started: clock()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.folder, err = openFolder(ctx, c); err != nil {
		return nil, err
	}
	if err := s.openSource(ctx); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, filepath.Join(c.Data, storeFolder), clock); err != nil {
		return nil, err
	}
	s.signOn = identity.New(s.store, s.clock, identity.Options{
		SessionFor: c.SessionLasts, IdleFor: c.SessionIdle, SetupCodeHash: s.folder.setupHash,
		Certificates: c.Gate.Certificates,
	})
	s.tasks = task.New(s.store, s.clock)
	s.qualify = qualify.New(s.store)
	if err := s.openLedger(ctx); err != nil {
		return nil, err
	}
	if err := s.openSQL(); err != nil {
		return nil, err
	}
	s.turnstile = newTurnstile(s.handler)
	return s, nil
}

// openSource opens the protected database. There is one for now; the policy's
// map names it.
func (s *system) openSource(ctx context.Context) error {
	if len(s.config.Sources) != 1 {
		return access.Errorf(access.Invalid, "sources names %d databases; one can be served", len(s.config.Sources))
	}
	for name, sc := range s.config.Sources {
		if sc.Kind == kindPostgres {
			return s.openPostgres(ctx, name, sc)
		}
		db, err := source.Open(ctx, name, sc.Path, s.policy, source.WithPseudonymKey(s.folder.pseudonymKey))
		var problems policy.Problems
		switch {
		case errors.As(err, &problems), err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			return access.Errorf(access.Invalid, "sources.%s can't be served from %s", name, sc.Path).Because(err).
				WithHint("Name a SQLite database that this user can read, under the name that policy.yaml gives it.")
		}
		s.source = db
	}
	return nil
}

func (s *system) openServices() (err error) {
	c := s.config
	s.lookups, err = lookup.New(lookup.Config{
		Policy: s.policy, Tasks: s.tasks, Qualifications: s.qualify, People: s.store,
		Approvals: investigate.NewBook(s.store, s.policy), Source: s.source, Journal: witness.Guard(s.ledger, s.cosign), Tries: s.store.Tries(),
		Clock: s.clock, PseudonymKey: s.folder.pseudonymKey, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.observer, err = lookup.NewObserver(lookup.ObserverConfig{
		Lookups: s.lookups, Journal: s.ledger, Sightings: s.store, Logins: s.store, Gate: []string{protect.Employees, protect.Gate}, Allowed: c.Passed,
	})
	if err != nil {
		return err
	}
	if c.Gate.Listen != "" {
		s.statements, err = lookup.NewStatements(lookup.StatementsConfig{
			Lookups: s.lookups, Journal: s.ledger, Proofs: s.signOn, Refusing: s.cosign.Refusing,
		})
		if err != nil {
			return err
		}
	}
	s.follower, err = investigate.NewFollower(investigate.FollowerConfig{
		Journal: s.ledger, Facts: s.store, Index: s.store, Detect: detect.Options{Budget: c.Budget},
		Needs: s.policy.Needs(), Clock: s.clock, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.erasures, err = investigate.NewErasures(investigate.ErasuresConfig{
		Requests: s.store, People: s.store, Policy: s.policy, Recorder: s.lookups, Ledger: s.ledger, Follower: s.follower,
		Holds: []investigate.Holds{investigate.OpenCases{Facts: s.store, Requests: s.store}}, Clock: s.clock, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.upkeep, err = investigate.NewUpkeep(investigate.UpkeepConfig{
		Requests: s.store, Recorder: s.lookups, Holds: []investigate.LogHolds{investigate.OpenRecords{Facts: s.store}},
		Clock: s.clock, Log: s.log, Keep: c.LedgerKeep, Logs: s.logFacts,
	})
	if err != nil {
		return err
	}
	s.approvals, err = investigate.NewApprovals(investigate.ApprovalsConfig{
		Requests: s.store, Tasks: s.tasks, People: s.store, Policy: s.policy, Recorder: s.lookups, Clock: s.clock, Erasures: s.erasures, Upkeep: s.upkeep,
	})
	return err
}

// openDoors makes the one handler: programs under /v1, /access and
// /.well-known, people everywhere else.
func (s *system) openDoors() error {
	c := s.config
	programs, err := api.New(api.Config{
		SignOn: s.signOn, Accounts: s.signOn, Lookups: s.lookups, Requests: s.approvals, Erasures: s.erasures, Upkeep: s.upkeep, Facts: s.tasks, Qualifications: s.qualify, Observer: s.observer,
		Cases: s.store, Evidence: s.evidence, Ledger: audit.ChainHandler(s.served(), c.LedgerPublic), LedgerPublic: c.LedgerPublic,
		State: s.apiState, Hosts: s.hosts(), Base: s.url(), Log: s.log,
	})
	if err != nil {
		return err
	}
	people, err := console.New(console.Config{
		SignOn: s.signOn, Accounts: s.signOn, Lookups: s.lookups, Requests: s.approvals, RequestStates: s.store, Erasures: s.erasures, Upkeep: s.upkeep, Tasks: s.store, Standings: s.tasks, People: s.store,
		Findings: s.store, Index: s.store, Policy: s.policy, System: s.state, Pseudonym: s.lookups.Pseudonym,
		Clock: s.clock, Log: s.log, TLS: s.config.TLSCert != "", Hosts: s.hosts(), Zone: s.config.Zone,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", programs)
	mux.Handle("/ledger/", programs)
	mux.Handle("/access/", programs)
	mux.Handle("/.well-known/", programs)
	mux.Handle("/", people)
	s.handler = mux
	return nil
}

// hosts are the names under which the server answers.
func (s *system) hosts() []string {
	host, port, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return s.config.Hosts
	}
	all := append([]string{s.config.Listen}, s.config.Hosts...)
	if loopback(host) {
		all = append(all, net.JoinHostPort("localhost", port), net.JoinHostPort("127.0.0.1", port))
	}
	for _, h := range s.config.Hosts {
		if !strings.Contains(h, ":") {
			all = append(all, net.JoinHostPort(h, port))
		}
	}
	return all
}

// state is what the pages tell about the program itself.
func (s *system) state() console.System {
	records, behind := s.follower.Lag()
	tally := s.follower.Tally()
	explained := 0
	for _, t := range tally.Explained {
		explained += t.Lookups
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state := console.System{
		Version: version, Schema: s.store.Schema(), StoreOK: s.store.Ping(ctx) == nil, Started: s.started,
		Ledger: s.ledger.State(), LedgerSize: s.ledger.Size(), Node: s.config.Node,
		Lag: behind, LagRecords: records, Explained: explained, Unexplained: tally.Unexplained,
	}
	s.witnessed(&state)
	return state
}

// witnessed fills in how the witnesses do.
func (s *system) witnessed(state *console.System) {
	w := s.cosign.State()
	state.WitnessNeed, state.Published, state.PublishedAt = w.Need, w.Published, w.PublishedAt
	if w.Refusing {
		state.WitnessRefusing = w.Reason
	} else {
		state.WitnessReason = w.Reason
	}
	for _, one := range w.Witnesses {
		state.Witnesses = append(state.Witnesses, console.WitnessLine{
			Name: one.Name, Size: one.Size, At: one.At, Error: one.Problem, Accuses: one.Accuses,
		})
	}
}

// apiState is the same for programs.
func (s *system) apiState() api.State {
	records, behind := s.follower.Lag()
	l := s.ledger.State()
	return api.State{OK: l.OK, Ledger: l, Records: s.ledger.Size(), LagRecords: records, Lag: behind, Version: version}
}

// serve answers on l until ctx ends, then lets running requests finish.
func (s *system) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.turnstile, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.shifts(ctx) })
	g.Go(func() error { return answer(ctx, server, l, s.config.TLSCert, s.config.TLSKey, patience) })
	return g.Wait()
}

// close closes what is open, in the opposite order.
func (s *system) close() error {
	var errs []error
	if s.sql != nil {
		errs = append(errs, s.sql.Close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.source != nil {
		errs = append(errs, s.source.Close())
	}
	if s.folder != nil {
		errs = append(errs, s.folder.close())
	}
	return errors.Join(errs...)
}
