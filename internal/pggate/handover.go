package pggate

import (
	"errors"
	"time"
)

// errHandOver says that the next message of a client may have to wait for
// something, so that it isn't dealt with in the loop.
var errHandOver = errors.New("the next message may have to wait")

// mayWait reports whether dealing with a message may have to wait. What it
// finds out about a Query's text is kept for query.
func (s *session) mayWait(kind byte, body []byte) bool {
	if s.abort.Load() || kind == 'X' {
		return true
	}
	switch kind {
	case 'Q':
		sql, _, ok := cutString(body)
		if !ok {
			return false
		}
		s.parsed, s.isParsed = analyse(sql, s.escapes.Load(), s.gate.protected, s.rules), true
		for i := range s.parsed {
			if st := &s.parsed[i]; st.special != ordinary || st.writes && s.grant != nil {
				return true
			}
		}
	case 'E':
		portal, _, _ := cutString(body)
		s.mu.Lock()
		p := s.names.running(portal)
		s.mu.Unlock()
		return p.special != ordinary || p.writes && s.grant != nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items.len() >= maxItems
}

// handedOver deals with what was read of the client where it may have to wait,
// then gives the client back to the loop.
func (s *session) handedOver() {
	p := &s.looped
	err := s.blocking(func() error {
		if b := p.toUp; len(b) > 0 {
			p.toUp = nil
			if err := s.send(b); err != nil {
				return err
			}
		}
		return s.takeClient()
	})
	if errors.Is(err, errTerminated) {
		s.linger()
		err = nil
		s.kill(nil)
	}
	if err != nil {
		s.finish(err)
	}
	p.loop.call(func() {
		p.handed = false
		p.loop.serve(s)
	})
}

// blocking runs f with writing to PostgreSQL as a goroutine does it.
func (s *session) blocking(f func() error) error {
	s.waits = true
	defer func() { s.waits = false }()
	return f()
}

// linger lets what a client left behind come to its end, as PostgreSQL does.
func (s *session) linger() {
	stop := time.AfterFunc(lingers, func() { s.kill(nil) })
	defer stop.Stop()
	_ = s.drained(true) // the session ends in any case
}
