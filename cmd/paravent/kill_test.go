package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/policy"
	"paravent/internal/simulate"
	"paravent/internal/store"
)

// G3: kill -9 at any moment of a storm of look-ups. Each one that was released
// is in the journal after the restart, its intent and its outcome, and nothing
// is there twice. The whole program is killed: server, store and ledger.
func TestKilledInAStormNoReleasedLookupIsLost(t *testing.T) {
	kills := 50
	if long() {
		kills = 1000
	}
	if testing.Short() {
		kills = 5
	}
	f := newStormFolder(t)
	seen := uint64(0)
	released := 0
	for i := range kills {
		got := f.storm(t, rand.New(rand.NewPCG(20261123, uint64(i))))
		released += len(got)
		seen = f.check(t, got, seen)
		if t.Failed() {
			t.Fatalf("kill %d of %d", i+1, kills)
		}
		if (i+1)%50 == 0 {
			t.Logf("%d of %d kills, %d look-ups released, %d records", i+1, kills, released, seen)
		}
	}
	if released < kills {
		t.Fatalf("only %d look-ups were released over %d kills: the storm is too weak to prove anything", released, kills)
	}
}

// stormFolder is a folder that serve runs on, with people who may look.
type stormFolder struct {
	dir, config, address string
	people               []stormer
	admin, officer       string // tokens
}

// stormer is one employee with a token and an open task.
type stormer struct {
	token string
	task  access.TaskID
	login string
}

// newStormFolder makes a small shop and gives its agents tokens.
func newStormFolder(t testing.TB) *stormFolder {
	t.Helper()
	ctx := context.Background()
	f := &stormFolder{dir: t.TempDir(), address: freeAddress(t)}
	now := realClock()
	d := &demonstration{streams: streams{err: io.Discard, out: io.Discard}, dir: f.dir, shop: simulate.New(simulate.Options{
		Seed: 7, Start: now.AddDate(0, 0, -3), Until: now, Days: 4, Customers: 200, Employees: 12, Load: 2,
	})}
	if err := d.open(ctx, f.address); err != nil {
		t.Fatal(err)
	}
	staff := newCrew(d)
	for _, e := range d.shop.Employees {
		tasks, err := d.system.store.TasksOf(ctx, e.ID, e.Team, now)
		if err != nil {
			t.Fatal(err)
		}
		if e.Role != access.RoleAgent || len(tasks) == 0 || string(e.ID) == d.phone[0].login {
			continue
		}
		who, err := staff.signIn(ctx, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := d.system.signOn.IssueToken(ctx, who, "storm", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			f.people = append(f.people, stormer{token, task.ID, who.Login()})
		}
	}
	for i, token := range []*string{2: &f.officer, 3: &f.admin} {
		if token == nil {
			continue
		}
		_, in, err := d.system.signOn.SignIn(ctx, d.phone[i].login, d.phone[i].password, "storm")
		if err == nil {
			*token, _, err = d.system.signOn.IssueToken(ctx, in.Who, "storm", time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(f.people) == 0 {
		t.Fatal("nobody has an open task: the simulated shop has changed")
	}
	if err := d.system.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.dir, "data", demoFile)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"paravent.yaml": "listen: " + f.address + "\ndata: data\npolicy: policy.yaml\nconditions: default.cedar\nnode: demo\nsources: {shop: {kind: sqlite, path: shop.db}}\n",
		"policy.yaml":   string(policy.DefaultYAML()), "default.cedar": string(policy.DefaultCedar()),
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.config = filepath.Join(f.dir, "paravent.yaml")
	return f
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// disclosed is what the answer of a released look-up says of its records.
type disclosed struct {
	Lookup   access.LookupID `json:"lookup"`
	Recorded ledger.Receipt  `json:"recorded_as"`
	Outcome  ledger.Receipt  `json:"outcome"`
}

// storm starts the server, lets everybody look at once, kills it at a random
// moment, and returns what was released: answers that arrived whole.
func (f *stormFolder) storm(t *testing.T, random *rand.Rand) []disclosed {
	t.Helper()
	server := f.start(t)
	defer server.Process.Kill()
	var mu sync.Mutex
	var got []disclosed
	released := make(chan struct{}, 64)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range 16 {
		seed := random.Uint64()
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, err := f.look(client, f.people[r.IntN(len(f.people))])
				if err != nil {
					continue // the server is being killed
				}
				mu.Lock()
				got = append(got, d)
				mu.Unlock()
				select {
				case released <- struct{}{}:
				default:
				}
			}
		})
	}
	// The moment is chosen by what was released, and then by chance within it: by
	// time alone, a slow machine would be killed before anything was.
	enough, tooLong := random.IntN(40), time.After(20*time.Second)
wait:
	for count := 0; count < enough; {
		select {
		case <-released:
			count++
		case <-tooLong:
			break wait
		}
	}
	time.Sleep(time.Duration(random.Int64N(int64(3 * time.Millisecond))))
	if err := server.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	_ = server.Wait() // "signal: killed", as asked
	close(stop)
	workers.Wait()
	return got
}

// start starts the server and waits until it answers.
func (f *stormFolder) start(t testing.TB) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	server := exec.Command(exe, "serve", "--config", f.config)
	server.Args[0] = "paravent" // TestMain then runs the command instead of the tests
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	f.await(t, server, log)
	return server
}

