package pggate

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"paravent/internal/access"
)

// Gate is the door for SQL. It is safe for concurrent use.
type Gate struct {
	cfg       Config
	protected protected
	interned  interned
	upstreams upstreams
	binding   []byte       // of our certificate, for SCRAM-SHA-256-PLUS
	coarse    atomic.Int64 // the clock as of the last tick, in ns since 1970

	mu       sync.Mutex
	sessions map[uint32]*session // by the pid of their cancel keys
	starting int                 // connections that have proven nobody yet
	closed   bool
	work     sync.WaitGroup // sessions and what goes on behind them
	stop     context.CancelFunc
	ctx      context.Context // ends with the gate

	loops   []*loop
	looping sync.WaitGroup
}

// New returns a gate. It refuses a Config in which something is missing.
func New(cfg Config) (*Gate, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g := &Gate{cfg: cfg, protected: newProtected(cfg.Protected), sessions: map[uint32]*session{}}
	if cfg.TLS != nil && len(cfg.TLS.Certificates) == 1 && cfg.TLS.GetCertificate == nil && cfg.TLS.GetConfigForClient == nil &&
		len(cfg.TLS.Certificates[0].Certificate) > 0 {
		g.binding = endPoint(cfg.TLS.Certificates[0].Certificate[0])
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.coarse.Store(g.now().UnixNano())
	for range loops(cfg) {
		l, err := newLoop()
		if errors.Is(err, errors.ErrUnsupported) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("open pggate: %w", err)
		}
		g.loops = append(g.loops, l)
		g.looping.Go(l.serveAll)
	}
	g.work.Go(g.watch)
	return g, nil
}

// loopFor returns the loop that serves a session; nil: there is none.
func (g *Gate) loopFor(s *session) *loop {
	if len(g.loops) == 0 {
		return nil
	}
	return g.loops[int(s.pid)%len(g.loops)]
}

// loops returns how many loops serve clients.
func loops(cfg Config) int {
	if !cfg.Loops {
		return 0
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// Serve lets clients in until the listener or the gate is closed; it returns
// nil then.
func (g *Gate) Serve(l net.Listener) error {
	stop := context.AfterFunc(g.ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			var soon net.Error
			if errors.As(err, &soon) && soon.Timeout() {
				continue
			}
			g.cfg.Log.WarnContext(g.ctx, "let a client in", "err", err)
			select {
			case <-g.ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond): // no descriptors: others must end first
				continue
			}
		}
		g.admit(conn)
	}
}

// maxStarting is how many clients may be proving who they are at once.
const maxStarting = 256

// admit serves one connection in a goroutine of its own.
func (g *Gate) admit(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.starting >= maxStarting {
		_ = conn.Close()
		return
	}
	g.starting++
	g.work.Go(func() {
		s := newSession(g, conn)
		begun := s.begin()
		g.mu.Lock()
		g.starting--
		g.mu.Unlock()
		if !begun {
			g.forget(s)
			return
		}
		g.work.Add(1)
		if l := g.loopFor(s); l == nil || !l.add(s, func() { s.over(); g.work.Done() }) {
			g.work.Done()
			s.serve()
		}
	})
}

// Close ends every session: clients are told that the server is going down. It
// returns when all are gone.
func (g *Gate) Close() error {
	g.mu.Lock()
	g.closed = true
	for _, s := range g.sessions {
		s.kill(errShutdown)
	}
	g.mu.Unlock()
	g.stop()
	for _, u := range g.upstreams.cull(func(*upstream) bool { return true }) {
		g.drop(u)
	}
	g.work.Wait()
	for _, l := range g.loops {
		l.stop()
	}
	g.looping.Wait()
	for _, u := range g.upstreams.cull(func(*upstream) bool { return true }) {
		_ = u.Conn.Close() // put aside while the others ended
	}
	return nil
}

var errShutdown = &failure{code: stateShutdown, message: "terminating connection due to administrator command",
	hint: "Connect again."}

// errFull is the answer to one client too many.
var errFull = &failure{code: stateTooMany, message: "sorry, too many clients already"}

