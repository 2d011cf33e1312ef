package ledger

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash of the Merkle tree (RFC 6962). In JSON and in text it
// is base64.
type Hash = tlog.Hash

// A SignedHead is a signed statement of what the tree was at one size. The
// signature covers exactly the text of a C2SP tlog-checkpoint (see Body), so a
// checkpoint can be made of it without the private key.
type SignedHead struct {
	Origin    string `json:"origin"` // the log's name, unique to it
	Size      uint64 `json:"size"`   // number of records
	Root      Hash   `json:"root"`
	Signature []byte `json:"signature"` // Ed25519 over Body, 64 bytes
}

// Body returns the text that is signed: origin, size in decimal, root in
// base64, one line each (C2SP tlog-checkpoint without extension lines).
func (h SignedHead) Body() []byte {
	b := make([]byte, 0, len(h.Origin)+70)
	b = append(append(b, h.Origin...), '\n')
	b = append(strconv.AppendUint(b, h.Size, 10), '\n')
	return append(append(b, h.Root.String()...), '\n')
}

// Verify returns nil when the head was signed with pub's private key, else an
// error that is ErrReceipt.
func (h SignedHead) Verify(pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, h.Body(), h.Signature) {
		return fmt.Errorf("%w: the head of size %d is not signed by this key", ErrReceipt, h.Size)
	}
	return nil
}

// A Receipt proves that a record is in the ledger. It verifies offline, at
// once, and names nobody.
type Receipt struct {
	Position uint64 `json:"position"` // in its log, whose name is Head.Origin
	// Number is the record's among all logs of the ledger, by which it's asked
	// for: Position + the log's Base. The receipt proves Position; the Base is in
	// the log's first record.
	Number uint64     `json:"number"`
	Node   string     `json:"node"`
	Time   time.Time  `json:"time"`
	Hash   Hash       `json:"hash"` // of Leaf, in the tree
	Leaf   []byte     `json:"leaf"` // frame and commitments: binds position, node and time to Hash
	Path   []Hash     `json:"path"` // inclusion path (RFC 6962), from the leaf up
	Head   SignedHead `json:"head"`
}

// Verify returns nil when the receipt proves, by pub alone, that the record of
// this hash, node and time is at this position of the tree of the signed head;
// else an error that is ErrReceipt.
func (r Receipt) Verify(pub ed25519.PublicKey) error {
	l, err := decodeLeaf(r.Leaf)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrReceipt, err)
	case l.Position != r.Position || l.Node != r.Node || !l.Time.Equal(r.Time):
		return fmt.Errorf("%w: position, node or time are not those of the record", ErrReceipt)
	case tlog.RecordHash(r.Leaf) != r.Hash:
		return fmt.Errorf("%w: the hash is not the record's", ErrReceipt)
	}
	const most = 1 << 62
	if r.Head.Size > most || r.Position >= r.Head.Size {
		return fmt.Errorf("%w: position %d is not inside a tree of %d records", ErrReceipt, r.Position, r.Head.Size)
	}
	err = tlog.CheckRecord(r.Path, int64(r.Head.Size), r.Head.Root, int64(r.Position), r.Hash)
	if err != nil {
		return fmt.Errorf("%w: record %d is not in the tree of %d records", ErrReceipt, r.Position, r.Head.Size)
	}
	return r.Head.Verify(pub)
}
