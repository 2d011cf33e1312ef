package witness_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// start is when the tests' clocks begin.
var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fakeLog is a log with its key and leaves, made with note and tlog alone.
type fakeLog struct {
	t      *testing.T
	origin string
	vkey   string
	key    ed25519.PrivateKey
	signer note.Signer

	mu     sync.Mutex
	hashes []tlog.Hash // stored hashes
	size   int64
}

func newFakeLog(t *testing.T, origin string) *fakeLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString(skey[strings.LastIndex(skey, "+"+strings.SplitN(skey, "+", 5)[4])+1:])
	if err != nil {
		t.Fatal(err)
	}
	return &fakeLog{t: t, origin: origin, vkey: vkey, signer: signer, key: ed25519.NewKeyFromSeed(seed[1:])}
}

// fork returns a second log with the same key, with the first n records of l and
// then others.
func (l *fakeLog) fork(n int64) *fakeLog {
	f := &fakeLog{t: l.t, origin: l.origin, vkey: l.vkey, signer: l.signer, key: l.key}
	for i := range n {
		f.append(fmt.Sprint("record ", i))
	}
	return f
}

func (l *fakeLog) append(record string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	more, err := tlog.StoredHashes(l.size, []byte(record), l.reader())
	if err != nil {
		l.t.Error(err)
	}
	l.hashes, l.size = append(l.hashes, more...), l.size+1
}

// grow adds records up to n, each as every honest copy has it.
func (l *fakeLog) grow(n int64) *fakeLog {
	for l.size < n {
		l.append(fmt.Sprint("record ", l.size))
	}
	return l
}

// lie adds n records that no honest copy has.
func (l *fakeLog) lie(n int) *fakeLog {
	for range n {
		l.append(fmt.Sprint("another record ", l.size))
	}
	return l
}

func (l *fakeLog) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = l.hashes[n]
		}
		return out, nil
	})
}

func (l *fakeLog) root(n int64) tlog.Hash {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, err := tlog.TreeHash(n, l.reader())
	if err != nil {
		l.t.Error(err)
	}
	return h
}

func (l *fakeLog) proof(old, n int64) tlog.TreeProof {
	if old == 0 || old >= n {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, err := tlog.ProveTree(n, old, l.reader())
	if err != nil {
		l.t.Error(err)
	}
	return p
}

func (l *fakeLog) text(n int64) string {
	return fmt.Sprintf("%s\n%d\n%s\n", l.origin, n, l.root(n))
}

// checkpoint is the signed note of the tree of n records.
func (l *fakeLog) checkpoint(n int64) string { return l.sign(l.text(n)) }

func (l *fakeLog) sign(text string) string {
	msg, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		l.t.Error(err)
	}
	return string(msg)
}

// Head, Origin, Public and Consistency make it a ledger for a Publisher.
func (l *fakeLog) Head() ledger.SignedHead {
	l.mu.Lock()
	n := l.size
	l.mu.Unlock()
	h := ledger.SignedHead{Origin: l.origin, Size: uint64(n), Root: l.root(n)}
	h.Signature = ed25519.Sign(l.key, h.Body())
	return h
}
func (l *fakeLog) Origin() string            { return l.origin }
func (l *fakeLog) Public() ed25519.PublicKey { return l.key.Public().(ed25519.PublicKey) }

func (l *fakeLog) log() witness.Log {
	v, err := witness.ParseLog(l.vkey)
	if err != nil {
		l.t.Fatal(err)
	}
	return v
}

// request is an add-checkpoint body, written by the letter of the specification.
func body(old int64, proof tlog.TreeProof, checkpoint string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintf(&b, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	return b.String() + "\n" + checkpoint
}

// rig is a witness that runs behind HTTP in a folder.
type rig struct {
	t     *testing.T
	dir   string
	clock *clock
	w     *witness.Witness
	srv   *httptest.Server
	logs  []witness.Log
	said  *strings.Builder // the operator's log
	down  atomic.Bool      // it can't be reached

	noFollow bool
}

// rigs numbers the witnesses: no two in a policy have one name.
var rigs atomic.Int32

func newRig(t *testing.T, logs ...*fakeLog) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "w"), clock: newClock(), said: &strings.Builder{}}
	for _, l := range logs {
		r.logs = append(r.logs, l.log())
	}
	if err := witness.Create(r.dir, fmt.Sprintf("works-council.example/w%d", rigs.Add(1))); err != nil {
		t.Fatal(err)
	}
	if len(logs) > 0 {
		r.open()
	}
	t.Cleanup(func() {
		if r.w != nil {
			r.stop()
		}
	})
	return r
}

func (r *rig) open() {
	r.t.Helper()
	w, err := r.tryOpen()
	if err != nil {
		r.t.Fatal(err)
	}
	r.w, r.srv = w, httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if r.down.Load() {
			panic(http.ErrAbortHandler)
		}
		w.ServeHTTP(rw, req)
	}))
}

func (r *rig) tryOpen() (*witness.Witness, error) {
	return witness.Open(witness.Options{Dir: r.dir, Logs: r.logs, Clock: r.clock.now, PerSecond: 1e6, NoFollow: r.noFollow,
		Log: slog.New(slog.NewTextHandler(r.said, nil))})
}

