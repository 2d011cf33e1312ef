package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/identity"
	"paravent/internal/investigate"
)

const selectTasksAbout = `SELECT id FROM tasks WHERE customer = ? AND customer <> ''`
const selectLogins = `SELECT login FROM accounts WHERE kind = ? AND person = ?`
const selectRowsOf = `
SELECT ` + lookupColumns + ` FROM lookups WHERE customer = ? AND customer <> ''
UNION SELECT ` + lookupColumns + ` FROM lookups WHERE employee = ? AND employee <> ''`
const selectActs = `SELECT ` + lookupColumns + ` FROM lookups WHERE act <> ''`
const selectAllFacts = `SELECT seq, kind, body FROM facts`

// Erasing reads what the store holds of a person, and what that is to become
// (G5). It reads the whole change log and every act, beside whoever writes.
func (s *Store) Erasing(ctx context.Context, who investigate.Erasure) (investigate.Erasing, error) {
	p, e := who.Person, investigate.Erasing{Erasure: who}
	tasks := map[access.TaskID]bool{}
	kind, person := identity.KindCustomer, string(p.Customer)
	if p.Customer == "" {
		kind, person = identity.KindEmployee, string(p.Employee)
	}
	e.Words = []string{person}
	err := s.state.each(ctx, selectTasksAbout, []any{string(p.Customer)}, func(r scanner) error {
		var id string
		err := r.Scan(&id)
		tasks[access.TaskID(id)] = true
		return err
	})
	if err == nil {
		err = s.state.each(ctx, selectLogins, []any{kind, person}, func(r scanner) error {
			var login string
			err := r.Scan(&login)
			e.Words = append(e.Words, login)
			return err
		})
	}
	if err == nil {
		err = s.erasingRows(ctx, &e)
	}
	if err == nil {
		err = s.erasingFacts(ctx, &e, tasks)
	}
	return e, refused("read what is to be erased", err)
}

// erasingRows collects the rows of the index that speak of the person.
func (s *Store) erasingRows(ctx context.Context, e *investigate.Erasing) error {
	seen := map[uint64]bool{}
	take := func(r scanner) error {
		_, row, err := indexedRow(r)
		if err != nil {
			return err
		}
		if row.Number < e.Before && !seen[row.Number] && row.Erase(e.Person, e.At, e.Words) {
			seen[row.Number] = true
			e.Rows = append(e.Rows, row)
		}
		return nil
	}
	if err := s.state.each(ctx, selectRowsOf, []any{string(e.Person.Customer), string(e.Person.Employee)}, take); err != nil {
		return err
	}
	return s.state.each(ctx, selectActs, nil, take)
}

// erasingFacts collects the facts that speak of the person. Only those are
// decoded in which one of the ids occurs at all.
func (s *Store) erasingFacts(ctx context.Context, e *investigate.Erasing, tasks map[access.TaskID]bool) error {
	var quoted []string
	for _, id := range append(taskIDs(tasks), e.Words[0]) {
		b, err := json.Marshal(id)
		if err != nil {
			return err
		}
		quoted = append(quoted, string(b))
	}
	return s.state.each(ctx, selectAllFacts, nil, func(r scanner) error {
		var f investigate.Fact
		var kind, body string
		if err := r.Scan(&f.Seq, &kind, &body); err != nil {
			return err
		}
		if !slices.ContainsFunc(quoted, func(id string) bool { return strings.Contains(body, id) }) {
			return nil
		}
		var err error
		if f.Event, err = eventOf(kind, body); err != nil {
			return err
		}
		switch stays, changed := investigate.EraseFact(f.Event, e.Person, tasks); {
		case !stays:
			e.Gone = append(e.Gone, f.Seq)
		case changed:
			e.Changed = append(e.Changed, f)
		}
		return nil
	})
}

func taskIDs(tasks map[access.TaskID]bool) []string {
	ids := make([]string, 0, len(tasks)+1)
	for id := range tasks {
		ids = append(ids, string(id))
	}
	return ids
}

// Erase carries out an erasure: everything in one transaction with the
// follower's checkpoint, then the file is wiped.
func (s *Store) Erase(ctx context.Context, e investigate.Erasing, c investigate.Checkpoint, findings, samples []detect.Finding) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		if err := saveCheckpoint(ctx, t, c, findings, samples); err != nil {
			return err
		}
		for _, erase := range []func(context.Context, *tx, investigate.Erasing) error{eraseRows, eraseFacts, eraseFindings, eraseAccounts, erasePeople} {
			if err := erase(ctx, t, e); err != nil {
				return err
			}
		}
		return t.unclean(ctx)
	})
	if err == nil {
		err = s.state.wipe(ctx)
	}
	return refused("erase a person", err)
}

// eraseRows rewrites the rows of the index.
func eraseRows(ctx context.Context, t *tx, e investigate.Erasing) error {
	args := make([]any, 0, 8*len(e.Rows))
	for _, r := range e.Rows {
		values, err := rowOf(r)
		if err != nil {
			return err
		}
		args = append(args, values...)
	}
	return t.insert(ctx, upsertLookups, args)
}

const deleteFact = `DELETE FROM facts WHERE seq = ?`
const updateFact = `UPDATE facts SET body = ?, digest = ? WHERE seq = ?`

// eraseFacts deletes and rewrites facts. A rewritten one has no digest any more:
// nothing it could be told again as.
func eraseFacts(ctx context.Context, t *tx, e investigate.Erasing) error {
	for _, seq := range e.Gone {
		if _, err := t.exec(ctx, deleteFact, seq); err != nil {
			return err
		}
	}
	for _, f := range e.Changed {
		body, err := encode(f.Event)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, updateFact, body, nil, f.Seq); err != nil {
			return err
		}
	}
	return nil
}

