package pggate

import (
	"sync/atomic"
)

// The states of a record.
const (
	waits   = iota // queued, not known yet
	durable        // on disk
	failed         // can't be recorded
)

// rec is one statement between its intent and its outcome. The callbacks are
// the recorder's; they only store and wake.
type rec struct {
	s       *session
	stmt    *stmt
	handle  Handle
	intent  atomic.Int32
	outcome atomic.Int32
	rows    int64 // downward goroutine only
	bytes   int64
	cut     bool        // a limit broke it off
	ended   bool        // under session.mu
	told    atomic.Bool // that the intent failed is dealt with
}

func (r *rec) onIntent(err error) {
	if err != nil {
		r.intent.Store(failed)
	} else {
		r.intent.Store(durable)
	}
	r.s.intents.Add(-1)
	r.s.wake()
}

// settled reports whether the intent is durable, or its failure dealt with.
func (r *rec) settled() bool { return r.intent.Load() == durable || r.told.Load() }

func (r *rec) onOutcome(err error) {
	if err != nil {
		r.outcome.Store(failed)
	} else {
		r.outcome.Store(durable)
	}
	r.s.wake()
}

// end queues the outcome, once. The session's lock is held.
func (r *rec) end(how How, code string) {
	if r == nil || r.ended {
		return
	}
	r.ended = true
	if how == EndedNotRun {
		r.told.Store(true)
	}
	if r.cut {
		how = EndedCut
	}
	r.s.gate.cfg.Lookups.Ended(r.handle, Ended{Rows: r.rows, Bytes: r.bytes, How: how, Code: code}, r.onOutcome)
}

// item is one message that was sent upstream and brings answers, in the order
// in which they come.
type item struct {
	kind    byte     // its type: Q P B D E C S
	swallow bool     // the gateway's own: its answers aren't passed on
	more    bool     // Q: another part of the same text follows, so its ReadyForQuery isn't passed on
	fail    *failure // its ErrorResponse is replaced by this
	rec     *rec     // B and E; Q of one statement
	recs    []*rec   // Q of several
	next    int      // Q: which statement's answer comes next
	refused *rec     // the record of the refusal; fail is passed on once it is made
	prep    *prep    // P: what it prepares. E, Q: what was executed
	name    string   // P, C: of the statement, for C after 'S'
	stmts   []stmt   // Q
}

// current returns the record of the statement that is being answered.
func (it *item) current() *rec {
	if it.kind == 'Q' && len(it.recs) > 0 {
		return it.recs[min(it.next, len(it.recs)-1)]
	}
	return it.rec
}

// each calls f for all records of an item.
func (it *item) each(f func(*rec)) {
	if it.rec != nil {
		f(it.rec)
	}
	for _, r := range it.recs {
		f(r)
	}
}

// queue is a first-in, first-out list that keeps its memory.
type queue struct {
	list []item
	at   int
}

func (q *queue) len() int { return len(q.list) - q.at }

// head returns the first item, nil where there is none. It is valid until the
// next push or pop.
func (q *queue) head() *item {
	if q.at == len(q.list) {
		return nil
	}
	return &q.list[q.at]
}

func (q *queue) push(it item) {
	if q.at > 64 && q.at*2 > len(q.list) {
		n := copy(q.list, q.list[q.at:])
		clear(q.list[n:])
		q.list, q.at = q.list[:n], 0
	}
	q.list = append(q.list, it)
}

func (q *queue) pop() {
	q.list[q.at] = item{}
	if q.at++; q.at == len(q.list) {
		q.list, q.at = q.list[:0], 0
		if cap(q.list) > 256 {
			q.list = nil
		}
	}
}
