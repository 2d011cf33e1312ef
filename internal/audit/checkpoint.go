package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// maxNote bounds a checkpoint with its cosignatures, in bytes.
const maxNote = 64 << 10

// formatCheckpoint makes a signed note (C2SP tlog-checkpoint) of a signed head.
// The head's signature covers exactly the note's text, so no private key is needed.
func formatCheckpoint(h ledger.SignedHead, pub ed25519.PublicKey) []byte {
	id := sha256.Sum256(append([]byte(h.Origin+"\n\x01"), pub...))
	sig := base64.StdEncoding.EncodeToString(append(id[:4:4], h.Signature...))
	return fmt.Appendf(h.Body(), "\n— %s %s\n", h.Origin, sig)
}

// parseCheckpoint verifies a checkpoint's signature by the ledger's key and
// returns its head. Signatures by anyone else are not looked at.
func parseCheckpoint(msg []byte, origin string, pub ed25519.PublicKey) (*ledger.SignedHead, error) {
	if len(msg) > maxNote {
		return nil, errors.New("it is too long")
	}
	n, err := note.Open(msg, note.VerifierList(verifier{origin, pub}))
	if err != nil {
		return nil, fmt.Errorf("it is not signed by the ledger's key: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return nil, errors.New("it is not a checkpoint of this ledger")
	}
	size, err := strconv.ParseUint(lines[1], 10, 62)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return nil, errors.New("its size is malformed")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return nil, errors.New("its root is malformed")
	}
	raw, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || len(raw) != 4+ed25519.SignatureSize {
		return nil, errors.New("its signature is malformed")
	}
	return &ledger.SignedHead{Origin: origin, Size: size, Root: root, Signature: raw[4:]}, nil
}

// verifier is a log's key as signed notes want it.
type verifier struct {
	origin string
	pub    ed25519.PublicKey
}

func (v verifier) Name() string { return v.origin }

func (v verifier) KeyHash() uint32 {
	id := sha256.Sum256(append([]byte(v.origin+"\n\x01"), v.pub...))
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}

// String returns the verifier key, as in public.key.
func (v verifier) String() string {
	return fmt.Sprintf("%s+%08x+%s", v.origin, v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, v.pub...)))
}

func (v verifier) Verify(msg, sig []byte) bool { return ed25519.Verify(v.pub, msg, sig) }
