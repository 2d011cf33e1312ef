package pggate

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// session is one client. Two goroutines serve it: upward reads the client and
// writes to PostgreSQL, downward the other way. Each direction has one writer.
type session struct {
	gate   *Gate
	client net.Conn
	start  startup
	login  identity.Who // who signed in
	pid    uint32       // of its cancel key
	secret []byte

	mu       sync.Mutex // both goroutines, briefly
	items    queue      // what was sent upstream and isn't answered
	names    names
	skipping bool // PostgreSQL skips until Sync
	told     bool // PostgreSQL said why it ends the session

	// The upward goroutine's; changed only while the other is parked.
	up     *upstream
	grant  *access.Grant // what up is bound to; nil: no task
	acting identity.Who  // for whom; login, or the person a tool acts for
	limits Limits
	rules  rules

	// The upward goroutine's alone.
	in          chunk
	bound       boundRec
	execs       int    // statements executed since the last Sync
	minute      int64  // which minute of the clock is counted
	count       int    // statements in it
	state       bool   // settings or prepared statements to take along
	behalf      bool   // acting is somebody else than login
	parsed      []stmt // the next Query's, where isParsed
	isParsed    bool
	waits       bool   // a goroutine deals with the client, so it may wait
	unsure      []*rec // records whose intent may still fail
	partial     bool   // messages of the extended protocol were sent since the last Sync
	tokenAt     int64  // standby: when the token was renewed, in ns since 1970
	tokenInside bool   // … inside a transaction
	discarded   bool   // DISCARD ALL was sent since up said hello

	// The downward goroutine's alone.
	out       chunk
	marks     []mark
	cleared   *rec // whose intent is known to be durable
	aside     []byte
	failing   bool // answers are dropped until ReadyForQuery
	refused   bool // … and PostgreSQL itself failed the transaction
	uncertain bool // … and something that may write had run
	params    map[string]string
	markAt    int // which of marks release has come to …
	from      int // … and where what isn't passed on yet begins

	// Between the two, and the recorder and the clock.
	status   atomic.Int32 // PostgreSQL's last transaction status
	busy     atomic.Bool  // what was read of PostgreSQL is being passed on
	escapes  atomic.Bool  // standard_conforming_strings is off
	abort    atomic.Bool  // the transaction must be failed before the next statement
	intents  atomic.Int32 // intents not known yet
	poison   atomic.Bool  // an answer was broken off, and its ReadyForQuery is still to come
	head     atomic.Int64 // since when the first item is being answered, in ns since 1970; 0: none
	writing  atomic.Int64 // since when the client takes an answer; 0: none
	late     atomic.Bool  // its time is up: what runs was cancelled
	cancels  atomic.Int32 // requests to cancel that are under way
	upWaits  atomic.Bool
	wakeUp   chan struct{}
	wakeDown chan struct{}
	park     atomic.Bool // downward is asked to stand still
	parked   chan struct{}
	resume   chan *upstream
	end      sync.Once
	done     chan struct{} // closed when the session must end
	why      *failure      // told to the client before its end; set before done is closed
	whole    bool          // the client stands between two messages; downward's

	looped looped // where the session is served by a loop
}

// boundRec is the record of a Bind whose portal wasn't executed yet.
type boundRec struct {
	portal string
	rec    *rec
}

// Errors that end a session without a word to the client.
var (
	errTerminated = errors.New("the client said goodbye")
	errEnded      = errors.New("the session was ended")
)

func newSession(g *Gate, client net.Conn) *session {
	return &session{
		gate: g, client: client, whole: true,
		wakeUp: make(chan struct{}, 1), wakeDown: make(chan struct{}, 1),
		parked: make(chan struct{}), resume: make(chan *upstream), done: make(chan struct{}),
	}
}

// wake lets whoever waits for a record look again.
func (s *session) wake() {
	if !s.wakeLoop() {
		select {
		case s.wakeDown <- struct{}{}:
		default:
		}
	}
	if s.upWaits.Load() {
		s.wakeUpward()
	}
}

func (s *session) wakeUpward() {
	select {
	case s.wakeUp <- struct{}{}:
	default:
	}
}

// kill ends the session at once: nothing more is passed on, whatever was read.
// why is told to the client where he stands between two messages; nil: nothing.
func (s *session) kill(why *failure) {
	s.end.Do(func() {
		s.why = why
		close(s.done)
		s.mu.Lock()
		up, loop := s.up, s.looped.loop
		s.mu.Unlock()
		if loop != nil {
			loop.post(s)
			return
		}
		past := time.Unix(1, 0)
		_ = s.client.SetDeadline(past) // fails only on a closed connection
		if up != nil {
			_ = up.Conn.SetDeadline(past)
		}
	})
}

func (s *session) killed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// lingers is how long what a client left behind may still run.
const lingers = 5 * time.Second

// serve relays until one side ends.
func (s *session) serve() {
	down := make(chan struct{})
	go func() {
		defer close(down)
		s.finish(s.downward())
	}()
	err := s.upward()
	if errors.Is(err, errTerminated) { // what he sent before it is still done, as PostgreSQL does
		s.linger()
	}
	s.finish(err)
	<-down
	s.over()
}

// over ends what is left of a session that nobody serves any more.
func (s *session) over() {
	s.farewell()
	s.leave()
	s.gate.forget(s)
}

// finish ends the session for a reason.
func (s *session) finish(err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
		s.kill(f)
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, errTerminated), errors.Is(err, errEnded), errors.Is(err, net.ErrClosed):
		s.kill(nil)
	default:
		s.gate.cfg.Log.DebugContext(context.Background(), "a session broke", "session", s.pid, "err", err)
		s.kill(nil)
	}
}

// farewell tells the client why his session ends, where a message may begin.
func (s *session) farewell() {
	if s.why != nil && s.whole {
		_ = s.client.SetDeadline(time.Time{}) // the last word; a timer closes what doesn't take it
		stop := time.AfterFunc(time.Second, func() { _ = s.client.Close() })
		defer stop.Stop()
		_, _ = s.client.Write(s.why.appendError(nil, "FATAL")) // he may be gone
	}
	_ = s.client.Close() // fails only where it is closed
}

// leave ends what is still open: records without an outcome, the upstream.
func (s *session) leave() {
	s.mu.Lock()
	clean := s.items.len() == 0 && !s.skipping && s.status.Load() == 'I' && s.why == nil && s.execs == 0
	for ; s.items.len() > 0; s.items.pop() {
		s.items.head().each(func(r *rec) { r.end(EndedLost, "") })
	}
	if s.bound.rec != nil {
		s.bound.rec.end(EndedNotRun, "")
	}
	up := s.up
	s.mu.Unlock()
	if up == nil {
		return
	}
	if clean && s.out.rest == 0 && s.out.end == 0 {
		s.gate.background(func(context.Context) { s.gate.keep(up) })
	} else {
		s.gate.drop(up)
	}
}

// drained waits until everything that was sent is answered and passed on.
// tell asks PostgreSQL to send what it holds back until Sync.
func (s *session) drained(tell bool) error {
	if tell {
		if err := s.send([]byte{'H', 0, 0, 0, 4}); err != nil {
			return err
		}
	}
	return s.upWait(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return (s.items.len() == 0 || s.skipping) && !s.busy.Load()
	})
}

// upWait lets the upward goroutine wait for something that wakes it.
func (s *session) upWait(ready func() bool) error {
	s.upWaits.Store(true)
	defer s.upWaits.Store(false)
	for !ready() {
		select {
		case <-s.wakeUp:
		case <-s.done:
			return errEnded
		}
	}
	return nil
}
