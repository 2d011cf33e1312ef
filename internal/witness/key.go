package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"paravent/internal/ledger"
)

// Signature types of C2SP signed-note.
const (
	algEd25519     = 0x01 // of a log
	algCosignature = 0x04 // of a witness: timestamped Ed25519
)

const privatePrefix = "PRIVATE+KEY+"

var errKey = errors.New("malformed key")

// A Verifier is a witness's name and public key. It verifies cosignatures of
// version 1 (C2SP tlog-cosignature) and is a note.Verifier. The zero Verifier
// verifies nothing.
type Verifier struct {
	name string
	pub  ed25519.PublicKey
}

// ParseVerifier reads a witness's verifier key, "<name>+<hash>+<base64>" with
// signature type 4 (C2SP signed-note).
func ParseVerifier(vkey string) (Verifier, error) {
	name, alg, raw, err := parseKey(vkey)
	switch {
	case err != nil:
		return Verifier{}, fmt.Errorf("verifier key of a witness: %w", err)
	case alg == algEd25519:
		return Verifier{}, fmt.Errorf("verifier key of a witness: %w: this is the key of a log", errKey)
	case alg != algCosignature || len(raw) != ed25519.PublicKeySize:
		return Verifier{}, fmt.Errorf("verifier key of a witness: %w: signature type %d isn't known here", errKey, alg)
	}
	return Verifier{name: name, pub: raw}, nil
}

// Name returns the witness's name, as it stands in its cosignatures.
func (v Verifier) Name() string { return v.name }

// KeyHash returns the key's id (C2SP tlog-cosignature).
func (v Verifier) KeyHash() uint32 { return keyHash(v.name, algCosignature, v.pub) }

// String returns the verifier key in the form that ParseVerifier reads.
func (v Verifier) String() string { return formatKey("", v.name, v.KeyHash(), algCosignature, v.pub) }

// Verify reports whether sig, 8 bytes of time and 64 of signature, is this
// witness's cosignature of the checkpoint text.
func (v Verifier) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize || len(v.pub) != ed25519.PublicKeySize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= 1<<63-1 && ed25519.Verify(v.pub, cosigned(string(text), at), sig[8:])
}

// A Log is the name and public key of a log. It is a note.Verifier.
type Log struct {
	origin string
	pub    ed25519.PublicKey
}

// ParseLog reads a log's verifier key, as in a ledger's public.key: its name is
// the origin line of its checkpoints.
func ParseLog(vkey string) (Log, error) {
	name, alg, raw, err := parseKey(vkey)
	switch {
	case err != nil:
		return Log{}, fmt.Errorf("verifier key of a log: %w", err)
	case alg == algCosignature:
		return Log{}, fmt.Errorf("verifier key of a log: %w: this is the key of a witness", errKey)
	case alg != algEd25519 || len(raw) != ed25519.PublicKeySize:
		return Log{}, fmt.Errorf("verifier key of a log: %w: signature type %d isn't known here", errKey, alg)
	}
	return Log{origin: name, pub: raw}, nil
}

// LogOf returns the Log of that origin and key.
func LogOf(origin string, pub ed25519.PublicKey) (Log, error) {
	if !validName(origin) || len(pub) != ed25519.PublicKeySize {
		return Log{}, fmt.Errorf("log %q: %w", origin, errKey)
	}
	return Log{origin: origin, pub: pub}, nil
}

// Name returns the origin.
func (l Log) Name() string { return l.origin }

// KeyHash returns the key's id (C2SP signed-note).
func (l Log) KeyHash() uint32 { return keyHash(l.origin, algEd25519, l.pub) }

// String returns the verifier key in the form that ParseLog reads.
func (l Log) String() string { return formatKey("", l.origin, l.KeyHash(), algEd25519, l.pub) }

// Verify reports whether sig is the log's signature of the checkpoint text.
func (l Log) Verify(text, sig []byte) bool {
	return len(l.pub) == ed25519.PublicKeySize && ed25519.Verify(l.pub, text, sig)
}

// Checkpoint returns head as a signed note. The head's own signature covers
// exactly the note's text, so no private key is needed.
func (l Log) Checkpoint(head ledger.SignedHead) ([]byte, error) {
	if head.Origin != l.origin {
		return nil, fmt.Errorf("%w: the head is of %q, not of %q", ErrNote, head.Origin, l.origin)
	}
	if err := head.Verify(l.pub); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNote, err)
	}
	return append(append(head.Body(), '\n'), signatureLine(l.origin, l.KeyHash(), head.Signature)...), nil
}

