package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Log is the open ledger, as far as it's published. *ledger.Ledger is one.
type Log interface {
	Origin() string
	Public() ed25519.PublicKey
	// Head returns the signed head of the durable records.
	Head() ledger.SignedHead
	// Leaves yields the durable records from a position on.
	Leaves(ctx context.Context, from uint64) iter.Seq2[ledger.StoredRecord, error]
	// Wait returns nil as soon as there are more durable records than size.
	Wait(ctx context.Context, size uint64) error
}

// PublisherOptions are the settings of a Publisher.
type PublisherOptions struct {
	Dir string // the ledger's folder; tiles and checkpoint go to its TilesFolder
	Log *slog.Logger
	// Every is the time between two checkpoints. 0: one second.
	Every time.Duration
	// Witnessed says that somebody else calls Publish, with checkpoints that
	// witnesses have cosigned; the Publisher then publishes none itself.
	Witnessed bool
}

// A Publisher follows the journal and writes tiles and checkpoints behind it,
// never ahead of what is durable. What is missing or isn't as it should be when
// it starts, it builds again. Its methods may be called by many goroutines.
type Publisher struct {
	o     PublisherOptions
	log   Log
	files tileFolder

	mu        sync.Mutex // held while tiles are written
	build     builder
	edge      frontier
	ready     bool   // build continues what is on disk
	published uint64 // size of the checkpoint on disk

	frozen bool // nothing is added to the log any more

	// shelf is the last head of a frozen log, all of whose tiles were published; nil
	// of any other. Until build is ready, what is asked for is taken from there.
	shelf *ledger.SignedHead
}

// NewPublisher returns a publisher of log. Nothing is written before Run.
func NewPublisher(log Log, o PublisherOptions) *Publisher {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{o: o, log: log, files: tileFolder(filepath.Join(o.Dir, TilesFolder))}
}

// Run publishes until ctx ends or the ledger is closed, which is no error. A
// disk that refuses a write is tried again: nothing but publishing waits for it.
func (p *Publisher) Run(ctx context.Context) error {
	tick := time.NewTicker(p.o.Every)
	defer tick.Stop()
	failing := false
	for {
		err := p.Step(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, ledger.ErrClosed):
			return nil
		case err != nil && !failing:
			p.o.Log.ErrorContext(ctx, "tiles and checkpoint can't be written; recording goes on", "error", err)
		case err == nil && failing:
			p.o.Log.InfoContext(ctx, "tiles and checkpoint are written again")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if failing {
			continue
		}
		if p.frozen {
			return nil // nothing comes any more
		}
		if err := p.log.Wait(ctx, p.Tiled()); err != nil {
			return nil // ctx ended or the ledger was closed
		}
	}
}

// Step brings tiles, and unless they're witnessed the checkpoint, up to the
// records that are durable now.
func (p *Publisher) Step(ctx context.Context) error {
	if p.frozen {
		return p.Finish(ctx)
	}
	head := p.log.Head()
	if err := p.advance(ctx, head); err != nil {
		return err
	}
	if p.o.Witnessed || p.shelved() {
		return nil // what is published has cosignatures that this one wouldn't have
	}
	return p.Publish(ctx, formatCheckpoint(head, p.log.Public()))
}

// Tiled returns how many records the tiles hold.
func (p *Publisher) Tiled() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, _ := p.built()
	return size
}

// built returns the size of the tree that has its tiles, and its root. p.mu is held.
func (p *Publisher) built() (uint64, ledger.Hash) {
	if !p.ready && p.shelf != nil {
		return p.shelf.Size, p.shelf.Root
	}
	return p.build.size, p.edge.root()
}

