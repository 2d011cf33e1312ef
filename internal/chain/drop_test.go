package chain_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"paravent/internal/chain"
	"paravent/internal/ledger"
)

func TestOnlyTheOldestFrozenLogIsDropped(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	refused := func(name, why string) {
		t.Helper()
		before := listing(t, dir)
		if d, err := chain.Drop(dir, name, o); err == nil {
			t.Errorf("%s was dropped (%+v) although %s", name, d, why)
		}
		if after := listing(t, dir); !slices.Equal(before, after) {
			t.Errorf("a refused drop changed %v to %v", before, after)
		}
	}
	closed(t, c)
	refused("0001", "it is the only one")
	c = rotate(t, dir, open(t, dir, o), o)
	c = rotate(t, dir, c, o)
	if _, err := chain.Drop(dir, "0001", o); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("dropping from an open ledger: %v", err)
	}
	infos := c.Names()
	closed(t, c)
	refused("0002", "it is not the oldest")
	refused("0003", "it is the last")
	refused("0004", "there is none")
	refused("../ledger/0001", "it is no name")

	d, err := chain.Drop(dir, "0001", o)
	if err != nil || d.Origin != infos[0].Origin || d.Base != 0 || d.Size != infos[0].Size {
		t.Fatalf("dropped %+v, %v; it was %+v", d, err, infos[0])
	}
	if _, err := chain.Drop(dir, "0002", o); err != nil {
		t.Fatal(err)
	}
	refused("0003", "it is the only one")
	c = open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	if first := all(t, c, c.Last().Base())[0]; first.Number != infos[2].Base || first.Kind != ledger.KindNext {
		t.Errorf("the first record is %s, number %d; want next, %d", first.Kind, first.Number, infos[2].Base)
	}
	c = rotate(t, dir, c, o)
	if got := c.Names()[1].Name; got != "0004" {
		t.Errorf("the next log is %s", got)
	}
}

func TestALogIsNotDroppedOutOfABrokenChain(t *testing.T) {
	t.Parallel()
	o := options(newTable())
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	early := copyOf(t, dir) // before its end
	c = rotate(t, dir, c, o)
	closed(t, rotate(t, dir, c, o))
	foreign, _ := frozenTwo(t, o)
	for name, hurt := range map[string]func(dir string) error{
		"there is a gap behind it": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "0002")) },
		"it isn't frozen": func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "0001")), os.Rename(filepath.Join(early, "0001"), filepath.Join(dir, "0001")))
		},
		"another chain's log stands behind it": func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "0002")), os.Rename(filepath.Join(foreign, "0002"), filepath.Join(dir, "0002")))
		},
	} {
		broken := copyOf(t, dir)
		if err := hurt(broken); err != nil {
			t.Fatal(err)
		}
		if d, err := chain.Drop(broken, "0001", o); err == nil {
			t.Errorf("%+v was dropped although %s", d, name)
		}
		if _, err := os.Stat(filepath.Join(broken, "0001", "0000000001.journal")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// listing names the files of a folder that are no locks.
func listing(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() != "lock" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestADropTakesTheKeysThatNoOtherLogNeeds(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "first", "e1", "FIRST ONLY")
	look(t, c, ledger.KindIntent, 0, "both", "e1", "x")
	look(t, c, ledger.KindIntent, 0, "erased", "e2", "x")
	if _, err := c.Destroy(t.Context(), "customer:erased"); err != nil {
		t.Fatal(err)
	}
	c = rotate(t, dir, c, o)
	look(t, c, ledger.KindIntent, 0, "both", "e1", "x")
	look(t, c, ledger.KindIntent, 0, "second", "e1", "x")
	closed(t, c)
	d, err := chain.Drop(dir, "0001", o)
	if err != nil {
		t.Fatal(err)
	}
	if d.Keys != 2 { // of customer:first and employee:e2
		t.Errorf("%d keys went with it, want 2", d.Keys)
	}
	for person, want := range map[string]bool{"customer:first": false, "customer:both": true, "customer:erased": false,
		"customer:second": true, "employee:e1": true, "employee:e2": false} {
		if got := keys.has(person); got != want {
			t.Errorf("%s has a key: %v, want %v", person, got, want)
		}
	}
	c = open(t, dir, o)
	for _, r := range all(t, c, c.Last().Base()) {
		if r.Customer.Erased || r.Employee.Erased {
			t.Errorf("record %d can't be read any more", r.Number)
		}
	}
	r := look(t, c, ledger.KindIntent, 0, "first", "e2", "met again")
	if got := all(t, c, r.Number)[0]; string(got.Customer.Plain) != "met again" {
		t.Errorf("reads %q", got.Customer.Plain)
	}
}

// Attack: a folder is planted that looks like a log which is being dropped, so
// that Open destroys keys that are in use.
func TestAPlantedDropDestroysNoKeyThatIsInUse(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	c = rotate(t, dir, c, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	closed(t, c)
	if _, err := chain.Drop(dir, "0001", o); err != nil {
		t.Fatal(err)
	}
	row := keys.copied()["customer:c1"]
	plan := append([]byte(`{"name":"0002","Needless":["`), base64Of(row.ID[:])...)
	planted := filepath.Join(dir, ".dropped-0001")
	if err := errors.Join(os.Mkdir(planted, 0o700), os.WriteFile(filepath.Join(planted, "drop.json"), append(plan, `"]}`...), 0o600)); err != nil {
		t.Fatal(err)
	}
	c = open(t, dir, o)
	if !keys.has("customer:c1") {
		t.Error("a key that is in use was destroyed")
	}
	closed(t, c)
	if err := errors.Join(os.Mkdir(planted, 0o700), os.WriteFile(filepath.Join(planted, "mine"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(dir, o); !errors.Is(err, chain.ErrBroken) {
		t.Errorf("a folder that no drop made: %v", err)
	}
}

func TestADamagedLogIsNotDropped(t *testing.T) {
	t.Parallel()
	keys := newTable()
	o := options(keys)
	dir := create(t, o)
	c := open(t, dir, o)
	look(t, c, ledger.KindIntent, 0, "c1", "e1", "x")
	closed(t, rotate(t, dir, c, o))
	for _, log := range []string{"0001", "0002"} {
		hurt := copyOf(t, dir)
		path := filepath.Join(hurt, log, "0000000001.journal")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(bytes.TrimRight(b, "\x00"))-40] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *ledger.Damage
		if _, err := chain.Drop(hurt, "0001", o); !errors.As(err, &damage) {
			t.Errorf("%s is damaged: %v", log, err)
		}
		if _, err := os.Stat(filepath.Join(hurt, "0001", "0000000001.journal")); err != nil {
			t.Error(err)
		}
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
