package pggate

import (
	"context"
	"errors"
	"net"
	"os"
)

// mark is something that happens at a place of a chunk, found by walking over
// it and done in order while it is passed on.
type mark struct {
	at   int
	n    int // bytes at that place that aren't passed on
	do   doing
	rec  *rec
	fail *failure
	tx   byte
}

// doing says what a mark does.
type doing byte

const (
	needIntent  doing = iota // nothing from here on before rec's intent is durable
	needOutcome              // … before rec's outcome is durable
	leaveOut                 // n bytes aren't the client's
	replace                  // n bytes of an ErrorResponse become fail, once rec's outcome is durable
	erred                    // PostgreSQL itself failed what it was doing
	breakOff                 // a limit: fail, and nothing more until ReadyForQuery
	ready                    // ReadyForQuery
)

// downward reads PostgreSQL's messages and passes them on, whole buffers at a
// time, each byte once the record of what brought it is durable.
func (s *session) downward() error {
	for {
		s.mu.Lock()
		idle := s.items.len() == 0
		s.mu.Unlock()
		err := s.out.fill(s.up.Conn, idle)
		if err != nil {
			if s.stand(err) {
				continue
			}
			return s.lost(err)
		}
		s.busy.Store(true)
		p, need, err := s.walk()
		if err == nil {
			_, err = s.release(p)
		}
		if err != nil {
			return err
		}
		s.passedOn(p, need)
	}
}

// passedOn puts a chunk away that was passed on up to p.
func (s *session) passedOn(p, need int) {
	s.whole = s.out.rest == 0
	s.out.keepFrom(p, need)
	s.busy.Store(false)
	if s.upWaits.Load() {
		s.wakeUpward()
	}
}

// stand lets the upward goroutine change the upstream session while this one
// stands still; err is what reading ended with.
func (s *session) stand(err error) bool {
	if !s.park.Load() || !errors.Is(err, os.ErrDeadlineExceeded) || s.killed() {
		return false
	}
	select {
	case s.parked <- struct{}{}:
	case <-s.done:
		return false
	}
	select {
	case <-s.resume:
		return true
	case <-s.done:
		return false
	}
}

// lost says what it means that reading upstream ended.
func (s *session) lost(err error) error {
	if s.killed() || errors.Is(err, net.ErrClosed) {
		return errEnded
	}
	s.mu.Lock()
	told := s.told
	s.mu.Unlock()
	if told {
		return errEnded
	}
	s.gate.cfg.Log.DebugContext(context.Background(), "the upstream connection ended", "session", s.pid, "err", err)
	return &failure{code: "08006", message: "the connection to the database was lost"}
}

// walk goes over what was read, as far as it is there, keeps count, and leaves
// marks. It returns where it stopped and how many bytes the message there
// needs.
func (s *session) walk() (p, need int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.out
	s.marks = s.marks[:0]
	for {
		if c.rest > 0 {
			n := min(c.rest, c.end-p)
			if c.drop {
				s.mark(mark{at: p, n: n, do: leaveOut})
			}
			p, c.rest = p+n, c.rest-n
			if c.rest > 0 {
				return p, 0, nil
			}
			c.drop = false
		}
		m, ok, err := c.peek(p)
		if err != nil || !ok {
			return p, 0, err
		}
		it := s.items.head()
		if m.kind == 'D' && it != nil && it.current() == s.cleared && it.fail == nil && !it.swallow && (it.kind == 'E' || it.kind == 'Q') { // the most frequent
			s.row(it, p, m.total)
			n := min(m.total, c.end-p)
			p, c.rest = p+n, m.total-n
			continue
		}
		if have := c.end - p; have < m.total && (neededWhole(m.kind) || m.kind == 'E' && m.total <= largeBuffer) {
			if m.total > largeBuffer {
				return p, 0, errUpstream
			}
			return p, m.total, nil
		}
		n := min(m.total, c.end-p)
		drop, err := s.answer(it, m, p, c.buf[p+5:p+n])
		if err != nil {
			return p, 0, err
		}
		if drop {
			s.mark(mark{at: p, n: n, do: leaveOut})
			c.drop = n < m.total
		}
		p, c.rest = p+n, m.total-n
	}
}