// advance brings the tiles up to head.
func (p *Publisher) advance(ctx context.Context, head ledger.SignedHead) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ready {
		if err := p.restore(ctx, head); err != nil {
			return err
		}
	}
	if p.build.size >= head.Size {
		return nil
	}
	from := p.build.size
	for r, err := range p.log.Leaves(ctx, from) {
		if err != nil {
			return fmt.Errorf("publish: read the journal: %w", err)
		}
		h := leafHash(r.Leaf)
		if err := p.build.add(h); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		p.edge.add(h)
		if p.build.size == head.Size {
			break
		}
	}
	if p.build.size != head.Size {
		return fmt.Errorf("publish: the journal ended at record %d of %d", p.build.size, head.Size)
	}
	if p.edge.root() != head.Root {
		// What was on disk isn't this journal's: begin anew at the next step.
		p.ready = false
		p.published = 0
		if from == 0 {
			return fmt.Errorf("publish: the journal's %d records don't hash to its signed root", head.Size)
		}
		p.o.Log.ErrorContext(ctx, "the tiles on disk were not this journal's; they're built anew", "records", from)
		return errors.Join(os.Remove(filepath.Join(string(p.files), checkpointFile)), errAgain)
	}
	return nil
}

var errAgain = errors.New("publish: the tiles are built anew")

// start begins with nothing.
func (p *Publisher) start() {
	p.build = builder{full: func(level int, n uint64, hashes []ledger.Hash) error {
		id := tileID{level, n, tileWidth}
		if err := p.files.write(id.path(), tileData(hashes)); err != nil {
			return err
		}
		// The full tile stands for its partial versions from here on.
		return os.RemoveAll(filepath.Join(string(p.files), filepath.FromSlash(id.path()+".p")))
	}}
	p.edge = frontier{}
	p.published = 0
	p.ready = true
}

// restore goes on from the checkpoint on disk when every tile of its tree is
// there and as it should be; else it begins with nothing, and says so.
func (p *Publisher) restore(ctx context.Context, head ledger.SignedHead) error {
	p.start()
	msg, err := readFile(filepath.Join(string(p.files), checkpointFile), maxNote)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var last *ledger.SignedHead
	if err == nil {
		last, err = parseCheckpoint(msg, p.log.Origin(), p.log.Public())
	}
	if err == nil && last.Size > head.Size {
		// G4: a checkpoint is never ahead of the journal. So the journal has lost
		// records, or was exchanged. Whoever kept a checkpoint will see it too.
		p.ready = false
		return fmt.Errorf("publish: the checkpoint on disk has %d records, the journal only %d: the journal was replaced by an older copy or cut", last.Size, head.Size)
	}
	if err == nil {
		err = p.reload(ctx, last)
	}
	if err != nil {
		p.start()
		p.o.Log.WarnContext(ctx, "tiles on disk are missing or not as they were written; they're built anew from the journal", "error", err)
	}
	return ctx.Err()
}

// reload checks every tile of a tree and takes over its right edge.
func (p *Publisher) reload(ctx context.Context, last *ledger.SignedHead) error {
	levels := make([][]ledger.Hash, 0, maxLevel+1)
	above := []ledger.Hash(nil) // roots of the full tiles of the level below
	for level := 0; last.Size>>(tileHeight*level) > 0; level++ {
		count := last.Size >> (tileHeight * level)
		var roots, rest []ledger.Hash
		for n := uint64(0); n*tileWidth < count; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			id := tileID{level, n, int(min(count-n*tileWidth, tileWidth))}
			data, err := p.files.read(id)
			if err != nil {
				return err
			}
			if level > 0 && !bytes.Equal(data, tileData(above[n*tileWidth:][:id.width])) {
				return fmt.Errorf("%s doesn't hold the roots of the tiles below it", id.path())
			}
			hashes := hashesOf(data)
			if id.width < tileWidth {
				rest = hashes
			} else {
				roots = append(roots, foldTile(hashes))
			}
		}
		levels, above = append(levels, append(make([]ledger.Hash, 0, tileWidth), rest...)), roots
	}
	p.build.levels, p.build.size = levels, last.Size
	p.edge = frontier{size: last.Size, nodes: edgeOf(levels)}
	if p.edge.root() != last.Root {
		return errors.New("the tiles don't hash to the checkpoint")
	}
	p.published = last.Size
	return nil
}

// edgeOf returns the roots of the complete subtrees, highest first, of a tree
// whose partial tiles hold levels.
func edgeOf(levels [][]ledger.Hash) []ledger.Hash {
	var edge []ledger.Hash
	for level := len(levels) - 1; level >= 0; level-- {
		f := frontier{}
		for _, h := range levels[level] {
			f.add(h)
		}
		edge = append(edge, f.nodes...)
	}
	return edge
}

