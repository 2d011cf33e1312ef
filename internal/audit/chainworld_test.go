package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/audit"
	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// line is a ledger of several logs under test, open.
type line struct {
	dir  string
	keys *keys
	now  time.Time
	o    chain.Options
	c    *chain.Chain
}

// newLine makes a ledger of that many logs, with eight persons in each and all
// of each published.
func newLine(t testing.TB, logs int) *line {
	t.Helper()
	l := &line{dir: filepath.Join(t.TempDir(), "ledger"), keys: &keys{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	l.o = chain.Options{Checkpoint: audit.PublishedIn, Ledger: ledger.Options{Node: "n1", Keys: l.keys,
		SegmentBytes: 8 << 10, Clock: func() time.Time { return l.now }}}
	if err := chain.Create(l.dir, l.o); err != nil {
		t.Fatal(err)
	}
	l.open(t)
	for range logs - 1 {
		l.look(t, 9)
		l.rotate(t)
	}
	l.look(t, 9)
	l.publish(t)
	return l
}

func (l *line) open(t testing.TB) {
	t.Helper()
	c, err := chain.Open(l.dir, l.o)
	if err != nil {
		t.Fatal(err)
	}
	l.c = c
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (l *line) close(t testing.TB) {
	t.Helper()
	if err := l.c.Close(); err != nil {
		t.Fatal(err)
	}
}

// look records n look-ups, one after the other.
func (l *line) look(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		l.now = l.now.Add(time.Second)
		if _, err := l.c.Append(t.Context(), (&world{}).entry(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// bulk records n look-ups at once.
func (l *line) bulk(t testing.TB, n int) {
	t.Helper()
	entries := make([]ledger.Entry, n)
	for i := range entries {
		entries[i] = (&world{}).entry(i)
	}
	if _, err := l.c.AppendAll(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// publish publishes all of the last log.
func (l *line) publish(t testing.TB) *audit.Publisher {
	t.Helper()
	p := audit.NewPublisher(l.c.Last(), audit.PublisherOptions{Dir: l.at(len(l.c.Logs()) - 1)})
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// at returns the folder of the n-th log that is there, from 0.
func (l *line) at(n int) string { return l.c.Names()[n].Dir }

// rotate freezes the last log, publishes its end and begins the next.
func (l *line) rotate(t testing.TB) {
	t.Helper()
	if _, err := l.c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := audit.NewPublisher(l.c.Last(), audit.PublisherOptions{Dir: l.at(len(l.c.Logs()) - 1)})
	if err := p.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.close(t)
	l.open(t)
}

// served returns what is served of all logs.
func (l *line) served(t testing.TB) (logs []audit.Served) {
	t.Helper()
	for i, info := range l.c.Names() {
		var p *audit.Publisher
		if info.Frozen {
			var err error
			if p, err = audit.OpenFrozen(t.Context(), l.c.Logs()[i], audit.PublisherOptions{Dir: info.Dir}); err != nil {
				t.Fatal(err)
			}
		} else {
			p = l.publish(t)
		}
		logs = append(logs, audit.Served{Name: info.Name, Base: info.Base, Publisher: p})
	}
	return logs
}

// all verifies a ledger of several logs and must get an answer, soon.
func all(t testing.TB, dir string, o audit.Options) *audit.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := audit.Chain(ctx, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// says fails the test unless one of the lines has all of these words.
func says(t testing.TB, lines []string, words ...string) {
	t.Helper()
	r := &audit.Result{}
	for _, l := range lines {
		r.Add(audit.Problem{Record: -1, What: l})
	}
	named(t, r, words...)
}

// A thief has a log's stolen signing key.
type thief struct {
	origin string
	id     []byte
	key    ed25519.PrivateKey
}

func steal(t testing.TB, logDir string) *thief {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(logDir, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(string(text)), "PRIVATE+KEY+"), "+", 3)
	seed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	_, _, raw, err := indyKey(public(t, logDir))
	if err != nil {
		t.Fatal(err)
	}
	return &thief{parts[0], raw, ed25519.NewKeyFromSeed(seed[1:])}
}

// public returns the verifier key in a log's folder.
func public(t testing.TB, logDir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(logDir, "public.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// sign makes a signed note in the name of that origin.
func (s *thief) sign(text, origin string) string {
	sig := base64.StdEncoding.EncodeToString(append(bytes.Clone(s.id), ed25519.Sign(s.key, []byte(text))...))
	return text + "\n— " + origin + " " + sig + "\n"
}

// rewriteFirst puts another succession into the first record of a log whose key
// was stolen, and cuts off what comes behind it.
func rewriteFirst(t testing.TB, logDir, detail string) {
	t.Helper()
	forge(t, filepath.Join(logDir, "0000000001.journal"), func(s *indySegment) {
		b := &s.batches[0]
		leaf := b.records[0].leaf
		at := 26
		for range 3 {
			at += 1 + int(leaf[at])
		}
		leaf = binary.LittleEndian.AppendUint16(bytes.Clone(leaf[:at]), uint16(len(detail)))
		b.records[0].leaf = append(leaf, detail...)
		b.resign(t, logDir, nil)
	})
	names, err := filepath.Glob(filepath.Join(logDir, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names[1:] {
		err = errors.Join(err, os.Remove(name))
	}
	if err = errors.Join(err, os.RemoveAll(filepath.Join(logDir, audit.TilesFolder))); err != nil {
		t.Fatal(err)
	}
}

// lastSegment returns the last file of a log's journal.
func lastSegment(t testing.TB, logDir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(logDir, "*.journal"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names[len(names)-1]
}
