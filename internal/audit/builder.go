package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Measures of C2SP tlog-tiles.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	tileBytes  = tileWidth * tlog.HashSize
	maxLevel   = 7 // of a tree of fewer than 2^62 records
)

// A builder turns leaf hashes, in their order, into tiles. The tiles are a pure
// function of the hashes, so that whoever has the journal can build them again.
type builder struct {
	size   uint64
	levels [][]ledger.Hash // of each level, the hashes that don't fill a tile yet
	full   func(level int, n uint64, hashes []ledger.Hash) error
}

// add adds a record's leaf hash. Whenever a tile is full, full hears of it. When
// full fails, nothing was added.
func (b *builder) add(h ledger.Hash) error {
	if err := b.push(0, h); err != nil {
		return err
	}
	b.size++
	return nil
}

func (b *builder) push(level int, h ledger.Hash) error {
	if level == len(b.levels) {
		b.levels = append(b.levels, make([]ledger.Hash, 0, tileWidth))
	}
	hashes := append(b.levels[level], h)
	if len(hashes) == tileWidth {
		if err := b.full(level, b.size>>(tileHeight*(level+1)), hashes); err != nil {
			return err
		}
		if err := b.push(level+1, foldTile(hashes)); err != nil {
			return err
		}
		hashes = hashes[:0]
	}
	b.levels[level] = hashes
	return nil
}

// foldTile returns the root of the complete subtree over a full tile's hashes.
func foldTile(hashes []ledger.Hash) ledger.Hash {
	var row [tileWidth / 2]ledger.Hash
	n := len(hashes)
	for below := hashes; n > 1; below = row[:n] {
		n /= 2
		for i := range n {
			row[i] = tlog.NodeHash(below[2*i], below[2*i+1])
		}
	}
	return row[0]
}

// A tileID names a tile.
type tileID struct {
	level int
	n     uint64
	width int // hashes in it: 256 when it's full
}

// partialsOf returns the partial tiles of a tree of that size.
func partialsOf(size uint64) []tileID {
	var ids []tileID
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		if w := int(size >> (tileHeight * level) % tileWidth); w > 0 {
			ids = append(ids, tileID{level, size >> (tileHeight * (level + 1)), w})
		}
	}
	return ids
}

// path returns where the tile lies below the log's address.
func (t tileID) path() string { return fmt.Sprintf("tile/%d/%s", t.level, t.place()) }

// place returns the tile's index as three-digit elements, and its width when
// it's partial.
func (t tileID) place() string {
	p := fmt.Sprintf("%03d", t.n%1000)
	for n := t.n / 1000; n > 0; n /= 1000 {
		p = fmt.Sprintf("x%03d/%s", n%1000, p)
	}
	if t.width < tileWidth {
		p += fmt.Sprintf(".p/%d", t.width)
	}
	return p
}

// entriesPath returns where the leaves of a tile of level 0 are served.
func (t tileID) entriesPath() string { return "tile/entries/" + t.place() }

// idOf reads a tile's place as tlog has it.
func idOf(t tlog.Tile) tileID { return tileID{t.L, uint64(t.N), t.W} }

// tileData encodes hashes as a tile.
func tileData(hashes []ledger.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}
