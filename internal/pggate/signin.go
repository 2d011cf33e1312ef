package pggate

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"paravent/internal/access"
)

// hello takes the start-up packet, TLS before it included. false without an
// error: it was a request to cancel, and is done.
func (s *session) hello() (bool, error) {
	secured, asked := false, false
	if c, first, err := peekTLS(s.client); err != nil {
		return false, err
	} else if s.client = c; first && s.gate.cfg.TLS != nil { // TLS without being asked for (PostgreSQL 17)
		if err := s.secure("postgresql"); err != nil {
			return false, err
		}
		secured = true
	}
	for range 4 { // each request may come once, in any order
		p, err := readPacket(s.client)
		if err != nil {
			return false, err
		}
		switch p.code {
		case codeCancel:
			s.gate.cancelFor(p.body)
			return false, nil
		case codeGSSENC:
			if _, err := s.client.Write([]byte{'N'}); err != nil {
				return false, err
			}
		case codeSSL:
			if asked || secured || s.gate.cfg.TLS == nil {
				if _, err := s.client.Write([]byte{'N'}); err != nil {
					return false, err
				}
				asked = true
				continue
			}
			if _, err := s.client.Write([]byte{'S'}); err != nil {
				return false, err
			}
			if err := s.secure(""); err != nil {
				return false, err
			}
			secured, asked = true, true
		default:
			return true, s.take(p, secured)
		}
	}
	return false, &failure{code: stateProtocol, message: "too many requests before the startup packet"}
}

// peekTLS reports whether a client begins with a TLS record.
func peekTLS(c net.Conn) (net.Conn, bool, error) {
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		return c, false, err
	}
	return &unread{Conn: c, byte: first[0], has: true}, first[0] == 0x16, nil
}

// unread gives back one byte that was read ahead.
type unread struct {
	net.Conn
	byte byte
	has  bool
}

// Read gives the byte back first.
func (u *unread) Read(b []byte) (int, error) {
	if u.has && len(b) > 0 {
		b[0], u.has = u.byte, false
		return 1, nil
	}
	return u.Conn.Read(b)
}

// secure begins TLS. protocol is what must have been agreed on by ALPN, where
// the client began without asking.
func (s *session) secure(protocol string) error {
	cfg := s.gate.cfg.TLS
	if !slices.Contains(cfg.NextProtos, "postgresql") {
		cfg = cfg.Clone()
		cfg.NextProtos = []string{"postgresql"}
	}
	conn := tls.Server(s.client, cfg)
	if err := conn.HandshakeContext(s.gate.ctx); err != nil {
		return fmt.Errorf("begin TLS: %w", err)
	}
	s.client = conn
	if protocol != "" && conn.ConnectionState().NegotiatedProtocol != protocol {
		return errors.New("begin TLS: the client didn't agree on the protocol")
	}
	return nil
}

// take takes the start-up packet itself.
func (s *session) take(p packet, secured bool) error {
	if u, ok := s.client.(*unread); ok { // no longer in the way of each read
		s.client = u.Conn
	}
	start, err := decodeStartup(p)
	if err != nil {
		return err
	}
	if s.gate.cfg.RequireTLS && !secured {
		return &failure{code: stateAuth, message: "TLS is required", hint: "Connect with sslmode=verify-full."}
	}
	if start.database != s.gate.cfg.Database && start.database != start.user {
		return &failure{code: stateNoDatabase, message: "there is no such database here", hint: "Ask for the database by the name that your administrator gave you."}
	}
	s.start = start
	if start.minor > 2 || len(start.unknown) > 0 {
		s.start.minor = min(start.minor, protocolNewest&0xffff)
		if _, err := s.client.Write(appendNegotiate(nil, 3<<16|s.start.minor, start.unknown)); err != nil {
			return err
		}
	}
	return nil
}

