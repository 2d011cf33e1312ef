//go:build unix

package audit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paravent/internal/audit"
)

// soon verifies a ledger that is made to keep its reader for ever. It must end
// long before the deadline, with a problem, an error or a sound result.
func soon(t testing.TB, dir string, o audit.Options) *audit.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begun := time.Now()
	r, err := audit.Chain(ctx, dir, o)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if err != nil && !errors.Is(err, audit.ErrUsage) {
		t.Errorf("got %v", err)
	}
	return r
}

// Attack: a pipe into which nobody writes lies in the place of a file.
func TestAPipeInThePlaceOfAFileKeepsNobody(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	l.close(t)
	for _, name := range []string{"0001/0000000001.journal", "0002/0000000001.journal", "0002/0000000002.journal", "0001/public.key",
		"0002/forgotten", "0001/tlog/checkpoint", "0001/tlog/tile/0/000.p/*", "0002/tlog/tile/0/000.p/*"} {
		dir := copyOf(t, l.dir)
		paths, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil || len(paths) == 0 {
			t.Fatal(name, err)
		}
		path := paths[len(paths)-1]
		if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(name, err)
		}
		if r := soon(t, dir, audit.Options{}); r == nil || r.Sound() {
			t.Errorf("%s: nobody noticed", name)
		}
	}
	// In the place of a log, of the next log's key, of the ledger, and of what the reader kept.
	dir := copyOf(t, l.dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "0003"), 0o600); err != nil {
		t.Fatal(err)
	}
	named(t, soon(t, dir, audit.Options{}), "log 0003", "no journal")
	if r := soon(t, filepath.Join(dir, "0003"), audit.Options{}); r != nil {
		t.Errorf("a pipe is a ledger: %+v", r)
	}
	o := audit.Options{Memory: memory(t), Place: "the ledger"}
	sound(t, soon(t, l.dir, o))
	names, err := filepath.Glob(filepath.Join(o.Memory.Dir, "*.json"))
	if err != nil || len(names) != 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if r := soon(t, l.dir, o); r != nil && r.Sound() {
		t.Error("what was kept can't be read, and nobody noticed")
	}
}

// A deadline ends a verification even when what it reads never answers: here a
// pipe that is read as if it were a bundle, which only the deadline can end.
func TestAReaderThatNeverAnswersEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, _, err := audit.Bundle(ctx, silent{t.Context()}, 1000, audit.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// silent is a file that answers when the test is over.
type silent struct{ ctx context.Context }

func (s silent) ReadAt([]byte, int64) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// Attack: lengths and counts that are as large as their fields, with right
// checksums, and files of nothing without end.
func TestHugeLengthsAreNamedAndTakeNeitherTimeNorMemory(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	l.close(t)
	le, table := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	header := func(b []byte) int { return int(le.Uint32(b[12:])) }
	head := func(b []byte) []byte { // mends the checksum of the first batch's head
		at := header(b)
		le.PutUint32(b[at+20:], crc32.Checksum(b[at:at+20], table))
		return b
	}
	endless := func(b []byte) []byte { return b }
	cases := map[string]struct {
		file   string
		change func([]byte) []byte
		size   int64
	}{
		"a header": {"0000000002.journal", func(b []byte) []byte { le.PutUint32(b[12:], 1<<32-16); return b }, 0},
		"a batch": {"0000000002.journal", func(b []byte) []byte {
			le.PutUint32(b[header(b)+4:], 1<<32-16)
			return head(b)
		}, 0},
		"a count of records": {"0000000002.journal", func(b []byte) []byte {
			le.PutUint32(b[header(b)+16:], 1<<32-1)
			return head(b)
		}, 0},
		"a first position": {"0000000002.journal", func(b []byte) []byte {
			le.PutUint64(b[header(b)+8:], 1<<64-2)
			return head(b)
		}, 0},
		"a leaf": {"0000000002.journal", func(b []byte) []byte { le.PutUint16(b[header(b)+24:], 1<<16-1); return b }, 0},
		"a sealed part": {"0000000002.journal", func(b []byte) []byte {
			copy(b[header(b)+26:], bytes.Repeat([]byte{0xff}, 8))
			return b
		}, 0},
		"a size before": {"0000000002.journal", func(b []byte) []byte {
			le.PutUint64(b[24:], 1<<63)
			le.PutUint32(b[header(b)-4:], crc32.Checksum(b[:header(b)-4], table))
			return b
		}, 0},
		"a list of destroyed keys":     {"forgotten", func(b []byte) []byte { le.PutUint32(b[12:], 1<<32-1); return b }, 0},
		"a segment without end":        {"0000000002.journal", endless, 1 << 40},
		"the last segment without end": {"last", endless, 1 << 40},
		"a list of keys without end":   {"forgotten", endless, 1 << 40},
		"a key without end":            {"public.key", endless, 1 << 40},
		"a checkpoint without end":     {"tlog/checkpoint", endless, 1 << 40},
		"a segment that counts for ever": {"0000000003.journal", func(b []byte) []byte {
			le.PutUint64(b[32:], 1<<62)
			le.PutUint32(b[header(b)-4:], crc32.Checksum(b[:header(b)-4], table))
			return b
		}, 0},
	}
	for name, c := range cases {
		for _, log := range []string{"0001", "0002"} {
			dir := copyOf(t, l.dir)
			path := filepath.Join(dir, log, c.file)
			if c.file == "last" {
				path = lastSegment(t, filepath.Join(dir, log))
			}
			if _, err := os.Stat(path); err != nil {
				continue // the log is shorter
			}
			change(t, path, c.change)
			if c.size > 0 {
				if err := os.Truncate(path, c.size); err != nil {
					t.Skip(err) // a file system without room for holes
				}
			}
			if r := soon(t, dir, audit.Options{}); r == nil || r.Sound() {
				t.Errorf("%s of log %s: nobody noticed", name, log)
			}
		}
	}
}

// Attack: a server answers for ever, byte by byte, wherever it is asked.
func TestAServerOfSeveralLogsThatTricklesEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	honest := audit.ChainHandler(l.served(t), false)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	for _, where := range []string{"/logs", "/0001/public.key", "/0001/checkpoint", "/0002/checkpoint", "/0002/tile/entries/"} {
		at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, where) {
				honest.ServeHTTP(w, r)
				return
			}
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-time.After(10 * time.Millisecond):
				case <-stop:
					return
				}
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begun := time.Now()
		r, err := audit.Remote(ctx, at, &http.Client{}, audit.Options{}) // a client without any patience of its own
		cancel()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %s", where, took)
		}
		if err == nil && r.Sound() {
			t.Errorf("%s: sound", where)
		}
	}
}
