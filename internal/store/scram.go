package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// scramMigration makes the tables of what proves people to the SQL door. What
// belongs to an account goes with it.
const scramMigration = `
CREATE TABLE scram_key (
	id  INTEGER PRIMARY KEY CHECK (id = 1),
	key BLOB NOT NULL
) STRICT;
CREATE TABLE verifiers (
	token      TEXT PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
	stored_key BLOB NOT NULL, -- RFC 5802
	server_key BLOB NOT NULL
) STRICT;
CREATE TABLE on_behalf (
	id      TEXT PRIMARY KEY,
	hash    BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
	login   TEXT NOT NULL REFERENCES accounts (login) ON DELETE CASCADE,
	tool    TEXT NOT NULL REFERENCES accounts (login) ON DELETE CASCADE,
	parent  TEXT NOT NULL, -- the session or token that gave it
	since   INTEGER NOT NULL,
	until   INTEGER NOT NULL,
	used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX on_behalf_login ON on_behalf (login);
CREATE INDEX on_behalf_tool ON on_behalf (tool);
CREATE INDEX on_behalf_until ON on_behalf (until);
`

const selectScramKey = `SELECT key FROM scram_key WHERE id = 1`
const insertScramKey = `INSERT INTO scram_key (id, key) VALUES (1, ?) ON CONFLICT DO NOTHING`

// ScramKey returns the key that salts are derived with, made when it is first
// asked for.
func (s *Store) ScramKey(ctx context.Context) ([]byte, error) {
	var key []byte
	err := s.state.row(ctx, selectScramKey).Scan(&key)
	if none(err) {
		err = s.state.change(ctx, synced, func(t *tx) error {
			fresh := make([]byte, 32)
			rand.Read(fresh) // never fails
			if _, err := t.exec(ctx, insertScramKey, fresh); err != nil {
				return err
			}
			return t.row(ctx, selectScramKey).Scan(&key)
		})
	}
	if err == nil && len(key) != 32 {
		err = fmt.Errorf("it has %d bytes", len(key))
	}
	return key, refused("read the key of the salts", err)
}

const insertVerifier = `INSERT INTO verifiers (token, stored_key, server_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`

// SaveScram keeps the verifier of an access token; one that it has stays.
func (s *Store) SaveScram(ctx context.Context, id string, k identity.Scram) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		_, err := t.exec(ctx, insertVerifier, id, k.StoredKey[:], k.ServerKey[:])
		return err
	})
	return refused("save a verifier", err)
}

const hasVerifier = `SELECT EXISTS (SELECT 1 FROM verifiers WHERE token = ?)`

// HasScram reports whether an access token has a verifier.
func (s *Store) HasScram(ctx context.Context, id string) (has bool, err error) {
	err = s.state.row(ctx, hasVerifier, id).Scan(&has)
	return has, refused("look for a verifier", err)
}

const selectVerifiersOf = `
SELECT v.token, v.stored_key, v.server_key FROM tokens t JOIN verifiers v ON v.token = t.id
WHERE t.login = ? AND t.revoked_at = 0 AND t.until > ?`

// ScramsOf returns the verifiers of a login's access tokens that are neither
// revoked nor over, by the tokens' ids.
func (s *Store) ScramsOf(ctx context.Context, login string, at time.Time) (map[string]identity.Scram, error) {
	all := map[string]identity.Scram{}
	err := s.state.each(ctx, selectVerifiersOf, []any{login, access.Micros(at)}, func(r scanner) error {
		var id string
		var stored, server []byte
		if err := r.Scan(&id, &stored, &server); err != nil {
			return err
		}
		var k identity.Scram
		if len(stored) != len(k.StoredKey) || len(server) != len(k.ServerKey) {
			return fmt.Errorf("the verifier of token %s is damaged", id)
		}
		copy(k.StoredKey[:], stored)
		copy(k.ServerKey[:], server)
		all[id] = k
		return nil
	})
	return all, refused("read verifiers", err)
}

const selectTokenByID = `SELECT ` + tokenColumns + ` FROM tokens WHERE id = ?`

// TokenByID returns the access token of that id, revoked or not;
// access.NotFound where there is none.
func (s *Store) TokenByID(ctx context.Context, id string) (identity.Token, error) {
	k, err := token(s.state.row(ctx, selectTokenByID, id))
	return k, refused("read an access token", missing(err, "access token"))
}

const tokenLasts = `SELECT EXISTS (SELECT 1 FROM tokens WHERE id = ? AND login = ? AND revoked_at = 0 AND until > ?)`
const sessionLasts = `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ? AND login = ? AND until > ?)`

// SessionLasts reports whether the session or access token of that name is this
// login's and still lasts at that moment.
func (s *Store) SessionLasts(ctx context.Context, login string, id access.SessionID, at time.Time) (bool, error) {
	lasts, err := lastsIn(s.state.row, ctx, login, id, at)
	return lasts, refused("look for a session", err)
}

// lastsIn asks through row, inside a change or beside it.
func lastsIn(row func(context.Context, string, ...any) scanner, ctx context.Context, login string, id access.SessionID, at time.Time) (lasts bool, err error) {
	query, key := sessionLasts, string(id)
	if t, ok := strings.CutPrefix(key, "token:"); ok {
		query, key = tokenLasts, t
	}
	err = row(ctx, query, key, login, access.Micros(at)).Scan(&lasts)
	return lasts, err
}

const insertOnBehalf = `INSERT INTO on_behalf (id, hash, login, tool, parent, since, until, used_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`
const deleteOldOnBehalf = `DELETE FROM on_behalf WHERE until < ?`

// AddOnBehalf adds a leave for a tool, and forgets those that are over.
func (s *Store) AddOnBehalf(ctx context.Context, b identity.OnBehalf) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		if _, err := t.exec(ctx, deleteOldOnBehalf, access.Micros(b.Since)); err != nil {
			return err
		}
		_, err := t.exec(ctx, insertOnBehalf, b.ID, b.Hash[:], b.Login, b.Tool, string(b.Parent), access.Micros(b.Since), access.Micros(b.Until))
		return err
	})
	return refused("add a leave to act", err)
}

const selectOnBehalf = `
SELECT id, login, parent, since, until FROM on_behalf WHERE hash = ? AND tool = ? AND used_at = 0 AND since <= ? AND until > ?`
const useOnBehalf = `UPDATE on_behalf SET used_at = ? WHERE id = ? AND used_at = 0`

// UseOnBehalf marks a leave as used and returns it, in one step;
// access.NotFound where this tool has none, or what it was given with has
// ended.
func (s *Store) UseOnBehalf(ctx context.Context, hash [32]byte, tool string, at time.Time) (identity.OnBehalf, error) {
	b := identity.OnBehalf{Hash: hash, Tool: tool, UsedAt: at}
	err := s.state.change(ctx, synced, func(t *tx) error {
		var since, until int64
		us := access.Micros(at)
		if err := t.row(ctx, selectOnBehalf, hash[:], tool, us, us).Scan(&b.ID, &b.Login, &b.Parent, &since, &until); err != nil {
			return missing(err, "leave to act")
		}
		b.Since, b.Until = access.FromMicros(since), access.FromMicros(until)
		lasts, err := lastsIn(t.row, ctx, b.Login, b.Parent, at)
		if err == nil && !lasts {
			err = access.Errorf(access.NotFound, "What the leave to act was given with has ended.")
		}
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, useOnBehalf, us, b.ID)
		if err == nil && n != 1 {
			err = access.Errorf(access.NotFound, "The leave to act was used.")
		}
		return err
	})
	return b, refused("use a leave to act", err)
}
