package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

var _ investigate.Facts = (*Store)(nil)

// told is an event for the change log.
type told struct {
	event access.Event
	again bool // it may be told more than once: a fact that came to be true anew
}

const selectLastSeq = `SELECT COALESCE(MAX(seq), 0) FROM facts`

var insertFacts = newBulk(`INSERT INTO facts (seq, kind, body, digest)`, 4, `ON CONFLICT DO NOTHING`)

// logFacts tells the change log. A happening that was told before, in the same
// words, isn't told twice; the numbers may have gaps.
func logFacts(ctx context.Context, t *tx, log []told) error {
	var seq int64
	if err := t.row(ctx, selectLastSeq).Scan(&seq); err != nil {
		return err
	}
	args := make([]any, 0, 4*len(log))
	for _, l := range log {
		kind, err := kindOf(l.event)
		if err != nil {
			return err
		}
		body, err := encode(l.event)
		if err != nil {
			return err
		}
		var digest any // NULL meets no other
		if !l.again {
			digest = digestOf(kind, body, l.event.When())
		}
		seq++
		args = append(args, seq, kind, body, digest)
	}
	return t.insert(ctx, insertFacts, args)
}

// digestOf names a happening: its moment, big-endian, and 16 bytes of SHA-256
// over what is said of it. The moment stands first so that facts that come in
// order of time stand side by side in the index too; at random places it
// costs a third of a bulk.
func digestOf(kind, body string, at time.Time) []byte {
	digest := binary.BigEndian.AppendUint64(nil, uint64(access.Micros(at)))
	sum := sha256.Sum256([]byte(kind + "\n" + body))
	return append(digest, sum[:16]...)
}

const selectFacts = `SELECT seq, kind, body FROM facts WHERE seq > ? ORDER BY seq LIMIT ?`

// Facts returns up to limit facts with Seq greater than after, in order of Seq,
// which is the order in which they became known.
func (s *Store) Facts(ctx context.Context, after int64, limit int) ([]investigate.Fact, error) {
	var all []investigate.Fact
	err := s.state.each(ctx, selectFacts, []any{after, limit}, func(r scanner) error {
		var f investigate.Fact
		var kind, body string
		if err := r.Scan(&f.Seq, &kind, &body); err != nil {
			return err
		}
		var err error
		f.Event, err = eventOf(kind, body)
		all = append(all, f)
		return err
	})
	return all, refused("read the change log", err)
}

// kindOf returns the word under which an event stands in the change log.
func kindOf(ev access.Event) (string, error) {
	switch ev.(type) {
	case *access.TaskOpened:
		return "task_opened", nil
	case *access.TaskClosed:
		return "task_closed", nil
	case *access.Assigned:
		return "assigned", nil
	case *access.Unassigned:
		return "unassigned", nil
	case *access.Worked:
		return "worked", nil
	case *access.Contacted:
		return "contacted", nil
	case *access.Ordered:
		return "ordered", nil
	case *access.InNews:
		return "in_news", nil
	case *access.EmployeeKnown:
		return "employee_known", nil
	case *access.CustomerKnown:
		return "customer_known", nil
	case *access.Related:
		return "related", nil
	case *access.PurposeNeeds:
		return "purpose_needs", nil
	}
	return "", fmt.Errorf("%T has no place in the change log", ev)
}

// eventOf is the inverse of kindOf and encode.
func eventOf(kind, body string) (access.Event, error) {
	var ev access.Event
	switch kind {
	case "task_opened":
		ev = &access.TaskOpened{}
	case "task_closed":
		ev = &access.TaskClosed{}
	case "assigned":
		ev = &access.Assigned{}
	case "unassigned":
		ev = &access.Unassigned{}
	case "worked":
		ev = &access.Worked{}
	case "contacted":
		ev = &access.Contacted{}
	case "ordered":
		ev = &access.Ordered{}
	case "in_news":
		ev = &access.InNews{}
	case "employee_known":
		ev = &access.EmployeeKnown{}
	case "customer_known":
		ev = &access.CustomerKnown{}
	case "related":
		ev = &access.Related{}
	case "purpose_needs":
		ev = &access.PurposeNeeds{}
	default:
		return nil, fmt.Errorf("the change log holds an unknown kind %q", kind)
	}
	return ev, decode(body, ev)
}

// encode returns v as JSON text.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// decode is the inverse of encode.
func decode(body string, v any) error {
	if err := json.Unmarshal([]byte(body), v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}
