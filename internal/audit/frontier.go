package audit

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// A frontier is the right edge of a tree: the roots of its complete subtrees,
// highest first. It's all that is needed to make the tree grow.
type frontier struct {
	size  uint64
	nodes []ledger.Hash
}

// frontierOf returns the frontier with that edge; false when the edge can't
// belong to a tree of that size.
func frontierOf(size uint64, edge []ledger.Hash) (frontier, bool) {
	return frontier{size: size, nodes: append([]ledger.Hash(nil), edge...)}, bits.OnesCount64(size) == len(edge)
}

// add adds a record's leaf hash.
func (f *frontier) add(h ledger.Hash) {
	for s := f.size; s&1 != 0; s >>= 1 {
		h = tlog.NodeHash(f.nodes[len(f.nodes)-1], h)
		f.nodes = f.nodes[:len(f.nodes)-1]
	}
	f.nodes = append(f.nodes, h)
	f.size++
}

// root returns the root of the tree (RFC 6962, section 2.1).
func (f *frontier) root() ledger.Hash {
	if len(f.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	h := f.nodes[len(f.nodes)-1]
	for i := len(f.nodes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.nodes[i], h)
	}
	return h
}
