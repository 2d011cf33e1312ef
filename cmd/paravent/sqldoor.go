package main

import (
	"context"
	"crypto/x509"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/lookup"
	"paravent/internal/pggate"
)

// sqlSignOn is identity as the SQL door needs it. Whoever is let in is watched.
type sqlSignOn struct {
	identity   *identity.Service
	statements *lookup.Statements
}

var _ pggate.SignOn = sqlSignOn{}

// Verifiers returns the verifiers of a login's access tokens.
func (s sqlSignOn) Verifiers(ctx context.Context, login string) (pggate.Verifiers, error) {
	v, err := s.identity.Verifiers(ctx, login)
	out := pggate.Verifiers{Salt: v.Salt, Iterations: v.Iterations}
	for _, k := range v.Keys {
		out.Keys = append(out.Keys, pggate.VerifierKey{Token: pggate.TokenID(k.Token), StoredKey: k.StoredKey, ServerKey: k.ServerKey})
	}
	return out, err
}

// Proven returns whom a token proves.
func (s sqlSignOn) Proven(ctx context.Context, login string, token pggate.TokenID) (identity.Who, error) {
	return s.in(s.identity.Proven(ctx, login, string(token)))
}

// ByCertificate returns whom a client certificate proves.
func (s sqlSignOn) ByCertificate(ctx context.Context, login string, cert *x509.Certificate) (identity.Who, error) {
	return s.in(s.identity.ByCertificate(ctx, login, cert))
}

// OnBehalf returns the person for whom a tool acts.
func (s sqlSignOn) OnBehalf(ctx context.Context, service identity.Who, token string) (identity.Who, error) {
	return s.in(s.identity.OnBehalf(ctx, service, token))
}

// Service reports whether this is a tool's own account.
func (s sqlSignOn) Service(who identity.Who) bool { return s.identity.Service(who) }

// in lets somebody in.
func (s sqlSignOn) in(who identity.Who, err error) (identity.Who, error) {
	if err == nil {
		s.statements.SignedOn(who)
	}
	return who, err
}

// sqlLookups is lookup as the SQL door needs it.
type sqlLookups struct{ *lookup.Statements }

var _ pggate.Lookups = sqlLookups{}

// Statement queues the intent of a statement.
func (l sqlLookups) Statement(s *pggate.Statement, done func(error)) pggate.Handle {
	st := lookup.Statement(*s)
	return l.Statements.Statement(&st, done)
}

// Ended queues the outcome of a statement.
func (l sqlLookups) Ended(h pggate.Handle, o pggate.Ended, done func(error)) {
	handle, ok := h.(*lookup.Handle)
	if !ok {
		if done != nil {
			done(access.Errorf(access.Internal, "an outcome without an intent"))
		}
		return
	}
	l.Statements.Ended(handle, lookup.Ended{Rows: o.Rows, Bytes: o.Bytes, How: string(o.How), Code: o.Code, Failed: o.How == pggate.EndedNotRun}, done)
}

// Refused queues the record of a statement that the door refused.
func (l sqlLookups) Refused(r *pggate.Refusal, done func(error)) {
	l.Statements.Refused(&lookup.Refused{Statement: lookup.Statement(r.Statement), Code: r.Code, Reason: r.Reason}, done)
}