func (r *rig) stop() {
	r.t.Helper()
	r.srv.Close()
	if err := r.w.Close(); err != nil {
		r.t.Error(err)
	}
	r.w = nil
}

func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.open()
}

// reply is what came back.
type reply struct {
	status int
	kind   string
	body   string
}

func (r *rig) post(body string) reply { return r.postTo("/add-checkpoint", body) }

func (r *rig) postTo(path, body string) reply {
	r.t.Helper()
	resp, err := http.Post(r.srv.URL+path, "text/plain", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), string(b)}
}

// add has a log's tree of n records cosigned, with a proof from old.
func (r *rig) add(l *fakeLog, old, n int64) reply {
	r.t.Helper()
	return r.post(body(old, l.proof(old, n), l.checkpoint(n)))
}

// mustCosign is add that succeeds; it returns the note with the cosignature.
func (r *rig) mustCosign(l *fakeLog, old, n int64) string {
	r.t.Helper()
	got := r.add(l, old, n)
	if got.status != http.StatusOK {
		r.t.Fatalf("add %d -> %d: got %+v", old, n, got)
	}
	whole := l.checkpoint(n) + got.body
	if at := checkCosignature(r.t, r.w.Verifier().String(), whole); !at.Equal(r.clock.now().Truncate(time.Second)) {
		r.t.Fatalf("the cosignature's time is %s, the clock reads %s", at, r.clock.now())
	}
	return whole
}

// refused checks that a checkpoint is refused with that status.
func (r *rig) refused(got reply, status int) {
	r.t.Helper()
	if got.status != status {
		r.t.Fatalf("got %+v, want status %d", got, status)
	}
	if strings.Contains(got.body, "— ") {
		r.t.Fatalf("a refusal carries a signature: %q", got.body)
	}
	if status == http.StatusConflict {
		if got.kind != "text/x.tlog.size" {
			r.t.Fatalf("content type of a conflict: got %q", got.kind)
		}
		if _, err := strconv.ParseUint(strings.TrimSuffix(got.body, "\n"), 10, 64); err != nil || !strings.HasSuffix(got.body, "\n") {
			r.t.Fatalf("body of a conflict: got %q", got.body)
		}
	}
}

// cosigVerifier verifies cosignatures, written here by the specification.
type cosigVerifier struct {
	name string
	hash uint32
	pub  ed25519.PublicKey
}

func (v cosigVerifier) Name() string    { return v.name }
func (v cosigVerifier) KeyHash() uint32 { return v.hash }
func (v cosigVerifier) Verify(msg, sig []byte) bool {
	at := binary.BigEndian.Uint64(sig)
	return ed25519.Verify(v.pub, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, msg), sig[8:])
}

// checkCosignature verifies a note with the witness's key and returns the time.
func checkCosignature(t *testing.T, vkey, msg string) time.Time {
	t.Helper()
	parts := strings.SplitN(vkey, "+", 3)
	hash, err1 := strconv.ParseUint(parts[1], 16, 32)
	raw, err2 := base64.StdEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || raw[0] != 4 {
		t.Fatalf("malformed vkey %q", vkey)
	}
	n, err := note.Open([]byte(msg), note.VerifierList(cosigVerifier{parts[0], uint32(hash), raw[1:]}))
	if err != nil {
		t.Fatalf("the cosignature doesn't verify: %v\n%s", err, msg)
	}
	sig, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(int64(binary.BigEndian.Uint64(sig[4:])), 0)
}

// report asks for GET /state.
func (r *rig) report() witness.Report {
	r.t.Helper()
	resp, err := http.Get(r.srv.URL + "/state")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var rep witness.Report
	if err := json.NewDecoder(resp.Body).Decode(&rep); err != nil {
		r.t.Fatal(err)
	}
	return rep
}

// alarmLines reads the file of alarms as anyone would.
func (r *rig) alarmLines() []witness.Alarm {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, "alarm.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	var out []witness.Alarm
	for line := range strings.Lines(string(content)) {
		var a witness.Alarm
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			r.t.Fatalf("%v: %q", err, line)
		}
		out = append(out, a)
	}
	return out
}

// lastAlarm checks that the newest alarm is of that kind and told everywhere.
func (r *rig) lastAlarm(kind string) witness.Alarm {
	r.t.Helper()
	lines := r.alarmLines()
	if len(lines) == 0 {
		r.t.Fatal("no alarm was kept")
	}
	last := lines[len(lines)-1]
	if last.Kind != kind {
		r.t.Fatalf("kind of the alarm: got %s, want %s (%s)", last.Kind, kind, last.Text)
	}
	if rep := r.report(); rep.OK || len(rep.Alarms) == 0 || rep.Alarms[0].Kind != kind || !rep.Alarms[0].Open {
		r.t.Fatalf("/state doesn't show the alarm: %+v", rep)
	}
	if !strings.Contains(r.said.String(), "level=ERROR") || !strings.Contains(r.said.String(), "kind="+kind) {
		r.t.Fatalf("the operator's log doesn't tell: %s", r.said)
	}
	return last
}

func (r *rig) noAlarm() {
	r.t.Helper()
	if lines := r.alarmLines(); len(lines) != 0 {
		r.t.Fatalf("alarms: %+v", lines)
	}
}