// await waits until the server answers.
func (f *stormFolder) await(t testing.TB, server *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	for range 500 {
		resp, err := http.Get("http://" + f.address + "/v1/state")
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = server.Process.Kill()
	_ = server.Wait()
	t.Fatalf("the server doesn't start again:\n%s", log)
}

func (f *stormFolder) look(client *http.Client, p stormer) (disclosed, error) {
	var d disclosed
	req, err := http.NewRequest("POST", "http://"+f.address+"/v1/lookups", bytes.NewReader(fmt.Appendf(nil, `{"task":%q}`, p.task)))
	if err != nil {
		return d, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return d, err
	}
	if resp.StatusCode != http.StatusOK {
		return d, fmt.Errorf("answered %s: %s", resp.Status, text)
	}
	return d, json.Unmarshal(text, &d)
}

// check opens the ledger as the next start would and looks for every released
// look-up among the records from position from on. It returns the new size.
func (f *stormFolder) check(t *testing.T, got []disclosed, from uint64) uint64 {
	t.Helper()
	ctx := context.Background()
	data := filepath.Join(f.dir, "data")
	st, err := store.Open(ctx, filepath.Join(data, storeFolder), realClock)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	l, err := chain.Open(filepath.Join(data, ledgerFolder), chain.Options{Ledger: ledger.Options{Clock: realClock, Keys: st.Keys()}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type place struct {
		hash ledger.Hash
		kind ledger.Kind
		id   access.LookupID
	}
	keys := map[string]ed25519.PublicKey{}
	for _, log := range l.Logs() {
		keys[log.Origin()] = log.Public()
	}
	at := map[uint64]place{}
	once := map[string]bool{}
	for r, err := range l.Records(ctx, from) {
		if err != nil {
			t.Fatal(err)
		}
		d, ok, err := lookup.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		at[r.Number] = place{r.Hash, r.Kind, d.Lookup.ID}
		key := fmt.Sprint(r.Kind, d.Lookup.ID)
		if d.Lookup.ID != "" && once[key] {
			t.Errorf("record %d: the %s of look-up %s is there twice", r.Position, r.Kind, d.Lookup.ID)
		}
		once[key] = true
	}
	for _, g := range got {
		for _, want := range []struct {
			kind    ledger.Kind
			receipt ledger.Receipt
		}{{ledger.KindIntent, g.Recorded}, {ledger.KindOutcome, g.Outcome}} {
			if err := want.receipt.Verify(keys[want.receipt.Head.Origin]); err != nil {
				t.Errorf("look-up %s: the receipt of its %s doesn't verify: %v", g.Lookup, want.kind, err)
			}
			have := at[want.receipt.Number]
			if have != (place{want.receipt.Hash, want.kind, g.Lookup}) {
				t.Errorf("look-up %s was released, but record %d, its %s, is %+v", g.Lookup, want.receipt.Position, want.kind, have)
			}
		}
	}
	return l.Size()
}
