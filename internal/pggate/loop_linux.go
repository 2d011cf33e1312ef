package pggate

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// loop serves many sessions on one thread: what limits a gateway is system
// calls and wake-ups, and here a message costs one read and one write, and one
// epoll_wait serves all that have come meanwhile. What would have to wait
// (deciding on a task, a statement that must be durable before it is sent) is
// done by a goroutine of that session, while its answers still go through here.
//
// Sessions over TLS are served by goroutines of their own.
type loop struct {
	epoll, event int // descriptors
	mu           sync.Mutex
	sessions     []*session // by slot
	free         []int32
	posted       []*session // to be looked at
	calls        []func()   // to be carried out here
	sleeping     atomic.Bool
	stopped      bool

	// The loop's own.
	events [128]unix.EpollEvent
	look   []*session
	run    []func()
	again  []*session // those that have had their share
	gone   []int32    // slots to be free once no event can name them
}

// looped is what the loop knows of one session. It is used by the loop's
// goroutine alone.
type looped struct {
	loop             *loop
	slot             int32
	client, up       rawConn
	readable         bool   // the client has sent something
	upReadable       bool   // PostgreSQL has
	hungUp, upHungUp bool   // … and nothing more comes: what is there must be read to its end
	toUp, toClient   []byte // what couldn't be written yet
	handed           bool   // a goroutine deals with the client
	detached         bool   // there is no upstream at the moment
	releasing        bool   // release is not through
	stop, need       int    // where walk stopped
	over             bool
	posted, waiting  atomic.Bool // under loop.mu; release waits for a record
	queued           bool
	ended            func()
}

// rawConn is a descriptor that is read and written without Go's own poller.
type rawConn struct{ fd int }

var errAgain = errors.New("nothing to read yet")

// Read reads what is there; errAgain where nothing is.
func (c *rawConn) Read(b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(pointer(b)), uintptr(len(b)))
		switch errno {
		case 0:
			if n == 0 {
				return 0, io.EOF
			}
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, errAgain
		default:
			return 0, errno
		}
	}
}

// write writes as much as there is room for.
func (c *rawConn) write(b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(pointer(b)), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// descriptor returns a descriptor of a connection's own for the loop; false
// where it can't be used without what lies over it (TLS).
func descriptor(c net.Conn) (int, bool) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	fd := -1
	if err := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || fd < 0 {
		return 0, false
	}
	return fd, true
}

// connection makes a connection of a descriptor again, and closes that.
func connection(fd int, was net.Conn) net.Conn {
	f := os.NewFile(uintptr(fd), "")
	c, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return was // closed: every use of it says so
	}
	return c
}

func newLoop() (*loop, error) {
	l := &loop{}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.event, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		_ = unix.Close(l.epoll)
		return nil, err
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.event, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}); err != nil {
		_, _ = unix.Close(l.epoll), unix.Close(l.event)
		return nil, err
	}
	return l, nil
}

// add takes a session; ended is called in a goroutine of its own when it is
// over. false: it can't be served here.
func (l *loop) add(s *session, ended func()) bool {
	client, ok := descriptor(s.client)
	if !ok {
		return false
	}
	up, ok := descriptor(s.up.Conn)
	if !ok {
		_ = unix.Close(client)
		return false
	}
	p := &s.looped
	p.client, p.up, p.ended = rawConn{client}, rawConn{up}, ended
	s.mu.Lock()
	p.loop = l
	s.mu.Unlock()
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		s.mu.Lock()
		p.loop = nil
		s.mu.Unlock()
		_, _ = unix.Close(client), unix.Close(up)
		return false
	}
	if n := len(l.free); n > 0 {
		p.slot, l.free = l.free[n-1], l.free[:n-1]
		l.sessions[p.slot] = s
	} else {
		p.slot = int32(len(l.sessions))
		l.sessions = append(l.sessions, s)
	}
	l.mu.Unlock()
	// Closed here, so that Go's own poller isn't woken by each message, too.
	_, _ = s.client.Close(), s.up.Conn.Close()
	l.call(func() {
		if l.watch(client, p.slot*2) != nil || l.watch(up, p.slot*2+1) != nil {
			s.kill(nil)
		}
		p.readable, p.upReadable = true, true
		l.serve(s)
	})
	return true
}

func (l *loop) watch(fd int, id int32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: id})
}

func (l *loop) unwatch(fd int) {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil) // fails only where it isn't watched
}

// post has the loop look at a session.
func (l *loop) post(s *session) {
	if s.looped.posted.Swap(true) {
		return
	}
	l.mu.Lock()
	l.posted = append(l.posted, s)
	l.mu.Unlock()
	l.rouse()
}

