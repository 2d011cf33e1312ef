package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// TilesFolder is where a ledger's folder holds its tiles and checkpoint. It
// can be served as it is by any web server (C2SP tlog-tiles, without entries).
const TilesFolder = "tlog"

const checkpointFile = "checkpoint"

// tileFolder reads and writes tiles as files.
type tileFolder string

// read returns a tile's bytes. A partial tile that isn't there is taken from a
// wider one, which begins with the same hashes.
func (d tileFolder) read(id tileID) ([]byte, error) {
	size := id.width * tlog.HashSize
	b, err := readFile(filepath.Join(string(d), filepath.FromSlash(id.path())), tileBytes)
	if err == nil && len(b) == size {
		return b, nil
	}
	if err == nil {
		return nil, fmt.Errorf("%s: %d bytes, not %d", id.path(), len(b), size)
	}
	if !errors.Is(err, os.ErrNotExist) || id.width == tileWidth {
		return nil, err
	}
	full := tileID{id.level, id.n, tileWidth}
	if b, fullErr := readFile(filepath.Join(string(d), filepath.FromSlash(full.path())), tileBytes); fullErr == nil && len(b) == tileBytes {
		return b[:size], nil
	}
	for _, w := range d.widths(id) {
		wider := tileID{id.level, id.n, w}
		if b, widerErr := readFile(filepath.Join(string(d), filepath.FromSlash(wider.path())), tileBytes); widerErr == nil && w > id.width && len(b) == w*tlog.HashSize {
			return b[:size], nil
		}
	}
	return nil, err
}

// widths lists the partial versions that there are of a tile.
func (d tileFolder) widths(id tileID) []int {
	full := tileID{id.level, id.n, tileWidth}
	entries, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(full.path()+".p")))
	if err != nil {
		return nil
	}
	var widths []int
	for _, e := range entries {
		if w, err := strconv.Atoi(e.Name()); err == nil && w > 0 && w < tileWidth && strconv.Itoa(w) == e.Name() {
			widths = append(widths, w)
		}
	}
	return widths
}

// write writes a file of the folder: whole or not at all, as its readers see it.
// It isn't synced, for that would slow down the journal; what a crash takes is
// built again.
func (d tileFolder) write(name string, data []byte) error {
	path := filepath.Join(string(d), filepath.FromSlash(name))
	made := filepath.Join(string(d), "new")
	err := os.WriteFile(made, data, 0o644)
	if err == nil {
		err = os.Rename(made, path)
	}
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			if err = os.WriteFile(made, data, 0o644); err == nil {
				err = os.Rename(made, path)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeDurably is write for what must survive a crash.
func (d tileFolder) writeDurably(name string, data []byte) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.OpenFile(filepath.Join(string(d), "new-"+name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(string(d), name))
	}
	if err == nil {
		var dir *os.File
		if dir, err = os.Open(string(d)); err == nil {
			err = errors.Join(dir.Sync(), dir.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// has says whether a tile's file is there with its whole length.
func (d tileFolder) has(id tileID) bool {
	info, err := os.Stat(filepath.Join(string(d), filepath.FromSlash(id.path())))
	return err == nil && info.Mode().IsRegular() && info.Size() == int64(id.width*tlog.HashSize)
}

// tileReader gives tlog's proofs their tiles.
type tileReader func(id tileID) ([]byte, error)

func (tileReader) Height() int { return tileHeight }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = r(idOf(t)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// Proofs makes proofs from tiles, which it holds against a tree that the caller
// knows to be the log's. It reads a handful of tiles for each.
type Proofs struct {
	tree   tlog.Tree
	reader tlog.HashReader
}

// ProofsOf returns the proofs of the tree of that head from the tiles in a
// ledger's folder, for which the head must have been published.
func ProofsOf(dir string, head ledger.SignedHead) (*Proofs, error) {
	return newProofs(head.Size, head.Root, tileFolder(filepath.Join(dir, TilesFolder)).read)
}

func newProofs(size uint64, root ledger.Hash, read tileReader) (*Proofs, error) {
	if size > 1<<62 {
		return nil, errors.New("the tree is impossibly large")
	}
	p := &Proofs{tree: tlog.Tree{N: int64(size), Hash: root}}
	p.reader = tlog.TileHashReader(p.tree, read)
	return p, nil
}

// Inclusion returns the inclusion path of a record (RFC 6962, section 2.1.1)
// and its leaf hash.
func (p *Proofs) Inclusion(record uint64) (path []ledger.Hash, leaf ledger.Hash, err error) {
	if record >= uint64(p.tree.N) {
		return nil, leaf, fmt.Errorf("record %d is not in a tree of %d records", record, p.tree.N)
	}
	hashes, err := p.reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(record))})
	if err != nil {
		return nil, leaf, fmt.Errorf("prove record %d: %w", record, err)
	}
	proof, err := tlog.ProveRecord(p.tree.N, int64(record), p.reader)
	if err != nil {
		return nil, leaf, fmt.Errorf("prove record %d: %w", record, err)
	}
	return proof, hashes[0], nil
}

// Consistency returns the proof that the tree contains all of the tree of the
// first old records (RFC 6962, section 2.1.2). From nothing it is empty.
func (p *Proofs) Consistency(old uint64) ([]ledger.Hash, error) {
	if old > uint64(p.tree.N) {
		return nil, fmt.Errorf("a tree of %d records doesn't contain one of %d", p.tree.N, old)
	}
	if old == 0 || old == uint64(p.tree.N) {
		return nil, nil
	}
	proof, err := tlog.ProveTree(p.tree.N, int64(old), p.reader)
	if err != nil {
		return nil, fmt.Errorf("prove the first %d records: %w", old, err)
	}
	return proof, nil
}

// root returns the root of the tree of the first size records.
func (p *Proofs) root(size uint64) (ledger.Hash, error) {
	return tlog.TreeHash(int64(size), p.reader)
}