// errUpstream ends a session whose upstream says something that can't be: what
// isn't understood isn't passed on.
var errUpstream = &failure{code: stateProtocol, message: "the database sent something unexpected"}

func neededWhole(kind byte) bool {
	switch kind {
	case 'Z', 'C', 'S', '1', '2', '3', 's', 'I', 'n', 'G', 'K', 'R':
		return true
	}
	return false
}

func (s *session) mark(m mark) { s.marks = append(s.marks, m) }

// row counts a row or a line of COPY, and breaks off what brings too many.
func (s *session) row(it *item, p, total int) {
	r := it.current()
	if r == nil || r.cut {
		return
	}
	r.rows++
	r.bytes += int64(total)
	l := &s.limits
	if l.Rows > 0 && r.rows > l.Rows || l.Bytes > 0 && r.bytes > l.Bytes {
		r.cut = true
		s.mark(mark{at: p, do: breakOff, fail: errRows})
		s.cancelSoon(s.up)
	}
}

// Answers where a limit breaks a statement off.
var (
	errRows = &failure{code: stateTooLarge, reason: "limit_rows", message: "the result is larger than your role allows, so the rest is not shown",
		hint: "Ask for less: a narrower WHERE, or a LIMIT."}
	errTime = &failure{code: stateCancelled, reason: "limit_time", message: "the statement took longer than your role allows",
		hint: "Ask for less."}
)

// answer deals with one message of PostgreSQL's; drop says that it isn't passed
// on. it is what it answers; nil: nothing is under way.
func (s *session) answer(it *item, m message, p int, body []byte) (drop bool, err error) {
	if it != nil {
		if r := it.current(); r != s.cleared {
			s.cleared = r
			if r != nil && r.intent.Load() != durable {
				s.mark(mark{at: p, do: needIntent, rec: r}) // G3
			}
		}
	}
	swallow := it != nil && it.swallow
	switch m.kind {
	case 'S':
		return false, s.parameter(body)
	case 'N':
		return swallow, nil
	case 'A': // somebody's NOTIFY: a channel past every record
		return true, nil
	case 'E':
		return s.errored(it, p, m.total, body)
	case 'Z':
		return s.settled(it, p, body)
	}
	if it == nil {
		return false, errUpstream
	}
	if it.fail != nil { // it was to fail and didn't
		return false, errUpstream
	}
	return swallow, s.progress(it, m, p)
}

// progress deals with an answer to what is under way.
func (s *session) progress(it *item, m message, p int) error {
	switch m.kind {
	case 'D', 'd':
		s.row(it, p, m.total)
	case 'T', 'n':
		if it.kind == 'D' {
			s.pop()
		}
	case 't', 'H', 'c':
	case '1':
		s.names.settle(it.name, it.prep, true)
		return s.popKind(it, 'P')
	case '2':
		return s.popKind(it, 'B')
	case '3':
		if it.name != "" {
			s.names.forget(it.name)
		}
		return s.popKind(it, 'C')
	case 'C':
		return s.completed(it, p, EndedWhole)
	case 's':
		return s.completed(it, p, EndedSuspended)
	case 'I':
		if it.kind == 'E' {
			return s.completed(it, p, EndedWhole)
		}
	case 'G':
		if it.kind != 'Q' || it.next >= len(it.stmts) || !it.stmts[it.next].copyIn {
			return errUpstream
		}
	default:
		return errUpstream
	}
	return nil
}

func (s *session) popKind(it *item, kind byte) error {
	if it.kind != kind {
		return errUpstream
	}
	s.pop()
	return nil
}

// pop takes out what is answered.
func (s *session) pop() {
	s.items.pop()
	s.late.Store(false)
	if s.items.len() == 0 {
		s.head.Store(0)
	} else {
		s.head.Store(s.gate.coarse.Load())
	}
}

