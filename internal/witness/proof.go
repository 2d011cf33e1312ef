package witness

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// emptyRoot is the root of the tree without records (RFC 6962).
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// consistent reports whether proof shows that the tree shown contains the tree
// known as its beginning. Every tree contains the empty one; that needs no proof.
func consistent(known, shown Checkpoint, proof tlog.TreeProof) bool {
	if known.Size == 0 {
		return len(proof) == 0 && (shown.Size > 0 || shown.Root == emptyRoot)
	}
	if known.Size > shown.Size {
		return false
	}
	return tlog.CheckTree(proof, int64(shown.Size), shown.Root, int64(known.Size), known.Root) == nil
}

// implied returns the roots of the trees of size from and to that a proof
// between them computes to (RFC 9162, section 2.1.4.2), if it has the form of
// one. When to's is the root of a signed checkpoint, from's is what that
// checkpoint says of the past: if it isn't the known one, the log has two
// pasts, and checkpoint, proof and known checkpoint prove it to anyone. When
// from is a power of two the proof starts at its known root and shows nothing
// of it; ok is false.
func implied(proof tlog.TreeProof, from, to uint64) (old, new tlog.Hash, ok bool) {
	if from == 0 || from >= to || from&(from-1) == 0 || len(proof) == 0 {
		return old, new, false
	}
	f, s := from-1, to-1
	for f&1 == 1 {
		f, s = f>>1, s>>1
	}
	old, new = proof[0], proof[0]
	for _, c := range proof[1:] {
		if s == 0 {
			return old, new, false
		}
		if f&1 == 1 || f == s {
			old, new = tlog.NodeHash(c, old), tlog.NodeHash(c, new)
			for f&1 == 0 && f != 0 {
				f, s = f>>1, s>>1
			}
		} else {
			new = tlog.NodeHash(new, c)
		}
		f, s = f>>1, s>>1
	}
	return old, new, s == 0
}