// call has the loop carry something out.
func (l *loop) call(f func()) {
	l.mu.Lock()
	l.calls = append(l.calls, f)
	l.mu.Unlock()
	l.rouse()
}

// within carries something out in the loop and waits for it.
func (l *loop) within(f func()) {
	done := make(chan struct{})
	l.call(func() { f(); close(done) })
	<-done
}

var one = [8]byte{1}

func (l *loop) rouse() {
	if l.sleeping.Swap(false) {
		_, _ = unix.Write(l.event, one[:]) // a full counter wakes, too
	}
}

// stop ends the loop once everything that was asked of it is done. No session
// is left by then.
func (l *loop) stop() {
	l.call(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stopped = true
	})
}

// serveAll is the loop.
func (l *loop) serveAll() {
	for {
		n := l.wait()
		for i := range l.events[:n] {
			l.event1(&l.events[i])
		}
		l.mu.Lock()
		l.posted, l.look = l.look[:0], l.posted
		l.calls, l.run = l.run[:0], l.calls
		l.free, l.gone = append(l.free, l.gone...), l.gone[:0]
		l.mu.Unlock()
		for i, f := range l.run {
			f()
			l.run[i] = nil
		}
		for i, s := range l.look {
			s.looped.posted.Store(false)
			l.serve(s)
			l.look[i] = nil
		}
		again := l.again
		l.again = nil
		for _, s := range again {
			s.looped.queued = false
			l.serve(s)
		}
		if l.stopped {
			_, _ = unix.Close(l.epoll), unix.Close(l.event)
			return
		}
	}
}

// wait returns how many events there are. It looks first, and sleeps only when
// there is nothing at all.
func (l *loop) wait() int {
	if n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(events(&l.events)), uintptr(len(l.events)), 0, 0, 0); errno == 0 && n > 0 {
		return int(n)
	}
	l.sleeping.Store(true)
	l.mu.Lock()
	idle := len(l.posted) == 0 && len(l.calls) == 0 && len(l.again) == 0
	l.mu.Unlock()
	if !idle {
		l.sleeping.Store(false)
		return 0
	}
	n, err := unix.EpollWait(l.epoll, l.events[:], -1)
	l.sleeping.Store(false)
	if err != nil {
		return 0 // interrupted
	}
	return n
}

// event1 takes note of one event and serves its session.
func (l *loop) event1(e *unix.EpollEvent) {
	if e.Fd < 0 {
		var b [8]byte
		_, _ = unix.Read(l.event, b[:]) // it only wakes
		return
	}
	l.mu.Lock()
	s := l.sessions[e.Fd/2]
	l.mu.Unlock()
	if s == nil {
		return
	}
	in := e.Events&^uint32(unix.EPOLLOUT) != 0
	end := e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	if p := &s.looped; e.Fd%2 == 0 {
		p.readable, p.hungUp = p.readable || in, p.hungUp || end
	} else {
		p.upReadable, p.upHungUp = p.upReadable || in, p.upHungUp || end
	}
	l.serve(s)
}

// serve does all that can be done for a session without waiting.
func (l *loop) serve(s *session) {
	p := &s.looped
	if p.over {
		return
	}
	err := l.flush(s)
	if err == nil {
		err = l.upward(s)
	}
	if err == nil {
		err = l.downward(s)
	}
	if err != nil {
		s.finish(err)
	}
	if s.killed() && !p.handed {
		l.remove(s)
		return
	}
	if !p.readable && !p.handed && s.in.idle() {
		s.in.shrink()
	}
	if !p.upReadable && !p.releasing && s.out.idle() {
		s.out.shrink()
	}
}

// flush writes what there was no room for before.
func (l *loop) flush(s *session) error {
	p := &s.looped
	if s.killed() {
		return nil
	}
	if len(p.toUp) > 0 && !p.handed && !p.detached {
		n, err := p.up.write(p.toUp)
		if err != nil {
			return err
		}
		if p.toUp = p.toUp[n:]; len(p.toUp) == 0 {
			p.toUp = nil
		}
	}
	if len(p.toClient) > 0 {
		n, err := p.client.write(p.toClient)
		if err != nil {
			return err
		}
		if p.toClient = p.toClient[n:]; len(p.toClient) == 0 {
			p.toClient = nil
			s.writing.Store(0)
		}
	}
	return nil
}

// share is how often one direction of a session reads before the others have
// their turn.
const share = 4

