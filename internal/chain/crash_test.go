package chain_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/chain"
	"paravent/internal/ledger"
)

// copyOf copies a chain as it lies on the disk.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*/signing.key", ".*/signing.key"} {
		keys, err := filepath.Glob(filepath.Join(to, pattern))
		for _, key := range keys {
			err = errors.Join(err, os.Chmod(key, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A moment is what a crash leaves.
type moment struct {
	dir  string
	keys *table
}

// moments returns options that keep what a crash would leave behind each step.
func moments(t testing.TB, o chain.Options, dir *string) (chain.Options, map[string]moment) {
	kept := map[string]moment{}
	return o.At(func(step string) {
		kept[step] = moment{copyOf(t, *dir), &table{rows: o.Ledger.Keys.(*table).copied()}}
	}), kept
}

// goesOn opens what a crash left: there's nothing lost, nothing doubled, and
// there are that many logs, of which the last is written to. It rotates once more.
func goesOn(t *testing.T, m moment, released []ledger.Receipt, logs int) {
	t.Helper()
	o := options(m.keys)
	c := open(t, m.dir, o)
	if got := len(c.Logs()); got != logs {
		t.Errorf("%d logs, want %d", got, logs)
	}
	again := look(t, c, ledger.KindIntent, 0, "c9", "e9", "after the crash")
	if again.Head.Origin != c.Origin() {
		t.Errorf("recorded in %s, the last log is %s", again.Head.Origin, c.Origin())
	}
	records := all(t, c, 0)
	for _, r := range append(released, again) {
		if records[r.Number].Hash != r.Hash {
			t.Errorf("record %d is lost", r.Number)
		}
	}
	ends := 0
	for i, r := range records {
		switch r.Kind {
		case ledger.KindEnd:
			ends++
			if next := records[i+1]; next.Kind != ledger.KindNext || next.Position != 0 {
				t.Errorf("behind the end stands %s at position %d", next.Kind, next.Position)
			}
		case ledger.KindNext:
			if records[i-1].Kind != ledger.KindEnd {
				t.Errorf("a log begins behind %s", records[i-1].Kind)
			}
		}
	}
	if ends != logs-1 {
		t.Errorf("%d logs are frozen, want %d", ends, logs-1)
	}
	c = rotate(t, m.dir, c, o)
	if got := len(c.Logs()); got != logs+1 {
		t.Errorf("rotated once more there are %d logs, want %d", got, logs+1)
	}
	if entries, err := filepath.Glob(filepath.Join(m.dir, ".*")); err != nil || len(entries) > 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestACrashAtAnyStepOfARotationLeavesOneNextLogAndEveryRecord(t *testing.T) {
	t.Parallel()
	var dir string
	o, at := moments(t, options(newTable()), &dir)
	dir = create(t, o)
	c := open(t, dir, o)
	var released []ledger.Receipt
	for n := range 5 {
		released = append(released, look(t, c, ledger.KindIntent, 0, fmt.Sprint("c", n), "e1", "x"))
	}
	rotate(t, dir, c, o)

	change := func(step string, how func(next string) error) moment {
		m := moment{copyOf(t, at[step].dir), &table{rows: at[step].keys.copied()}}
		if err := how(filepath.Join(m.dir, ".next")); err != nil {
			t.Fatal(err)
		}
		return m
	}
	empty := func(next string) error { return errors.Join(os.RemoveAll(next), os.Mkdir(next, 0o700)) }
	journal := filepath.Join("0000000001.journal")
	for _, tt := range []struct {
		name string
		left moment
		logs int
	}{
		{"the next folder is made", change("key made", empty), 1},
		{"half of the signing key is written", change("key made", func(next string) error {
			return errors.Join(os.Remove(filepath.Join(next, "public.key")), os.Truncate(filepath.Join(next, "signing.key"), 9))
		}), 1},
		{"the signing key is written", change("key made", func(next string) error { return os.Remove(filepath.Join(next, "public.key")) }), 1},
		{"the public key has not its name yet", change("key made", func(next string) error {
			return os.Rename(filepath.Join(next, "public.key"), filepath.Join(next, "public.key.new"))
		}), 1},
		{"the key is made", at["key made"], 1},
		{"the log is frozen", at["frozen"], 2},
		{"half of the next log's list is written", change("frozen", func(next string) error {
			return os.WriteFile(filepath.Join(next, "forgotten.new"), []byte("PVFOR"), 0o600)
		}), 2},
		{"half of the next log's journal is written", change("next made", func(next string) error {
			return errors.Join(os.Rename(filepath.Join(next, journal), filepath.Join(next, journal+".new")),
				os.Truncate(filepath.Join(next, journal+".new"), 300))
		}), 2},
		{"the next log's journal is written, without its name", change("next made", func(next string) error {
			return os.Rename(filepath.Join(next, journal), filepath.Join(next, journal+".new"))
		}), 2},
		{"the next log is made", at["next made"], 2},
		{"the next log has its name", at["next named"], 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			goesOn(t, tt.left, released, tt.logs)
		})
	}
}

func TestACrashAtAnyStepOfADropEndsWithTheLogWholeOrGone(t *testing.T) {
	t.Parallel()
	var dir string
	o, at := moments(t, options(newTable()), &dir)
	dir = create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "old", "e1", "x")
	look(t, c, ledger.KindIntent, 0, "both", "e1", "x")
	c = rotate(t, dir, c, o)
	look(t, c, ledger.KindIntent, 0, "both", "e1", "y")
	base, size := c.Last().Base(), c.Size()
	closed(t, c)
	clear(at)
	if _, err := chain.Drop(dir, "0001", o); err != nil {
		t.Fatal(err)
	}
	if len(at) < 8 {
		t.Fatalf("only %d steps are seen", len(at))
	}
	for step, m := range at {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			c := open(t, m.dir, options(m.keys))
			if step == "drop planned" {
				if got := len(c.Logs()); got != 2 || !m.keys.has("customer:old") {
					t.Errorf("%d logs; nothing is dropped yet", got)
				}
				return
			}
			if got := c.Names(); len(got) != 1 || got[0].Name != "0002" || got[0].Base != base {
				t.Errorf("the logs are %+v", got)
			}
			if m.keys.has("customer:old") || !m.keys.has("customer:both") || !m.keys.has("employee:e1") {
				t.Error("not exactly the dropped log's keys are gone")
			}
			if got := uint64(len(all(t, c, base))); got != size+1-base { // "opened" once more
				t.Errorf("%d records, want %d", got, size+1-base)
			}
			if entries, err := filepath.Glob(filepath.Join(m.dir, ".*")); err != nil || len(entries) > 0 {
				t.Errorf("left over: %v, %v", entries, err)
			}
		})
	}
}
