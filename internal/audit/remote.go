package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// maxLogs bounds the list of logs that is served, in bytes: thousands of them.
const maxLogs = 1 << 20

// Remote verifies a ledger that is served at an address in the form of C2SP
// tlog-tiles: of each of its logs the checkpoint, every leaf, every tile,
// positions, times and the keys' leaves, and how the logs follow each other. An
// address that serves no list of logs is that of a single one. It can't see the
// sealed parts, which are not published. client carries whatever authentication
// is needed and should have a timeout; a server that is slow for ever is left to
// it and to ctx. The error is ErrUsage where no ledger is served, or ctx's when
// it ended first.
func Remote(ctx context.Context, address string, client *http.Client, o Options) (*Result, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: %q is not an address such as https://paravent.example.com/ledger", ErrUsage, address)
	}
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &served{address: u.String(), client: &once}
	return within(ctx, func() (*Result, error) {
		v, err := newVerification(o)
		if err != nil {
			return nil, err
		}
		if err := v.addresses(ctx, s); err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		v.whole.unknown("whether the sealed parts are those that were recorded: over the network only the tree is served; verify the folder for that")
		return v.conclude(ctx)
	})
}

// addresses verifies all logs that are served at an address.
func (v *verification) addresses(ctx context.Context, s *served) error {
	v.remote = true
	listed, err := s.logs(ctx)
	if errors.Is(err, errAbsent) {
		return v.address(ctx, "", s)
	}
	for len(listed) > 0 {
		for _, l := range listed {
			if err := v.address(ctx, l.name, &served{address: s.address + "/" + l.name, client: s.client}); err != nil {
				return err
			}
			v.logs[len(v.logs)-1].compareListed(l)
		}
		last := v.logs[len(v.logs)-1]
		if last.end == nil {
			return nil
		}
		// Perhaps it was frozen while it was read.
		if listed, err = s.logs(ctx); err != nil {
			break
		}
		at := slices.IndexFunc(listed, func(l listedLog) bool { return number(l.name) > number(last.name) })
		if at < 0 {
			return nil
		}
		listed = listed[at:]
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", ErrUsage, logsFile, err)
	}
	return err
}

// logs fetches the list of logs.
func (s *served) logs(ctx context.Context) ([]listedLog, error) {
	text, err := s.get(ctx, logsFile, maxLogs)
	if err != nil {
		return nil, err
	}
	return parseLogs(text)
}

// compareListed holds a log against its line in the list of logs.
func (r *logRun) compareListed(l listedLog) {
	if r.key != nil && r.key.vkey != l.key {
		r.problem(logsFile, unknown, unknown, "it is listed with another key than it serves: %s", l.key)
	}
	if r.Size < l.size {
		r.problem(logsFile, unknown, unknown, "it is listed with %d records and serves %d", l.size, r.Size)
	}
}

// address verifies one log that is served.
func (v *verification) address(ctx context.Context, name string, s *served) error {
	r := v.begin(name)
	r.file = checkpointFile
	err := v.readKey(r, func() ([]byte, error) { return s.get(ctx, publicFile, 4<<10) })
	if err != nil || r.key == nil {
		return err
	}
	if err := v.recall(r); err != nil {
		return err
	}
	if r.published, err = s.get(ctx, checkpointFile, maxNote); err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if r.head, err = parseCheckpoint(r.published, r.key.origin, r.key.pub); err != nil {
		r.problem(checkpointFile, unknown, unknown, "the checkpoint does not verify: %v", err)
		return nil
	}
	r.Size, r.Root, r.checkpoint, r.Heads = r.head.Size, r.head.Root, formatCheckpoint(*r.head, r.key.pub), 1
	j := v.journal(r)
	j.o.watch[r.head.Size] = true
	f := &fetching{served: s, journal: j, r: r, head: r.head}
	return f.run(ctx)
}

// served is a ledger at an address.
type served struct {
	address string
	client  *http.Client
}

// errAbsent says that the server doesn't have what it should.
var errAbsent = errors.New("the server does not serve it")

// get fetches one file of at most that many bytes.
func (s *served) get(ctx context.Context, name string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+"/"+name, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", name, err)
	}
	defer resp.Body.Close() // only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: %w: %s", name, errAbsent, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", name, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("fetch %s: more than %d bytes", name, most)
	}
	return b, nil
}

// tile fetches a tile, where it's partial and gone the full one instead.
func (s *served) tile(ctx context.Context, id tileID, path func(tileID) string, most int64) (data []byte, got tileID, err error) {
	if data, err = s.get(ctx, path(id), most); errors.Is(err, errAbsent) && id.width < tileWidth {
		full := tileID{id.level, id.n, tileWidth}
		if data, fullErr := s.get(ctx, path(full), most); fullErr == nil {
			return data, full, nil
		}
	}
	return data, id, err
}

// fetching is one verification over the network.
type fetching struct {
	*served
	journal *journal
	r       *logRun
	head    *ledger.SignedHead
}

// fetched is one tile of leaf hashes with its leaves.
type fetched struct {
	id     tileID
	tile   []byte
	leaves [][]byte
	errs   []Problem
	err    error // nothing could be fetched
}

// fetchers is how many tiles are fetched at once.
const fetchers = 8

