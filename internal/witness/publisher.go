package witness

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Times of the publisher.
const (
	interval  = time.Second      // between two checkpoints
	askWithin = 2 * time.Second  // for one witness in one round
	refresh   = time.Minute      // an idle log is cosigned again, so that the time says it's still so
	maxPause  = 5 * time.Second  // before a witness that failed is asked again
	maxSkew   = 5 * time.Minute  // between a cosignature's time and ours
	patience  = 10 * time.Second // Policy.Grace when it's 0
)

// Heads is the ledger as the publisher follows it. *ledger.Ledger is one.
type Heads interface {
	// Head returns the signed head of the durable records.
	Head() ledger.SignedHead
	// Origin returns the log's name.
	Origin() string
	// Public returns the key that verifies heads.
	Public() ed25519.PublicKey
}

// Proofs proves that one tree contains another.
type Proofs interface {
	// Consistency returns the proof (RFC 6962, 2.1.2) from the tree of old
	// records to the one of new; 0 < old < new. It may wait for new to be
	// covered, until ctx ends.
	Consistency(ctx context.Context, old, new uint64) ([]tlog.Hash, error)
}

// Store keeps the published checkpoint.
type Store interface {
	// Publish replaces the published note, durably, whole or not at all. What
	// proofs for it need must be readable before the note is.
	Publish(ctx context.Context, note []byte) error
	// Published returns the published note, or nothing if there never was one.
	Published() ([]byte, error)
}

// A Link is one succession: how a log followed another.
type Link struct {
	// Succession is what the first record of the newer log says: the older log's
	// signed statement that it has ended and which log goes on.
	Succession ledger.Succession
	// Before proves the older log to a witness that missed the end of it. nil:
	// such a witness can't be told.
	Before Proofs
}

// PublisherOptions are the settings of a publisher. All but Successions and Log
// are needed.
type PublisherOptions struct {
	Heads  Heads
	Proofs Proofs
	Store  Store
	Policy Policy
	Clock  func() time.Time
	// Successions returns how this log came about, for witnesses that know an
	// older one: its own succession first, then that of the log before it, and so
	// on, as far as the logs are still there. nil: it's the first of its chain.
	Successions func(ctx context.Context) ([]Link, error)
	Log         *slog.Logger // the operator's log; nil: none
}

// A Publisher makes a checkpoint of the ledger's head about once a second, asks
// the witnesses to cosign it and publishes it with what they signed.
type Publisher struct {
	o     PublisherOptions
	log   Log
	peers []*peer

	turn sync.Mutex // held by the one round that runs

	mu        sync.Mutex
	published Checkpoint             // what the store holds; zero when nothing was published
	shown     time.Time              // when that was published; after a restart when it was cosigned last
	held      map[string]Cosignature // of the published note, by Peer.Name
	current   draft                  // the checkpoint that cosignatures are gathered for
	cosigned  uint64                 // size of the last checkpoint that enough have cosigned
	at        time.Time              // when that was
	waiting   time.Time              // since when records wait for cosignatures; zero: none do
	broken    error                  // the ledger contradicts what was published
	failed    error                  // the last round's own failure
}

// A draft is a checkpoint on its way to being published.
type draft struct {
	Checkpoint
	note  []byte                 // signed by the log alone
	read  time.Time              // when the head was read
	lines map[string]Cosignature // by Peer.Name
	news  bool                   // there is something in it that isn't published
}

