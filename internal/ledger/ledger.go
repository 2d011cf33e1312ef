package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options are the settings of a ledger.
type Options struct {
	// Node names this machine in every frame: letters, digits, dots, hyphens
	// and underscores, at most 64. Create needs it; Open takes the ledger's own
	// when it's empty and refuses another one.
	Node string
	// Clock tells the time; it's read once a batch. Needed.
	Clock func() time.Time
	// Keys is the table of persons' keys. Needed.
	Keys Keys
	// Secrets keeps the signing keys; nil: each in a file of its log's folder.
	Secrets Secrets
	// Log is the operator's log; nil: none. No personal data goes there.
	Log *slog.Logger
	// CachedKeys bounds the keys held in memory, about 1.5 KB each. 0: 32768.
	CachedKeys int
	// SegmentBytes is the size at which the next segment is begun. 0: 16 MiB.
	SegmentBytes int64
	// Probe is the time between two tries to resume after a failed write. 0: 1 s.
	Probe time.Duration

	disk        func(dir string) disk // tests put faults here; nil: the real one
	readAtStart int64                 // tests make it small; 0: readAtStart
}

const (
	defaultCachedKeys   = 32768
	frozenCachedKeys    = 4096 // of a frozen log, which is read seldom
	defaultSegmentBytes = 16 << 20
	defaultProbe        = time.Second
)

// complete checks the options and fills in what was left out.
func (o Options) complete() (Options, error) {
	if o.Clock == nil || o.Keys == nil {
		return o, errors.New("ledger: a clock and a key table are needed")
	}
	if o.Node != "" && !nodeName.MatchString(o.Node) {
		return o, fmt.Errorf("ledger: the node name %q has other characters than letters, digits, '.', '_', '-', or more than 64", o.Node)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CachedKeys <= 0 {
		o.CachedKeys = defaultCachedKeys
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.Probe <= 0 {
		o.Probe = defaultProbe
	}
	if o.readAtStart <= 0 {
		o.readAtStart = readAtStart
	}
	if o.disk == nil {
		o.disk = func(dir string) disk { return folder(dir) }
	}
	return o, nil
}

// A Ledger is an open ledger. Its methods may be called by many goroutines.
type Ledger struct {
	o     Options
	dir   string
	self  *self
	keys  *keyring
	disk  disk
	lock  *os.File
	base  uint64      // Number of its first record; set once, by Open
	first *Succession // of its KindNext record; nil: it follows no log. Set once, by Open

	// turn is held by whoever writes: the leader of a group, a probe, Close.
	turn      sync.Mutex
	dooms     uint64 // how often keys were destroyed since the start
	file      file   // the segment written to; nil while there is none
	number    uint64
	written   int64     // bytes of the segment that are durable
	room      int64     // bytes of the segment that were written ahead
	begun     time.Time // when the segment was begun
	buffer    []byte
	edge      edge
	announced map[KeyID]struct{} // keys whose KindKey leaf is in the journal
	last      time.Time          // the clock's last reading, with its monotonic part
	lastAt    int64              // time of the last frame that read the clock, microseconds
	failed    *pending           // the batch that may or may not be on disk

	forgetting sync.Mutex // held while a key is destroyed
	forgotten  *forgotten
	returned   []string // persons whose destroyed keys had come back; set once, by Open

	mu        sync.Mutex
	before    []*Ledger // the frozen logs before it, see Follows
	after     *Ledger   // the log behind it; nil: none
	next      string    // verifier key of the log that its KindEnd record names; "": it's not frozen
	open      *group    // takes entries; its leader waits for his turn
	state     State
	damage    error // what checkRest found; nil: nothing
	closed    bool
	size      uint64        // durable records
	grown     chan struct{} // closed when size grows; nil while nobody waits
	head      SignedHead    // of size
	chapter   []chapter     // the segments, oldest first
	marks     []mark        // where to begin reading
	stop      chan struct{} // closed by Close
	spare     *spare        // the next segment's file; nil while there is none
	preparing bool          // a spare is being made

	rest *rest // what Open has left to checkRest; nil: nothing

	background sync.WaitGroup // probes, spares and checkRest
}

// A chapter is a segment as a reader sees it.
type chapter struct {
	number uint64
	first  uint64 // position of its first record
	start  int64  // offset of its first batch
	end    int64  // offset after its last durable batch
}

// A mark says at which offset of which chapter a position's batch begins.
type mark struct {
	position uint64
	chapter  int
	offset   int64
}

// State says whether the ledger records.
type State struct {
	OK     bool
	Reason string    // for the operator, no personal data; "" while OK
	Since  time.Time // when OK last changed, by the ledger's clock
}

// Create makes a new ledger with a new signing key in dir, which may not exist
// yet or must be empty; else the error is ErrExists. The parent of dir must be
// there. It appears whole or not at all.
func Create(dir string, o Options) (err error) {
	if o, err = o.complete(); err != nil {
		return err
	}
	if o.Node == "" {
		return errors.New("ledger: create: a node name is needed")
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%w: %s", ErrExists, dir)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	made, err := os.MkdirTemp(parent, ".new-ledger-")
	if err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	me, err := newSelf(context.Background(), made, o)
	if err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	l := newLedger(o, me, o.disk(made))
	if err = l.begin(begunCreated, l.build([]*prepared{l.own(KindStart, "created")})); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	if err = errors.Join(l.file.Truncate(l.written), l.file.Close()); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	if err = l.forgotten.change(func(none []forgottenKey) []forgottenKey { return none }); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	if err = os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	if err = os.Rename(made, dir); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	if err = folder(parent).sync(); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	return nil
}

// Open opens the ledger in dir and becomes its only owner. It reads the journal:
// what was changed is a *Damage, an unfinished last batch is left out. Of a long
// journal it reads the last 64 MB and all headers; the rest is checked behind it,
// and damage there stops the ledger as soon as it's found (State).
// It never makes a ledger: where there is none the error is ErrMissing, where
// another process owns it, ErrLocked. The ledger may not be able to write at
// once (State); then it goes on trying. A frozen log is opened for reading:
// nothing is written to its journal, and its signing key isn't needed.
func Open(dir string, o Options) (*Ledger, error) { return openLog(dir, o, false) }

// OpenFrozen is Open for a log that must be frozen: where it isn't, it writes
// nothing and the error is a *Damage.
func OpenFrozen(dir string, o Options) (*Ledger, error) { return openLog(dir, o, true) }

// openLog is Open and OpenFrozen.
func openLog(dir string, o Options, frozen bool) (*Ledger, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, publicFile)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMissing, dir, err)
	}
	if frozen {
		o.CachedKeys = min(o.CachedKeys, frozenCachedKeys)
	}
	locked, err := Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("ledger: open %s: %w", dir, err)
	}
	l, err := open(dir, o, frozen)
	if err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	l.lock = locked
	return l, nil
}

