package pggate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"paravent/internal/access"
	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// within waits until something is so.
func within(t testing.TB, d time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// running returns how many of the reader's statements hold this text.
func running(t testing.TB, pg *testenv.PG, text string) (n int) {
	c := pg.Connect(t, testenv.Superuser)
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), "select count(*) from pg_stat_activity where usename = 'reader' and state = 'active' and query like $1", "%"+text+"%").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEndings(t *testing.T) {
	pg := shop(t, "15")
	t.Run("a cancel key cancels its own session alone", func(t *testing.T) {
		d := open(t, pg, nil)
		c, other := d.onTask(t), d.onTask(t)
		done := make(chan error, 1)
		go func() {
			_, err := c.Exec(context.Background(), "select pg_sleep(20)")
			done <- err
		}()
		within(t, 5*time.Second, "it runs", func() bool { return running(t, pg, "pg_sleep(20)") == 1 })
		if err := other.PgConn().CancelRequest(t.Context()); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		forged, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		b := binary.BigEndian.AppendUint32(nil, 16)
		b = binary.BigEndian.AppendUint32(b, 80877102)
		b = binary.BigEndian.AppendUint32(b, c.PgConn().PID())
		_, _ = forged.Write(append(b, 1, 2, 3, 4))
		_, _ = io.ReadAll(forged)
		select {
		case err := <-done:
			t.Fatalf("another's key cancelled it: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
		if err := c.PgConn().CancelRequest(t.Context()); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if err := <-done; code(err) != "57014" {
			t.Errorf("its own: %v", err)
		}
		if _, err := c.Exec(t.Context(), "select 1"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("the gateway's clock ends a grant", func(t *testing.T) {
		var ahead atomic.Int64
		d := open(t, pg, func(c *pggate.Config) {
			c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		idle, busy, none := d.onTask(t), d.onTask(t), d.dial(t, "")
		if _, err := idle.Exec(t.Context(), "begin; declare c cursor for select * from customers; fetch 1 from c"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := busy.Exec(context.Background(), "select pg_sleep(21)")
			done <- err
		}()
		within(t, 5*time.Second, "it runs", func() bool { return running(t, pg, "pg_sleep(21)") == 1 })
		ahead.Store(int64(time.Hour))
		if err := <-done; code(err) != "57P01" {
			t.Errorf("a statement in progress: %v", err)
		}
		if _, err := idle.Exec(t.Context(), "fetch all from c"); code(err) != "57P01" {
			t.Errorf("a cursor: %v", err)
		}
		if _, err := none.Exec(t.Context(), "select 1"); err != nil {
			t.Errorf("a session without a grant: %v", err)
		}
		within(t, time.Second, "it stops upstream", func() bool { return running(t, pg, "pg_sleep(21)") == 0 })
		within(t, time.Second, "the bind is released", func() bool { d.binds.mu.Lock(); defer d.binds.mu.Unlock(); return len(d.binds.now) == 0 })
	})
	t.Run("withdrawn access ends within a second", func(t *testing.T) {
		d := open(t, pg, nil)
		login, token, _ := d.people.add(t, "e2", access.RoleAgent)
		c, bystander, none := d.onTask(t), d.dial(t, ""), d.dial(t, "")
		_ = bystander.Close(t.Context())
		theirs, err := pgx.Connect(t.Context(), "postgres://"+login+":"+token+"@"+d.addr+"/shop?sslmode=disable&options=-cparavent.task%3DT-9")
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close(context.Background())
		w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
		if _, err := w.Write(encode(t, q("select c.name, pg_sleep(0.0005) from customers c, generate_series(1, 100000)"))); err != nil {
			t.Fatal(err)
		}
		d.book.mu.Lock()
		d.book.dead["e1"] = true
		d.book.mu.Unlock()
		begun := time.Now()
		d.book.revoked <- "e1"
		_ = w.SetReadDeadline(begun.Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, w); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a stream: %v", err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
		for _, c := range []*pgx.Conn{c, none} {
			if _, err := c.Exec(t.Context(), "select 1"); err == nil {
				t.Error("his session goes on")
			}
		}
		if _, err := theirs.Exec(t.Context(), "select * from customers"); err != nil {
			t.Errorf("somebody else's: %v", err)
		}
	})
	t.Run("limits", func(t *testing.T) {
		d := open(t, pg, func(c *pggate.Config) {
			c.Default = pggate.Limits{Rows: 1000, Bytes: 100_000, Time: 300 * time.Millisecond}
		})
		c := d.dial(t, "&options=-cparavent.task%3DT-1%20-cjit%3Doff")
		for sql, want := range map[string]string{
			"select generate_series(1, 1000)":                       "",
			"select generate_series(1, 1001)":                       "54000",
			"select generate_series(1, 100000000)":                  "54000",
			"select repeat('x', 1000) from generate_series(1, 500)": "54000",
			"copy (select generate_series(1, 2000)) to stdout":      "54000",
			"select pg_sleep(10)":                                   "57014",
			"begin; select generate_series(1, 1001); select 1":      "54000",
			"commit": "",
			"select 1; select generate_series(1, 3000); select pg_sleep(0.1)": "54000",
		} {
			begun := time.Now()
			results, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
			n := 0
			for _, r := range results {
				n = max(n, len(r.Rows))
			}
			if code(err) != want || n > 1000 || time.Since(begun) > 3*time.Second {
				t.Errorf("%s: %v after %d rows, %v", sql, err, n, time.Since(begun))
			}
			_, _ = c.PgConn().Exec(t.Context(), "rollback").ReadAll()
		}
		if _, err := c.Query(t.Context(), "select generate_series(1, 10)"); err != nil {
			t.Errorf("extended, afterwards: %v", err)
		}
	})
	t.Run("statements a minute", func(t *testing.T) {
		d := open(t, pg, func(c *pggate.Config) { c.Default = pggate.Limits{PerMinute: 20} })
		c := d.onTask(t)
		refused := 0
		for range 60 {
			if _, err := c.Exec(t.Context(), "select 1"); code(err) == "53400" {
				refused++
			}
		}
		if refused < 20 {
			t.Errorf("%d of 60 were refused", refused)
		}
		if _, _, refusals := d.book.take(); len(refusals) != refused || refusals[0].Reason != "limit_statements" {
			t.Errorf("%d recorded", len(refusals))
		}
	})
	t.Run("the server dies in the middle of an answer", func(t *testing.T) {
		d := open(t, pg, nil)
		w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
		if _, err := w.Write(encode(t, q("select generate_series(1, 100000000) /* dies */"))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.next(); err != nil {
			t.Fatal(err)
		}
		pg.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
		_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
		var last []byte
		for {
			m, err := w.next()
			if err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection stays open")
				}
				break
			}
			last = m
		}
		// A server that was writing when it was ended says nothing more, and a
		// message may be cut; then there is only the end of the connection.
		if len(last) == 0 || last[0] != 'D' && !strings.Contains(string(last), "57P01") && !strings.Contains(string(last), "08006") {
			t.Errorf("the last word: %q", tail(last))
		}
	})
	for name, byLoop := range map[string]bool{"loop": true, "goroutines": false} {
		if byLoop && !long() {
			continue
		}
		t.Run("a client that doesn't read holds up nobody, and not for ever, "+name, func(t *testing.T) {
			d := open(t, pg, func(c *pggate.Config) { c.StallFor, c.Loops = 500*time.Millisecond, byLoop })
			w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
			if _, err := w.Write(encode(t, q("select repeat('x', 1000) from generate_series(1, 1000000) /* slow */"))); err != nil {
				t.Fatal(err)
			}
			within(t, 5*time.Second, "it runs", func() bool { return running(t, pg, "/* slow */") == 1 })
			other := d.onTask(t)
			for range 20 {
				begun := time.Now()
				if _, err := other.Exec(t.Context(), "select 1"); err != nil || time.Since(begun) > time.Second {
					t.Fatalf("another waits: %v, %v", time.Since(begun), err)
				}
			}
			within(t, 5*time.Second, "it is ended", func() bool { return running(t, pg, "/* slow */") == 0 })
		})
		t.Run("a client that sends and never reads, "+name, func(t *testing.T) {
			d := open(t, pg, func(c *pggate.Config) { c.StallFor, c.Loops = 500*time.Millisecond, byLoop })
			w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
			b := encode(t, q("select repeat('y', 10000) /* flood */"))
			_ = w.SetWriteDeadline(time.Now().Add(10 * time.Second))
			for range 200_000 {
				if _, err := w.Write(b); err != nil {
					break
				}
			}
			within(t, 5*time.Second, "it is ended", func() bool { return running(t, pg, "/* flood */") == 0 })
		})
	}
	t.Run("psql goes away and leaves nothing behind", func(t *testing.T) {
		d := open(t, pg, nil)
		cmd := exec.Command(filepath.Join(testenv.Tools(t), "psql"), "-X", "-d", d.dsn("&options=-cparavent.task%3DT-1"), "-c", "select pg_sleep(22)")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "it runs", func() bool { return running(t, pg, "pg_sleep(22)") == 1 })
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		within(t, 3*time.Second, "it stops", func() bool { return running(t, pg, "pg_sleep(22)") == 0 })
	})
}

func TestAToolActsForAPerson(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	ctx := t.Context()
	login, token, _ := d.people.add(t, "bi", access.RoleProgram)
	d.people.tools["bi"] = true
	e1 := d.who
	_, _, e2 := d.people.add(t, "e2", access.RoleAgent)
	d.people.behalf["pvb_one"], d.people.behalf["pvb_two"] = e1, e2
	c, err := pgx.Connect(ctx, "postgres://"+login+":"+token+"@"+d.addr+"/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	exec := func(sql string) error { _, err := c.Exec(ctx, sql); return err }
	if err := exec("select * from customers"); code(err) != "42501" || !strings.Contains(err.(*pgconn.PgError).Hint, "on_behalf_of") {
		t.Errorf("by itself: %v", err)
	}
	if err := exec("set paravent.task = 'T-1'"); code(err) != "42501" {
		t.Errorf("a task by itself: %v", err)
	}
	if err := exec("set paravent.on_behalf_of = 'pvb_wrong'"); code(err) != "28000" {
		t.Errorf("a wrong token: %v", err)
	}
	for _, who := range [][2]string{{"pvb_one", "T-1"}, {"pvb_two", "T-9"}, {"pvb_one", "T-1"}} {
		if err := exec("set paravent.on_behalf_of = '" + who[0] + "'"); err != nil {
			t.Fatal(err)
		}
		if err := exec("select * from customers"); code(err) != "42501" {
			t.Errorf("for a person without a task: %v", err)
		}
		if err := exec("set paravent.task = '" + who[1] + "'"); err != nil {
			t.Fatal(err)
		}
		if got := show(t, c, "paravent.on_behalf_of"); got != "" {
			t.Errorf("the token is shown: %q", got)
		}
		d.book.take()
		if err := exec("select * from customers where id = $1"); code(err) != "42P02" {
			t.Errorf("%v", err)
		}
		if intents, _, _ := d.book.take(); len(intents) != 1 || string(intents[0].Grant.Task) != who[1] {
			t.Errorf("recorded: %+v", intents)
		}
	}
	d.binds.mu.Lock()
	if d.binds.all != 2 {
		t.Errorf("%d binds for two grants: a kept session wasn't used again", d.binds.all)
	}
	d.binds.mu.Unlock()
	begun := time.Now()
	for range 50 {
		if exec("set paravent.on_behalf_of = 'pvb_one'") != nil || exec("set paravent.task = 'T-1'") != nil ||
			exec("set paravent.on_behalf_of = 'pvb_two'") != nil || exec("set paravent.task = 'T-9'") != nil {
			t.Fatal("switching")
		}
	}
	t.Logf("switching person and task: %v", time.Since(begun)/100)
	if err := exec("begin"); err != nil {
		t.Fatal(err)
	}
	if err := exec("set paravent.on_behalf_of = 'pvb_two'"); code(err) != "25001" {
		t.Errorf("inside a transaction: %v", err)
	}
	_ = exec("rollback")
	if err := exec("discard all"); err != nil {
		t.Error(err)
	}
	if err := exec("select * from customers"); code(err) != "42501" {
		t.Errorf("after discard all: %v", err)
	}
}

// A value of one person's session is never there for another, nor for himself
// after a change of task.
func TestNothingIsSharedBetweenUpstreamSessions(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	ctx := t.Context()
	c := d.onTask(t)
	for _, sql := range []string{"declare left_behind cursor with hold for select name from customers", "prepare left_over as select 1", "select pg_advisory_lock(7)"} {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Close(ctx)
	time.Sleep(100 * time.Millisecond)
	d.binds.mu.Lock()
	before := d.binds.all
	d.binds.mu.Unlock()
	c = d.onTask(t)
	d.binds.mu.Lock()
	if d.binds.all != before {
		t.Log("the kept session wasn't used again")
	}
	d.binds.mu.Unlock()
	if _, err := c.Exec(ctx, "fetch all from left_behind"); code(err) != "34000" {
		t.Errorf("a cursor was left: %v", err)
	}
	if _, err := c.Exec(ctx, "execute left_over"); code(err) != "26000" {
		t.Errorf("a statement was left: %v", err)
	}
}

// certificate makes a certificate signed by parent (nil: by itself).
func certificate(t testing.TB, name string, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	issuer, signer := tmpl, any(key)
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestSigningOn(t *testing.T) {
	ca := certificate(t, "ca", nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	d := open(t, shop(t, "15"), func(c *pggate.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, "gate", &ca)}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
		c.RequireTLS = true
	})
	connect := func(change func(*pgconn.Config)) error {
		cfg, err := pgconn.ParseConfig(d.dsn("") + "&channel_binding=prefer")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Fallbacks = nil
		cfg.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "localhost"}
		change(cfg)
		c, err := pgconn.ConnectConfig(t.Context(), cfg)
		if err != nil {
			return err
		}
		defer c.Close(t.Context())
		_, err = c.Exec(t.Context(), "select 1").ReadAll()
		return err
	}
	if err := connect(func(*pgconn.Config) {}); err != nil {
		t.Errorf("a token over TLS: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.ChannelBinding = "require" }); err != nil {
		t.Errorf("bound to the channel: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.ChannelBinding = "disable" }); err != nil {
		t.Errorf("not bound: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.SSLNegotiation = "direct"; c.TLSConfig.NextProtos = []string{"postgresql"} }); err != nil {
		t.Errorf("direct TLS: %v", err)
	}
	if err := connect(func(c *pgconn.Config) {
		c.Password = ""
		c.TLSConfig.Certificates = []tls.Certificate{certificate(t, d.login, &ca)}
	}); err != nil {
		t.Errorf("a certificate: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.TLSConfig.Certificates = []tls.Certificate{certificate(t, "somebody", &ca)} }); code(err) != "28P01" {
		t.Errorf("somebody else's certificate: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.TLSConfig = nil }); code(err) != "28000" {
		t.Errorf("without TLS: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.Password = "pvt_wrong" }); code(err) != "28P01" {
		t.Errorf("a wrong token: %v", err)
	}
	unknown, wrong := connect(func(c *pgconn.Config) { c.User = "nobody" }), connect(func(c *pgconn.Config) { c.Password = "x" })
	if strings.ReplaceAll(unknown.Error(), "nobody", d.login) != wrong.Error() {
		t.Errorf("an unknown login is told from a known one:\n%v\n%v", unknown, wrong)
	}
	if err := connect(func(c *pgconn.Config) { c.RuntimeParams["replication"] = "database" }); code(err) != "0A000" {
		t.Errorf("replication: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.Database = "postgres" }); code(err) != "3D000" {
		t.Errorf("another database: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.RuntimeParams["options"] = "-c role=dba" }); code(err) != "0A000" {
		t.Errorf("a role by options: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.RuntimeParams["options"] = "-c paravent.task=T-9" }); code(err) != "42501" {
		t.Errorf("a colleague's task by options: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.RuntimeParams["datestyle"] = "nonsense" }); code(err) != "22023" {
		t.Errorf("a setting that PostgreSQL refuses: %v", err)
	}
	if err := connect(func(c *pgconn.Config) { c.MaxProtocolVersion = "3.2" }); err != nil {
		t.Errorf("protocol 3.2: %v", err)
	}
}

func TestStartup(t *testing.T) {
	d := open(t, shop(t, "15"), func(c *pggate.Config) { c.SignInWithin = 300 * time.Millisecond; c.MaxSessions = 3 })
	say := func(b []byte) []byte {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write(b)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		out, _ := io.ReadAll(c)
		return out
	}
	packet := func(version uint32, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		return append(binary.BigEndian.AppendUint32(b, version), body...)
	}
	for _, c := range []struct{ name, sent, want string }{
		{"SSL and GSS refused, then nothing", string(packet(80877103, "")) + string(packet(80877104, "")), "NN"},
		{"version 2", string(packet(2<<16, "user\x00a\x00\x00")), "unsupported frontend protocol 2.0"},
		{"no user", string(packet(3<<16, "database\x00a\x00\x00")), "no PostgreSQL user name"},
		{"too long", "\x00\x10\x00\x00", ""},
		{"too short", "\x00\x00\x00\x04\x00\x03\x00\x00", "invalid length"},
		{"no end", string(packet(3<<16, "user\x00a")), "invalid startup packet layout"},
		{"a newer minor version", string(packet(3<<16|9999, "user\x00shop\x00_pq_.foo\x00x\x00\x00")), "_pq_.foo"},
		{"a byte and nothing more", "\x00", ""},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "invalid length"},
	} {
		if got := string(say([]byte(c.sent))); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	d.dial(t, "")
	d.dial(t, "")
	d.dial(t, "")
	if _, err := pgx.Connect(t.Context(), d.dsn("")); code(err) != "53300" {
		t.Errorf("one too many: %v", err)
	}
}

func TestBrokenMessagesEndTheSessionAndNothingElse(t *testing.T) {
	d := open(t, shop(t, "15"), func(c *pggate.Config) { c.MaxStatement = 1 << 20 })
	for name, b := range map[string][]byte{
		"a negative length":   {'Q', 0xff, 0xff, 0xff, 0xff},
		"a length of 0":       {'Q', 0, 0, 0, 0},
		"a huge statement":    {'Q', 0x7f, 0, 0, 0},
		"an unknown type":     {'?', 0, 0, 0, 4},
		"a password":          {'p', 0, 0, 0, 5, 'x'},
		"a query without end": {'Q', 0, 0, 0, 5, 'x'},
		"an endless bind":     append([]byte{'B', 0, 1, 0, 0}, make([]byte, 0)...),
		"a bind without end":  {'B', 0, 0, 0, 5, 'x'},
		"a long sync":         {'S', 0, 1, 0, 0},
	} {
		w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
		_, _ = w.Write(b)
		_ = w.Conn.(*net.TCPConn).CloseWrite()
		_ = w.SetReadDeadline(time.Now().Add(5 * time.Second))
		out, err := io.ReadAll(w)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(out) > 0 && (out[0] != 'E' || !strings.Contains(string(out), "FATAL")) {
			t.Errorf("%s: %q", name, out)
		}
	}
	w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
	f, err := (&pgproto3.FunctionCall{Function: 1598}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(append(f, encode(t, q("select 1"))...))
	if got := w.until(t, 2); kinds(got) != "EZTDCZ" || !strings.Contains(string(got), "0A000") {
		t.Errorf("fast-path: %q", got)
	}
}
