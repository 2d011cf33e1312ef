package pggate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// failing can't record anything.
type failing struct{ Lookups }

var errNoDisk = errors.New("the disk is full")

func (failing) Statement(_ *Statement, done func(error)) Handle { done(errNoDisk); return nil }
func (failing) Ended(_ Handle, _ Ended, done func(error))       { done(nil) }
func (failing) Refused(_ *Refusal, done func(error))            { done(nil) }

type nobody struct{ SignOn }

func (nobody) Service(identity.Who) bool { return false }

// ear keeps what is written to it; nothing can be read.
type ear struct {
	net.Conn
	bytes.Buffer
}

func (e *ear) Write(b []byte) (int, error)      { return e.Buffer.Write(b) }
func (e *ear) Read([]byte) (int, error)         { return 0, io.EOF }
func (e *ear) SetDeadline(time.Time) error      { return nil }
func (e *ear) SetReadDeadline(time.Time) error  { return nil }
func (e *ear) SetWriteDeadline(time.Time) error { return nil }
func (e *ear) Close() error                     { return nil }

// lone is a session with nobody at either end, and a recorder that fails.
func lone() (s *session, client, server *ear) {
	client, server = &ear{}, &ear{}
	g := &Gate{cfg: Config{Lookups: failing{}, SignOn: nobody{}, Clock: time.Now, MaxStatement: 1 << 16}, protected: shop}
	g.ctx, g.stop = context.WithCancel(context.Background())
	s = newSession(g, client)
	s.up = &upstream{HijackedConn: pgconn.HijackedConn{Conn: server}}
	s.grant = &access.Grant{ID: "g"}
	s.params = map[string]string{}
	s.status.Store('I')
	return s, client, server
}

// pieces feeds b in pieces whose sizes b itself says.
func pieces(c *chunk, b []byte, take func() error) error {
	for i := 0; len(b) > 0; i++ {
		n := min(len(b), 1+int(b[i%len(b)])%97)
		if err := c.fill(bytes.NewReader(b[:n]), true); err != nil {
			return err
		}
		b = b[n:]
		if err := take(); err != nil {
			return err
		}
	}
	return nil
}

func wireMessage(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(b, body...)
}

// Whatever a client sends, the gate neither breaks nor sends a message
// upstream whose frame is broken.
func FuzzFromClient(f *testing.F) {
	f.Add(wireMessage('Q', "select 1\x00"))
	f.Add(append(wireMessage('P', "a\x00select * from customers\x00\x00\x00"), wireMessage('B', "\x00a\x00\x00\x00\x00\x00\x00\x00")...))
	f.Add(append(wireMessage('E', "\x00\x00\x00\x00\x00"), wireMessage('S', "")...))
	f.Add(wireMessage('F', strings.Repeat("x", 300)))
	f.Add(wireMessage('d', strings.Repeat("x", 5000)))
	f.Add(append(wireMessage('D', "Sx\x00"), wireMessage('C', "Sx\x00")...))
	f.Add(wireMessage('X', ""))
	f.Add([]byte{'Q', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, server := lone()
		defer s.gate.stop()
		s.kill(nil) // nothing waits
		s.done = make(chan struct{})
		stop := time.AfterFunc(5*time.Second, func() { close(s.done) })
		defer stop.Stop()
		s.limits.PerMinute = 50
		if bytes.Contains(bytes.ToLower(b), []byte("paravent")) || bytes.Contains(bytes.ToLower(b), []byte("all")) {
			return // these wait for PostgreSQL
		}
		err := pieces(&s.in, b, s.takeClient)
		sent := server.Bytes()
		for len(sent) >= 5 {
			n := 1 + int(binary.BigEndian.Uint32(sent[1:]))
			if n < 5 || !strings.ContainsRune("QPBEDCSHdcf", rune(sent[0])) {
				t.Fatalf("sent upstream: %q after %v", sent[:min(len(sent), 50)], err)
			}
			sent = sent[min(n, len(sent)):]
		}
	})
}

