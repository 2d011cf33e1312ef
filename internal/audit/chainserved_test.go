package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paravent/internal/audit"
)

func TestAServedLedgerOfSeveralLogsVerifiesAndMovesOn(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	l.bulk(t, 300)
	at := serve(t, audit.ChainHandler(l.served(t), true))
	o := audit.Options{Memory: memory(t), Place: at}
	r := remote(t, at, o)
	sound(t, r)
	if r.Size != l.c.Size() || len(r.Logs) != 2 || r.Logs[1].Base != l.c.Last().Base() {
		t.Errorf("got %+v", r)
	}
	for _, info := range l.c.Names() {
		sound(t, remote(t, at, audit.Options{Key: info.Key}))
		alone := remote(t, at+"/"+info.Name, audit.Options{Key: info.Key})
		sound(t, alone)
		if len(alone.Logs) != 1 || alone.Size != info.Size {
			t.Errorf("log %s by itself: %+v", info.Name, alone.Logs)
		}
	}
	l.rotate(t)
	o.Place = serve(t, audit.ChainHandler(l.served(t), true))
	o.Memory.Now = memory(t).Now
	moved := remote(t, o.Place, o)
	sound(t, moved)
	says(t, moved.Notes, "log 0001", "contains all")
	named(t, remote(t, o.Place, audit.Options{Key: public(t, newLine(t, 1).at(0))}), "of another ledger")
}