const selectFindingBodies = `SELECT body FROM findings`
const updateFinding = `UPDATE findings SET body = ? WHERE id = ?`

// eraseFindings takes the person out of findings and samples.
func eraseFindings(ctx context.Context, t *tx, e investigate.Erasing) error {
	var changed []detect.Finding
	err := t.each(ctx, selectFindingBodies, nil, func(r scanner) error {
		f, err := finding(r)
		if err == nil && f.Erase(e.Person) {
			changed = append(changed, f)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range changed {
		body, err := encode(f)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, updateFinding, body, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// eraseAccounts removes the person's accounts with their sessions and tokens.
func eraseAccounts(ctx context.Context, t *tx, e investigate.Erasing) error {
	for _, login := range e.Words[1:] {
		for _, query := range []string{
			`DELETE FROM sessions WHERE login = ?`,
			`DELETE FROM tokens WHERE login = ?`,
			`DELETE FROM accounts WHERE login = ?`,
		} {
			if _, err := t.exec(ctx, query, login); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseCustomer are the statements for a customer; each takes her id.
var eraseCustomer = []string{
	`DELETE FROM assignments WHERE task IN (SELECT id FROM tasks WHERE customer = ?)`,
	`DELETE FROM tasks WHERE customer = ?`,
	`DELETE FROM contacts WHERE customer = ?`,
	`DELETE FROM near_misses WHERE customer = ?`,
	`DELETE FROM relations WHERE customer = ?`,
	`DELETE FROM customers WHERE id = ?`,
}

// eraseEmployee are the statements for an employee; each takes his id.
var eraseEmployee = []string{
	`DELETE FROM assignments WHERE employee = ?`,
	`UPDATE assignments SET by = '' WHERE by = ?`,
	`UPDATE tasks SET opened_by = '' WHERE opened_by = ?`,
	`UPDATE tasks SET closed_by = '' WHERE closed_by = ?`,
	`UPDATE tasks SET confirmed_by = '' WHERE confirmed_by = ?`,
	`UPDATE contacts SET employee = '' WHERE employee = ?`,
	`UPDATE customers SET employee = '' WHERE employee = ?`,
	`UPDATE employees SET manager = '' WHERE manager = ?`,
	`DELETE FROM relations WHERE employee = ?`,
	`DELETE FROM qualifications WHERE employee = ?`,
	`DELETE FROM tries WHERE employee = ?`,
	`DELETE FROM locks WHERE employee = ?`,
	`UPDATE requests SET asker = '', said = '', why = '[]', note = '' WHERE asker = ?`,
	`UPDATE requests SET by = '', note = '' WHERE by = ?`,
	`DELETE FROM employees WHERE id = ?`,
}

// The erasure's own request is done with the same stroke; whoever reads it
// afterwards sees that somebody was erased, and not who.
const doneErasures = `
UPDATE requests SET done_at = ? WHERE kind = '` + investigate.KindErasure + `' AND state = 'confirmed' AND done_at = 0
	AND customer = ? AND employee = ?`
const eraseRequests = `
UPDATE requests SET customer = '', employee = '', task = '', why = '[]', said = '', note = '',
	state = CASE state WHEN 'pending' THEN 'lapsed' ELSE state END
WHERE customer = ? AND employee = ?`

// erasePeople takes the person out of everything else.
func erasePeople(ctx context.Context, t *tx, e investigate.Erasing) error {
	statements, id := eraseCustomer, string(e.Person.Customer)
	if id == "" {
		statements, id = eraseEmployee, string(e.Person.Employee)
	}
	if _, err := t.exec(ctx, doneErasures, access.Micros(e.At), string(e.Person.Customer), string(e.Person.Employee)); err != nil {
		return err
	}
	if _, err := t.exec(ctx, eraseRequests, string(e.Person.Customer), string(e.Person.Employee)); err != nil {
		return err
	}
	for _, query := range statements {
		if _, err := t.exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

const selectOpenTasksAbout = `
SELECT opened_at FROM tasks WHERE customer = ? AND customer <> '' AND purpose = ? AND closed_at = 0 ORDER BY opened_at LIMIT 1`

// HeldBy returns since when a task of that purpose has been open about the
// customer; the zero time where there is none.
func (s *Store) HeldBy(ctx context.Context, c access.CustomerID, purpose access.Purpose) (time.Time, error) {
	var at int64
	err := s.state.row(ctx, selectOpenTasksAbout, string(c), string(purpose)).Scan(&at)
	if none(err) {
		return time.Time{}, nil
	}
	return access.FromMicros(at), refused("look for open tasks", err)
}

const selectFindingsSince = `SELECT body FROM findings WHERE sample = 0 AND raised_at > ? ORDER BY raised_at DESC`

// LastFindingAbout returns when the last finding after since that speaks of the
// person was raised; the zero time where there is none.
func (s *Store) LastFindingAbout(ctx context.Context, p detect.Person, since time.Time) (time.Time, error) {
	var last time.Time
	err := s.state.each(ctx, selectFindingsSince, []any{access.Micros(since)}, func(r scanner) error {
		f, err := finding(r)
		if err == nil && last.IsZero() && (p.Customer != "" && slices.Contains(f.Customers, p.Customer) ||
			p.Employee != "" && slices.Contains(f.Employees, p.Employee)) {
			last = f.RaisedAt
		}
		return err
	})
	return last, refused("look for findings", err)
}
