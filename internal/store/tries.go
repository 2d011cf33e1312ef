package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/lookup"
)

var _ lookup.Tries = (*Tries)(nil)

// Tries counts the tries to find a caller.
type Tries struct {
	d *database
}

// Tries returns the tries to find a caller.
func (s *Store) Tries() *Tries { return &Tries{d: s.state} }

// keepTries is how long tries are kept: their counting needs minutes, and
// each is in the ledger anyway.
const keepTries = 24 * time.Hour

const countMisses = `
SELECT COUNT(*) FROM tries
WHERE employee = ? AND at >= ? AND hit = 0
	AND id > (SELECT COALESCE(MAX(id), 0) FROM tries WHERE employee = ? AND hit = 1)
	AND at >= (SELECT COALESCE(MAX(lifted_at), 0) FROM locks WHERE employee = ?)`
const selectLock = `SELECT until FROM locks WHERE employee = ?`

// Standing returns how many tries of this employee since that moment missed,
// those before his last hit or his last lifting apart, and until when he is
// locked (the zero time: he isn't).
func (k *Tries) Standing(ctx context.Context, e access.EmployeeID, since time.Time) (misses int, locked time.Time, err error) {
	who := string(e)
	if err := k.d.row(ctx, countMisses, who, access.Micros(since), who, who).Scan(&misses); err != nil {
		return 0, time.Time{}, refused("count misses", err)
	}
	var until int64
	if err := k.d.row(ctx, selectLock, who).Scan(&until); err != nil && !none(err) {
		return 0, time.Time{}, refused("read a lock", err)
	}
	return misses, access.FromMicros(until), nil
}

const deleteOldTries = `DELETE FROM tries WHERE at < ?`
const selectNextTry = `SELECT COALESCE(MAX(id), 0) + 1 FROM tries`
const insertTry = `INSERT INTO tries (id, employee, at, hit) VALUES (?, ?, ?, 0)`

// Reserve saves a try, which counts as a miss until Settle says otherwise, and
// returns its number. Tries older than a day are forgotten.
func (k *Tries) Reserve(ctx context.Context, e access.EmployeeID, at time.Time) (int64, error) {
	var id int64
	err := k.d.change(ctx, synced, func(t *tx) error {
		if err := t.row(ctx, selectNextTry).Scan(&id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, deleteOldTries, access.Micros(at.Add(-keepTries))); err != nil {
			return err
		}
		_, err := t.exec(ctx, insertTry, id, string(e), access.Micros(at))
		return err
	})
	return id, refused("note a try", err)
}

const settleTry = `UPDATE tries SET hit = ? WHERE id = ?`
const insertNearMiss = `
INSERT INTO near_misses (try, customer, at) SELECT id, ?, at FROM tries WHERE id = ? ON CONFLICT DO NOTHING`

// Settle says how a reserved try ended and, of a miss, near which customers it
// came.
func (k *Tries) Settle(ctx context.Context, try int64, ended lookup.TryEnd, near []access.CustomerID) error {
	err := k.d.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, settleTry, int(ended), try)
		if err != nil {
			return err
		}
		if n == 0 {
			return access.Errorf(access.NotFound, "There is no such try.")
		}
		if ended != lookup.TryMissed {
			return nil
		}
		for _, c := range near {
			if _, err := t.exec(ctx, insertNearMiss, string(c), try); err != nil {
				return err
			}
		}
		return nil
	})
	return refused("settle a try", err)
}

const countNearMisses = `SELECT COUNT(*) FROM near_misses WHERE customer = ? AND at >= ?`

// MissesAt returns how many tries of anybody since that moment missed and came
// near this customer.
func (k *Tries) MissesAt(ctx context.Context, c access.CustomerID, since time.Time) (int, error) {
	var n int
	err := k.d.row(ctx, countNearMisses, string(c), access.Micros(since)).Scan(&n)
	return n, refused("count misses at a customer", err)
}

const upsertLock = `
INSERT INTO locks (employee, until, lifted_at) VALUES (?, ?, 0) ON CONFLICT (employee) DO UPDATE SET until = excluded.until`

// Lock locks the employee until then.
func (k *Tries) Lock(ctx context.Context, e access.EmployeeID, until time.Time) error {
	err := k.d.change(ctx, synced, func(t *tx) error {
		_, err := t.exec(ctx, upsertLock, string(e), access.Micros(until))
		return err
	})
	return refused("lock", err)
}

const upsertLift = `
INSERT INTO locks (employee, until, lifted_at) VALUES (?, 0, ?)
ON CONFLICT (employee) DO UPDATE SET until = 0, lifted_at = excluded.lifted_at`

// Unlock lifts the lock; misses before at no longer count.
func (k *Tries) Unlock(ctx context.Context, e access.EmployeeID, at time.Time) error {
	err := k.d.change(ctx, synced, func(t *tx) error {
		_, err := t.exec(ctx, upsertLift, string(e), access.Micros(at))
		return err
	})
	return refused("lift a lock", err)
}
