package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The files beside the segments. Both keys are in the form of C2SP signed-note.
const (
	lockFile      = "lock"
	signingFile   = "signing.key" // mode 0600
	publicFile    = "public.key"
	originPrefix  = "paravent/"
	algEd25519    = 1
	privatePrefix = "PRIVATE+KEY+"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// A self is what makes a log this log: its name and its key.
type self struct {
	origin string // "paravent/<node>/<16 hex digits>"
	node   string
	key    ed25519.PrivateKey
	public ed25519.PublicKey
}

// sign returns the head of the tree of that size and root.
func (s *self) sign(size uint64, root Hash) SignedHead {
	h := SignedHead{Origin: s.origin, Size: size, Root: root}
	h.Signature = ed25519.Sign(s.key, h.Body())
	return h
}

// newSelf makes a name and a key for a new log and writes them to dir.
func newSelf(dir, node string) (*self, error) {
	var random [8]byte
	rand.Read(random[:])
	private, public, err := note.GenerateKey(rand.Reader, fmt.Sprintf("%s%s/%x", originPrefix, node, random))
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	if err := writeDurably(filepath.Join(dir, signingFile), private+"\n", 0o600); err != nil {
		return nil, err
	}
	if err := writeDurably(filepath.Join(dir, publicFile), public+"\n", 0o644); err != nil {
		return nil, err
	}
	return readSelf(dir)
}

// readSelf reads the log's name and key from dir.
func readSelf(dir string) (*self, error) {
	private, err := os.ReadFile(filepath.Join(dir, signingFile))
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	public, err := os.ReadFile(filepath.Join(dir, publicFile))
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	origin, pub, err := ParsePublic(strings.TrimSpace(string(public)))
	if err != nil {
		return nil, err
	}
	s := &self{origin: origin, public: pub}
	// "PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>"; base64 may hold a plus.
	rest, ok := strings.CutPrefix(strings.TrimSpace(string(private)), privatePrefix)
	parts := strings.SplitN(rest, "+", 3)
	if !ok || len(parts) != 3 {
		return nil, fmt.Errorf("%s: malformed", signingFile)
	}
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(seed) != 1+ed25519.SeedSize || seed[0] != algEd25519 {
		return nil, fmt.Errorf("%s: malformed", signingFile)
	}
	s.key = ed25519.NewKeyFromSeed(seed[1:])
	if !s.public.Equal(s.key.Public()) || parts[0] != origin {
		return nil, fmt.Errorf("%s and %s don't belong together", signingFile, publicFile)
	}
	var found bool
	rest, found = strings.CutPrefix(origin, originPrefix)
	if s.node, _, ok = strings.Cut(rest, "/"); !ok || !found || !nodeName.MatchString(s.node) {
		return nil, fmt.Errorf("%s: the name %q is not a ledger's", publicFile, origin)
	}
	return s, nil
}

// ParsePublic reads a public key in the form of public.key, a C2SP signed-note
// verifier key "<origin>+<hash>+<base64>".
func ParsePublic(line string) (origin string, pub ed25519.PublicKey, err error) {
	v, err := note.NewVerifier(line)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", publicFile, err)
	}
	parts := strings.SplitN(line, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algEd25519 {
		return "", nil, fmt.Errorf("%s: malformed", publicFile)
	}
	return v.Name(), raw[1:], nil
}

// writeDurably writes a new file and syncs it.
func writeDurably(path, content string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