// upward deals with what the client has sent.
func (l *loop) upward(s *session) error {
	p := &s.looped
	for range share {
		if !p.readable || p.handed || len(p.toUp) > 0 || s.killed() {
			return nil
		}
		err := s.in.fill(&p.client, true)
		if errors.Is(err, errAgain) {
			p.readable = false
			return nil
		}
		if err != nil {
			return err
		}
		p.readable = s.in.filled || p.hungUp
		if err := s.takeClient(); errors.Is(err, errHandOver) {
			p.handed = true
			s.gate.work.Go(s.handedOver)
			return nil
		} else if err != nil {
			return err
		}
	}
	l.later(s)
	return nil
}

// downward deals with what PostgreSQL has sent, and with what waits for a
// record.
func (l *loop) downward(s *session) error {
	p := &s.looped
	for range share {
		if s.killed() {
			return nil
		}
		if p.releasing {
			through, err := s.release(p.stop)
			if err != nil || !through {
				return err
			}
			p.releasing = false
			s.passedOn(p.stop, p.need)
		}
		if len(p.toClient) > 0 || p.detached || !p.upReadable {
			return nil
		}
		s.mu.Lock()
		idle := s.items.len() == 0
		s.mu.Unlock()
		err := s.out.fill(&p.up, idle)
		if errors.Is(err, errAgain) {
			p.upReadable = false
			return nil
		}
		if err != nil {
			return s.lost(err)
		}
		p.upReadable = s.out.filled || p.upHungUp
		s.busy.Store(true)
		if p.stop, p.need, err = s.walk(); err != nil {
			return err
		}
		p.releasing = true
	}
	l.later(s)
	return nil
}

// later has a session served again when the others have had their turn.
func (l *loop) later(s *session) {
	if !s.looped.queued {
		s.looped.queued = true
		l.again = append(l.again, s)
	}
}

// remove ends a session's time in the loop.
func (l *loop) remove(s *session) {
	p := &s.looped
	p.over = true
	l.unwatch(p.client.fd)
	if !p.detached {
		l.unwatch(p.up.fd)
	}
	l.mu.Lock()
	l.sessions[p.slot] = nil
	l.mu.Unlock()
	l.gone = append(l.gone, p.slot)
	s.client = connection(p.client.fd, s.client)
	if !p.detached {
		s.up.Conn = connection(p.up.fd, s.up.Conn)
	}
	s.whole = s.whole && len(p.toClient) == 0
	go p.ended()
}

// sendNow writes to PostgreSQL as much as there is room for, and keeps the rest.
func (s *session) sendNow(b []byte) error {
	p := &s.looped
	if len(p.toUp) == 0 {
		n, err := p.up.write(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) > 0 {
		p.toUp = append(p.toUp, b...)
	}
	return nil
}

// passNow writes to the client as much as there is room for, and keeps the rest.
func (s *session) passNow(b []byte) error {
	p := &s.looped
	if len(p.toClient) == 0 {
		n, err := p.client.write(b)
		if err != nil {
			return err
		}
		if b = b[n:]; len(b) > 0 {
			s.writing.Store(s.gate.coarse.Load())
		}
	}
	if len(b) > 0 {
		p.toClient = append(p.toClient, b...)
	}
	return nil
}

// wakeLoop has the loop go on with a session whose release waits for a record;
// false: there is no loop.
func (s *session) wakeLoop() bool {
	p := &s.looped
	if p.loop == nil {
		return false
	}
	if p.waiting.Swap(false) {
		p.loop.post(s)
	}
	return true
}

// detach takes the upstream out of the loop, attach puts another in. Nothing is
// under way then.
func (s *session) detach() {
	p := &s.looped
	p.loop.within(func() {
		p.loop.unwatch(p.up.fd)
		p.detached = true
		s.up.Conn = connection(p.up.fd, s.up.Conn)
	})
}

func (s *session) attach(next *upstream) error {
	p := &s.looped
	fd, ok := descriptor(next.Conn)
	if !ok {
		return errors.New("the new upstream connection can't be served like the old one")
	}
	_ = next.Conn.Close()
	var err error
	p.loop.within(func() {
		p.up, p.detached, p.upReadable, p.upHungUp = rawConn{fd}, false, true, false
		err = p.loop.watch(fd, p.slot*2+1)
	})
	return err
}

// sendAll writes to PostgreSQL and waits for room, in a goroutine that may.
func (s *session) sendAll(b []byte) error {
	p := &s.looped
	for {
		n, err := p.up.write(b)
		if err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		if s.killed() {
			return errEnded
		}
		fds := []unix.PollFd{{Fd: int32(p.up.fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, 100); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