// A signer is a witness's private key.
type signer struct {
	Verifier
	key ed25519.PrivateKey
}

func newSigner(name string) (signer, error) {
	if !validName(name) {
		return signer{}, fmt.Errorf("%w: a witness's name has no spaces and no plus: %q", errKey, name)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return signer{}, fmt.Errorf("make the witness's key: %w", err)
	}
	return signer{Verifier{name, pub}, key}, nil
}

func parseSigner(text string) (signer, error) {
	rest, ok := strings.CutPrefix(text, privatePrefix)
	parts := strings.SplitN(rest, "+", 3) // base64 may hold a plus
	if !ok || len(parts) != 3 || !validName(parts[0]) {
		return signer{}, errKey
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return signer{}, errKey
	}
	key := ed25519.NewKeyFromSeed(raw[1:])
	s := signer{Verifier{parts[0], key.Public().(ed25519.PublicKey)}, key}
	if s.private() != text { // type and hash
		return signer{}, errKey
	}
	return s, nil
}

// private returns the key in the form that parseSigner reads.
func (s signer) private() string {
	return formatKey(privatePrefix, s.name, s.KeyHash(), algCosignature, s.key.Seed())
}

// cosign returns the signature line for the checkpoint text as of that time,
// in whole seconds.
func (s signer) cosign(text string, at time.Time) (string, error) {
	if at.Unix() <= 0 {
		return "", fmt.Errorf("the clock reads %s: nothing is signed under such a time", at.UTC().Format(time.RFC3339))
	}
	seconds := uint64(at.Unix())
	sig := binary.BigEndian.AppendUint64(nil, seconds)
	sig = append(sig, ed25519.Sign(s.key, cosigned(text, seconds))...)
	return signatureLine(s.name, s.KeyHash(), sig), nil
}

// cosigned is the message that a cosignature of version 1 signs.
func cosigned(text string, seconds uint64) []byte {
	return []byte("cosignature/v1\ntime " + strconv.FormatUint(seconds, 10) + "\n" + text)
}

// signatureLine is one line of a signed note, with its newline.
func signatureLine(name string, hash uint32, sig []byte) string {
	raw := append(binary.BigEndian.AppendUint32(nil, hash), sig...)
	return "— " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func keyHash(name string, alg byte, pub []byte) uint32 {
	h := sha256.Sum256(append([]byte(name+"\n"+string([]byte{alg})), pub...))
	return binary.BigEndian.Uint32(h[:])
}

func formatKey(prefix, name string, hash uint32, alg byte, raw []byte) string {
	return fmt.Sprintf("%s%s+%08x+%s", prefix, name, hash, base64.StdEncoding.EncodeToString(append([]byte{alg}, raw...)))
}

// parseKey reads a verifier key of any type and checks its hash.
func parseKey(vkey string) (name string, alg byte, raw []byte, err error) {
	parts := strings.SplitN(vkey, "+", 3) // base64 may hold a plus
	if len(parts) != 3 || !validName(parts[0]) {
		return "", 0, nil, fmt.Errorf("%w: expected <name>+<hash>+<base64>", errKey)
	}
	b, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(b) < 2 {
		return "", 0, nil, fmt.Errorf("%w: expected <name>+<hash>+<base64>", errKey)
	}
	if formatKey("", parts[0], keyHash(parts[0], b[0], b[1:]), b[0], b[1:]) != vkey {
		return "", 0, nil, fmt.Errorf("%w: its hash is wrong; was it copied whole?", errKey)
	}
	return parts[0], b[0], b[1:], nil
}

// validName is the rule of signed notes for key names.
func validName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || r == '+' || r < 0x20
	})
}

// distinct checks that no key stands for two parties: it would be counted twice.
func distinct(log Log, witnesses []Verifier) error {
	seen := map[string]string{string(log.pub): "the log"}
	names := map[string]bool{}
	for _, v := range witnesses {
		if other, ok := seen[string(v.pub)]; ok {
			return fmt.Errorf("witness %s has the same key as %s", v.name, other)
		}
		if names[v.name] {
			return fmt.Errorf("two witnesses have the name %s", v.name)
		}
		seen[string(v.pub)], names[v.name] = "witness "+v.name, true
	}
	return nil
}

var (
	_ note.Verifier = Verifier{}
	_ note.Verifier = Log{}
)
