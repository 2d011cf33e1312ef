package ledger

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

const (
	secretSize = 32
	saltSize   = 32
	tagSize    = 16
	nonceSize  = 12
	keyIDSize  = len(KeyID{})
	sealedMin  = keyIDSize + saltSize + tagSize
	sealedMax  = sealedMin + MaxPart
)

// A sealer seals and opens the parts of one person.
type sealer struct {
	person string
	id     KeyID
	aead   cipher.AEAD
	check  Hash // proves to the tree which secret and person the id stands for

	// Touched under Ledger.turn only.
	announced bool   // its KindKey leaf is in the journal
	dead      bool   // its key is destroyed, as of dooms
	dooms     uint64 // Ledger.dooms when dead was asked for
}

// The ways in which a sealed part can fail to open. Each means that bytes were
// changed, exchanged, or that the key table was.
var (
	errSealed     = errors.New("malformed sealed part")
	errNotOpening = errors.New("the sealed part is not the one that was recorded here, or its key row was changed")
	errDigest     = errors.New("the sealed parts are not those that the leaf names")
	errCommitment = errors.New("the sealed part does not match the commitment in the leaf")
)

// newSealer makes the sealer of a row of the key table.
func newSealer(k Key) (*sealer, error) {
	if len(k.Secret) != secretSize {
		return nil, fmt.Errorf("key %x: the secret has %d bytes, not %d", k.ID, len(k.Secret), secretSize)
	}
	block, err := aes.NewCipher(derive(k.Secret, []byte("paravent seal v1\x00")))
	if err != nil {
		return nil, fmt.Errorf("key %x: %w", k.ID, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("key %x: %w", k.ID, err)
	}
	s := &sealer{person: k.Person, id: k.ID, aead: aead}
	copy(s.check[:], derive(k.Secret, []byte("paravent key v1\x00"), k.ID[:], []byte(k.Person)))
	return s, nil
}

// derive returns HMAC-SHA256(secret, parts joined): one secret, one use each.
func derive(secret []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, secret)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// detail returns the Detail of the key's KindKey leaf: id and check value.
func (s *sealer) detail() []byte {
	return append(append(make([]byte, 0, keyIDSize+len(s.check)), s.id[:]...), s.check[:]...)
}

// A workbench is room that sealing uses again and again.
type workbench struct {
	salts [2][saltSize]byte
	bound [64]byte
	block []byte
}

// The pads of RFC 2104, a block each.
var (
	innerPad = bytes.Repeat([]byte{0x36}, sha256.BlockSize)
	outerPad = bytes.Repeat([]byte{0x5c}, sha256.BlockSize)
)

// commit returns HMAC-SHA256(salt, plain): what the tree holds of a part. The
// salt is 32 bytes. The two hashes of RFC 2104 are computed in place, at half the
// cost of crypto/hmac, which allocates for each new key.
func (w *workbench) commit(salt *[saltSize]byte, plain []byte) Hash {
	b := append(append(slices.Grow(w.block[:0], sha256.BlockSize+len(plain)), innerPad...), plain...)
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(outer[:], outerPad)
	subtle.XORBytes(b, b[:saltSize], salt[:])
	subtle.XORBytes(outer[:], outer[:saltSize], salt[:])
	inner := sha256.Sum256(b)
	copy(outer[sha256.BlockSize:], inner[:])
	w.block = b[:0]
	return sha256.Sum256(outer[:])
}

// digest returns the hash that binds a record's sealed parts, as they lie in the
// journal, to its leaf: so a change is found without any key (G4). It is zero
// where there are none.
func digest(sealed [2][]byte) Hash {
	if len(sealed[0])+len(sealed[1]) == 0 {
		return Hash{}
	}
	h := sha256.New()
	var n [4]byte
	for _, part := range sealed {
		binary.LittleEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	var d Hash
	h.Sum(d[:0])
	return d
}

// bound returns what a sealed part is bound to: which of the two parts it is,
// and its commitment. The leaf binds the commitment to a position, so a part
// moved to another record doesn't open there, and sealing needs no position.
func bound(b []byte, part byte, commitment Hash) []byte {
	b = append(b, "paravent part v1\x00"...)
	b = append(b, part)
	return append(b, commitment[:]...)
}

// seal appends to b the sealed form of plain: key id, then AES-256-GCM of the
// salt of that part on the workbench, which is random and used once, and plain.
// The nonce is the commitment's first 12 bytes: the output of a PRF under a salt
// that is random each time, so it's as unlikely to repeat as a random one and
// needs no room. The commitment is put into c.
func (s *sealer) seal(b []byte, part byte, plain []byte, c *Hash, w *workbench) []byte {
	salt := &w.salts[part]
	*c = w.commit(salt, plain)
	b = append(b, s.id[:]...)
	at := len(b)
	b = append(append(b, salt[:]...), plain...)
	return s.aead.Seal(b[:at], c[:nonceSize], b[at:], bound(w.bound[:0], part, *c))
}

// open is the inverse of seal. It fails unless the sealed part was made by this
// key, for this part, of a plaintext that has this commitment.
func (s *sealer) open(sealed []byte, part byte, commitment Hash) (salt, plain []byte, err error) {
	if len(sealed) < sealedMin || KeyID(sealed[:keyIDSize]) != s.id {
		return nil, nil, errSealed
	}
	var w workbench
	both, err := s.aead.Open(nil, commitment[:nonceSize], sealed[keyIDSize:], bound(w.bound[:0], part, commitment))
	if err != nil {
		return nil, nil, errNotOpening
	}
	salt, plain = both[:saltSize:saltSize], both[saltSize:]
	if w.commit((*[saltSize]byte)(salt), plain) != commitment {
		return nil, nil, errCommitment
	}
	return salt, plain, nil
}