// Whatever the server sends, the gate neither breaks nor passes anything on of
// a statement that isn't recorded (G3).
func FuzzFromServer(f *testing.F) {
	ready := wireMessage('Z', "I")
	f.Add(byte(0), append(wireMessage('D', "\x00\x01\x00\x00\x00\x06CANARY"), ready...))
	f.Add(byte(0), append(wireMessage('E', "SERROR\x00C22012\x00MCANARY\x00\x00"), ready...))
	f.Add(byte(0), append(wireMessage('N', "MCANARY\x00\x00"), append(wireMessage('S', "application_name\x00CANARY\x00"), ready...)...))
	f.Add(byte(1), append(append([]byte(nil), wireMessage('2', "")...), append(wireMessage('C', "CANARY\x00"), ready...)...))
	f.Add(byte(1), append(wireMessage('2', ""), wireMessage('E', "SFATAL\x00VFATAL\x00MCANARY\x00\x00")...))
	f.Add(byte(2), append(wireMessage('A', "\x00\x00\x00\x01CANARY\x00x\x00"), wireMessage('G', "")...))
	f.Add(byte(2), []byte{'D', 0x3f, 0xff, 0xff, 0xff, 'C', 'A', 'N', 'A', 'R', 'Y'})
	f.Fuzz(func(t *testing.T, how byte, b []byte) {
		s, client, _ := lone()
		defer s.gate.stop()
		stop := time.AfterFunc(5*time.Second, func() { s.kill(nil) })
		defer stop.Stop()
		st := &prep{stmt{text: "select ?"}}
		switch how % 3 {
		case 0:
			s.push(item{kind: 'Q', rec: s.record(&st.stmt), stmts: []stmt{st.stmt}})
		case 1:
			r := s.record(&st.stmt)
			s.push(item{kind: 'B', rec: r}) // what comes of a Parse tells of no row

			s.push(item{kind: 'E', rec: r, prep: st})
			s.push(item{kind: 'S'})
		case 2:
			s.push(item{kind: 'Q', recs: []*rec{s.record(&st.stmt), s.record(&st.stmt)}, stmts: []stmt{st.stmt, st.stmt}})
		}
		_ = pieces(&s.out, b, func() error {
			p, need, err := s.walk()
			if err == nil {
				_, err = s.release(p)
			}
			if err == nil {
				s.out.keepFrom(p, need)
			}
			return err
		})
		got := client.Bytes()
		before, _, _ := bytes.Cut(got, ready)
		if bytes.Contains(before, []byte("CANARY")) {
			t.Fatalf("passed on without a record: %q", got)
		}
	})
}

func FuzzStartup(f *testing.F) {
	f.Add(uint32(3<<16), []byte("user\x00a\x00options\x00-c a=b --x=y\\ z\x00\x00"))
	f.Add(uint32(3<<16|2), []byte("_pq_.x\x00y\x00\x00"))
	f.Fuzz(func(t *testing.T, version uint32, b []byte) {
		s, err := decodeStartup(packet{version, b})
		var fail *failure
		if err != nil && !errors.As(err, &fail) {
			t.Errorf("%T", err)
		}
		if err == nil && (s.user == "" || s.settings["role"] != "" || s.settings["replication"] != "") {
			t.Errorf("let in: %+v", s)
		}
	})
}

func FuzzScram(f *testing.F) {
	f.Add("n,,n=,r=abc", "c=biws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("p=tls-server-end-point,,n=,r=abc", "c=,r=,p=")
	f.Fuzz(func(t *testing.T, first, last string) {
		x := scram{v: Verifiers{Salt: make([]byte, 16), Iterations: 4096, Keys: []VerifierKey{{Token: "t"}}}}
		if _, err := x.begin(scramPlain, []byte(first)); err != nil {
			return
		}
		if _, _, ok, _ := x.finish([]byte(last)); ok {
			t.Error("proven with nothing")
		}
	})
}
