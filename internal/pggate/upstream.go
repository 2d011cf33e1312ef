package pggate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// upstream is one session at PostgreSQL, bound to one grant or to none. It is
// never shared between people.
type upstream struct {
	pgconn.HijackedConn
	who   identity.Who
	key   string // of the settings with which it began
	grant *access.Grant
	idle  time.Time // since when nobody uses it
	said  string    // what Binder.Hello returned

	canceller pgconn.HijackedConn // never changes, so that anybody may cancel at any time
}

// address is a connection of which only the other side's address is known.
type address struct {
	net.Conn
	remote net.Addr
}

// RemoteAddr returns the address.
func (a address) RemoteAddr() net.Addr { return a.remote }

// upstreams keeps sessions that nobody uses for a while, so that coming back
// to a task costs no connection.
type upstreams struct {
	mu   sync.Mutex
	idle []*upstream
}

// idlePerPerson is how many sessions are kept for one person at most.
const idlePerPerson = 4

// connect returns an upstream for this person and grant, a kept one where there
// is one.
func (g *Gate) connect(ctx context.Context, who identity.Who, grant *access.Grant, st *startup) (*upstream, error) {
	key := st.key()
	if u := g.upstreams.take(who, key, grant); u != nil {
		return u, nil
	}
	cfg := g.cfg.Upstream.Copy()
	if cfg.RuntimeParams == nil {
		cfg.RuntimeParams = map[string]string{}
	}
	maps.Copy(cfg.RuntimeParams, st.settings)
	cfg.RuntimeParams["paravent.on_behalf_of"] = ""
	cfg.RuntimeParams["paravent.task"], cfg.RuntimeParams["paravent.grant"] = "", ""
	if grant != nil {
		cfg.RuntimeParams["paravent.task"], cfg.RuntimeParams["paravent.grant"] = string(grant.Task), grant.ID
	}
	cfg.OnNotice, cfg.OnNotification, cfg.ValidateConnect, cfg.AfterConnect = nil, nil, nil, nil
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, connectFailure(err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over an upstream connection: %w", err)
	}
	hijacked.Frontend = nil
	u := &upstream{HijackedConn: *hijacked, who: who, key: key, grant: grant}
	u.canceller = *hijacked
	u.canceller.Conn, u.canceller.TxStatus = address{remote: hijacked.Conn.RemoteAddr()}, 'I'
	if err := g.greet(ctx, u); err != nil {
		g.drop(u)
		return nil, fmt.Errorf("begin an upstream session: %w", err)
	}
	if grant != nil && !g.cfg.Standby {
		if err := g.cfg.Binder.Bind(ctx, u.PID, *grant); err != nil {
			g.drop(u)
			// Not wrapped: what protect says of a session isn't about the task.
			return nil, fmt.Errorf("bind an upstream session: %v", err)
		}
	}
	return u, nil
}

// greet runs Binder.Hello where the session has a grant to be bound to.
func (g *Gate) greet(ctx context.Context, u *upstream) error {
	hello := g.hello()
	if hello == "" || u.grant == nil {
		return nil
	}
	return u.run(ctx, hello, func(v [][]byte) { u.said = string(v[0]) })
}

// hello returns Binder.Hello as it can be run whatever the client's settings
// are; "" where there is none.
func (g *Gate) hello() string {
	hello := g.cfg.Binder.Hello()
	if hello != "" && !g.cfg.Standby { // default_transaction_read_only
		hello = "BEGIN READ WRITE; " + hello + "; COMMIT"
	}
	return hello
}

// connectFailure tells a client why PostgreSQL wouldn't have it, as far as that
// is his business: his settings and how busy it is, not the gateway's own
// credentials.
func connectFailure(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code[:2] == "42" || pg.Code == stateTooMany) {
		return &failure{code: pg.Code, message: pg.Message, hint: pg.Hint}
	}
	return fmt.Errorf("connect upstream: %w", err)
}

