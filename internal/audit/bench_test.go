package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/audit"
	"paravent/internal/ledger"
)

// many makes a ledger of n records in batches as a busy shop writes them, with
// parts of 220 and 180 bytes. PARAVENT_LEDGER names a folder in which it's kept
// for the next run.
func many(b *testing.B, n uint64) (dir string, k *keys, o ledger.Options) {
	b.Helper()
	root := os.Getenv("PARAVENT_LEDGER")
	if root == "" {
		root = b.TempDir()
	}
	dir = filepath.Join(root, strconv.FormatUint(n, 10))
	k = &keys{}
	o = ledger.Options{Node: "n1", Keys: k, Clock: time.Now}
	if _, err := os.Stat(dir); err == nil {
		return dir, k, o
	}
	if err := ledger.Create(dir, o); err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	customer, employee := bytes.Repeat([]byte("c"), 220), bytes.Repeat([]byte("e"), 180)
	entries := make([]ledger.Entry, 4096)
	for l.Size() < n {
		for i := range entries {
			entries[i] = ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
				Customer: ledger.Part{Person: fmt.Sprintf("customer:c%d", i%400), Plain: customer},
				Employee: ledger.Part{Person: fmt.Sprintf("employee:e%d", i%40), Plain: employee}}
		}
		if _, err := l.AppendAll(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir, k, o
}

// size is how many records the long benchmarks have: a million, and with
// PARAVENT_LONG ten.
func size() uint64 {
	if os.Getenv("PARAVENT_LONG") != "" {
		return 10_000_000
	}
	return 1_000_000
}

// BenchmarkVerify measures a whole verification.
//
//	go test -run '^$' -bench Verify -benchtime 1x ./internal/audit
func BenchmarkVerify(b *testing.B) {
	dir, _, _ := many(b, size())
	var records uint64
	for b.Loop() {
		r := verify(b, dir, audit.Options{})
		sound(b, r)
		records += r.Size
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRestart measures how long a server with so many records takes to
// open its ledger.
func BenchmarkRestart(b *testing.B) {
	dir, _, o := many(b, size())
	for b.Loop() {
		l, err := ledger.Open(dir, o)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTiles measures building all tiles, as after they were lost.
func BenchmarkTiles(b *testing.B) {
	dir, _, o := many(b, size())
	l, err := ledger.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if err := os.RemoveAll(filepath.Join(dir, audit.TilesFolder)); err != nil {
			b.Fatal(err)
		}
		p := audit.NewPublisher(l, audit.PublisherOptions{Dir: dir})
		if err := p.Step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.Size())*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// synthetic writes the tiles of a tree of n made-up records, of which only the
// leaf hashes exist, and returns its head.
func synthetic(b *testing.B, dir string, n int) ledger.SignedHead {
	b.Helper()
	write := func(level, at int, hashes []byte) {
		t := tlog.Tile{H: 8, L: level, N: int64(at), W: len(hashes) / 32}
		path := filepath.Join(dir, audit.TilesFolder, "tile", t.Path()[len("tile/8/"):])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, hashes, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	row := make([]byte, 0, 32*n)
	for i := range n {
		h := tlog.RecordHash(strconv.AppendInt(nil, int64(i), 10))
		row = append(row, h[:]...)
	}
	level := 0
	for ; len(row) > 0; level++ {
		var above []byte
		for at := 0; at*8192 < len(row); at++ {
			tile := row[at*8192 : min(len(row), at*8192+8192)]
			write(level, at, tile)
			if len(tile) == 8192 {
				fold := bytes.Clone(tile)
				for ; len(fold) > 32; fold = fold[:len(fold)/2] {
					for i := 0; i < len(fold); i += 64 {
						h := tlog.NodeHash(tlog.Hash(fold[i:]), tlog.Hash(fold[i+32:]))
						copy(fold[i/2:], h[:])
					}
				}
				above = append(above, fold...)
			}
		}
		row = above
	}
	// The root: whatever tlog makes of the tiles.
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, index := range at {
			t := tlog.TileForIndex(8, index)
			data, err := indyTiles(filepath.Join(dir, audit.TilesFolder)).wide(t, n)
			if err != nil {
				return nil, err
			}
			if out[i], err = tlog.HashFromTile(t, data[:t.W*32], index); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
	root, err := tlog.TreeHash(int64(n), reader)
	if err != nil {
		b.Fatal(err)
	}
	return ledger.SignedHead{Size: uint64(n), Root: root}
}

// wide reads the widest version of a tile in a tree of n records.
func (d indyTiles) wide(t tlog.Tile, n int) ([]byte, error) {
	t.W = min(256, n>>(8*t.L)-int(t.N)*256)
	return os.ReadFile(filepath.Join(string(d), "tile", t.Path()[len("tile/8/"):]))
}

// BenchmarkProof measures the inclusion proof of any record, from tiles on disk,
// in a tree of ten million.
//
//	go test -run '^$' -bench Proof ./internal/audit
func BenchmarkProof(b *testing.B) {
	const n = 10_000_000
	dir := b.TempDir()
	head := synthetic(b, dir, n)
	i := uint64(0)
	for b.Loop() {
		p, err := audit.ProofsOf(dir, head)
		if err != nil {
			b.Fatal(err)
		}
		i = (i + 7_654_321) % n
		path, leaf, err := p.Inclusion(i)
		if err != nil {
			b.Fatal(err)
		}
		if err := tlog.CheckRecord(path, n, head.Root, int64(i), leaf); err != nil {
			b.Fatal(err)
		}
	}
}
