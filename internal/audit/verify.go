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
	"strings"
	"time"

	"paravent/internal/ledger"
)

// ErrUsage says that there is nothing to verify where the reader pointed, or
// that what he gave to verify it with can't be used.
var ErrUsage = errors.New("can't be verified")

// Options says what is verified, and against what.
type Options struct {
	// Key is the ledger's verifier key, "<origin>+<hash>+<base64>"; "": the file
	// public.key in the folder is trusted, and the report says so.
	Key string
	// Saved is the checkpoint that the reader kept, a signed note; nil: none.
	Saved []byte
	// Table yields the rows of the key table, oldest first; nil: it isn't looked at.
	Table iter.Seq2[ledger.Key, error]
	// Told hears of records as they're verified, from several goroutines; may be nil.
	Told func(records int)
}

// A Result is a report and what the reader should keep for the next time.
type Result struct {
	Report
	Key        string // the verifier key that was used
	Checkpoint []byte // signed note of the last head, to keep when the ledger is sound

	published []byte // the checkpoint in the folder or at the address, as it lies there
}

// publicFile is the verifier key's file in a ledger's folder.
const publicFile = "public.key"

// Folder verifies a ledger's folder: every batch, leaf, sealed part, signed
// head, position and time, the tree, the keys' leaves, and the tiles and
// checkpoint where they're there. What is wrong stands in the result. The error
// is ErrUsage when there's no ledger, or ctx's when it ended first.
func Folder(ctx context.Context, dir string, o Options) (*Result, error) {
	r := &Result{Key: strings.TrimSpace(o.Key)}
	if r.Key == "" {
		text, err := readFile(filepath.Join(dir, publicFile), 4<<10)
		if err != nil {
			return nil, fmt.Errorf("%w: no key was given, and the folder's own can't be read: %w", ErrUsage, err)
		}
		r.Key = strings.TrimSpace(string(text))
		r.note("the key beside the ledger was trusted: whoever can replace the ledger can replace it too; give it with --key")
	}
	origin, pub, err := ledger.ParsePublic(r.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	r.Origin = origin
	journal, err := ledger.Inspect(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	own := &reading{journal: journal, pub: pub, origin: origin, key: sha256.Sum256(pub), watch: map[uint64]bool{}, told: o.Told}
	c := &chain{report: &r.Report, o: own, keys: keyBook{keys: map[ledger.KeyID]*keyState{}},
		roots: map[uint64]ledger.Hash{}, kinds: map[ledger.Kind]uint64{}}
	saved := r.readSaved(o.Saved, origin, pub)
	if saved != nil {
		own.watch[saved.Size] = true
	}
	tiles := newTileCheck(r, dir, c)
	if tiles != nil {
		own.hashes, c.sink = true, tiles.add
	}
	if journal, err = ledger.Inspect(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	own.journal = journal
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	c.finish(r)
	if tiles != nil {
		tiles.finish(c)
	}
	r.compareSaved(saved, c)
	if o.Table != nil {
		if err := c.keys.table(ctx, &r.Report, o.Table); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// finish fills in what the last segment says.
func (c *chain) finish(r *Result) {
	s := c.before
	if s == nil || s.heads == 0 {
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
