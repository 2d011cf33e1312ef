package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"paravent/internal/ledger"
)

// ErrUsage says that there is nothing to verify where the reader pointed, or
// that what he gave to verify it with can't be used.
var ErrUsage = errors.New("can't be verified")

// Options says what is verified, and against what.
type Options struct {
	// Key is the ledger's verifier key, "<origin>+<hash>+<base64>"; "": the one
	// beside the ledger is trusted, and the report says so.
	Key string
	// Witnesses are verifier keys of witnesses; Need of them must have cosigned
	// the published checkpoint. Need 0: all.
	Witnesses []string
	Need      int
	// Memory is where the reader keeps what he saw, under Place, a name for where
	// the ledger lies; nil: nothing is compared and nothing kept.
	Memory *Memory
	Place  string
	// Table yields the rows of the key table, oldest first, as often as it's asked;
	// nil: it isn't looked at.
	Table iter.Seq2[ledger.Key, error]
	// Quick says that of each segment's signed heads only the last is checked:
	// every record is under it. It saves most of the time where records came one
	// by one, each with a signature of its own.
	Quick bool
	// Told hears of records as they're verified, from several goroutines; may be nil.
	Told func(records int)
}

// A Result is a report and what it rests on.
type Result struct {
	Report
	Key        string // the verifier key that was used
	Checkpoint []byte // signed note of the last head

	// Destroyed are the keys that a leaf says were destroyed.
	Destroyed map[ledger.KeyID]Destroyed

	published []byte    // the checkpoint in the folder or at the address, as it lies there
	seen      time.Time // when the reader kept his checkpoint
}

// Destroyed is what the first leaf that names a destroyed key says.
type Destroyed struct {
	Record uint64 // of the leaf
	At     time.Time
}

// publicFile is the verifier key's file in a ledger's folder.
const publicFile = "public.key"

// Folder verifies a ledger's folder: every batch, leaf, sealed part, signed
// head, position and time, the tree, the keys' leaves, and the tiles and
// checkpoint where they're there. What is wrong stands in the result. The error
// is ErrUsage when there's no ledger, or ctx's when it ended first.
func Folder(ctx context.Context, dir string, o Options) (*Result, error) {
	r := &Result{}
	if _, err := ledger.Inspect(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	t, err := newTrust(r, o, func() ([]byte, error) { return readFile(filepath.Join(dir, publicFile), 4<<10) })
	if err != nil {
		return nil, err
	}
	was, err := r.remember(o, t)
	if err != nil {
		return nil, err
	}
	c := newChain(r, t, o, was)
	// The checkpoint is read before the journal is listed: so an honest journal
	// that is being written is never behind it.
	tiles := newTileCheck(r, dir, c)
	if tiles != nil {
		c.o.hashes, c.sink = true, tiles.add
	}
	before := idsOf(o.Table)
	list := readForgotten(dir, t)
	if c.o.journal, err = ledger.Inspect(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	c.finish(r)
	c.keys.list(&r.Report, list, readForgotten(dir, t))
	r.Destroyed = c.keys.destroyed()
	var witnessed uint64
	if t.cosigned(&r.Report, TilesFolder+"/"+checkpointFile, r.published) {
		witnessed = tiles.head.Size
	}
	if tiles != nil {
		tiles.finish(c)
	}
	if o.Table != nil {
		if err := c.keys.table(ctx, &r.Report, o.Table, before); err != nil {
			return nil, err
		}
	}
	return r, r.conclude(o, t, was, c.roots, witnessed)
}

// newChain returns the chain for a journal or what is served of one.
func newChain(r *Result, t *trust, o Options, was *ledger.SignedHead) *chain {
	own := &reading{pub: t.pub, origin: t.origin, key: sha256.Sum256(t.pub), watch: map[uint64]bool{}, told: o.Told, quick: o.Quick}
	if was != nil {
		own.watch[was.Size] = true
	}
	return &chain{report: &r.Report, o: own, keys: keyBook{keys: map[ledger.KeyID]*keyState{}},
		roots: map[uint64]ledger.Hash{}, kinds: map[ledger.Kind]uint64{}}
}

// conclude compares with what the reader kept, says what can't be known, and
// keeps what is sound.
func (r *Result) conclude(o Options, t *trust, was *ledger.SignedHead, roots map[uint64]ledger.Hash, witnessed uint64) error {
	r.compareKept(was, roots)
	if o.Quick && r.Segments > 0 {
		r.unknown("whether every signed head in the journal is intact: only the last of each segment was checked (--quick); every record is under it")
	}
	t.limits(r, was != nil, witnessed)
	if o.Memory == nil || !r.Sound() {
		return nil
	}
	return o.Memory.keep(r, o.Place)
}

// finish fills in what the last segment says.
func (c *chain) finish(r *Result) {
	s := c.before
	if s == nil || s.batches == 0 {
		if r.Sound() {
			r.problem("", unknown, unknown, "the last segment holds no record")
		}
		return
	}
	r.Size, r.Root = s.last.Size, s.last.Root
	if s.torn > 0 {
		r.note("the last %d bytes are a batch whose write never ended: nobody had a receipt of it", s.torn)
	}
	head := s.last
	head.Origin = c.o.origin
	r.Checkpoint = formatCheckpoint(head, c.o.pub)
}

// readFile reads a file of at most that many bytes.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: more than %d bytes", filepath.Base(path), most)
	}
	return b, err
}

// clockText writes microseconds since 1970 UTC as a time.
func clockText(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339Nano) }