// signIn proves who the client is: by his certificate, where TLS has verified
// one, otherwise by SCRAM.
func (s *session) signIn() error {
	ctx := s.gate.ctx
	conn, secured := s.client.(*tls.Conn)
	if secured {
		if chains := conn.ConnectionState().VerifiedChains; len(chains) > 0 {
			who, err := s.gate.cfg.SignOn.ByCertificate(ctx, s.start.user, chains[0][0])
			if err != nil {
				return s.notProven(err)
			}
			if !who.Proven() {
				return s.notProven(errors.New("the certificate proves nobody"))
			}
			s.login = who
			return nil
		}
	}
	v, err := s.gate.cfg.SignOn.Verifiers(ctx, s.start.user)
	if err != nil {
		return s.notProven(err)
	}
	if len(v.Salt) < 16 || v.Iterations < 4096 {
		return s.notProven(errors.New("the verifiers are too weak"))
	}
	x := scram{v: v}
	if secured {
		x.binding = s.gate.binding
	}
	token, final, err := s.exchange(&x)
	if err != nil {
		return err
	}
	who, err := s.gate.cfg.SignOn.Proven(ctx, s.start.user, token)
	if err != nil {
		return s.notProven(err)
	}
	if !who.Proven() {
		return s.notProven(errors.New("the token proves nobody"))
	}
	s.login = who
	_, err = s.client.Write(final)
	return err
}

// notProven is the one answer to whoever can't prove who he is.
func (s *session) notProven(err error) error {
	if code := access.CodeOf(err); err != nil && code != access.Unauthenticated && code != access.Denied && code != access.NotFound {
		s.gate.cfg.Log.WarnContext(s.gate.ctx, "couldn't prove who a client is", "err", err)
	}
	return &failure{code: statePassword, message: "sign-in failed for user \"" + s.start.user + "\"",
		hint: "The user is your login, the password one of your access tokens."}
}

// exchange runs SCRAM and returns whose token was shown, and the message that
// shows the client that we know it, too.
func (s *session) exchange(x *scram) (TokenID, []byte, error) {
	b, at := begin(nil, 'R')
	b = binary.BigEndian.AppendUint32(b, 10) // AuthenticationSASL
	if x.binding != nil {
		b = appendString(b, scramBound)
	}
	b = end(append(appendString(b, scramPlain), 0), at)
	if _, err := s.client.Write(b); err != nil {
		return "", nil, err
	}
	body, err := s.saslMessage()
	if err != nil {
		return "", nil, err
	}
	mechanism, rest, ok := cutString(body)
	if !ok || len(rest) < 4 || int(binary.BigEndian.Uint32(rest)) != len(rest)-4 ||
		string(mechanism) != scramPlain && (string(mechanism) != scramBound || x.binding == nil) {
		return "", nil, &failure{code: stateProtocol, message: "client selected an invalid SASL authentication mechanism"}
	}
	first, err := x.begin(string(mechanism), rest[4:])
	if err != nil {
		return "", nil, &failure{code: stateProtocol, message: "malformed SCRAM message"}
	}
	if _, err := s.client.Write(authentication(11, first)); err != nil {
		return "", nil, err
	}
	if body, err = s.saslMessage(); err != nil {
		return "", nil, err
	}
	token, final, ok, err := x.finish(body)
	if err != nil {
		return "", nil, &failure{code: stateProtocol, message: "malformed SCRAM message"}
	}
	if !ok {
		return "", nil, s.notProven(nil)
	}
	return token, authentication(12, final), nil
}

// authentication is an Authentication message of that kind.
func authentication(kind uint32, data []byte) []byte {
	b, at := begin(nil, 'R')
	return end(append(binary.BigEndian.AppendUint32(b, kind), data...), at)
}

// maxSASL bounds a message of the exchange.
const maxSASL = 4 << 10

// saslMessage reads one message of the exchange, and nothing beyond it.
func (s *session) saslMessage() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(s.client, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if head[0] != 'p' || n < 4 || n > maxSASL {
		return nil, &failure{code: stateProtocol, message: "expected SASL response"}
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(s.client, body)
	return body, err
}

// welcome is what a client reads once he is in, as from PostgreSQL.
func (s *session) welcome() []byte {
	b := authentication(0, nil)
	s.params = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.up.ParameterStatuses)) {
		value := s.up.ParameterStatuses[name]
		b = appendParameter(b, strings.Clone(name), value)
		s.params[name] = value
	}
	s.escapes.Store(s.params["standard_conforming_strings"] != "on")
	s.status.Store('I')
	b, at := begin(b, 'K')
	b = end(append(binary.BigEndian.AppendUint32(b, s.pid), s.secret...), at)
	return appendReady(b, 'I')
}
