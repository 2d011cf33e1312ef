package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

const insertToken = `INSERT INTO tokens (id, hash, login, name, since, seen, until, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// AddToken adds an access token.
func (s *Store) AddToken(ctx context.Context, k identity.Token) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		_, err := t.exec(ctx, insertToken, k.ID, k.Hash[:], k.Login, k.Name,
			access.Micros(k.Since), access.Micros(k.Seen), access.Micros(k.Until), access.Micros(k.RevokedAt))
		return err
	})
	return refused("add an access token", err)
}

const tokenColumns = `id, hash, login, name, since, seen, until, revoked_at`
const selectToken = `SELECT ` + tokenColumns + ` FROM tokens WHERE hash = ?`

// Token returns the access token with that hash of its secret, revoked or not;
// access.NotFound where there is none.
func (s *Store) Token(ctx context.Context, hash [32]byte) (identity.Token, error) {
	k, err := token(s.state.row(ctx, selectToken, hash[:]))
	return k, refused("read an access token", missing(err, "access token"))
}

const selectTokensOf = `SELECT ` + tokenColumns + ` FROM tokens WHERE login = ? AND revoked_at = 0 ORDER BY since DESC, id`

// TokensOf returns the access tokens of a login that aren't revoked, newest
// first.
func (s *Store) TokensOf(ctx context.Context, login string) ([]identity.Token, error) {
	var all []identity.Token
	err := s.state.each(ctx, selectTokensOf, []any{login}, func(r scanner) error {
		k, err := token(r)
		all = append(all, k)
		return err
	})
	return all, refused("list access tokens", err)
}

// token reads one row of tokenColumns.
func token(r scanner) (identity.Token, error) {
	var k identity.Token
	var hash []byte
	var since, seen, until, revoked int64
	if err := r.Scan(&k.ID, &hash, &k.Login, &k.Name, &since, &seen, &until, &revoked); err != nil {
		return identity.Token{}, err
	}
	copy(k.Hash[:], hash)
	k.Since, k.Seen = access.FromMicros(since), access.FromMicros(seen)
	k.Until, k.RevokedAt = access.FromMicros(until), access.FromMicros(revoked)
	return k, nil
}

const updateTokenSeen = `UPDATE tokens SET seen = ? WHERE id = ? AND seen < ?`

// SeeToken saves the last use of an access token.
func (s *Store) SeeToken(ctx context.Context, id string, at time.Time) error {
	err := s.state.change(ctx, rebuildable, func(t *tx) error {
		_, err := t.exec(ctx, updateTokenSeen, access.Micros(at), id, access.Micros(at))
		return err
	})
	return refused("note the use of an access token", err)
}

const revokeToken = `UPDATE tokens SET revoked_at = ? WHERE id = ? AND login = ? AND revoked_at = 0`

// RevokeToken revokes this login's token; access.NotFound where he has none of
// that id or it is revoked.
func (s *Store) RevokeToken(ctx context.Context, login, id string, at time.Time) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, revokeToken, access.Micros(at), id, login)
		if err == nil && n == 0 {
			err = access.Errorf(access.NotFound, "You have no such access token.")
		}
		return err
	})
	return refused("revoke an access token", err)
}