// NewPublisher returns a publisher, after reading what was published before.
// A published note that can't be read is an error; one that the ledger
// contradicts shows in State once Run has compared them.
func NewPublisher(o PublisherOptions) (*Publisher, error) {
	if o.Heads == nil || o.Proofs == nil || o.Store == nil || o.Clock == nil {
		return nil, errors.New("publish checkpoints: heads, proofs, store and clock are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Policy.Grace == 0 {
		o.Policy.Grace = patience
	}
	if o.Policy.IfMissing == "" {
		o.Policy.IfMissing = Warn
	}
	log, err := LogOf(o.Heads.Origin(), o.Heads.Public())
	if err != nil {
		return nil, fmt.Errorf("publish checkpoints: %w", err)
	}
	if err := o.Policy.Check(log); err != nil {
		return nil, fmt.Errorf("publish checkpoints: witnesses: %w", err)
	}
	p := &Publisher{o: o, log: log}
	for _, w := range o.Policy.Witnesses {
		p.peers = append(p.peers, &peer{Peer: w, client: NewClient(w)})
	}
	return p, p.resume()
}

// resume reads what was published before.
func (p *Publisher) resume() error {
	note, err := p.o.Store.Published()
	if err != nil {
		return fmt.Errorf("read the published checkpoint: %w", err)
	}
	if len(note) == 0 {
		return nil
	}
	c, by, err := Verify(note, p.log, p.o.Policy.keys(), 0)
	if err != nil {
		// Whoever can change what is published can do no more than that: it's
		// named, and not written over, since it may be evidence.
		p.broken = fmt.Errorf("the published checkpoint is not as this log signed it (to go on, move it away; it may be evidence): %w", err)
		return nil
	}
	p.published, p.held = c, map[string]Cosignature{}
	for _, s := range by {
		if s.Time.After(p.shown) {
			p.shown = s.Time
		}
		for _, w := range p.peers {
			if w.Key.Name() == s.Name {
				p.held[w.Name], w.size, w.at = s, c.Size, s.Time
			}
		}
	}
	if len(by) >= p.enough() {
		p.cosigned, p.at = c.Size, p.shown
	}
	return nil
}

// enough is how many cosignatures make a checkpoint count as cosigned.
func (p *Publisher) enough() int { return max(1, p.o.Policy.Need) }

// Run publishes until ctx ends, and returns nil then.
func (p *Publisher) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	defer func() {
		for _, w := range p.peers {
			w.client.Close()
		}
	}()
	for {
		p.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round makes one checkpoint, has it cosigned and publishes it.
func (p *Publisher) round(ctx context.Context) {
	p.turn.Lock()
	defer p.turn.Unlock()
	err := p.draft(ctx)
	if err == nil {
		err = errors.Join(p.askAll(ctx), p.publish(ctx, false))
	}
	if ctx.Err() != nil {
		return // ended, not failed
	}
	p.note(ctx, err)
}

// note keeps how the last round went, and tells what is new in it.
func (p *Publisher) note(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && (p.failed == nil || p.failed.Error() != err.Error()) {
		p.o.Log.ErrorContext(ctx, "checkpoint not published", "error", err)
	}
	p.failed = err
}

// draft makes a checkpoint of the head, if the ledger has grown. It must contain
// the published one: nothing else is shown to anyone.
func (p *Publisher) draft(ctx context.Context) error {
	p.mu.Lock()
	broken, published, current := p.broken, p.published, p.current
	p.mu.Unlock()
	if broken != nil {
		return broken
	}
	read := p.o.Clock()
	head := p.o.Heads.Head()
	if current.note != nil && head.Size == current.Size {
		return nil
	}
	note, err := p.log.Checkpoint(head)
	if err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	next := draft{
		Checkpoint: Checkpoint{Origin: head.Origin, Size: head.Size, Root: head.Root},
		note:       note, read: read, lines: map[string]Cosignature{}, news: true,
	}
	if err := p.contains(ctx, published, next.Checkpoint); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.Checkpoint == published {
		// After a restart: what it carries stays, whoever is away now.
		next.lines, next.news = maps.Clone(p.held), false
	}
	p.current = next
	return nil
}

// contains compares a new checkpoint with the published one. A contradiction
// stays: it's for a person to look at.
func (p *Publisher) contains(ctx context.Context, published, next Checkpoint) error {
	if published.Origin == "" || published == next {
		return nil
	}
	var broken error
	switch {
	case next.Size < published.Size:
		broken = fmt.Errorf("a checkpoint of %d records was published, and the ledger has only %d: records are missing, or an old copy was restored", published.Size, next.Size)
	default:
		proof, err := p.proof(ctx, published.Size, next.Size)
		if err != nil {
			return err
		}
		if !consistent(published, next, proof) {
			broken = fmt.Errorf("the ledger of %d records does not begin with the %d of the published checkpoint: it was rewritten, or its tiles are damaged", next.Size, published.Size)
		}
	}
	if broken == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = broken
	return broken
}

// proof returns the proof between two trees of the ledger.
func (p *Publisher) proof(ctx context.Context, old, new uint64) ([]tlog.Hash, error) {
	if old == 0 || old == new {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	proof, err := p.o.Proofs.Consistency(ctx, old, new)
	if err != nil {
		return nil, fmt.Errorf("prove that %d records contain %d: %w", new, old, err)
	}
	return proof, nil
}

// publish publishes the draft when it has gained cosignatures. One with too few
// replaces a better one only after the grace, or when it's the last one: until
// then what is published stays cosigned.
func (p *Publisher) publish(ctx context.Context, last bool) error {
	p.mu.Lock()
	d, now := p.current, p.o.Clock()
	note := d.note
	for _, w := range p.peers { // in the order of the configuration
		if s, ok := d.lines[w.Name]; ok {
			note = append(note[:len(note):len(note)], s.Line...)
		}
	}
	if d.news && len(d.lines) >= p.enough() {
		p.cosigned, p.at, p.waiting = d.Size, now, time.Time{}
		if p.o.Heads.Head().Size > d.Size {
			p.waiting = d.read
		}
	}
	early := !last && len(d.lines) < p.o.Policy.Need && p.behind(now) <= p.o.Policy.Grace
	p.mu.Unlock()
	if !d.news || early {
		return nil
	}
	if err := p.o.Store.Publish(ctx, note); err != nil {
		return fmt.Errorf("publish checkpoint: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published, p.shown, p.current.news = d.Checkpoint, now, false
	return nil
}
