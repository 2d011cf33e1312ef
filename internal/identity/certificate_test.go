package identity_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

var cn = asn1.ObjectIdentifier{2, 5, 4, 3}

// certificate is one as a door has it: checked, with these names.
func certificate(names []string, uris ...string) *x509.Certificate {
	c := &x509.Certificate{Raw: []byte("raw"), NotBefore: testenv.Start.Add(-time.Hour), NotAfter: testenv.Start.Add(time.Hour)}
	for _, n := range names {
		c.Subject.Names = append(c.Subject.Names, pkix.AttributeTypeAndValue{Type: cn, Value: n})
		c.Subject.CommonName = n
	}
	for _, u := range uris {
		parsed, err := url.Parse(u)
		if err != nil {
			panic(err)
		}
		c.URIs = append(c.URIs, parsed)
	}
	return c
}

const spiffe = identity.CertificateName("uri:spiffe://shop.example/employee/")

// Attacks: a certificate without a name, with two of them, with one that only
// looks like a login, of another field than the one that is asked for.
func TestACertificateProvesTheOneLoginThatItNames(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	login := env.Account(t, agent)
	customer := env.CustomerAccount(t, "c1")
	uri := "spiffe://shop.example/employee/"
	for name, c := range map[string]struct {
		where identity.CertificateName
		login string
		cert  *x509.Certificate
		ok    bool
	}{
		"by its common name":            {identity.CertificateCN, login, certificate([]string{login}), true},
		"written large":                 {identity.CertificateCN, strings.ToUpper(login), certificate([]string{strings.ToUpper(login)}), true},
		"by its URI":                    {spiffe, login, certificate(nil, uri+login), true},
		"by one of its URIs":            {spiffe, login, certificate(nil, "https://elsewhere.example/"+login, uri+login), true},
		"where certificates are off":    {"", login, certificate([]string{login}, uri+login), false},
		"with another login":            {identity.CertificateCN, "admin", certificate([]string{login}), false},
		"with two common names":         {identity.CertificateCN, login, certificate([]string{"admin", login}), false},
		"with two URIs that fit":        {spiffe, login, certificate(nil, uri+"admin", uri+login), false},
		"with the wrong field":          {spiffe, login, certificate([]string{login}), false},
		"with a URI of another company": {spiffe, login, certificate(nil, "spiffe://shop.example.evil/employee/"+login), false},
		"with a longer path":            {spiffe, login, certificate(nil, uri+"x/"+login), false},
		"with a blank in it":            {identity.CertificateCN, login, certificate([]string{login + " "}), false},
		"with a NUL in it":              {identity.CertificateCN, login, certificate([]string{login + "\x00.evil"}), false},
		"without a name":                {identity.CertificateCN, "", certificate(nil), false},
		"of a customer":                 {identity.CertificateCN, customer, certificate([]string{customer}), false},
		"of nobody":                     {identity.CertificateCN, "nobody", certificate([]string{"nobody"}), false},
		"that isn't there":              {identity.CertificateCN, login, nil, false},
	} {
		s := identity.New(env.Store, env.Clock.Now, identity.Options{Certificates: c.where, Cost: testenv.Cheap})
		w, err := s.ByCertificate(ctx, c.login, c.cert)
		if (err == nil) != c.ok || w.Proven() != c.ok {
			t.Errorf("%s: got %v, %v", name, w.Proven(), err)
		}
		if c.ok && (w.Employee().ID != agent.ID || s.Lasts(ctx, w) != nil || !w.Until().Equal(testenv.Start.Add(time.Hour))) {
			t.Errorf("%s: got %+v", name, w)
		}
	}
	for n, ok := range map[identity.CertificateName]bool{"": true, "cn": true, spiffe: true, "uri:": false, "CN": false, "uri:x": false, "dns": false} {
		if n.Valid() != ok {
			t.Errorf("%q: valid %v", n, n.Valid())
		}
	}
}

func TestACertificateEndsAndItsAccountCanBeClosed(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	s := identity.New(env.Store, env.Clock.Now, identity.Options{Certificates: identity.CertificateCN, Cost: testenv.Cheap})
	login := env.Account(t, agent)
	cert := certificate([]string{login})
	w, err := s.ByCertificate(ctx, login, cert)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.IssueToken(ctx, w, "heir", 0)
	wantCode(t, "a token that a certificate issues", err, access.Denied)
	env.Clock.Advance(time.Hour)
	wantCode(t, "when it ends", s.Lasts(ctx, w), access.Unauthenticated)
	_, err = s.ByCertificate(ctx, login, cert)
	wantCode(t, "afterwards", err, access.Unauthenticated)
	env.Clock.Set(testenv.Start)
	wantCode(t, "disable", env.Identity.SetDisabled(ctx, env.Admin(), login, true, unrecorded), "")
	wantCode(t, "a session that lasts", s.Lasts(ctx, w), access.Unauthenticated)
	_, err = s.ByCertificate(ctx, login, cert)
	wantCode(t, "of a disabled account", err, access.Unauthenticated)
}
