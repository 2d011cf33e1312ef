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
	"syscall"
	"time"

	"paravent/internal/ledger"
)

// ErrUsage says that there is nothing to verify where the reader pointed, or
// that what he gave to verify it with can't be used.
var ErrUsage = errors.New("can't be verified")

// Options says what is verified, and against what.
type Options struct {
	// Key is a verifier key, "<origin>+<hash>+<base64>": the log's, or of a ledger
	// of several logs that of any of them, or of the one before the first; "": the
	// one beside the ledger is trusted, and the report says so.
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
	First      uint64    // number, in the whole ledger, of the first record that was verified
	Key        string    // verifier key of the log; of several, of the last
	Checkpoint []byte    // signed note of the last head
	Logs       []LogPart // in their order; one where a log was verified by itself

	// Destroyed are the keys that a leaf says were destroyed.
	Destroyed map[ledger.KeyID]Destroyed
}

// A LogPart is what was found of one log of a ledger.
type LogPart struct {
	Name     string // of its folder or address, such as "0001"; "" where it was verified by itself
	Origin   string
	Key      string // verifier key
	Base     uint64 // number, in the whole ledger, of its first record; 0 where it was verified by itself
	Size     uint64 // records
	Root     ledger.Hash
	Frozen   bool   // its last record says that another log follows
	Segments int    // of its journal; 0 over the network
	Heads    int    // signed heads that were checked
	Keys     int    // of persons, made known in it
	Erased   int    // of persons, destroyed in it
	Problems int    // found in it
	Last     []byte // checkpoint of its last head, a signed note
}

// Destroyed is what the first leaf that names a destroyed key says.
type Destroyed struct {
	Record uint64 // number of the leaf; its position where a log was verified by itself
	At     time.Time
}

// publicFile is the verifier key's file in a log's folder.
const publicFile = "public.key"

// Folder verifies the folder of one log: every batch, leaf, sealed part, signed
// head, position and time, the tree, the keys' leaves, and the tiles and
// checkpoint where they're there. What is wrong stands in the result. The error
// is ErrUsage when there's no log, or ctx's when it ended first. Of a log that
// follows another, or that another follows, it says what it can't tell by itself.
func Folder(ctx context.Context, dir string, o Options) (*Result, error) {
	return within(ctx, func() (*Result, error) { return folder(ctx, dir, o) })
}

// folder is Folder as long as nothing hangs.
func folder(ctx context.Context, dir string, o Options) (*Result, error) {
	v, err := newVerification(o)
	if err != nil {
		return nil, err
	}
	if err := v.folder(ctx, "", dir); err != nil {
		return nil, err
	}
	return v.conclude(ctx)
}

// within returns f's answer, or ctx's error as soon as ctx ends: a disk or a pipe
// that never answers keeps f, and nobody waits for it.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := f()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// A verification is under way: of one log, or of several in their order.
type verification struct {
	o        Options
	given    *logKey // the reader's own; nil: none
	watchers *watchers
	book     *keyBook
	before   map[ledger.KeyID]bool // rows of the key table before a journal was read
	logs     []*logRun
	whole    Report // what concerns no single log
	remote   bool   // it's read from a server
	pending  string // verifier key of a next log that is being made; "": none
}

func newVerification(o Options) (*verification, error) {
	v := &verification{o: o, book: newKeyBook()}
	var err error
	if v.given, err = givenKey(o); err != nil {
		return nil, err
	}
	if v.watchers, err = newWatchers(o); err != nil {
		return nil, err
	}
	v.before = idsOf(o.Table)
	return v, nil
}

// A logRun is the verification of one log.
type logRun struct {
	Report
	name   string
	key    *logKey // nil: it has none that can be read, and nothing was verified
	beside bool    // the key is the one that lay beside the log
	base   uint64  // number of its first record in the whole ledger

	was   *ledger.SignedHead // what the reader kept; nil: nothing
	seen  time.Time          // when he kept it
	roots map[uint64]ledger.Hash

	start, stop moment // its first and last times read from the clock

	next       *ledger.Succession // what its first record says; nil: it follows no other log
	end        *ending            // what froze it; nil: nothing did
	checkpoint []byte             // signed note of its last head
	published  []byte             // the checkpoint in the folder or at the address, as it lies there
	file       string             // where that lies
	head       *ledger.SignedHead // what it states; nil: nothing that verifies
}

// begin begins the next log.
func (v *verification) begin(name string) *logRun {
	r := &logRun{name: name, file: TilesFolder + "/" + checkpointFile, roots: map[uint64]ledger.Hash{}}
	v.logs = append(v.logs, r)
	v.book.open(name)
	return r
}

