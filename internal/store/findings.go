package store

import (
	"cmp"
	"context"
	"slices"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
)

const selectCheckpoint = `SELECT number, seq, state FROM follower WHERE id = 1`

// Checkpoint returns how far the follower had come, the zero Checkpoint where
// it never began.
func (s *Store) Checkpoint(ctx context.Context) (investigate.Checkpoint, error) {
	var c investigate.Checkpoint
	err := s.state.row(ctx, selectCheckpoint).Scan(&c.Number, &c.Seq, &c.State)
	if none(err) {
		return investigate.Checkpoint{}, nil
	}
	return c, refused("read the checkpoint", err)
}

const upsertCheckpoint = `
INSERT INTO follower (id, number, seq, state) VALUES (1, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, seq = excluded.seq, state = excluded.state`
const upsertFinding = `
INSERT INTO findings (id, sample, score, raised_at, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET sample = excluded.sample, score = excluded.score, raised_at = excluded.raised_at, body = excluded.body`

// SaveCheckpoint saves how far the follower has come with the findings and
// samples that it raised on the way, all or none. One of the same id is
// replaced.
func (s *Store) SaveCheckpoint(ctx context.Context, c investigate.Checkpoint, findings, samples []detect.Finding) error {
	err := s.state.change(ctx, rebuildable, func(t *tx) error { return saveCheckpoint(ctx, t, c, findings, samples) })
	return refused("save the checkpoint", err)
}

// saveCheckpoint is SaveCheckpoint as a part of a change.
func saveCheckpoint(ctx context.Context, t *tx, c investigate.Checkpoint, findings, samples []detect.Finding) error {
	state := c.State
	if state == nil {
		state = []byte{}
	}
	if err := saveFindings(ctx, t, findings, false); err != nil {
		return err
	}
	if err := saveFindings(ctx, t, samples, true); err != nil {
		return err
	}
	_, err := t.exec(ctx, upsertCheckpoint, int64(c.Number), c.Seq, state)
	return err
}

// saveFindings saves findings or samples.
func saveFindings(ctx context.Context, t *tx, all []detect.Finding, sample bool) error {
	for _, f := range all {
		body, err := encode(f)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, upsertFinding, f.ID, flag(sample), f.Score, access.Micros(f.RaisedAt), body); err != nil {
			return err
		}
	}
	return nil
}

const selectFindings = `SELECT body FROM findings WHERE sample = ? ORDER BY raised_at DESC, score DESC, id LIMIT ?`

// Findings returns findings, or samples, newest first, at most limit.
func (s *Store) Findings(ctx context.Context, samples bool, limit int) ([]detect.Finding, error) {
	var all []detect.Finding
	err := s.state.each(ctx, selectFindings, []any{flag(samples), limit}, func(r scanner) error {
		f, err := finding(r)
		all = append(all, f)
		return err
	})
	return all, refused("list findings", err)
}

const selectFinding = `SELECT body FROM findings WHERE id = ?`

// Finding returns one finding or sample; access.NotFound where there is none.
func (s *Store) Finding(ctx context.Context, id string) (detect.Finding, error) {
	f, err := finding(s.state.row(ctx, selectFinding, id))
	return f, refused("read a finding", missing(err, "finding"))
}

// finding reads one body.
func finding(r scanner) (detect.Finding, error) {
	var body string
	if err := r.Scan(&body); err != nil {
		return detect.Finding{}, err
	}
	return findingOf(body)
}

func findingOf(body string) (detect.Finding, error) {
	var f detect.Finding
	err := decode(body, &f)
	return f, err
}

const countFindings = `SELECT COUNT(*) FROM findings WHERE sample = 0`

// CountFindings counts the findings, without the samples.
func (s *Store) CountFindings(ctx context.Context) (int, error) {
	var n int
	err := s.state.row(ctx, countFindings).Scan(&n)
	return n, refused("count findings", err)
}

// sortIndexed sorts by time, then by place in the journal.
func sortIndexed(all []investigate.Indexed) {
	slices.SortFunc(all, func(a, b investigate.Indexed) int {
		return cmp.Or(a.Lookup.At.Compare(b.Lookup.At), cmp.Compare(a.Number, b.Number))
	})
}