// register gives a session its cancel key.
func (g *Gate) register(s *session) error {
	var raw [4]byte
	s.secret = make([]byte, 4)
	if s.start.minor >= 2 {
		s.secret = make([]byte, 32)
	}
	_, _ = rand.Read(s.secret) // never fails
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errShutdown
	}
	if len(g.sessions) >= g.cfg.MaxSessions {
		return errFull
	}
	for {
		_, _ = rand.Read(raw[:])
		s.pid = binary.BigEndian.Uint32(raw[:]) & 0x7fffffff
		if _, taken := g.sessions[s.pid]; !taken && s.pid != 0 {
			g.sessions[s.pid] = s
			return nil
		}
	}
}

func (g *Gate) forget(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions[s.pid] == s {
		delete(g.sessions, s.pid)
	}
}

// cancelFor carries out a client's CancelRequest: a key that isn't known does
// nothing, and the answer is the same.
func (g *Gate) cancelFor(body []byte) {
	if len(body) < 5 {
		return
	}
	g.mu.Lock()
	s := g.sessions[binary.BigEndian.Uint32(body)]
	g.mu.Unlock()
	if s == nil || subtle.ConstantTimeCompare(s.secret, body[4:]) != 1 {
		return
	}
	s.mu.Lock()
	up := s.up
	running := s.items.len() > 0
	s.mu.Unlock()
	if up != nil && running {
		ctx, stop := context.WithTimeout(g.ctx, moveWithin)
		defer stop()
		g.cancel(ctx, up)
	}
}

// cancelSoon cancels what a session runs, behind the caller's back. The client
// reads ReadyForQuery only when that is over, so that it can't hit his next
// statement.
func (s *session) cancelSoon(u *upstream) {
	s.cancels.Add(1)
	s.gate.background(func(ctx context.Context) {
		s.gate.cancel(ctx, u)
		s.cancels.Add(-1)
		s.wake()
	})
}

// background runs something that nobody waits for, except the end of the gate.
func (g *Gate) background(f func(context.Context)) {
	g.work.Go(func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(g.ctx), moveWithin)
		defer stop()
		f(ctx)
	})
}

func (g *Gate) now() time.Time { return g.cfg.Clock().UTC() }

// begin proves who the client is and gives him an upstream session. What fails
// is told to him; then the connection is closed.
func (s *session) begin() bool {
	raw := s.client // hello may put TLS over it
	stop := time.AfterFunc(s.gate.cfg.SignInWithin, func() { _ = raw.Close() })
	defer context.AfterFunc(s.gate.ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()
	hello, err := s.hello()
	if err == nil && hello {
		err = s.enter()
	}
	if stop.Stop() && err == nil && hello {
		return true
	}
	var f *failure
	if errors.As(err, &f) {
		_, _ = s.client.Write(f.appendError(nil, "FATAL")) // he may be gone
	} else if err != nil {
		s.gate.cfg.Log.DebugContext(s.gate.ctx, "a client didn't sign in", "err", err)
	}
	_ = s.client.Close()
	s.mu.Lock()
	up := s.up
	s.mu.Unlock()
	if up != nil {
		s.gate.drop(up)
	}
	return false
}

// enter signs the client in and connects him.
func (s *session) enter() error {
	if err := s.signIn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.gate.ctx, moveWithin)
	defer cancel()
	if err := s.gate.register(s); err != nil {
		return err
	}
	acting, behalf := s.login, false
	if s.start.behalf != "" {
		person, err := s.gate.cfg.SignOn.OnBehalf(ctx, s.login, s.start.behalf)
		if err != nil {
			return s.answerTo(ctx, "act for somebody", err)
		}
		acting, behalf, s.start.behalf = person, true, ""
	}
	var grant *access.Grant
	if s.start.task != "" {
		var f *failure
		if grant, f = s.open(ctx, acting, access.TaskID(s.start.task)); f != nil {
			return f
		}
	}
	up, err := s.gate.connect(ctx, acting, grant, &s.start)
	if err != nil {
		return s.answerTo(ctx, "connect to the database", err)
	}
	s.settle(up, acting, grant, behalf)
	if _, err := s.client.Write(s.welcome()); err != nil {
		return fmt.Errorf("welcome a client: %w", err)
	}
	return nil
}
