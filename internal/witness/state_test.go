package witness_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paravent/internal/witness"
)

func TestItsMemorySurvivesARestart(t *testing.T) {
	a, b := newFakeLog(t, "paravent/a/01").grow(9), newFakeLog(t, "paravent/b/02").grow(9)
	r := newRig(t, a, b)
	key := r.w.Verifier().String()
	r.mustCosign(a, 0, 5)
	r.restart()
	r.refused(r.add(a, 0, 7), 409)
	r.mustCosign(a, 5, 7)
	// A log that isn't cosigned for a while isn't forgotten.
	r.mustCosign(b, 0, 4)
	both := r.logs
	r.logs = both[:1]
	r.restart()
	r.refused(r.add(b, 4, 9), 404)
	r.mustCosign(a, 7, 9)
	r.logs = both
	r.restart()
	r.refused(r.add(b.fork(2).lie(4), 4, 6), 422)
	r.mustCosign(b, 4, 9)
	if got := r.w.Verifier().String(); got != key {
		t.Errorf("the key changed: %s", got)
	}
}

func TestAMemoryThatIsMissingOrDamagedIsFatal(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	namesake := newFakeLog(t, l.origin)
	damage := func(name string, f func(string) string) func(*rig) error {
		return func(r *rig) error {
			path := filepath.Join(r.dir, name)
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(f(string(content))), 0o600)
		}
	}
	remove := func(name string) func(*rig) error {
		return func(r *rig) error { return os.Remove(filepath.Join(r.dir, name)) }
	}
	for name, harm := range map[string]func(*rig) error{
		"the state is gone":           remove("state"),
		"the alarms are gone":         remove("alarm.jsonl"),
		"the key is gone":             remove("signing.key"),
		"the public key is gone":      remove("public.key"),
		"the state is empty":          damage("state", func(string) string { return "" }),
		"the state is cut short":      damage("state", func(s string) string { return s[:len(s)-20] }),
		"its last byte is missing":    damage("state", func(s string) string { return s[:len(s)-2] }),
		"a byte of the state changed": damage("state", func(s string) string { return strings.Replace(s, `\n5\n`, `\n4\n`, 1) }),
		"a byte of its hash changed":  damage("state", func(s string) string { return strings.Replace(s, "v1 ", "v1 0", 1) }),
		"the key is another's": damage("signing.key", func(string) string {
			return golden(t)["signing.key"]
		}),
		"the key is cut short": damage("signing.key", func(s string) string { return s[:len(s)-9] }),
		"the log has another key now": func(r *rig) error {
			r.logs = []witness.Log{namesake.log()}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, l)
			r.mustCosign(l, 0, 5)
			r.stop()
			if err := harm(r); err != nil {
				t.Fatal(err)
			}
			w, err := r.tryOpen()
			if !errors.Is(err, witness.ErrState) {
				if w != nil {
					err = errors.Join(err, w.Close())
				}
				t.Fatalf("got %v", err)
			}
			if err := witness.Create(r.dir, "another"); !errors.Is(err, witness.ErrState) && !errors.Is(err, witness.ErrExists) {
				t.Errorf("a new witness in its place: %v", err)
			}
		})
	}
}

// Last week's copy of the state alone would let the witness sign last week's
// story twice. It can't see that; what it can see is a copy of another's.
func TestAStateOfAnotherWitnessIsFatal(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	a, b := newRig(t, l), newRig(t, l)
	a.mustCosign(l, 0, 5)
	b.mustCosign(l, 0, 3)
	b.stop()
	content, err := os.ReadFile(filepath.Join(a.dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "state"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tryOpen(); !errors.Is(err, witness.ErrState) {
		t.Errorf("got %v", err)
	}
}

func TestCreateMakesAWitnessOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "w")
	if err := witness.Create(dir, "a name"); err == nil {
		t.Error("a name with a space was taken")
	}
	if err := witness.Create(dir, "w1"); err != nil {
		t.Fatal(err)
	}
	if err := witness.Create(dir, "w1"); !errors.Is(err, witness.ErrExists) {
		t.Errorf("twice: got %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "signing.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v (%v)", info.Mode(), err)
	}
	// Interrupted before the key was there, it may begin again.
	if err := os.Remove(filepath.Join(dir, "signing.key")); err != nil {
		t.Fatal(err)
	}
	if err := witness.Create(dir, "w2"); err != nil {
		t.Errorf("after an interruption: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := witness.Create(other, "w1"); err == nil {
		t.Error("a folder with something else in it was taken")
	}
	if _, err := witness.Open(witness.Options{Dir: t.TempDir(), Clock: newClock().now, Logs: []witness.Log{newFakeLog(t, "l").log()}}); !errors.Is(err, witness.ErrState) {
		t.Errorf("open of an empty folder: got %v", err)
	}
}

func TestOneProcessRunsAWitness(t *testing.T) {
	r := newRig(t, newFakeLog(t, "paravent/a/01"))
	if _, err := r.tryOpen(); !errors.Is(err, witness.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// A crash may cut the last line of the alarms short. Nothing of it is lost, and
// it's told.
func TestAnAlarmThatWasCutShortIsTold(t *testing.T) {
	l := newFakeLog(t, "paravent/a/01").grow(9)
	r := newRig(t, l)
	r.mustCosign(l, 0, 5)
	r.add(l.fork(2).lie(3), 5, 5)
	r.stop()
	path := filepath.Join(r.dir, "alarm.jsonl")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content = append(content, `{"kind":"fork","ti`...)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	if rep := r.report(); rep.OK || rep.Unread != 1 || rep.Logs[0].Forks != 1 {
		t.Errorf("got %+v", rep)
	}
	r.add(l.fork(1).lie(4), 5, 5)
	r.restart()
	if rep := r.report(); rep.Unread != 1 || rep.Logs[0].Forks != 2 {
		t.Errorf("after another one: %+v", rep)
	}
	after, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(after), string(content)) {
		t.Errorf("the file was changed: %v", err)
	}
}