// alone says whether one log is verified by itself.
func (v *verification) alone() bool { return len(v.logs) == 1 && v.logs[0].name == "" }

// readKey reads the key that lies beside a log, with read. A log by itself must
// be the one whose key the reader gave; of several logs each must have its own,
// or be the one that the log before names, and whether the reader's is among
// them is seen in the end.
func (v *verification) readKey(r *logRun, read func() ([]byte, error)) error {
	if r.name == "" && v.given != nil {
		r.key, r.Origin = v.given, v.given.origin
		return nil
	}
	text, err := read()
	if err == nil {
		r.key, err = parseKey(string(text))
	}
	switch {
	case err == nil:
		r.beside, r.Origin = true, r.key.origin
		return nil
	case r.name == "":
		return fmt.Errorf("%w: no key was given, and there is none beside the ledger: %w", ErrUsage, err)
	}
	r.problem(publicFile, unknown, unknown, "the log's key can't be read: %v", err)
	r.key = v.given
	if n := len(v.logs); n > 1 && v.logs[n-2].end != nil {
		if named, err := parseKey(v.logs[n-2].end.next); err == nil {
			r.key = named
		}
	}
	if r.key != nil {
		r.Origin = r.key.origin
	}
	return nil
}

// folder verifies the log in dir.
func (v *verification) folder(ctx context.Context, name, dir string) error {
	r := v.begin(name)
	if _, err := ledger.Inspect(dir); err != nil {
		if name == "" {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		r.problem("", unknown, unknown, "there is no journal: %v", err)
		return nil
	}
	err := v.readKey(r, func() ([]byte, error) { return readFile(filepath.Join(dir, publicFile), 4<<10) })
	if err != nil || r.key == nil {
		return err
	}
	if err := v.recall(r); err != nil {
		return err
	}
	j := v.journal(r)
	j.o.dir = dir
	// The checkpoint is read before the journal is listed: so an honest journal
	// that is being written is never behind it.
	tiles := newTileCheck(r, dir, j)
	if tiles != nil {
		j.o.hashes, j.sink = true, tiles.add
	}
	list := readForgotten(dir, r.key)
	if j.o.journal, err = ledger.Inspect(dir); err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err := j.run(ctx); err != nil {
		return err
	}
	j.finish(r)
	v.book.list(&r.Report, list, readForgotten(dir, r.key))
	if tiles != nil {
		tiles.finish(j)
	}
	return nil
}

// journal returns the journal of a log, to be read.
func (v *verification) journal(r *logRun) *journal {
	o := &reading{logKey: r.key, sum: sha256.Sum256(r.key.pub), watch: map[uint64]bool{}, told: v.o.Told, quick: v.o.Quick}
	if r.was != nil {
		o.watch[r.was.Size] = true
	}
	return &journal{report: &r.Report, o: o, keys: v.book, roots: r.roots}
}

// finish fills in what the last segment says.
func (j *journal) finish(r *logRun) {
	r.next, r.end, r.start = j.next, j.end, j.start
	s := j.before
	if s == nil || s.batches == 0 {
		if r.Sound() {
			r.problem("", unknown, unknown, "the last segment holds no record")
		}
		return
	}
	r.Size, r.Root, r.stop = s.last.Size, s.last.Root, s.stop
	if s.torn > 0 {
		r.note("the last %d bytes are a batch whose write never ended: nobody had a receipt of it", s.torn)
	}
	head := s.last
	head.Origin = j.o.origin
	r.checkpoint = formatCheckpoint(head, j.o.pub)
}

// maxFile bounds whatever file is read piece by piece, in bytes: far more than a
// segment, and a bound for how long zeros without end are looked through.
const maxFile = 4 << 30

// regular returns an error unless a file of that name can be read to its end: a
// pipe, for example, might have none.
func regular(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: it is no file", filepath.Base(path))
	case info.Size() > maxFile:
		return fmt.Errorf("%s: it has %d bytes, more than %d", filepath.Base(path), info.Size(), int64(maxFile))
	}
	return nil
}

// readFile reads a file of at most that many bytes.
func readFile(path string, most int64) ([]byte, error) {
	// Without O_NONBLOCK, opening a pipe waits for whoever writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is no file", filepath.Base(path))
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: more than %d bytes", filepath.Base(path), most)
	}
	return b, err
}

// clockText writes microseconds since 1970 UTC as a time.
func clockText(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339Nano) }
