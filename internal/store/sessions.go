package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

const insertSession = `INSERT INTO sessions (hash, id, login, device, since, seen, until) VALUES (?, ?, ?, ?, ?, ?, ?)`
const deleteOldSessions = `DELETE FROM sessions WHERE until < ?`

// AddSession adds a session, and removes those that had ended by its beginning.
func (s *Store) AddSession(ctx context.Context, ses identity.Session) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		if _, err := t.exec(ctx, deleteOldSessions, access.Micros(ses.Since)); err != nil {
			return err
		}
		_, err := t.exec(ctx, insertSession, ses.Hash[:], string(ses.ID), ses.Login, ses.Device,
			access.Micros(ses.Since), access.Micros(ses.Seen), access.Micros(ses.Until))
		return err
	})
	return refused("add a session", err)
}

const selectSession = `SELECT id, login, device, since, seen, until FROM sessions WHERE hash = ?`

// Session returns the session with that hash of its secret; access.NotFound
// where there is none or it was ended.
func (s *Store) Session(ctx context.Context, hash [32]byte) (identity.Session, error) {
	ses := identity.Session{Hash: hash}
	var since, seen, until int64
	err := s.state.row(ctx, selectSession, hash[:]).Scan(&ses.ID, &ses.Login, &ses.Device, &since, &seen, &until)
	if err != nil {
		return identity.Session{}, refused("read a session", missing(err, "session"))
	}
	ses.Since, ses.Seen, ses.Until = access.FromMicros(since), access.FromMicros(seen), access.FromMicros(until)
	return ses, nil
}

const updateSessionSeen = `UPDATE sessions SET seen = ? WHERE hash = ? AND seen < ?`

// SeeSession saves the last use of a session. A session that was ended
// meanwhile stays ended.
func (s *Store) SeeSession(ctx context.Context, hash [32]byte, at time.Time) error {
	err := s.state.change(ctx, rebuildable, func(t *tx) error {
		_, err := t.exec(ctx, updateSessionSeen, access.Micros(at), hash[:], access.Micros(at))
		return err
	})
	return refused("note the use of a session", err)
}

const deleteSession = `DELETE FROM sessions WHERE hash = ?`

// EndSession removes a session; access.NotFound where there is none.
func (s *Store) EndSession(ctx context.Context, hash [32]byte) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, deleteSession, hash[:])
		if err == nil && n == 0 {
			err = access.Errorf(access.NotFound, "There is no such session.")
		}
		return err
	})
	return refused("end a session", err)
}