// open is openLog under the lock.
func open(dir string, o Options, frozen bool) (*Ledger, error) {
	me, err := readSelf(dir)
	if err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	if o.Node != "" && o.Node != me.node {
		return nil, fmt.Errorf("ledger: open: this is the ledger of node %q, not of %q", me.node, o.Node)
	}
	l := newLedger(o, me, o.disk(dir))
	l.dir = dir
	if err := l.scan(); err != nil {
		return nil, err
	}
	switch {
	case l.next != "":
		l.state = State{Reason: frozenReason, Since: l.state.Since}
		l.announced = nil
	case frozen:
		return nil, &Damage{Segment: segmentName(l.number), Offset: l.written, Position: l.size, What: "the record that ends this log is missing"}
	default:
		if err := me.load(context.Background(), o.secrets(dir)); err != nil {
			return nil, fmt.Errorf("ledger: open: %w", err)
		}
	}
	if err := l.replay(context.Background()); err != nil {
		return nil, err
	}
	if l.next == "" {
		l.start()
	}
	if l.rest != nil {
		l.background.Go(l.checkRest)
	}
	return l, nil
}

func newLedger(o Options, me *self, d disk) *Ledger {
	l := &Ledger{o: o, self: me, disk: d, announced: map[KeyID]struct{}{}, stop: make(chan struct{}),
		forgotten: &forgotten{disk: d, key: keyHash(me.public)}, state: State{OK: true, Since: o.Clock().UTC()}}
	l.keys = newKeyring(o.Keys, o.CachedKeys, l.Size)
	return l
}

// start begins this run's segment, with the leaf that says so.
func (l *Ledger) start() {
	l.turn.Lock()
	defer l.turn.Unlock()
	before, end := l.number, l.written
	b := l.build([]*prepared{l.own(KindStart, "opened")})
	if err := l.begin(begunOpened, b); err != nil {
		l.fail(begunOpened, b, err)
		return
	}
	// The header of the new segment says where the one before ends; what a crash
	// left behind that end only takes room.
	if err := trim(l.disk, segmentName(before), end); err != nil {
		l.o.Log.Warn("could not trim the segment before", "segment", segmentName(before), "error", err)
	}
	l.prepareSpare()
}

// removeLeftovers removes segments that never got their name.
func (l *Ledger) removeLeftovers(names []string) error {
	for _, name := range names {
		if !strings.HasSuffix(name, newSuffix) {
			continue
		}
		if err := l.disk.remove(name); err != nil {
			return fmt.Errorf("ledger: open: remove %s: %w", name, err)
		}
	}
	return nil
}

// Size returns the number of durable records, which is the next position.
func (l *Ledger) Size() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// Head returns the signed head of the durable records.
func (l *Ledger) Head() SignedHead {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// State says whether the ledger records now.
func (l *Ledger) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.damage != nil {
		return State{Reason: "the journal is damaged", Since: l.state.Since}
	}
	return l.state
}

// Public returns the key that verifies receipts.
func (l *Ledger) Public() ed25519.PublicKey { return l.self.public }

// Key returns the verifier key: Public with the log's name, as in public.key.
func (l *Ledger) Key() string { return l.self.verifier }

// Node returns the name of the machine that records here.
func (l *Ledger) Node() string { return l.self.node }

// Origin returns the log's name, which no other log has.
func (l *Ledger) Origin() string { return l.self.origin }

// Wait returns nil as soon as more than size records are durable, or ctx's
// error, or ErrClosed.
func (l *Ledger) Wait(ctx context.Context, size uint64) error {
	for {
		l.mu.Lock()
		if l.size > size {
			l.mu.Unlock()
			return nil
		}
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		grown := l.grown
		l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.stop:
			return ErrClosed
		}
	}
}

// Close waits for the batch in flight and gives the ledger up. Every Append
// that starts later fails with ErrClosed.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	l.background.Wait()
	l.turn.Lock()
	defer l.turn.Unlock()
	var err error
	if l.file != nil {
		// Give back the room that was reserved; a failure only costs disk space.
		err = errors.Join(l.file.Truncate(l.written), l.file.Close())
		l.file = nil
	}
	if s := l.takeSpare(); s != nil {
		err = errors.Join(err, s.file.Close(), l.disk.remove(s.name))
	}
	return errors.Join(err, l.lock.Close())
}
