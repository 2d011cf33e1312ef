package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// authority issues certificates into a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir}
	a.cert, a.key = a.issue(t, name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.crt and NAME.key for the common name.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// With TLS, employees come with a token or a certificate of the company's own
// authority, and nobody without TLS.
func TestTheSQLDoorWithTLSAndCertificates(t *testing.T) {
	f := newSQLFolder(t, "15")
	own := newAuthority(t, f.dir, "employees")
	own.issue(t, "gate", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	other := newAuthority(t, t.TempDir(), "others")
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "  tls: {cert: gate.crt, key: gate.key, client_ca: employees.crt, names: cn}\n"...)
	if err := os.WriteFile(f.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := f.start(t)
	defer server.Process.Kill()
	p := f.choose(t, 1)[0]
	client := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	own.issue(t, p.login, client)
	other.issue(t, p.login, client)
	own.issue(t, "nobody", client)
	sure := strings.Replace(f.dsn(p, true), "sslmode=disable", "sslmode=verify-full sslrootcert="+filepath.Join(f.dir, "employees.crt"), 1)
	with := func(a *authority, name string) string {
		return strings.Replace(sure, "password="+p.token, "sslcert="+filepath.Join(a.dir, name+".crt")+" sslkey="+filepath.Join(a.dir, name+".key"), 1)
	}
	for _, c := range []struct {
		what, dsn string
		in        bool
	}{
		{"a token over TLS", sure, true},
		{"a certificate", with(own, p.login), true},
		{"a token without TLS", f.dsn(p, true), false},
		{"another authority's certificate", with(other, p.login), false},
		{"somebody else's certificate", with(own, "nobody"), false},
		{"neither", strings.Replace(sure, p.token, "wrong", 1), false},
	} {
		conn, err := pgx.Connect(t.Context(), c.dsn)
		if (err == nil) != c.in {
			t.Errorf("%s: %v", c.what, err)
		}
		var pg *pgconn.PgError
		if errors.As(err, &pg) && !strings.HasPrefix(pg.Code, "28") {
			t.Errorf("%s: %v", c.what, err)
		}
		if err != nil {
			continue
		}
		if got := readAll(t, conn, "customers"); len(got) != 1 {
			t.Errorf("%s: sees %v", c.what, got)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	f.stop(t, server)
}
