package ledger

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// An edge is the right edge of the tree: for each bit that is set in size, the
// root of the complete subtree of that many records, left to right from the
// highest. It's all that is needed to go on, and to prove a new record.
type edge struct {
	size  uint64
	nodes [64]Hash // nodes[level] is meaningful where size has that bit
}

// root returns the root of the tree of e.size records.
func (e *edge) root() Hash {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	level := bits.TrailingZeros64(e.size)
	h := e.nodes[level]
	for level++; level < 64; level++ {
		if e.size>>level&1 != 0 {
			h = tlog.NodeHash(e.nodes[level], h)
		}
	}
	return h
}

// A span holds the nodes of the tree over which one batch stretches: enough for
// the inclusion path of each of its records.
type span struct {
	size   uint64   // of the tree after the batch
	first  []uint64 // first[level] is the index of levels[level][0]
	levels [][]Hash // complete nodes: the old edge's, where there is one, then the new
	fringe []Hash   // fringe[level] is the hash of the rightmost node, complete or not
}

// extend adds the leaf hashes to the tree and returns the batch's span. There
// must be at least one leaf.
func (e *edge) extend(leaves []Hash) *span {
	from, size := e.size, e.size+uint64(len(leaves))
	depth := bits.Len64(size)
	s := &span{size: size, first: make([]uint64, 0, depth), levels: make([][]Hash, 0, depth)}
	below := leaves
	for level := 0; size>>level > 0; level++ {
		var nodes []Hash
		first := from >> level
		if first&1 != 0 {
			first--
			nodes = append(make([]Hash, 0, 1+len(below)), e.nodes[level])
		}
		if level == 0 {
			nodes = append(nodes, leaves...)
		} else {
			for i := 0; i+1 < len(below); i += 2 {
				nodes = append(nodes, tlog.NodeHash(below[i], below[i+1]))
			}
		}
		s.first, s.levels = append(s.first, first), append(s.levels, nodes)
		below = nodes
	}
	for level, nodes := range s.levels {
		if size>>level&1 != 0 {
			e.nodes[level] = nodes[size>>level-1-s.first[level]]
		}
	}
	e.size = size
	s.climb(leaves[len(leaves)-1])
	return s
}

// climb computes the rightmost node of each level up to the root.
func (s *span) climb(last Hash) {
	h := last
	s.fringe = append(make([]Hash, 0, len(s.levels)+1), h)
	for level, at := 0, s.size-1; at > 0; level, at = level+1, at>>1 {
		if at&1 != 0 {
			h = tlog.NodeHash(s.node(level, at-1), h)
		}
		s.fringe = append(s.fringe, h)
	}
}

// node returns the complete node of that index.
func (s *span) node(level int, index uint64) Hash {
	return s.levels[level][index-s.first[level]]
}

// root returns the root of the tree after the batch.
func (s *span) root() Hash { return s.fringe[len(s.fringe)-1] }

// path returns the inclusion path of the record at position, which must be in
// this batch, for the tree after the batch (RFC 6962, section 2.1.1).
func (s *span) path(position uint64) []Hash {
	path := make([]Hash, 0, len(s.fringe))
	at, last := position, s.size-1
	for level := 0; last > 0; level, at, last = level+1, at>>1, last>>1 {
		switch {
		case at&1 != 0:
			path = append(path, s.node(level, at-1))
		case at+1 == last:
			path = append(path, s.fringe[level])
		case at < last:
			path = append(path, s.node(level, at+1))
		}
	}
	return path
}

// hashLeaf returns the leaf hash of prefixed, which is a zero byte and the leaf
// (RFC 6962); it equals tlog.RecordHash of the leaf, without its allocations.
func hashLeaf(prefixed []byte) Hash { return sha256.Sum256(prefixed) }
