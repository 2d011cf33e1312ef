//go:build !linux

package pggate

import (
	"errors"
	"sync/atomic"
)

// loop serves many sessions on one thread, on Linux alone; elsewhere each has
// goroutines of its own.
type loop struct{}

type looped struct {
	loop    *loop
	toUp    []byte
	handed  bool
	waiting atomic.Bool
}

func newLoop() (*loop, error) { return nil, errors.ErrUnsupported }

func (l *loop) add(*session, func()) bool { return false }
func (l *loop) serveAll()                 {}
func (l *loop) stop()                     {}
func (l *loop) serve(*session)            {}

func (l *loop) post(*session) {}
func (l *loop) call(func())   {}

func (s *session) sendNow([]byte) error   { return errors.ErrUnsupported }
func (s *session) passNow([]byte) error   { return errors.ErrUnsupported }
func (s *session) wakeLoop() bool         { return false }
func (s *session) detach()                {}
func (s *session) attach(*upstream) error { return errors.ErrUnsupported }
func (s *session) sendAll([]byte) error   { return errors.ErrUnsupported }
