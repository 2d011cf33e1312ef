package pggate

import (
	"slices"
	"time"
)

// upward reads the client's messages and sends them to PostgreSQL, whole
// buffers at a time. What isn't passed on as it came is written in its place.
func (s *session) upward() error {
	for {
		if err := s.in.fill(s.client, true); err != nil {
			return err
		}
		if err := s.takeClient(); err != nil {
			return err
		}
	}
}

// takeClient deals with what was read of the client. sent is where the part
// begins that is not sent yet, p where the next message does.
func (s *session) takeClient() error {
	c := &s.in
	sent, p, need := 0, 0, 0
	for {
		if c.rest > 0 {
			n := min(c.rest, c.end-p)
			p, c.rest = p+n, c.rest-n
			if c.drop {
				sent = p
			}
			if c.rest > 0 {
				break
			}
			c.drop = false
		}
		m, ok, err := c.peek(p)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		whole, err := s.enough(m, p)
		if err != nil {
			return err
		}
		if whole == 0 {
			need = m.total
			break
		}
		body := c.buf[p+5 : min(p+m.total, c.end)]
		if s.looped.loop != nil && !s.waits && s.mayWait(m.kind, body) {
			if err := s.send(c.buf[sent:p]); err != nil {
				return err
			}
			c.keepFrom(p, 0)
			return errHandOver
		}
		instead, err := s.message(m.kind, body, func() error {
			err := s.send(c.buf[sent:p])
			sent = p
			return err
		})
		if err != nil {
			return err
		}
		if instead != nil {
			if err := s.send(c.buf[sent:p]); err != nil {
				return err
			}
			if err := s.send(instead); err != nil {
				return err
			}
			c.drop = true
			sent = min(p+m.total, c.end)
		}
		n := min(m.total, c.end-p)
		p, c.rest = p+n, m.total-n
		if c.rest == 0 {
			c.drop = false
		}
	}
	if err := s.send(c.buf[sent:p]); err != nil {
		return err
	}
	c.keepFrom(p, need)
	return nil
}

// enough reports whether a message that begins at p can be dealt with: 0 no,
// more must be read. Texts are needed whole, of a Bind the names in front, and
// what only passes not at all.
func (s *session) enough(m message, p int) (int, error) {
	have := s.in.end - p
	if have >= m.total {
		return m.total, nil
	}
	switch m.kind {
	case 'Q', 'P':
		if m.total > s.gate.cfg.MaxStatement {
			return 0, &failure{code: stateTooLarge, message: "the statement is too long"}
		}
	case 'B':
		if have >= 4*smallBuffer {
			return have, nil
		}
	case 'd', 'f', 'F':
		return have, nil
	case 'E', 'D', 'C', 'S', 'H', 'c', 'X':
		if m.total > 4*smallBuffer {
			return 0, errTooLong
		}
	default:
		return 0, &failure{code: stateProtocol, message: "invalid frontend message type"}
	}
	return 0, nil
}

var errTooLong = &failure{code: stateProtocol, message: "invalid message length"}

// send writes to PostgreSQL.
func (s *session) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if s.killed() {
		return errEnded
	}
	switch {
	case s.looped.loop == nil:
	case s.waits:
		return s.sendAll(b)
	default:
		return s.sendNow(b)
	}
	_, err := s.up.Conn.Write(b)
	return err
}

// message deals with one message. flush sends everything before it; instead is
// what is sent in its place: nil: the message as it came, empty: nothing.
func (s *session) message(kind byte, body []byte, flush func() error) (instead []byte, err error) {
	if s.abort.Load() && (kind == 'Q' || kind == 'P' || kind == 'B' || kind == 'E') {
		if err := s.failTransaction(flush); err != nil {
			return nil, err
		}
	}
	if s.gate.cfg.Standby && s.grant != nil && (kind == 'Q' || kind == 'P' || kind == 'B' || kind == 'E') {
		if err := s.renew(flush); err != nil {
			return nil, err
		}
	} else if s.discarded && s.grant != nil && (kind == 'Q' || kind == 'P' || kind == 'B' || kind == 'E') {
		if err := s.greetAgain(flush); err != nil {
			return nil, err
		}
	}
	s.partial = kind != 'Q' && kind != 'S'
	switch kind {
	case 'Q':
		return s.query(body, flush)
	case 'P':
		return s.parse(body)
	case 'B':
		return s.bind(body)
	case 'E':
		return s.execute(body, flush)
	case 'D':
		s.push(item{kind: 'D'})
	case 'C':
		if len(body) < 2 || body[len(body)-1] != 0 {
			return nil, errLayoutOf("Close")
		}
		it := item{kind: 'C'}
		if body[0] == 'S' {
			it.name = string(body[1 : len(body)-1])
		}
		s.push(it)
	case 'S':
		s.unbind()
		s.execs = 0
		s.push(item{kind: 'S'})
	case 'F':
		s.push(item{kind: 'Q', fail: refuseCommand("the fast-path interface"), refused: s.refuse(nil, "fastpath", stateNotSupported)})
		return appendQuery(nil, notSQL), nil
	case 'H', 'd', 'c', 'f':
	case 'X':
		if err := flush(); err != nil {
			return nil, err
		}
		return nil, errTerminated
	default:
		return nil, &failure{code: stateProtocol, message: "invalid frontend message type"}
	}
	return nil, nil
}

