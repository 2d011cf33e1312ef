package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"paravent/internal/ledger"
)

// nextKey makes the folder and the key of a log that is to follow.
func nextKey(t testing.TB, o ledger.Options) (dir, key string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "next")
	key, err := ledger.NewKey(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir, key
}

// frozen makes a log of a few records that is frozen, closed, and the log that follows it.
func frozen(t testing.TB, o ledger.Options) (dir, next string) {
	t.Helper()
	dir = create(t, o)
	l := open(t, dir, o)
	for n := range 4 {
		if _, err := l.Append(t.Context(), entry(n)); err != nil {
			t.Fatal(err)
		}
	}
	next, key := nextKey(t, o)
	if _, err := l.Freeze(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.CreateNext(next, o, l, nil), l.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, next
}

// Attack: whoever took the signing key of a frozen log writes one record more,
// behind its end.
func TestARecordBehindTheEndOfAFrozenLogIsNamed(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir, _ := frozen(t, o)
	for _, own := range []bool{false, true} {
		for _, tail := range []int64{0, 1} {
			hurt := copyOf(t, dir)
			if err := ledger.WriteBehindTheEnd(hurt, o, own); err != nil {
				t.Fatal(err)
			}
			l, err := ledger.Open(hurt, o.ReadAtStart(tail))
			if err == nil {
				// What Open didn't read is found behind it.
				l.Checked()
				if state := l.State(); state.OK || !strings.Contains(state.Reason, "damaged") {
					t.Errorf("own segment %v, tail %d: state %+v", own, tail, state)
				}
				if _, err := l.Append(t.Context(), entry(9)); !errors.Is(err, ledger.ErrUnavailable) {
					t.Errorf("own segment %v, tail %d: append: %v", own, tail, err)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				continue
			}
			var damage *ledger.Damage
			if !errors.As(err, &damage) || !strings.Contains(damage.What, "behind the one that ends this log") {
				t.Errorf("own segment %v, tail %d: %v", own, tail, err)
			}
		}
	}
	// Not even half a record may stand there.
	f, err := os.OpenFile(filepath.Join(dir, "0000000002.journal"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("PVB1 and not all of it")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var damage *ledger.Damage
	if _, err := ledger.Open(dir, o); !errors.As(err, &damage) {
		t.Errorf("with a torn write behind its end: %v", err)
	}
}

// Damage in a frozen log that is found behind the start stops the log behind it too.
func TestDamageInAFrozenLogStopsTheOneThatFollows(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	for range 3 { // three segments
		if err := open(t, dir, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, dir, o)
	next, key := nextKey(t, o)
	if _, err := l.Freeze(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.CreateNext(next, o, l, nil), l.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "0000000002.journal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-20] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, late := range []bool{false, true} {
		old, err := ledger.OpenFrozen(dir, o.ReadAtStart(1))
		if err != nil {
			t.Fatal(err)
		}
		n := open(t, next, o)
		if late { // found before it is told who follows
			old.Checked()
		}
		n.Follows(old)
		old.Checked()
		if _, err := n.Append(t.Context(), entry(1)); !errors.Is(err, ledger.ErrUnavailable) || !strings.Contains(err.Error(), old.Origin()) {
			t.Errorf("found late %v: append: %v", late, err)
		}
		if state := n.State(); state.OK {
			t.Errorf("found late %v: state %+v", late, state)
		}
		if err := errors.Join(n.Close(), old.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestALogThatShouldBeFrozenIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var damage *ledger.Damage
	if _, err := ledger.OpenFrozen(dir, o); !errors.As(err, &damage) {
		t.Errorf("opened with %v", err)
	}
	after, err := os.ReadDir(dir)
	if err != nil || len(after) > len(before)+1 { // the lock
		t.Errorf("%v became %v, %v", before, after, err)
	}
}

func TestANextLogIsMadeOnceAndOnlyForTheKeyThatIsNamed(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	l := open(t, dir, o)
	next, key := nextKey(t, o)
	if err := ledger.CreateNext(next, o, l, nil); !errors.Is(err, ledger.ErrSuccession) {
		t.Errorf("behind a log that isn't frozen: %v", err)
	}
	for _, wrong := range []string{"", "not a key", l.Key(), key + " ", strings.ToUpper(key)} {
		if _, err := l.Freeze(t.Context(), wrong); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("frozen for the key %q: %v", wrong, err)
		}
	}
	if _, err := l.Freeze(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	other, otherKey := nextKey(t, o)
	if _, err := l.Freeze(t.Context(), otherKey); !errors.Is(err, ledger.ErrFrozen) {
		t.Errorf("frozen for another key: %v", err)
	}
	if err := ledger.CreateNext(other, o, l, nil); !errors.Is(err, ledger.ErrSuccession) || !strings.Contains(err.Error(), otherKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := ledger.CreateNext(next, o, l, nil); err != nil {
		t.Fatal(err)
	}
	if err := ledger.CreateNext(next, o, l, nil); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
	n := open(t, next, o)
	if n.Base() != l.Size() {
		t.Errorf("it counts from %d, want %d", n.Base(), l.Size())
	}
	r, err := n.Append(t.Context(), entry(1))
	if err != nil || r.Number != l.Size()+r.Position {
		t.Errorf("number %d, position %d, %v", r.Number, r.Position, err)
	}
	// Every log announces the keys that it uses.
	keys := map[ledger.KeyID]bool{}
	for _, r := range all(t, n) {
		if id, _, ok := ledger.Announced(r.Detail); ok && r.Kind == ledger.KindKey {
			keys[id] = true
		}
	}
	if len(keys) != 2 {
		t.Errorf("%d keys are announced, want 2", len(keys))
	}
}

func TestASuccessionThatWasChangedDoesNotVerify(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir, next := frozen(t, o)
	l := open(t, next, o)
	old, err := os.ReadFile(filepath.Join(dir, "public.key"))
	if err != nil {
		t.Fatal(err)
	}
	oldKey := strings.TrimSpace(string(old))
	_, stranger := nextKey(t, o)
	detail := all(t, l)[0].Detail
	s, err := ledger.ParseSuccession(detail)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(oldKey); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(stranger); !errors.Is(err, ledger.ErrSuccession) {
		t.Errorf("by a stranger's key: %v", err)
	}
	for i := range detail {
		for _, bit := range []byte{1, 2, 0x20} {
			b := bytes.Clone(detail)
			b[i] ^= bit
			changed, err := ledger.ParseSuccession(b)
			if err == nil {
				err = changed.Verify(oldKey)
			}
			if !errors.Is(err, ledger.ErrSuccession) {
				t.Errorf("byte %d changed: %v", i, err)
			}
		}
	}
	for _, change := range []func(*ledger.Succession){
		func(s *ledger.Succession) { s.Base++ },
		func(s *ledger.Succession) { s.Size-- },
		func(s *ledger.Succession) { s.Root[0] ^= 1 },
		func(s *ledger.Succession) { s.Next = stranger },
		func(s *ledger.Succession) { s.Origin = "paravent/n1/0000000000000000" },
		func(s *ledger.Succession) { s.Checkpoint = nil },
	} {
		changed := s
		change(&changed)
		if err := changed.Verify(oldKey); !errors.Is(err, ledger.ErrSuccession) {
			t.Errorf("%+v verifies: %v", changed, err)
		}
	}
}

// G3, G4: whatever becomes of the write that freezes the log, it ends frozen or
// as it was; nothing stands behind its end, and no size has two heads.
func TestAFaultWhileFreezingLeavesTheLogFrozenOrAsItWas(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"fails", "persists", "partial", "full", "lost", "killed", "killed-mid"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			for at := 0; ; at++ {
				if !freezeFault(t, how, at) {
					if at < 2 {
						t.Fatalf("freezing takes only %d operations", at)
					}
					return
				}
			}
		})
	}
}

// freezeFault freezes a log while the at-th operation goes wrong; it says
// whether there was one.
func freezeFault(t *testing.T, how string, at int) bool {
	t.Helper()
	k := newTable()
	var faults ledger.Faults
	o := options(k)
	dir := create(t, o)
	l, err := ledger.Open(dir, faults.On(o))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Append(t.Context(), entry(1))
	if err != nil {
		t.Fatal(err)
	}
	_, key := nextKey(t, o)
	l.Checked() // the next segment's room is made: what comes now is freezing alone
	faults.Arm(at, how)
	_, err = l.Freeze(t.Context(), key)
	hit := faults.Hit
	if strings.HasPrefix(how, "killed") {
		// Nothing that Close does reaches the disk any more, but its goroutines end.
		if err := l.Close(); err != nil && hit == "" {
			t.Error(err)
		}
		faults.Disarm()
		l, err = ledger.Open(dir, o)
		if err != nil {
			t.Fatalf("%s at %d (%s): %v", how, at, hit, err)
		}
	} else {
		faults.Disarm()
		if err != nil && !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%s at %d (%s): %v", how, at, hit, err)
		}
	}
	defer func() {
		if err := l.Close(); err != nil && hit == "" {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := l.Freeze(ctx, key)
		if err == nil {
			break
		}
		if !errors.Is(err, ledger.ErrUnavailable) {
			t.Fatalf("%s at %d (%s): again: %v", how, at, hit, err)
		}
		time.Sleep(time.Millisecond)
	}
	records := all(t, l)
	if last := records[len(records)-1]; last.Kind != ledger.KindEnd || records[r.Position].Hash != r.Hash {
		t.Errorf("%s at %d (%s): ends with %s", how, at, hit, last.Kind)
	}
	var bytes []byte
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bytes = append(bytes, b...)
	}
	for size, roots := range ledger.SignedHeads(bytes) {
		for _, root := range roots {
			if root != roots[0] {
				t.Errorf("%s at %d (%s): size %d has two heads", how, at, hit, size)
			}
		}
	}
	again, err := ledger.OpenFrozen(copyOf(t, dir), o)
	if err != nil {
		t.Fatalf("%s at %d (%s): opened again: %v", how, at, hit, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	return hit != ""
}

// G3: freezing under load splits the appends into those that are recorded, with
// a receipt, and those that are refused. None is lost, none comes behind the end.
func TestG3FreezingUnderLoadLosesNoReleasedRecord(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	l := open(t, create(t, o), o)
	_, key := nextKey(t, o)
	var mu sync.Mutex
	var released []ledger.Receipt
	var wait sync.WaitGroup
	for n := range 16 {
		wait.Go(func() {
			for i := 0; ; i++ {
				r, err := l.Append(t.Context(), entry(n+i))
				if errors.Is(err, ledger.ErrFrozen) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				released = append(released, r)
				mu.Unlock()
			}
		})
	}
	if err := l.Wait(t.Context(), 200); err != nil {
		t.Fatal(err)
	}
	head, err := l.Freeze(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	records := all(t, l)
	if uint64(len(records)) != head.Size || records[head.Size-1].Kind != ledger.KindEnd {
		t.Errorf("%d records, the head says %d; the last is %s", len(records), head.Size, records[len(records)-1].Kind)
	}
	intents := 0
	for _, r := range records {
		if r.Kind == ledger.KindIntent {
			intents++
		}
	}
	for _, r := range released {
		if records[r.Position].Hash != r.Hash {
			t.Errorf("record %d is lost", r.Position)
		}
	}
	if intents != len(released) {
		t.Errorf("%d look-ups are recorded, %d were released", intents, len(released))
	}
}

// vault keeps secrets in memory.
type vault struct {
	mu     sync.Mutex
	values map[string][]byte
	fails  error
	lies   bool // Put keeps nothing and says nothing
}

func (v *vault) Get(_ context.Context, name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.values[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	return b, nil
}

func (v *vault) Put(_ context.Context, name string, value []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails != nil || v.lies {
		return v.fails
	}
	v.values[name] = value
	return nil
}

func TestTheSigningKeyMayLieInASecretManager(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	secrets := &vault{values: map[string][]byte{}}
	o.Secrets = secrets
	dir, next := frozen(t, o)
	for _, d := range []string{dir, next} {
		if _, err := os.Stat(filepath.Join(d, "signing.key")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("there is a signing key in the folder: %v", err)
		}
	}
	l := open(t, next, o)
	if _, ok := secrets.values[ledger.SecretName(l.Origin())]; !ok || len(secrets.values) != 2 {
		t.Errorf("the manager holds %d keys, %s among them: %v", len(secrets.values), ledger.SecretName(l.Origin()), ok)
	}
	r, err := l.Append(t.Context(), entry(1))
	if err != nil || r.Verify(l.Public()) != nil {
		t.Errorf("%v, %v", err, r.Verify(l.Public()))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := ledger.SecretName(l.Origin())
	for what, value := range map[string][]byte{"another log's": secrets.values[ledger.SecretName(open(t, dir, o).Origin())], "none": nil, "no key": []byte("x")} {
		kept := secrets.values[name]
		if secrets.values[name] = value; value == nil {
			delete(secrets.values, name)
		}
		if _, err := ledger.Open(next, o); err == nil {
			t.Errorf("opened with %s", what)
		}
		secrets.values[name] = kept
	}
	for _, bad := range []*vault{{fails: errors.New("sealed")}, {lies: true}} {
		o.Secrets = bad
		at := filepath.Join(t.TempDir(), "ledger")
		if err := ledger.Create(at, o); err == nil {
			t.Error("created although the key can't be kept")
		}
		if _, err := os.Stat(at); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something is left: %v", err)
		}
	}
}

func TestASigningKeyThatOthersCanReadIsRefusedWithTheWayOut(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	path := filepath.Join(dir, "signing.key")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(dir, o); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseSuccession(f *testing.F) {
	o := options(newTable())
	_, next := frozen(f, o)
	l := open(f, next, o)
	f.Add(all(f, l)[0].Detail)
	f.Add([]byte("paravent/succession/v1\n\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ledger.ParseSuccession(b)
		if err != nil {
			return
		}
		if got := append(append(bytes.Clone(s.Note), '\n'), s.Checkpoint...); !bytes.Equal(got, b) {
			t.Errorf("%q has another form: %q", b, got)
		}
	})
}
