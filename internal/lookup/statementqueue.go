package lookup

import (
	"context"
	"encoding/hex"
	"runtime"
	"sync"

	"paravent/internal/access"
	"paravent/internal/ledger"
)

// mostQueued is how many records may wait; beyond it statements are refused
// rather than kept in memory.
const mostQueued = 1 << 16

// Handle is one statement between its intent and its outcome.
type Handle struct {
	parts  *parts
	id     string
	number uint64 // 1 + the number of its intent, once that is durable; owned by the committer
	err    error  // why there is none; owned by the committer
}

// queued is a record that waits for its turn.
type queued struct {
	entry  ledger.Entry
	handle *Handle // nil: of a refusal
	done   func(error)
}

// queue holds what waits. One goroutine takes all of it at once.
type queue struct {
	mu     sync.Mutex
	some   sync.Cond // there is something, or nothing will come any more
	list   []queued  // in the order in which it came
	closed bool
}

func (q *queue) init() { q.some.L = &q.mu }

// add queues a record, or says why it can't be.
func (q *queue) add(r queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.list) >= mostQueued {
		return errUnrecorded(nil)
	}
	q.list = append(q.list, r)
	if len(q.list) == 1 {
		q.some.Signal()
	}
	return nil
}

// take appends all that there is to list and leaves the queue room in exchange.
// Where list is empty it waits for something; it stays empty once the queue is
// closed and nothing is left.
func (q *queue) take(list, room []queued) []queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(list) == 0 && len(q.list) == 0 && !q.closed {
		q.some.Wait()
	}
	if len(list) == 0 {
		list, q.list = q.list, room[:0]
		return list
	}
	list = append(list, q.list...)
	clear(q.list)
	q.list = q.list[:0]
	return list
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}

// errUnrecorded is the answer to whoever can't be recorded: he can't look (G3).
func errUnrecorded(cause error) *access.Error {
	return access.Errorf(access.Unavailable, "Nothing can be looked up now: it could not be recorded.").
		WithHint("Try again in a minute; your administrator sees the state of the ledger.").Because(cause)
}

// Statement queues the intent of a statement and returns at once, without
// keeping a reference to st. done is called when the intent is durable, or with
// the error why it won't be: then nothing of what the database answers may be
// passed on (G3). It is called once, by the goroutine that records or before
// Statement returns, and must not block.
func (s *Statements) Statement(st *Statement, done func(error)) *Handle {
	s.mu.Lock()
	o := s.live[st.Grant.ID]
	s.mu.Unlock()
	if o == nil || !s.c.Lookups.Clock().Before(o.grant.Until) {
		err := errEnded(nil)
		done(err)
		return &Handle{err: err}
	}
	h := &Handle{parts: &o.parts, id: o.parts.nextID()}
	if err := s.queue.add(queued{entry: o.parts.intent(h.id, st), handle: h, done: done}); err != nil {
		h = &Handle{err: err}
		done(err)
	}
	return h
}

// Ended queues the outcome of a statement, which is recorded behind its intent
// and only where that was. done, which may be nil, is called as Statement's is;
// the end of the answer is passed on behind it (G3).
func (s *Statements) Ended(h *Handle, e Ended, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	if h.parts == nil {
		done(h.err)
		return
	}
	if err := s.queue.add(queued{entry: h.parts.outcome(h.id, e), handle: h, done: done}); err != nil {
		done(err)
	}
}

// Refused queues the record of a statement that the door refused; done is called
// as Statement's is.
func (s *Statements) Refused(r *Refused, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	e, err := s.refusal(r)
	if err == nil {
		err = s.queue.add(queued{entry: e, done: done})
	}
	if err != nil {
		done(err)
	}
}

// refusal is the entry of a statement that the door refused. Where it was under
// a grant in force it is told to that customer, too.
func (s *Statements) refusal(r *Refused) (ledger.Entry, error) {
	l := s.c.Lookups
	a, err := l.ask(r.Who, Request{Door: DoorSQL, Action: access.ActionStatement})
	if err != nil {
		return ledger.Entry{}, err
	}
	s.mu.Lock()
	o := s.live[r.Grant.ID]
	s.mu.Unlock()
	a.by = r.Who.By()
	c := a.conduct()
	c.Reasons = []string{reasonSQL + bounded(r.Reason, maxWord)}
	c.Statement, c.State = bounded(r.Text, maxStatement), bounded(r.Code, maxWord)
	c.Fingerprint = hex.EncodeToString(r.Fingerprint[:])
	c.Relations = r.Relations[:min(len(r.Relations), maxRelations)]
	c.Cut = len(c.Statement) < len(r.Text) || len(c.Relations) < len(r.Relations)
	var sub *Subject
	if o != nil && o.grant.Employee == a.employee.ID && o.grant.Session == a.session {
		a.Task, c.Task, c.Purpose, c.Grant = o.grant.Task, o.grant.Task, o.grant.Purpose, o.grant.ID
		sub = l.subject(a, o.grant.Customer)
		sub.Purpose, sub.Reasons = o.grant.Purpose, c.Reasons
	}
	return entry(ledger.KindRefusal, string(access.OutcomeRefused), 0, c, sub)
}

// commit records what is queued, all that waits at once, until ctx ends and
// nothing is left. G3: done(nil) is called behind the sync that covers a record.
func (s *Statements) commit(ctx context.Context) {
	defer context.AfterFunc(ctx, s.queue.close)()
	calm := context.WithoutCancel(ctx) // what was asked for is recorded, whoever goes away
	var room, later []queued
	var entries []ledger.Entry
	for {
		runtime.Gosched() // whoever is ready to run may join, as in the ledger's own group
		list := s.queue.take(later, room)
		if len(list) == 0 {
			return
		}
		var now []queued
		now, later = s.due(list, later[:0:0])
		entries = entries[:0]
		for i := range now {
			entries = append(entries, now[i].entry)
		}
		if len(now) > 0 {
			receipts, err := s.c.Journal.AppendAll(calm, entries)
			s.tell(calm, now, receipts, err)
		}
		clear(entries)
		clear(list)
		room = list
	}
}

// due returns what of list is recorded now, in its place, and appends to later
// the outcomes whose intents are part of it: an intent has no number before it
// is durable. What can't be recorded is answered.
func (s *Statements) due(list, later []queued) (now, _ []queued) {
	refusing := s.c.Refusing()
	now = list[:0]
	for _, r := range list {
		h := r.handle
		switch {
		case r.entry.Kind == ledger.KindIntent && refusing != nil:
			h.err = errUnrecorded(refusing)
			r.done(h.err)
			continue
		case r.entry.Kind != ledger.KindOutcome:
		case h.err != nil: // of a statement that never was
			r.done(h.err)
			continue
		case h.number == 0:
			later = append(later, r)
			continue
		default:
			r.entry.Of = h.number
		}
		now = append(now, r)
	}
	return now, later
}

// tell answers those whose records were committed, or not.
func (s *Statements) tell(ctx context.Context, list []queued, receipts []ledger.Receipt, err error) {
	if err != nil {
		s.c.Lookups.Log.ErrorContext(ctx, "statements can't be recorded", "recorded", len(receipts), "of", len(list), "error", err)
	}
	for i, r := range list {
		var why error
		switch {
		case i >= len(receipts):
			why = errUnrecorded(err)
			if r.handle != nil {
				r.handle.err = why
			}
		case r.entry.Kind == ledger.KindIntent:
			r.handle.number = receipts[i].Number + 1
		}
		r.done(why)
	}
}
