package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"fmt"

	"filippo.io/edwards25519"

	"paravent/internal/ledger"
)

// together is how many signatures are checked in one equation: more are no faster.
const together = 64

// A signedHead is a head whose signature is still to be checked.
type signedHead struct {
	ledger.SignedHead
	offset int64  // of its batch
	first  uint64 // its first record
}

// signed checks the heads that wait, all in one equation; where it doesn't hold,
// each by itself, so that the wrong ones are named.
func (o *reading) signed(s *stretch) {
	heads := s.unchecked
	s.unchecked = s.unchecked[:0]
	s.heads += len(heads)
	if allSigned(o.pub, heads) {
		return
	}
	for _, head := range heads {
		if head.Verify(o.pub) != nil {
			s.problem(Problem{File: s.file, Byte: head.offset, Record: int64(head.first), What: fmt.Sprintf("the head of the tree of %d records is not signed by the ledger's key", head.Size)})
		}
	}
}

// allSigned says whether pub signed all these heads. For each of them RFC 8032
// (section 5.1.7) asks for 8·S·B = 8·R + 8·k·A; it computes, once, the sum of all
// these equations, each times a random number z of 128 bits, so that wrong ones
// can't make up for each other but with a chance of 2⁻¹²⁸:
// 8·((Σ z·S)·B − Σ z·R − (Σ z·k)·A) = 0. One signature takes a quarter of the time.
// A false answer says nothing about a single head.
func allSigned(pub ed25519.PublicKey, heads []signedHead) bool {
	if len(heads) < 4 {
		return false
	}
	key, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		return false
	}
	sumS, sumK := edwards25519.NewScalar(), edwards25519.NewScalar()
	scalars, points := make([]*edwards25519.Scalar, 0, len(heads)+2), make([]*edwards25519.Point, 0, len(heads)+2)
	random := make([]byte, 16*len(heads))
	rand.Read(random)
	for i := range heads {
		sig := heads[i].Signature
		if len(sig) != ed25519.SignatureSize || !canonical(sig[:32]) {
			return false
		}
		r, err := new(edwards25519.Point).SetBytes(sig[:32])
		if err != nil {
			return false
		}
		sv, err := edwards25519.NewScalar().SetCanonicalBytes(sig[32:])
		if err != nil {
			return false
		}
		digest := sha512.New()
		digest.Write(sig[:32])
		digest.Write(pub)
		digest.Write(heads[i].Body())
		k, err := edwards25519.NewScalar().SetUniformBytes(digest.Sum(nil))
		if err != nil {
			return false
		}
		var wide [32]byte
		copy(wide[:], random[16*i:16*i+16])
		z, err := edwards25519.NewScalar().SetCanonicalBytes(wide[:])
		if err != nil {
			return false
		}
		sumS.MultiplyAdd(z, sv, sumS)
		sumK.MultiplyAdd(z, k, sumK)
		scalars, points = append(scalars, z), append(points, r)
	}
	scalars = append(scalars, sumK, sumS.Negate(sumS))
	points = append(points, key, edwards25519.NewGeneratorPoint())
	sum := new(edwards25519.Point).VarTimeMultiScalarMult(scalars, points)
	return sum.MultByCofactor(sum).Equal(edwards25519.NewIdentityPoint()) == 1
}

// canonical says whether a point's y coordinate is below 2²⁵⁵ − 19, as RFC 8032 asks.
func canonical(point []byte) bool {
	if point[0] < 0xed || point[31]&0x7f != 0x7f {
		return true
	}
	for _, b := range point[1:31] {
		if b != 0xff {
			return true
		}
	}
	return false
}
