package pggate

import (
	"fmt"
	"time"
)

// renewAfter is how old a standby's token may grow before the next statement
// brings a new one. Tokens last at most a minute.
const renewAfter = 20 * time.Second

// greetAgain has the upstream session say Binder.Hello again after DISCARD ALL,
// before the client's next statement. There is nothing without a name yet that
// a simple Query could take away.
func (s *session) greetAgain(flush func() error) error {
	hello := s.gate.hello()
	if s.partial || hello == "" {
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	s.discarded = false
	s.push(item{kind: 'Q', swallow: true})
	return s.send(appendQuery(nil, hello))
}

// renew gives the upstream session at a standby, where nothing can be bound, a
// fresh token before a statement that needs one. It goes by the extended
// protocol under names of its own, so that nothing of the client's is touched:
// a simple Query would take away his statement and portal without a name.
func (s *session) renew(flush func() error) error {
	now := s.gate.coarse.Load()
	s.mu.Lock()
	inside := s.items.len() > 0 || s.status.Load() != 'I'
	s.mu.Unlock()
	undone := s.tokenInside && !inside // a rollback may have brought the old one back
	if s.partial || !undone && now-s.tokenAt < int64(renewAfter) {
		return nil
	}
	token, err := s.gate.cfg.Binder.Token(s.up.said, *s.grant, s.gate.now())
	if err != nil {
		return fmt.Errorf("make a token for a standby: %w", err)
	}
	if err := flush(); err != nil {
		return err
	}
	s.tokenAt, s.tokenInside = now, inside
	for _, kind := range []byte{'C', 'P', 'B', 'E', 'S'} {
		s.push(item{kind: kind, swallow: true, prep: unseen})
	}
	return s.send(appendRenewal(nil, token))
}

// appendRenewal appends the messages that set the token.
func appendRenewal(b []byte, token string) []byte {
	b, at := begin(b, 'C')
	b = end(appendString(append(b, 'S'), noSuch+"token"), at)
	b, at = begin(b, 'P')
	b = appendString(b, noSuch+"token")
	b = appendString(b, "SELECT pg_catalog.set_config('paravent.token', '"+quoted(token)+"', false)")
	b = end(append(b, 0, 0), at)
	b, at = begin(b, 'B')
	b = appendString(appendString(b, noSuch+"token"), noSuch+"token")
	b = end(append(b, 0, 0, 0, 0, 0, 0), at)
	b, at = begin(b, 'E')
	b = end(append(appendString(b, noSuch+"token"), 0, 0, 0, 0), at)
	b, at = begin(b, 'S')
	return end(b, at)
}
