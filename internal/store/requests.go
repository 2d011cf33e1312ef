package store

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

var _ investigate.Requests = (*Store)(nil)

const requestColumns = `id, kind, asker, task, customer, purpose, why, said, final, at, until, state, by, decided_at, note, employee, done_at, about, failure`

const selectWaiting = `
SELECT ` + requestColumns + ` FROM requests
WHERE kind = ? AND asker = ? AND task = ? AND customer = ? AND employee = ? AND about = ? AND state = 'pending' AND until > ?
ORDER BY at LIMIT 1`
const insertRequest = `INSERT INTO requests (` + requestColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// SaveRequest saves r, unless one of the same kind, asker, task, customer,
// employee and log waits at r.At; it returns the one that waits now.
func (s *Store) SaveRequest(ctx context.Context, r investigate.Request) (investigate.Request, error) {
	why, err := encode(r.Why)
	if err != nil {
		return investigate.Request{}, err
	}
	waits := r
	err = s.state.change(ctx, synced, func(t *tx) error {
		old, err := request(t.row(ctx, selectWaiting, r.Kind, string(r.Asker), string(r.Task), string(r.Customer), string(r.Employee), r.About, access.Micros(r.At)))
		if err == nil {
			waits = old
			return nil
		}
		if !none(err) {
			return err
		}
		_, err = t.exec(ctx, insertRequest, string(r.ID), r.Kind, string(r.Asker), string(r.Task), string(r.Customer), string(r.Purpose),
			why, r.Said, flag(r.Final), access.Micros(r.At), access.Micros(r.Until), r.State, string(r.By), access.Micros(r.DecidedAt), r.Note, string(r.Employee), access.Micros(r.DoneAt),
			r.About, r.Failure)
		return err
	})
	if err != nil {
		return investigate.Request{}, refused("save a request", err)
	}
	return waits, nil
}

const selectRequest = `SELECT ` + requestColumns + ` FROM requests WHERE id = ?`

// Request returns one request; access.NotFound where there is none.
func (s *Store) Request(ctx context.Context, id access.RequestID) (investigate.Request, error) {
	r, err := request(s.state.row(ctx, selectRequest, string(id)))
	return r, refused("read a request", missing(err, "request"))
}

// An empty parameter chooses all.
const selectRequests = `
SELECT ` + requestColumns + ` FROM requests
WHERE (? = '' OR asker = ?) AND (? = '' OR task = ?) AND (? = '' OR customer = ?)
	AND (? = '' OR kind = ?) AND (? = '' OR state = ?) AND until > ?
ORDER BY at DESC, rowid DESC LIMIT ?`

// mostRequests is how many are listed where the filter sets no limit.
const mostRequests = 200

// Requests returns the chosen requests, newest first; of two of one moment, the
// one written last.
func (s *Store) Requests(ctx context.Context, f investigate.Filter) ([]investigate.Request, error) {
	limit, alive := f.Limit, int64(-1)
	if limit <= 0 {
		limit = mostRequests
	}
	if !f.Alive.IsZero() {
		alive = access.Micros(f.Alive)
	}
	var args []any
	for _, v := range []string{string(f.Asker), string(f.Task), string(f.Customer), f.Kind, f.State} {
		args = append(args, v, v)
	}
	var all []investigate.Request
	err := s.state.each(ctx, selectRequests, append(args, alive, limit), func(r scanner) error {
		one, err := request(r)
		all = append(all, one)
		return err
	})
	return all, refused("list requests", err)
}

const decideRequest = `
UPDATE requests SET state = ?, by = ?, decided_at = ?, note = ?
WHERE id = ? AND state = 'pending' AND until > ?`

// DecideRequest moves a request that waits, and hasn't lapsed at that moment,
// to state, in one step: of two who decide at once one gets access.Conflict.
func (s *Store) DecideRequest(ctx context.Context, id access.RequestID, state string, by access.EmployeeID, at time.Time, note string) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, decideRequest, state, string(by), access.Micros(at), note, string(id), access.Micros(at))
		if err != nil || n == 1 {
			return err
		}
		if _, err := request(t.row(ctx, selectRequest, string(id))); err != nil {
			return missing(err, "request")
		}
		return access.Errorf(access.Conflict, "The request was decided or has lapsed.")
	})
	return refused("decide a request", err)
}

const finishRequest = `
UPDATE requests SET done_at = ?, failure = ?, state = CASE ? WHEN '' THEN state ELSE '` + investigate.Failed + `' END
WHERE id = ? AND state = '` + investigate.Confirmed + `' AND done_at = 0`

// FinishRequest notes that a confirmed request was carried out, or why it
// couldn't be. One that is finished already stays as it is.
func (s *Store) FinishRequest(ctx context.Context, id access.RequestID, at time.Time, failure string) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		n, err := t.exec(ctx, finishRequest, access.Micros(at), failure, failure, string(id))
		if err != nil || n == 1 {
			return err
		}
		r, err := request(t.row(ctx, selectRequest, string(id)))
		if err != nil {
			return missing(err, "request")
		}
		if r.DoneAt.IsZero() {
			return access.Errorf(access.Conflict, "Nobody has agreed to the request.")
		}
		return nil
	})
	return refused("finish a request", err)
}

// request reads one row of requestColumns.
func request(r scanner) (investigate.Request, error) {
	var q investigate.Request
	var why string
	var at, until, decided, done int64
	err := r.Scan(&q.ID, &q.Kind, &q.Asker, &q.Task, &q.Customer, &q.Purpose, &why, &q.Said, &q.Final, &at, &until,
		&q.State, &q.By, &decided, &q.Note, &q.Employee, &done, &q.About, &q.Failure)
	if err != nil {
		return investigate.Request{}, err
	}
	q.At, q.Until, q.DecidedAt = access.FromMicros(at), access.FromMicros(until), access.FromMicros(decided)
	q.DoneAt = access.FromMicros(done)
	return q, decode(why, &q.Why)
}
