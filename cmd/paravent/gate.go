package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"paravent/internal/access"
	"paravent/internal/lookup"
	"paravent/internal/pggate"
	"paravent/internal/policy"
	"paravent/internal/protect"
)

// protectedSource is a source of either kind.
type protectedSource interface {
	lookup.Source
	Close() error
}

// openPostgres opens a protected PostgreSQL.
func (s *system) openPostgres(ctx context.Context, name string, sc SourceConfig) error {
	gate, err := s.config.pool(ctx, sc, protect.Gate, "-gate")
	if err != nil {
		return err
	}
	reader, err := s.config.pool(ctx, sc, protect.Employees, "-reader")
	if err != nil {
		return err
	}
	db, err := protect.OpenSource(ctx, name, s.policy, protect.SourceConfig{Gate: gate, Reader: reader, Standby: sc.Standby, Clock: s.clock})
	var problems policy.Problems
	switch {
	case errors.As(err, &problems):
		return problems
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return access.Errorf(access.Invalid, "sources.%s can't be served from its dsn", name).Because(err).
			WithHint("Is it there, is it protected (paravent protect --source " + name + " --check), and may paravent_gate and paravent_reader log in?")
	}
	s.source, s.protected = db, db
	return nil
}

// pool returns how one of Paravent's roles reaches a source. Its password is the
// DSN's, PGPASSFILE's, or a secret's.
func (c *Config) pool(ctx context.Context, sc SourceConfig, role, suffix string) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(withUser(sc.DSN, role))
	if err != nil { // it may quote a password
		return nil, access.Errorf(access.Invalid, "the dsn can't be read")
	}
	if sc.Secret == "" {
		return p, nil
	}
	secrets, err := c.secrets()
	if err != nil {
		return nil, err
	}
	password, err := secrets.Get(ctx, sc.Secret+suffix)
	if err != nil {
		return nil, err
	}
	p.ConnConfig.Password = string(password)
	return p, nil
}

// withUser names the role in a DSN.
func withUser(dsn, role string) string {
	u, err := url.Parse(dsn)
	if err != nil || !strings.Contains(dsn, "://") {
		return dsn + " user=" + role
	}
	if password, ok := u.User.Password(); ok {
		u.User = url.UserPassword(role, password)
	} else {
		u.User = url.User(role)
	}
	return u.String()
}

// sqlBinder is protect's Binder as the SQL door needs it.
type sqlBinder struct{ *protect.Binder }

var _ pggate.Binder = sqlBinder{}

// Hello returns what an upstream session says first.
func (sqlBinder) Hello() string { return protect.Hello }

// openSQL makes all of the SQL door that outlives a shift: its address and its
// certificates.
func (s *system) openSQL() error {
	g := &s.config.Gate
	if g.Listen == "" {
		return nil
	}
	if s.protected == nil {
		return access.Errorf(access.Invalid, "gate.source %s is not the source that is served", g.Source)
	}
	var err error
	if s.sqlTLS, err = g.tls(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", g.Listen)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't listen on %s for SQL", g.Listen).Because(err).
			WithHint("Is another server running there? Choose another address in gate.listen.")
	}
	g.Listen = chosenPort(g.Listen, l)
	s.sql = l.(*net.TCPListener)
	return nil
}

// tls returns what answers who asks for TLS, nil where there is none.
func (g *GateConfig) tls() (*tls.Config, error) {
	if g.TLSCert == "" {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(g.TLSCert, g.TLSKey)
	if err != nil {
		return nil, access.Errorf(access.Invalid, "gate.tls: cert and key don't fit").Because(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if g.ClientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(g.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read gate.tls.client_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, access.Errorf(access.Invalid, "gate.tls.client_ca: %s holds no certificate", g.ClientCA)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}

// serveSQL is the SQL door of one shift. When ctx ends, its sessions are ended
// first and recording last: whatever a client was shown, and how it ended, is in
// the ledger before that is closed (G3). Who connects meanwhile waits for the next
// shift.
func (s *system) serveSQL(ctx context.Context) error {
	if s.statements == nil {
		<-ctx.Done()
		return nil
	}
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	var recorded sync.WaitGroup
	var failed error
	recorded.Go(func() { failed = s.statements.Run(recording) })
	err := s.letIn(ctx)
	stop()
	recorded.Wait()
	return errors.Join(err, failed)
}

// letIn serves clients until ctx ends and all of them are gone.
func (s *system) letIn(ctx context.Context) error {
	g := s.config.Gate
	upstream, err := s.config.pool(ctx, s.config.Sources[g.Source], protect.Employees, "-reader")
	if err != nil {
		return err
	}
	upstream.ConnConfig.RuntimeParams["search_path"] = s.protected.Plan().SearchPath()
	limits := map[access.Role]pggate.Limits{}
	for role, l := range g.Limits {
		if role != "default" {
			limits[access.Role(role)] = l
		}
	}
	gate, err := pggate.New(pggate.Config{
		SignOn: sqlSignOn{s.signOn, s.statements}, Lookups: sqlLookups{s.statements}, Binder: sqlBinder{s.protected.Binder()},
		Clock: s.clock, Log: s.log, Upstream: &upstream.ConnConfig.Config, Database: g.Database, Standby: s.config.Sources[g.Source].Standby,
		Protected: relations(s.protected.Plan()), TLS: s.sqlTLS, RequireTLS: g.RequireTLS, Limits: limits, Default: g.Limits["default"], KeepIdle: g.KeepIdle,
	})
	if err != nil {
		return err
	}
	door := &lentListener{TCPListener: s.sql, back: make(chan struct{})}
	if err := s.sql.SetDeadline(time.Time{}); err != nil {
		return errors.Join(fmt.Errorf("open the SQL door: %w", err), gate.Close())
	}
	served := make(chan error, 1)
	go func() { served <- gate.Serve(door) }()
	select {
	case <-ctx.Done():
		err = gate.Close()
		return errors.Join(err, <-served)
	case err := <-served:
		return errors.Join(err, gate.Close())
	}
}

// relations are the names by which a protected table can be meant.
func relations(plan *protect.Plan) (out []pggate.Relation) {
	for _, r := range append(plan.Protected(), plan.Base()...) {
		out = append(out, pggate.Relation(r))
	}
	return out
}

// A lentListener is a listener for one shift: closing it leaves the one beneath
// open, and who connects meanwhile waits in its queue.
type lentListener struct {
	*net.TCPListener
	once sync.Once
	back chan struct{}
}

// Accept waits for a client, until Close.
func (l *lentListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	select {
	case <-l.back:
		if err == nil {
			_ = c.Close() // he came as it closed, and tries again
		}
		return nil, net.ErrClosed
	default:
		return c, err
	}
}

// Close gives the listener back.
func (l *lentListener) Close() error {
	l.once.Do(func() { close(l.back) })
	return l.SetDeadline(time.Unix(1, 0))
}
