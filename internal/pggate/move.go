package pggate

import (
	"context"
	"errors"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// moveWithin bounds what deciding and connecting may take.
const moveWithin = 20 * time.Second

// special carries out one of the gateway's own statements, outside a
// transaction and with nothing under way. moved reports that the session has
// another upstream now; f is what the client is told where it can't be done:
// then nothing has changed.
func (s *session) special(st *stmt) (moved bool, f *failure, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), moveWithin)
	defer cancel()
	acting, task := s.acting, access.TaskID("")
	switch st.special {
	case setTask:
		task = access.TaskID(st.value)
	case setBehalf:
		person, err := s.gate.cfg.SignOn.OnBehalf(ctx, s.login, st.value)
		if err != nil {
			return false, s.answerTo(ctx, "act for somebody", err), nil
		}
		acting = person
	case resetBehalf:
		acting = s.login
	case resetAll:
		s.tokenAt = 0 // it is reset, too
		acting = s.login
		task = access.TaskID(s.start.task)
	}
	var grant *access.Grant
	if task != "" {
		if grant, f = s.open(ctx, acting, task); f != nil {
			return false, f, nil
		}
	}
	moved, f, err = s.move(ctx, acting, grant)
	s.discarded = s.discarded && !moved || st.special == resetAll && st.text != "reset all" && f == nil
	return moved, f, err
}

// open has it decided whether somebody may look for a task.
func (s *session) open(ctx context.Context, who identity.Who, task access.TaskID) (*access.Grant, *failure) {
	if s.gate.cfg.SignOn.Service(s.login) && who.Employee().ID == s.login.Employee().ID {
		return nil, &failure{code: stateDenied, reason: "no_person", message: "this account sees customers only on behalf of a person",
			hint: "Use SET paravent.on_behalf_of = '…' with the person's token first."}
	}
	grant, err := s.gate.cfg.Lookups.Open(ctx, who, task)
	if err != nil {
		return nil, s.answerTo(ctx, "open a task", err)
	}
	if grant.ID == "" || !s.gate.now().Before(grant.Until) || grant.Employee != who.Employee().ID {
		return nil, s.answerTo(ctx, "open a task", errors.New("the grant is empty, over or somebody else's"))
	}
	return &grant, nil
}

// move gives the session an upstream for this person and grant.
func (s *session) move(ctx context.Context, acting identity.Who, grant *access.Grant) (moved bool, f *failure, err error) {
	same := s.acting.Session() == acting.Session() && s.acting.Employee().ID == acting.Employee().ID
	if same && sameGrant(s.grant, grant) {
		return false, nil, nil
	}
	next, err := s.gate.connect(ctx, acting, grant, &s.start)
	if err != nil {
		return false, s.answerTo(ctx, "change the upstream session", err), nil
	}
	if err := s.standStill(); err != nil {
		s.gate.drop(next)
		return false, nil, err
	}
	old := s.up
	if s.state {
		if err := old.carryTo(ctx, next); err != nil {
			s.gate.drop(next)
			return false, nil, s.answerTo(ctx, "take the session's state along", err)
		}
	}
	s.settle(next, acting, grant, acting.Session() != s.login.Session())
	s.gate.background(func(context.Context) { s.gate.keep(old) })
	return true, nil, s.goOn(next)
}

// goOn has the downward side read the upstream that the session has now.
func (s *session) goOn(next *upstream) error {
	if s.looped.loop != nil {
		return s.attach(next)
	}
	s.park.Store(false)
	select {
	case s.resume <- next:
		return nil
	case <-s.done:
		return errEnded
	}
}

// settle takes an upstream and what it stands for.
func (s *session) settle(up *upstream, acting identity.Who, grant *access.Grant, behalf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.grant, s.acting, s.behalf = up, grant, acting, behalf
	s.tokenAt = 0
	if s.killed() && s.looped.loop == nil { // kill has looked for an upstream before there was this one
		_ = up.Conn.SetDeadline(time.Unix(1, 0))
	}
	s.limits = s.gate.cfg.limits(acting.Employee().Role)
	s.rules = rules{copyIn: s.limits.CopyIn}
}

// standStill has the downward goroutine stop reading. Nothing is under way, so
// it is waiting.
func (s *session) standStill() error {
	if s.looped.loop != nil {
		s.detach()
		return nil
	}
	s.park.Store(true)
	if err := s.up.Conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	select {
	case <-s.parked:
	case <-s.done:
		return errEnded
	}
	return s.up.Conn.SetReadDeadline(time.Time{})
}

// answerTo makes what a client is told of an error; what isn't his business
// goes to the operator.
func (s *session) answerTo(ctx context.Context, doing string, err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	message, hint := access.Public(err)
	code := stateDenied
	switch access.CodeOf(err) {
	case access.Denied, access.NotFound, access.Conflict:
	case access.Unauthenticated:
		code = stateAuth
	case access.Invalid:
		code = stateInvalid
	case access.Unavailable:
		code = stateRecord
	default:
		code, hint = stateUnavailable, "Try again; if it stays, tell your administrator."
		s.gate.cfg.Log.WarnContext(ctx, "couldn't "+doing, "session", s.pid, "employee", s.login.Employee().ID, "err", err)
	}
	return &failure{code: code, message: message, hint: hint, reason: "decision"}
}

// The state of a session that is taken along to another upstream: prepared
// statements and settings that the client has made, as the server knows them.
const (
	askPrepared = `SELECT name, statement, array_to_string(parameter_types::oid[], ','), from_sql FROM pg_catalog.pg_prepared_statements`
	askSettings = `SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session' AND context IN ('user', 'superuser') AND name NOT LIKE 'paravent.%'`
)

// carryTo takes what a client has prepared and set along to another upstream.
func (u *upstream) carryTo(ctx context.Context, next *upstream) error {
	var settings strings.Builder
	var simple []string
	type parsed struct{ name, text, types string }
	var protocol []parsed
	if err := u.run(ctx, askSettings, func(v [][]byte) {
		settings.WriteString("SELECT pg_catalog.set_config('" + quoted(string(v[0])) + "', '" + quoted(string(v[1])) + "', false);")
	}); err != nil {
		return err
	}
	if err := u.run(ctx, askPrepared, func(v [][]byte) {
		if string(v[3]) == "t" {
			simple = append(simple, string(v[1]))
		} else {
			protocol = append(protocol, parsed{string(v[0]), string(v[1]), string(v[2])})
		}
	}); err != nil {
		return err
	}
	if settings.Len() > 0 {
		if err := next.run(ctx, settings.String(), nil); err != nil {
			return err
		}
	}
	for _, text := range simple {
		if err := next.run(ctx, text, nil); err != nil {
			return err
		}
	}
	for _, p := range protocol {
		if err := next.prepare(ctx, p.name, p.text, p.types); err != nil {
			return err
		}
	}
	return nil
}

// quoted doubles the quotes of a string for an SQL literal.
func quoted(s string) string { return strings.ReplaceAll(s, "'", "''") }