// run fetches all leaves, a few tiles at once, and checks them in their order.
func (f *fetching) run(ctx context.Context) error {
	count := (f.head.Size + tileWidth - 1) / tileWidth
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	type slot struct {
		id   tileID
		done chan *fetched
	}
	slots, ahead := make(chan slot), make(chan slot, 2*fetchers+runtime.GOMAXPROCS(0))
	wg.Go(func() {
		defer close(slots)
		defer close(ahead)
		for n := range count {
			s := slot{tileID{0, n, int(min(f.head.Size-n*tileWidth, tileWidth))}, make(chan *fetched, 1)}
			for _, to := range []chan slot{ahead, slots} {
				select {
				case to <- s:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	for range fetchers {
		wg.Go(func() {
			for s := range slots {
				s.done <- f.fetch(ctx, s.id)
			}
		})
	}
	check := &treeCheck{f: f, ctx: ctx, s: newStretch("")}
	check.s.whole = true
	check.build.full = check.full
	for s := range ahead {
		select {
		case got := <-s.done:
			if err := check.take(got); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return check.finish()
}

// fetch fetches a tile of leaf hashes and its leaves.
func (f *fetching) fetch(ctx context.Context, id tileID) *fetched {
	out := &fetched{id: id}
	tile, got, err := f.tile(ctx, id, tileID.path, tileBytes)
	if err == nil && len(tile) != got.width*tlog.HashSize {
		err = fmt.Errorf("%d bytes, not %d", len(tile), got.width*tlog.HashSize)
	}
	if err != nil {
		out.errs = append(out.errs, Problem{File: id.path(), Byte: unknown, Record: int64(id.n * tileWidth), What: "the tile can't be had: " + err.Error()})
		out.err = err
	} else {
		out.tile = tile[:id.width*tlog.HashSize]
	}
	bundle, got, err := f.tile(ctx, id, tileID.entriesPath, maxEntries)
	if err == nil {
		out.leaves, err = parseBundle(bundle, got.width)
	}
	if err != nil {
		out.errs = append(out.errs, Problem{File: id.entriesPath(), Byte: unknown, Record: int64(id.n*tileWidth) + int64(len(out.leaves)), What: "the entries can't be had: " + err.Error()})
		out.err = err
	}
	out.leaves = out.leaves[:min(len(out.leaves), id.width)]
	return out
}

// A treeCheck holds leaves and tiles, as they come, against each other.
type treeCheck struct {
	f     *fetching
	ctx   context.Context // of the run that it's part of
	s     *stretch
	build builder
	lost  int // tiles that couldn't be fetched
}

// take checks one tile of leaf hashes with its leaves.
func (t *treeCheck) take(got *fetched) error {
	t.s.count += len(got.errs)
	t.s.problems = append(t.s.problems, got.errs...)
	if got.err != nil {
		// After a few the server is down, not tampered with tile by tile.
		if t.lost++; t.lost > 3 {
			return fmt.Errorf("%w: the server doesn't answer: %w", ErrUsage, got.err)
		}
		t.s.whole = false
	}
	for i, leaf := range got.leaves {
		at := got.id.n*tileWidth + uint64(i)
		name := func(format string, args ...any) {
			t.s.problem(Problem{File: got.id.entriesPath(), Byte: unknown, Record: int64(at), What: fmt.Sprintf(format, args...)})
		}
		h := leafHash(leaf)
		if got.tile != nil && h != ledger.Hash(got.tile[i*tlog.HashSize:]) {
			name("the entry doesn't hash to what %s says", got.id.path())
		}
		t.f.journal.o.leaf(t.s, at, leaf, name)
		if t.s.whole {
			if err := t.build.add(h); err != nil {
				return err
			}
		}
	}
	if told := t.f.journal.o.told; told != nil {
		told(len(got.leaves))
	}
	return nil
}

// full holds a tile above the leaves against the server's.
func (t *treeCheck) full(level int, n uint64, hashes []ledger.Hash) error {
	if level > 0 {
		t.compare(tileID{level, n, tileWidth}, hashes)
	}
	return t.ctx.Err()
}

func (t *treeCheck) compare(id tileID, want []ledger.Hash) {
	data, got, err := t.f.tile(t.ctx, id, tileID.path, tileBytes)
	switch {
	case err != nil:
		t.s.problem(Problem{File: id.path(), Byte: unknown, Record: unknown, What: "the tile can't be had: " + err.Error()})
		return
	case len(data) != got.width*tlog.HashSize:
		t.s.problem(Problem{File: id.path(), Byte: unknown, Record: unknown, What: fmt.Sprintf("the tile has %d bytes", len(data))})
		return
	}
	for i := range id.width {
		if ledger.Hash(data[i*tlog.HashSize:]) != want[i] {
			t.s.problem(Problem{File: id.path(), Byte: int64(i * tlog.HashSize), Record: int64((id.n*tileWidth + uint64(i)) << (tileHeight * id.level)),
				What: "the hash in the tile is not that of the tiles below it"})
			return
		}
	}
}

// finish checks the right edge and the root.
func (t *treeCheck) finish() error {
	j, r := t.f.journal, t.f.r
	if t.s.whole {
		for level := 1; level < len(t.build.levels); level++ {
			if hashes := t.build.levels[level]; len(hashes) > 0 {
				t.compare(tileID{level, t.build.size >> (tileHeight * (level + 1)), len(hashes)}, hashes)
			}
		}
		if root := t.s.roots[t.f.head.Size]; root != t.f.head.Root {
			t.s.problem(Problem{File: checkpointFile, Byte: unknown, Record: unknown, What: fmt.Sprintf("the %d entries don't hash to the checkpoint's root", t.f.head.Size)})
		}
	}
	t.s.file = "entries"
	r.Count += t.s.count - len(t.s.problems)
	r.Add(t.s.problems...)
	r.Notes = append(r.Notes, t.s.notes...)
	t.s.batches = 1
	j.joinEnds(t.s)
	j.keys.join(&r.Report, t.s)
	r.roots, r.next, r.end, r.start, r.stop = t.s.roots, j.next, j.end, j.start, t.s.stop
	return t.ctx.Err()
}

// NewClient returns a client for Remote that gives each request that long.
func NewClient(each time.Duration) *http.Client {
	return &http.Client{Timeout: each}
}