func hashesOf(data []byte) []ledger.Hash {
	hashes := make([]ledger.Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		hashes[i] = ledger.Hash(data[i*tlog.HashSize:])
	}
	return hashes
}

// tile returns a tile of the tree as far as it's built: the right edge from
// memory, the rest from disk.
func (p *Publisher) tile(id tileID) ([]byte, error) {
	p.mu.Lock()
	if id.level < len(p.build.levels) && id.n == p.build.size>>(tileHeight*(id.level+1)) {
		if have := p.build.levels[id.level]; id.width <= len(have) {
			defer p.mu.Unlock()
			return tileData(have[:id.width]), nil
		}
	}
	p.mu.Unlock()
	return p.files.read(id)
}

// Proofs returns the proofs of the newest tree that has its tiles.
func (p *Publisher) Proofs() (*Proofs, error) {
	p.mu.Lock()
	size, root := p.built()
	p.mu.Unlock()
	return newProofs(size, root, p.tile)
}

// Consistency returns the proof that the tree of the first to records contains
// that of the first from (RFC 6962, section 2.1.2); from nothing, and from a
// tree to itself, it is empty. The tiles catch up with the journal first, where
// they must.
func (p *Publisher) Consistency(ctx context.Context, from, to uint64) ([]tlog.Hash, error) {
	if from > to {
		return nil, fmt.Errorf("a tree of %d records doesn't contain one of %d", to, from)
	}
	newest, err := p.upTo(ctx, to)
	if err != nil || from == 0 || from == to {
		return nil, err
	}
	proof, err := tlog.ProveTree(int64(to), int64(from), newest.reader)
	if err != nil {
		return nil, fmt.Errorf("prove the first %d of %d records: %w", from, to, err)
	}
	return proof, nil
}

// upTo brings the tiles up to at least size records and returns their proofs.
func (p *Publisher) upTo(ctx context.Context, size uint64) (*Proofs, error) {
	if p.Tiled() < size {
		head := p.log.Head()
		if head.Size < size {
			return nil, fmt.Errorf("the ledger has %d durable records, not %d", head.Size, size)
		}
		if err := p.advance(ctx, head); err != nil {
			return nil, err
		}
	}
	return p.Proofs()
}

// Publish makes msg the checkpoint that everyone sees: a signed note by the
// ledger's key, with or without cosignatures, for a size that the ledger has
// reached. Its partial tiles are there before it is. One that is older than the
// published one, or not of this tree, is refused.
func (p *Publisher) Publish(ctx context.Context, msg []byte) error {
	head, err := parseCheckpoint(msg, p.log.Origin(), p.log.Public())
	if err != nil {
		return fmt.Errorf("publish: the checkpoint: %w", err)
	}
	proofs, err := p.upTo(ctx, head.Size)
	if err != nil {
		return err
	}
	root, err := proofs.root(head.Size)
	if err != nil || root != head.Root {
		return errors.Join(errors.New("publish: the checkpoint is not of this tree"), err)
	}
	for _, id := range partialsOf(head.Size) {
		data, err := p.tile(id)
		if err == nil {
			err = p.writePartial(id, data)
		}
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if head.Size < p.published {
		return fmt.Errorf("publish: a checkpoint of %d records is published already", p.published)
	}
	if err := p.files.writeDurably(checkpointFile, msg); err != nil {
		return err
	}
	p.published = head.Size
	return nil
}

// writePartial writes a partial tile unless it, or the full one, is there by now.
func (p *Publisher) writePartial(id tileID, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files.has(tileID{id.level, id.n, tileWidth}) {
		return nil
	}
	if have, err := p.files.read(id); err == nil && p.files.has(id) && bytes.Equal(have, data) {
		return nil
	}
	return p.files.write(id.path(), data)
}

// Published returns the checkpoint that everyone sees, a signed note, or
// nothing before the first.
func (p *Publisher) Published() ([]byte, error) {
	msg, err := readFile(filepath.Join(string(p.files), checkpointFile), maxNote)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return msg, err
}