// completed deals with the end of one statement's answer: the outcome is queued
// at once, and the message waits for it.
func (s *session) completed(it *item, p int, how How) error {
	var st *stmt
	switch it.kind {
	case 'E':
		st = &it.prep.stmt
	case 'Q':
		if it.recs != nil && it.next >= len(it.recs) || it.rec != nil && it.next > 0 {
			return errUpstream // more answers than statements: one would be unrecorded
		}
		if it.next < len(it.stmts) {
			st = &it.stmts[it.next]
		}
	default:
		return errUpstream
	}
	if r := it.current(); r != nil {
		r.end(how, "")
		s.mark(mark{at: p, do: needOutcome, rec: r})
	}
	if st != nil && how == EndedWhole {
		s.took(st)
	}
	if it.kind == 'E' {
		s.pop()
	} else {
		it.next++
		s.head.Store(s.gate.coarse.Load())
	}
	return nil
}

// took takes note of what a statement has done to names.
func (s *session) took(st *stmt) {
	if st.prepares != "" {
		p := &prep{stmt: stmt{text: st.text, print: st.print, relations: st.relations, reads: st.reads, writes: true}}
		if s.names.prepare(st.prepares, p) {
			s.names.settle(st.prepares, p, true)
		}
		_ = s.names.bind([]byte(st.prepares), p) // beyond the bound it is recorded as not seen
	}
	if st.forgets != "" {
		s.names.forget(st.forgets)
	}
}

// parameter takes note of a ParameterStatus.
func (s *session) parameter(body []byte) error {
	name, rest, ok := cutString(body)
	value, _, ok2 := cutString(rest)
	if !ok || !ok2 {
		return errUpstream
	}
	if string(name) == "standard_conforming_strings" {
		s.escapes.Store(string(value) != "on")
	}
	s.params[string(name)] = string(value)
	return nil
}

// errored deals with an ErrorResponse.
func (s *session) errored(it *item, p, total int, body []byte) (drop bool, err error) {
	code := stateOf(body)
	if sev := severityOf(body); sev == "FATAL" || sev == "PANIC" {
		s.told = true
	}
	if it == nil {
		return false, nil
	}
	instead := it.fail
	if s.late.Load() && code == stateCancelled && instead == nil {
		s.late.Store(false)
		instead = errTime
	}
	switch r := it.current(); {
	case it.kind == 'Q':
		if it.next >= max(len(it.recs), 1) {
			r = nil // behind the last statement: the commit failed
		}
		r.end(EndedError, code)
		if r != nil {
			s.mark(mark{at: p, do: needOutcome, rec: r})
		}
		it.each(func(r *rec) { r.end(EndedNotRun, "") })
	case it.kind != 'S':
		s.skipping = true
		if r != nil {
			r.end(EndedError, code)
			s.mark(mark{at: p, do: needOutcome, rec: r})
		}
	}
	if it.swallow {
		return true, nil
	}
	s.mark(mark{at: p, do: erred})
	if instead != nil {
		n := min(total, s.out.end-p)
		s.mark(mark{at: p, n: n, do: replace, rec: it.refused, fail: instead})
		s.out.drop = n < total
	}
	return false, nil
}

// settled deals with a ReadyForQuery: what was skipped is over.
func (s *session) settled(it *item, p int, body []byte) (drop bool, err error) {
	if len(body) != 1 {
		return false, errUpstream
	}
	for s.skipping && it != nil && it.kind != 'S' {
		it.each(func(r *rec) { r.end(EndedNotRun, "") })
		if it.kind == 'P' && it.prep != nil {
			s.names.settle(it.name, it.prep, false)
		}
		s.items.pop()
		it = s.items.head()
	}
	if it == nil || it.kind != 'S' && it.kind != 'Q' {
		return false, errUpstream
	}
	s.skipping = false
	it.each(func(r *rec) { r.end(EndedNotRun, "") })
	drop = it.swallow || it.more
	s.status.Store(int32(body[0]))
	if !drop {
		s.mark(mark{at: p, n: 6, do: ready, tx: body[0]})
	}
	s.pop()
	s.cleared = nil
	return drop, nil
}
