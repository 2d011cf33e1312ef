package pggate

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// The mechanisms, as PostgreSQL names them. The second binds the proof to the
// TLS channel (tls-server-end-point, RFC 5929).
const (
	scramPlain = "SCRAM-SHA-256"
	scramBound = "SCRAM-SHA-256-PLUS"
)

var errScram = errors.New("malformed SCRAM message")

// scram is the server's side of one exchange (RFC 5802, section 5).
type scram struct {
	v       Verifiers
	binding []byte // of this channel; nil where it can't be bound
	header  string // the client's GS2 header
	nonce   string // the client's and ours
	first   string // client-first-message-bare "," server-first-message
	bound   bool   // the client chose the mechanism that binds
}

// begin takes the client's first message and returns the server's.
func (s *scram) begin(mechanism string, message []byte) ([]byte, error) {
	text := string(message)
	flag, rest, ok := strings.Cut(text, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 || authzid != "" {
		return nil, errScram
	}
	s.bound = mechanism == scramBound
	switch {
	case s.bound && (flag != "p=tls-server-end-point" || s.binding == nil):
		return nil, errScram
	case !s.bound && flag == "y" && s.binding != nil: // somebody took our offer to bind out of the way
		return nil, errScram
	case !s.bound && flag != "n" && flag != "y":
		return nil, errScram
	}
	s.header = flag + ",,"
	// The name in here is empty or repeats the start-up packet's; PostgreSQL
	// ignores it, too.
	name, rest, ok := strings.Cut(bare, ",")
	nonce, _, _ := strings.Cut(rest, ",")
	nonce, isNonce := strings.CutPrefix(nonce, "r=")
	if !ok || !strings.HasPrefix(name, "n=") || !isNonce || nonce == "" || len(nonce) > 256 {
		return nil, errScram
	}
	s.nonce = nonce + rand.Text()
	first := "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString(s.v.Salt) + ",i=" + strconv.Itoa(s.v.Iterations)
	s.first = bare + "," + first
	return []byte(first), nil
}

// finish takes the client's last message. ok reports whether it proves that
// the client holds a token, and which; final is what then proves to the client
// that we know it, too. All verifiers are tried in any case.
func (s *scram) finish(message []byte) (token TokenID, final []byte, ok bool, err error) {
	at := bytes.LastIndex(message, []byte(",p="))
	if at < 0 {
		return "", nil, false, errScram
	}
	without := string(message[:at])
	proof, err := base64.StdEncoding.DecodeString(string(message[at+3:]))
	channel, rest, cut := strings.Cut(without, ",")
	nonce, _, _ := strings.Cut(rest, ",")
	if err != nil || len(proof) != sha256.Size || !cut {
		return "", nil, false, errScram
	}
	expected := []byte(s.header)
	if s.bound {
		expected = append(expected, s.binding...)
	}
	if channel != "c="+base64.StdEncoding.EncodeToString(expected) || nonce != "r="+s.nonce {
		return "", nil, false, errScram
	}
	auth := []byte(s.first + "," + without)
	for i := range s.v.Keys {
		k := &s.v.Keys[i]
		key := keyed(k.StoredKey[:], auth)
		subtle.XORBytes(key, key, proof)
		if sum := sha256.Sum256(key); subtle.ConstantTimeCompare(sum[:], k.StoredKey[:]) == 1 {
			token, ok = k.Token, true
			final = []byte("v=" + base64.StdEncoding.EncodeToString(keyed(k.ServerKey[:], auth)))
		}
	}
	return token, final, ok, nil
}

func keyed(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(text) // writing to a hash never fails
	return mac.Sum(nil)
}

// endPoint returns the tls-server-end-point binding of a certificate (RFC 5929,
// section 4.1); nil where none is defined for its signature.
func endPoint(der []byte) []byte {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		sum := sha512.Sum384(der)
		return sum[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		sum := sha512.Sum512(der)
		return sum[:]
	case x509.PureEd25519, x509.UnknownSignatureAlgorithm:
		return nil
	}
	sum := sha256.Sum256(der)
	return sum[:]
}