func errLayoutOf(message string) error {
	return &failure{code: stateProtocol, message: "invalid " + message + " message"}
}

// maxItems bounds what one client may have under way.
const maxItems = 1 << 16

// push takes note of a message before it is sent.
func (s *session) push(it item) {
	s.mu.Lock()
	if s.items.len() == 0 {
		s.head.Store(s.gate.coarse.Load())
	}
	s.items.push(it)
	n := s.items.len()
	s.mu.Unlock()
	if n > maxItems && (s.looped.loop == nil || s.waits) {
		_ = s.drained(true) // an end shows at the next send
	}
}

// record queues the intent of a statement; nil where nothing is recorded,
// because nobody's grant is bound.
func (s *session) record(st *stmt) *rec {
	if s.grant == nil {
		return nil
	}
	r := &rec{s: s, stmt: st}
	if len(s.unsure) >= 64 {
		s.unsure = slices.DeleteFunc(s.unsure, (*rec).settled)
	}
	s.unsure = append(s.unsure, r)
	s.intents.Add(1)
	r.handle = s.gate.cfg.Lookups.Statement(&Statement{
		Grant: *s.grant, Who: s.acting, Text: st.text, Fingerprint: st.print, Relations: st.relations,
	}, r.onIntent)
	return r
}

// refuse queues the record of a refusal and returns what its answer waits for.
func (s *session) refuse(st *stmt, reason, code string) *rec {
	if st == nil {
		st = &stmt{text: "(" + reason + ")"}
	}
	r := &rec{s: s, stmt: st}
	ref := &Refusal{Code: code, Reason: reason, Statement: Statement{Who: s.acting, Text: st.text, Fingerprint: st.print, Relations: st.relations}}
	if s.grant != nil {
		ref.Grant = *s.grant
	}
	s.gate.cfg.Lookups.Refused(ref, r.onOutcome)
	return r
}

// may returns why a statement isn't passed on; nil: it is.
func (s *session) may(st *stmt) *failure {
	switch {
	case st.refusal != nil:
		return st.refusal
	case st.reads && s.grant == nil && s.gate.cfg.SignOn.Service(s.login) && !s.behalf:
		return &failure{code: stateDenied, reason: "no_person", message: "this account sees customers only on behalf of a person",
			hint: "Use SET paravent.on_behalf_of = '…' with the person's token, then SET paravent.task."}
	case st.reads && s.grant == nil:
		return &failure{code: stateDenied, reason: "no_task", message: "no task is set, so tables with customers' data can't be read",
			hint: "Name the task you are working on: SET paravent.task = '…'."}
	}
	return nil
}

// counted counts a statement and returns the refusal of one too many.
func (s *session) counted() *failure {
	if s.limits.PerMinute <= 0 {
		return nil
	}
	if minute := s.gate.coarse.Load() / int64(time.Minute); minute != s.minute {
		s.minute, s.count = minute, 0
	}
	if s.count++; s.count > s.limits.PerMinute {
		return &failure{code: stateLimit, reason: "limit_statements", message: "more statements in a minute than your role allows",
			hint: "Wait a minute."}
	}
	return nil
}

// recorded waits until every intent of this session is durable. A statement
// that may change something is sent only then, because it can't be taken back.
// It returns the refusal where one can't be recorded.
func (s *session) recorded(flush func() error) (*failure, error) {
	if s.intents.Load() > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
		if err := s.upWait(func() bool { return s.intents.Load() == 0 }); err != nil {
			return nil, err
		}
	}
	s.unsure = slices.DeleteFunc(s.unsure, (*rec).settled)
	if len(s.unsure) > 0 || s.poison.Load() || s.abort.Load() {
		return errRecord, nil
	}
	return nil, nil
}

// errRecord is the answer where a record can't be made (G3).
var errRecord = &failure{code: stateRecord, reason: "record", message: "the statement could not be recorded, so nothing of it is shown",
	hint: "Try again; if it stays, tell your administrator."}

// failTransaction has PostgreSQL fail the transaction in which the client was
// told of an error that wasn't PostgreSQL's.
func (s *session) failTransaction(flush func() error) error {
	if err := flush(); err != nil {
		return err
	}
	s.abort.Store(false)
	s.push(item{kind: 'Q', swallow: true})
	return s.send(appendQuery(nil, notSQL))
}
