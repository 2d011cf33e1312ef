package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"paravent/internal/access"
)

// CertificateName says where a client certificate names its login: "cn", its
// common name, or "uri:" and what comes before the login in its one URI, such
// as "uri:spiffe://shop.example/employee/". "" says that certificates prove
// nobody.
type CertificateName string

// CertificateCN takes the login from the common name.
const CertificateCN CertificateName = "cn"

// certificateURI begins a CertificateName that takes the login from a URI.
const certificateURI = "uri:"

// Valid reports whether n can be used.
func (n CertificateName) Valid() bool {
	prefix, uri := strings.CutPrefix(string(n), certificateURI)
	return n == "" || n == CertificateCN || uri && prefix != "" && strings.Contains(prefix, ":")
}

// ByCertificate returns whom a client certificate proves: the account whose
// login it names, as Options.Certificates says, which must be the login that the
// client gave. access.Unauthenticated where it names none, another, more than
// one, or one that proves nobody now.
//
// The door has checked the chain up to the company's own authority, that it is
// for clients, and that its holder has its key; here only its time is looked at
// again.
func (s *Service) ByCertificate(ctx context.Context, login string, c *x509.Certificate) (Who, error) {
	now := s.now()
	if c == nil || now.Before(c.NotBefore) || !now.Before(c.NotAfter) {
		return Who{}, errUnproven(access.Errorf(access.Denied, "the certificate isn't valid now"))
	}
	named := s.o.Certificates.login(c)
	if err := checkLogin(named); err != nil || named != fold(login) {
		return Who{}, errUnproven(access.Errorf(access.Denied, "the certificate names no login, or another"))
	}
	a, e, err := s.prove(ctx, named)
	if err != nil {
		return Who{}, err
	}
	if a.Kind != KindEmployee || a.MustChange {
		return Who{}, errUnproven(nil)
	}
	sum := sha256.Sum256(c.Raw)
	session := access.SessionID(certSession + hex.EncodeToString(sum[:10]))
	return Who{
		employee: e, login: a.Login, session: session, token: true, proven: true,
		until: c.NotAfter, rests: [2]rest{{a.Login, session}},
	}, nil
}

// login returns the one login that the certificate names, "" where it names
// none or several: of two names, an authority may have checked the other.
func (n CertificateName) login(c *x509.Certificate) string {
	names := []string{}
	prefix, uri := strings.CutPrefix(string(n), certificateURI)
	switch {
	case n == CertificateCN:
		for _, a := range c.Subject.Names {
			if a.Type.Equal(commonName) {
				name, _ := a.Value.(string)
				names = append(names, name)
			}
		}
	case uri && n.Valid():
		for _, u := range c.URIs {
			if name, ours := strings.CutPrefix(u.String(), prefix); ours {
				names = append(names, name)
			}
		}
	}
	if len(names) != 1 {
		return ""
	}
	return strings.ToLower(names[0]) // nothing else is mended: checkLogin refuses blanks and what doesn't print
}

// commonName is id-at-commonName (RFC 5280, appendix A.1).
var commonName = []int{2, 5, 4, 3}