func (p *upstreams) take(who identity.Who, key string, grant *access.Grant) *upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		u := p.idle[i]
		if u.key == key && u.who.Employee().ID == who.Employee().ID && u.who.Session() == who.Session() && sameGrant(u.grant, grant) {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return u
		}
	}
	return nil
}

func sameGrant(a, b *access.Grant) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ID == b.ID
}

// keep puts an upstream aside that is idle and outside a transaction. Whatever
// its user left behind is discarded first.
func (g *Gate) keep(u *upstream) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := u.run(ctx, "DISCARD ALL", nil)
	if err == nil {
		err = g.greet(ctx, u)
	}
	if err != nil || !g.upstreams.put(u, g.now()) {
		g.drop(u)
	}
}

func (p *upstreams) put(u *upstream, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, other := range p.idle {
		if other.who.Employee().ID == u.who.Employee().ID {
			n++
		}
	}
	if n >= idlePerPerson {
		return false
	}
	u.idle = now
	p.idle = append(p.idle, u)
	return true
}

// cull takes out those of which over says so.
func (p *upstreams) cull(over func(*upstream) bool) (out []*upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[:0]
	for _, u := range p.idle {
		if over(u) {
			out = append(out, u)
		} else {
			kept = append(kept, u)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	return out
}

// run runs the gateway's own statement on an upstream that nobody else reads
// or writes, and hands each row to row.
func (u *upstream) run(ctx context.Context, sql string, row func([][]byte)) error {
	return u.admin(func(conn *pgconn.PgConn) error {
		results, err := conn.Exec(ctx, sql).ReadAll()
		if err != nil {
			return err
		}
		for _, r := range results {
			for _, values := range r.Rows {
				if row != nil {
					row(values)
				}
			}
		}
		return nil
	})
}

// prepare makes a prepared statement whose parameters are of these types (oids,
// comma-separated). One that has it already keeps it.
func (u *upstream) prepare(ctx context.Context, name, text, types string) error {
	var oids []uint32
	for word := range strings.SplitSeq(types, ",") {
		if oid, err := strconv.ParseUint(word, 10, 32); err == nil {
			oids = append(oids, uint32(oid))
		}
	}
	return u.admin(func(conn *pgconn.PgConn) error {
		_, err := conn.Prepare(ctx, name, text, oids)
		return err
	})
}

// admin lends out the connection.
func (u *upstream) admin(use func(*pgconn.PgConn) error) error {
	if err := u.Conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	h := u.HijackedConn
	h.TxStatus = 'I'
	conn, err := pgconn.Construct(&h)
	if err != nil {
		return err
	}
	if err := use(conn); err != nil {
		return err
	}
	if conn.TxStatus() != 'I' {
		return errors.New("the upstream session is in a transaction")
	}
	back, err := conn.Hijack()
	if err != nil {
		return err
	}
	u.Conn = back.Conn
	return nil
}

// drop ends an upstream: what runs there is cancelled, the connection closed
// and the bind released.
func (g *Gate) drop(u *upstream) {
	_ = u.Conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed connection
	g.background(func(ctx context.Context) {
		if u.grant != nil && !g.cfg.Standby {
			if err := g.cfg.Binder.Release(ctx, u.PID); err != nil {
				g.cfg.Log.WarnContext(ctx, "a bind could not be released; it expires with its grant", "err", err)
			}
		}
		g.cancel(ctx, u)
		if err := u.Conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			g.cfg.Log.DebugContext(ctx, "close an upstream connection", "err", err)
		}
	})
}

// cancel asks PostgreSQL to cancel what runs on an upstream. It returns once
// the request is handed in.
func (g *Gate) cancel(ctx context.Context, u *upstream) {
	if u.canceller.Conn.RemoteAddr() == nil { // it broke before its address was known: nothing runs there
		return
	}
	conn, err := pgconn.Construct(&u.canceller)
	if err == nil {
		err = conn.CancelRequest(ctx)
	}
	if err != nil {
		g.cfg.Log.DebugContext(ctx, "cancel upstream", "err", err)
	}
}
