package audit

import (
	"crypto/ed25519"

	"paravent/internal/ledger"
)

const Together = together

// AllSigned is allSigned.
func AllSigned(pub ed25519.PublicKey, heads []ledger.SignedHead) bool {
	var all []signedHead
	for _, h := range heads {
		all = append(all, signedHead{SignedHead: h})
	}
	return allSigned(pub, all)
}