func TestTheListOfLogsIsServedBesideThem(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	at := serve(t, audit.ChainHandler(l.served(t), false))
	get := func(path string) (int, string) {
		resp, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	infos := l.c.Names()
	want := fmt.Sprintf("0001 %s 0 %d frozen\n0002 %s %d %d open\n", infos[0].Key, infos[0].Size, infos[1].Key, infos[1].Base, infos[1].Size)
	if _, got := get("/logs"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, last := get("/checkpoint")
	if _, named := get("/0002/checkpoint"); named != last || last == "" {
		t.Errorf("the last log is served as %q and %q", last, named)
	}
	if _, first := get("/0001/checkpoint"); !strings.HasPrefix(first, infos[0].Origin+"\n") {
		t.Errorf("the first log is served as %q", first)
	}
	for _, path := range []string{"/0003/checkpoint", "/0001/logs", "/0001/signing.key", "/0001/..%2f0002/signing.key", "/.next/public.key"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// Attack: a server leaves out a log, or gives out one for another.
func TestAServerThatHidesALogIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 3)
	logs := l.served(t)
	o := audit.Options{Memory: memory(t), Place: "https://shop.example/ledger"}
	sound(t, remote(t, serve(t, audit.ChainHandler(logs, false)), o))
	look := func(logs []audit.Served, o audit.Options) *audit.Result {
		return remote(t, serve(t, audit.ChainHandler(logs, false)), o)
	}
	named(t, look(logs[:2], audit.Options{}), "log 0002", "ROLLED BACK")
	named(t, look(logs[:2], o), "kept checkpoint", "ROLLED BACK")
	named(t, look([]audit.Served{logs[0], logs[2]}, audit.Options{}), "log 0002 is missing")
	r := look(logs[1:], audit.Options{})
	sound(t, r) // as if it had been dropped
	says(t, r.Unknown, "dropped as the company's rules say or simply taken away")
	renamed := slices.Clone(logs)
	renamed[1].Publisher, renamed[2].Publisher = logs[2].Publisher, logs[1].Publisher
	named(t, look(renamed, audit.Options{}), "log 0002", "it follows the log")
	// The list itself is changed on its way.
	for name, c := range map[string]struct {
		change func(string) string
		word   string
	}{
		"a log left out": {func(s string) string { return s[strings.Index(s, "\n")+1:] }, ""},
		"another key":    {func(s string) string { return strings.Replace(s, "+", "+0", 1) }, "listed with another key"},
		"more records":   {func(s string) string { return strings.Replace(s, " frozen", "0 frozen", 1) }, "it is listed with"},
		"nonsense":       {func(string) string { return "0001 key 0 0 melted\n" }, "malformed"},
		"out of order":   {func(s string) string { i := strings.Index(s, "\n") + 1; return s[i:] + s[:i] }, "out of order"},
		"endless":        {func(s string) string { return strings.Repeat(s, 10000) }, "more than"},
		"empty":          {func(string) string { return "" }, "empty"},
	} {
		at := serve(t, tampering(audit.ChainHandler(logs, false), "/logs", func(b []byte) []byte { return []byte(c.change(string(b))) }))
		r, err := audit.Remote(t.Context(), at, audit.NewClient(5e9), audit.Options{})
		switch {
		case err != nil && errors.Is(err, audit.ErrUsage) && strings.Contains(err.Error(), c.word):
		case err == nil && c.word != "":
			named(t, r, c.word)
		case err == nil:
			sound(t, r)
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A crash came before a frozen log was all published, or somebody damaged its tiles.
func TestAFrozenLogIsPublishedToItsEndAfterwards(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	l.bulk(t, 600)
	l.publish(t)
	dir := l.at(0)
	l.bulk(t, 300)
	if _, err := l.c.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.close(t)
	l.open(t)
	l.publish(t)
	old := l.c.Logs()[0]
	p, err := audit.OpenFrozen(t.Context(), old, audit.PublisherOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := audit.PublishedIn(dir)
	if err != nil || !strings.HasPrefix(string(msg), fmt.Sprintf("%s\n%d\n", old.Origin(), old.Size())) {
		t.Fatalf("published: %q, %v", msg, err)
	}
	if p.Tiled() != old.Size() {
		t.Errorf("tiles of %d records of %d", p.Tiled(), old.Size())
	}
	sound(t, all(t, l.dir, audit.Options{}))
	cosigned := newCouncil(t, "council.example").cosign(msg, 1_777_000_000)
	if err := p.Publish(t.Context(), cosigned); err != nil {
		t.Fatal(err)
	}
	tile := filepath.Join(dir, audit.TilesFolder, "tile", "0", "001")
	change(t, tile, func(b []byte) []byte { b[7] ^= 1; return b })
	// It opens at once, serves, and puts right behind it what is wrong.
	p, err = audit.OpenFrozen(t.Context(), old, audit.PublisherOptions{Dir: dir})
	if err != nil || p.Tiled() != old.Size() {
		t.Fatal(p.Tiled(), err)
	}
	if err := p.Run(t.Context()); err != nil { // and it ends
		t.Fatal(err)
	}
	r := all(t, l.dir, audit.Options{})
	sound(t, r)
	if got, err := p.Published(); err != nil || !bytes.Equal(got, cosigned) {
		t.Errorf("the cosignatures are gone: %q, %v", got, err)
	}
}

// sources returns all logs for evidence.
func (l *line) sources(t testing.TB) (sources []audit.Source) {
	t.Helper()
	for i, s := range l.served(t) {
		sources = append(sources, audit.Source{Served: s, Records: l.c.Logs()[i]})
	}
	return sources
}

// bundle makes evidence of records by their numbers.
func (l *line) bundle(t testing.TB, numbers ...uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audit.ChainEvidence(t.Context(), &b, l.sources(t), "finding F-12", numbers); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABundleProvesRecordsOfSeveralLogs(t *testing.T) {
	t.Parallel()
	l := newLine(t, 3)
	infos := l.c.Names()
	numbers := []uint64{4, infos[2].Base + 6, infos[2].Base + 1, 6}
	b := l.bundle(t, numbers...)
	for _, info := range infos {
		r, proven := check(t, b, audit.Options{Key: info.Key})
		sound(t, r)
		if len(proven) != 4 || proven[0].Number != 4 || proven[3].Number != infos[2].Base+6 || proven[3].Position != 6 || proven[3].Log != "0003" {
			t.Fatalf("proven: %+v", proven)
		}
		if got, err := indyBundle(b, info.Key); err != nil || len(got) != 4 {
			t.Errorf("the independent verifier, with the key of log %s: %v, %v", info.Name, got, err)
		}
	}
	stranger := public(t, newLine(t, 1).at(0))
	r, _ := check(t, b, audit.Options{Key: stranger})
	named(t, r, "of another ledger")
	if _, err := indyBundle(b, stranger); err == nil {
		t.Error("the independent verifier took a stranger's key")
	}
	for _, numbers := range [][]uint64{nil, {l.c.Size()}, {1, 1 << 60}} {
		if err := audit.ChainEvidence(t.Context(), io.Discard, l.sources(t), "", numbers); err == nil {
			t.Errorf("%v: a bundle was made", numbers)
		}
	}
	// It is compared with what the reader kept of each log.
	o := audit.Options{Memory: memory(t), Place: l.dir}
	sound(t, all(t, l.dir, o))
	r, _ = check(t, b, o)
	sound(t, r)
	says(t, r.Notes, "log 0001", "you verified yourself")
}

// Attack: one byte of a bundle of several logs is changed, anywhere.
func TestOneByteFlippedInABundleOfSeveralLogsIsNoticed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 2)
	b := l.bundle(t, 4)
	for at := 0; at < len(b); at += 23 {
		bad := bytes.Clone(b)
		bad[at] ^= 1 << (at % 8)
		r, _, err := audit.Bundle(t.Context(), bytes.NewReader(bad), int64(len(bad)), audit.Options{Key: l.c.Key()})
		if err == nil && r.Sound() {
			t.Fatalf("byte %d of %d: nobody noticed", at, len(b))
		}
	}
}

// Attack: a bundle is put together of logs that don't follow each other.
func TestABundleOfLogsThatDoNotFollowIsNamed(t *testing.T) {
	t.Parallel()
	l, other := newLine(t, 3), newLine(t, 2)
	b, foreign := l.bundle(t, 4, l.c.Size()-1), other.bundle(t, 4)
	files := map[string][]byte{}
	repack(t, foreign, func(name string, text []byte) []byte { files[name] = text; return text })
	key := l.c.Key()
	cases := map[string]struct {
		change func(string, []byte) []byte
		word   string
	}{
		"a log left out": {func(name string, text []byte) []byte {
			if strings.HasPrefix(name, "0002/") {
				return nil
			}
			return text
		}, "log 0002 is missing"},
		"what ties it left out": {func(name string, text []byte) []byte {
			if name == "0002/next.json" {
				return nil
			}
			return text
		}, "doesn't say which log it follows"},
		"a foreign first log": {func(name string, text []byte) []byte {
			if own, ok := files[name]; ok && strings.HasPrefix(name, "0001/") {
				return own
			}
			return text
		}, "it follows the log"},
		"another number": {func(name string, text []byte) []byte {
			return bytes.Replace(text, fmt.Appendf(nil, `"number": %d`, l.c.Size()-1), fmt.Appendf(nil, `"number": %d`, l.c.Size()), 1)
		}, "it says that it is number"},
		"another log's next": {func(name string, text []byte) []byte {
			if name == "0003/next.json" {
				return files["0002/next.json"]
			}
			return text
		}, "not in the tree of the checkpoint"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bad := repack(t, b, c.change)
			r, _ := check(t, bad, audit.Options{Key: key})
			named(t, r, c.word)
			if _, err := indyBundle(bad, key); err == nil {
				t.Error("the independent verifier found nothing")
			}
		})
	}
}

// Attack: last week's copy of a log is served or proven in the frozen one's place.
func TestABundleWithAFrozenLogsOlderCheckpointIsNamed(t *testing.T) {
	t.Parallel()
	l := newLine(t, 1)
	early, err := audit.PublishedIn(l.at(0))
	if err != nil {
		t.Fatal(err)
	}
	l.rotate(t)
	l.publish(t)
	b := repack(t, l.bundle(t, l.c.Last().Base()), func(name string, text []byte) []byte {
		if name == "0001/checkpoint" {
			return early
		}
		return text
	})
	r, _ := check(t, b, audit.Options{Key: l.c.Key()})
	named(t, r, "log 0002", "ended with")
	if err := os.WriteFile(filepath.Join(l.at(0), audit.TilesFolder, "checkpoint"), early, 0o600); err != nil {
		t.Fatal(err)
	}
	sound(t, all(t, l.dir, audit.Options{})) // an older checkpoint is no lie; OpenFrozen brings it to the end
}
