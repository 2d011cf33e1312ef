package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// A tileCheck builds the tiles again from the leaf hashes of the journal and
// holds them against those that were published.
type tileCheck struct {
	r     *logRun
	files tileFolder
	build builder
	head  *ledger.SignedHead // the published checkpoint; nil: none that verifies
}

// newTileCheck reads the checkpoint in a ledger's folder; nil where there is
// neither it nor a tile. It must be called before the journal is read, which
// then is never behind an honest checkpoint.
func newTileCheck(r *logRun, dir string, j *journal) *tileCheck {
	t := &tileCheck{r: r, files: tileFolder(filepath.Join(dir, TilesFolder))}
	if _, err := os.Stat(string(t.files)); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			r.problem(TilesFolder, unknown, unknown, "the tiles can't be read: %v", err)
		}
		return nil
	}
	msg, err := readFile(filepath.Join(string(t.files), checkpointFile), maxNote)
	if err == nil {
		t.head, err = parseCheckpoint(msg, j.o.origin, j.o.pub)
		r.published, r.file, r.head = msg, TilesFolder+"/"+checkpointFile, t.head
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.note("no checkpoint is published yet")
	case err != nil:
		r.problem(TilesFolder+"/"+checkpointFile, unknown, unknown, "the published checkpoint does not verify: %v", err)
	default:
		j.o.watch[t.head.Size] = true
	}
	t.build.full = func(level int, n uint64, hashes []ledger.Hash) error {
		if t.head != nil && n < t.head.Size>>(tileHeight*(level+1)) {
			t.compare(tileID{level, n, tileWidth}, hashes)
		} else if t.files.has(tileID{level, n, tileWidth}) {
			t.compare(tileID{level, n, tileWidth}, hashes)
		}
		t.compareParts(level, n, hashes)
		return nil
	}
	return t
}

// add adds leaf hashes of the journal.
func (t *tileCheck) add(hashes []ledger.Hash) {
	for _, h := range hashes {
		if t.head != nil && t.build.size == t.head.Size {
			t.required()
		}
		if err := t.build.add(h); err != nil {
			t.r.problem(TilesFolder, unknown, int64(t.build.size), "%v", err)
			return
		}
	}
}

// required checks the partial tiles that the published checkpoint needs, at the
// moment when the tree built again has just its size.
func (t *tileCheck) required() {
	for _, id := range partialsOf(t.head.Size) {
		if slices.Contains(t.files.widths(id), id.width) {
			continue // compareParts looks at it
		}
		if data, err := t.files.read(id); err != nil {
			t.name(id, unknown, "the tile is missing or damaged: %v", err)
		} else {
			t.equal(id, data, t.build.levels[id.level])
		}
	}
}

// finish checks the right edge, and the checkpoint itself.
func (t *tileCheck) finish(j *journal) {
	const file = TilesFolder + "/" + checkpointFile
	if j.broken {
		t.r.note("the tiles were not held against the journal behind its first damage, from record %d on", t.build.size)
	} else {
		for level, hashes := range t.build.levels {
			t.compareParts(level, t.build.size>>(tileHeight*(level+1)), hashes)
		}
	}
	if t.head == nil {
		return
	}
	if t.head.Size == t.build.size {
		t.required()
	}
	root, known := j.roots[t.head.Size]
	switch {
	case t.head.Size > t.r.Size:
		t.r.problem(file, unknown, int64(t.r.Size), "ROLLED BACK: a checkpoint of %d records is published, but the journal has %d: records were cut off, or an older copy was put in its place", t.head.Size, t.r.Size)
	case known && root != t.head.Root:
		t.r.problem(file, unknown, unknown, "REWRITTEN: the published checkpoint of %d records is of another tree than the journal; both are signed by the ledger's key", t.head.Size)
	case !known:
		t.r.unknown("whether the published checkpoint is the journal's: the journal is too damaged to tell")
	}
}

// compareParts checks whatever partial versions of a tile there are: each is a
// beginning of it.
func (t *tileCheck) compareParts(level int, n uint64, hashes []ledger.Hash) {
	for _, w := range t.files.widths(tileID{level, n, tileWidth}) {
		if w <= len(hashes) {
			t.compare(tileID{level, n, w}, hashes)
		}
	}
}

// compare checks one file.
func (t *tileCheck) compare(id tileID, want []ledger.Hash) {
	data, err := readFile(filepath.Join(string(t.files), filepath.FromSlash(id.path())), tileBytes)
	if err != nil {
		t.name(id, unknown, "the tile is missing or can't be read: %v", err)
		return
	}
	t.equal(id, data, want)
}

func (t *tileCheck) equal(id tileID, data []byte, want []ledger.Hash) {
	if len(data) != id.width*tlog.HashSize {
		t.name(id, int64(min(len(data), id.width*tlog.HashSize)), "the tile has %d bytes, not %d", len(data), id.width*tlog.HashSize)
		return
	}
	for i := range id.width {
		if ledger.Hash(data[i*tlog.HashSize:]) == want[i] {
			continue
		}
		p := Problem{File: TilesFolder + "/" + id.path(), Byte: int64(i * tlog.HashSize), Record: unknown}
		first := (id.n*tileWidth + uint64(i)) << (tileHeight * id.level)
		p.Record = int64(first)
		p.What = "its hash in the tile is not that of the journal"
		if id.level > 0 {
			p.What = "the hash of this and the next " + strconv.FormatUint(1<<(tileHeight*id.level)-1, 10) + " records in the tile is not that of the journal"
		}
		t.r.Add(p)
		return
	}
}

func (t *tileCheck) name(id tileID, at int64, format string, args ...any) {
	t.r.Add(Problem{File: TilesFolder + "/" + id.path(), Byte: at, Record: unknown, What: fmt.Sprintf(format, args...)})
}
