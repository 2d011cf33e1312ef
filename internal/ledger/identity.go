package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The files beside the segments. Both keys are in the form of C2SP signed-note.
const (
	lockFile      = "lock"
	signingFile   = "signing.key" // mode 0600; not there where Options.Secrets keeps the key
	publicFile    = "public.key"
	originPrefix  = "paravent/"
	algEd25519    = 1
	privatePrefix = "PRIVATE+KEY+"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// A self is what makes a log this log: its name and its key.
type self struct {
	origin   string // "paravent/<node>/<16 hex digits>"
	node     string
	key      ed25519.PrivateKey // nil until load: a frozen log needs none
	public   ed25519.PublicKey
	verifier string // public in the form of public.key
}

// sign returns the head of the tree of that size and root.
func (s *self) sign(size uint64, root Hash) SignedHead {
	h := SignedHead{Origin: s.origin, Size: size, Root: root}
	h.Signature = ed25519.Sign(s.key, h.Body())
	return h
}

// NewKey makes a name and a signing key for a new log of node o.Node in dir, which
// it makes where it's missing. The signing key goes to o.Secrets, or to the file
// signing.key in dir; then the folder gets its public.key, whose line is returned:
// the log's verifier key. Both are durable on return. Of o nothing else is used.
func NewKey(dir string, o Options) (verifier string, err error) {
	me, err := newSelf(context.Background(), dir, o)
	if err != nil {
		return "", fmt.Errorf("ledger: make a key: %w", err)
	}
	return me.verifier, nil
}

// newSelf is NewKey.
func newSelf(ctx context.Context, dir string, o Options) (*self, error) {
	if !nodeName.MatchString(o.Node) {
		return nil, fmt.Errorf("the node name %q is none", o.Node)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	var random [8]byte
	rand.Read(random[:])
	origin := fmt.Sprintf("%s%s/%x", originPrefix, o.Node, random)
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	secrets := o.secrets(dir)
	if err := secrets.Put(ctx, SecretName(origin), []byte(private+"\n")); err != nil {
		return nil, fmt.Errorf("keep the signing key: %w", err)
	}
	me, err := parseSelf(public)
	if err != nil {
		return nil, err
	}
	// What was kept is read back before anything relies on it.
	if err := me.load(ctx, secrets); err != nil {
		return nil, err
	}
	// Who finds public.key finds a whole one, and the signing key kept.
	fresh := filepath.Join(dir, publicFile+newSuffix)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := writeDurably(fresh, public+"\n", 0o644); err != nil {
		return nil, err
	}
	if err := os.Rename(fresh, filepath.Join(dir, publicFile)); err != nil {
		return nil, err
	}
	return me, folder(dir).sync()
}

// ReadKey returns the verifier key of the log whose key is in dir, and makes sure
// that its signing key is at hand in o.Secrets, or in dir, and belongs to it. The
// error is fs.ErrNotExist where there is no public.key.
func ReadKey(dir string, o Options) (verifier string, err error) {
	me, err := readSelf(dir)
	if err != nil {
		return "", fmt.Errorf("ledger: %w", err)
	}
	if err := me.load(context.Background(), o.secrets(dir)); err != nil {
		return "", fmt.Errorf("ledger: %s", err) // not wrapped: that the signing key is missing isn't that there is no key
	}
	return me.verifier, nil
}

// readSelf reads the log's name and public key from dir. Its signing key is
// read by load, where it's needed.
func readSelf(dir string) (*self, error) {
	public, err := os.ReadFile(filepath.Join(dir, publicFile))
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	return parseSelf(strings.TrimSpace(string(public)))
}

// parseSelf is readSelf from a verifier key.
func parseSelf(line string) (*self, error) {
	origin, pub, err := ParsePublic(line)
	if err != nil {
		return nil, err
	}
	s := &self{origin: origin, public: pub}
	if s.verifier, err = note.NewEd25519VerifierKey(origin, pub); err != nil {
		return nil, fmt.Errorf("%s: %w", publicFile, err)
	}
	rest, found := strings.CutPrefix(origin, originPrefix)
	var ok bool
	if s.node, _, ok = strings.Cut(rest, "/"); !ok || !found || !nodeName.MatchString(s.node) {
		return nil, fmt.Errorf("%s: the name %q is not a ledger's", publicFile, origin)
	}
	return s, nil
}

// parsePrivate reads a signing key in the form of C2SP signed-note:
// "PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>"; base64 may hold a plus.
func parsePrivate(line string) (name string, key ed25519.PrivateKey, err error) {
	rest, ok := strings.CutPrefix(line, privatePrefix)
	parts := strings.SplitN(rest, "+", 3)
	if !ok || len(parts) != 3 {
		return "", nil, fmt.Errorf("%s: malformed", signingFile)
	}
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(seed) != 1+ed25519.SeedSize || seed[0] != algEd25519 {
		return "", nil, fmt.Errorf("%s: malformed", signingFile)
	}
	return parts[0], ed25519.NewKeyFromSeed(seed[1:]), nil
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
