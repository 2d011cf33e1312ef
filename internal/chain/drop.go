package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"paravent/internal/ledger"
)

// ErrKept says that a log can't be dropped.
var ErrKept = errors.New("ledger: this log can't be dropped")

// Dropped describes a log that was dropped.
type Dropped struct {
	Name   string      `json:"name"` // "0001"
	Origin string      `json:"origin"`
	Base   uint64      `json:"base"` // Number of its first record
	Size   uint64      `json:"size"` // records
	Root   ledger.Hash `json:"root"` // of its final tree
	Keys   int         `json:"keys"` // persons' keys that were destroyed with it: no log needs them any more
	// Returned names whom a restored key table had brought back, as
	// ledger.Ledger.Returned does; they're in no file and no log.
	Returned []string `json:"-"`
}

// planFile is in the folder of a log that is being dropped. It is removed last.
const planFile = "drop.json"

// A plan says what is left to be done once a log has lost its name.
type plan struct {
	Dropped
	Needless [][]byte // ids of the keys that the log announced, the table held and no other log needs
}

// Drop removes the oldest log of the chain in dir for good: its records, and the
// keys that it announced and no other log needs. It must be frozen and have a log
// behind it, and nobody may have the chain open; else the error is ErrKept, or
// ledger.ErrLocked. The logs behind it stay as they are: their first record says
// what was before them. What is damaged isn't dropped (*ledger.Damage). It reads
// all logs, so it takes as long as reading them. A crash leaves the log whole, or
// Open finishes what was begun.
func Drop(dir, name string, o Options) (d Dropped, err error) {
	locked, err := ledger.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return d, fmt.Errorf("ledger: drop: %w", err)
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	if err := finishDrops(dir, o); err != nil {
		return d, err
	}
	f, err := list(dir)
	if err != nil {
		return d, err
	}
	switch n, ok := logNumber(name); {
	case !ok || !slices.Contains(f.logs, n):
		return d, fmt.Errorf("%w: there is no log %s", ErrKept, name)
	case n != f.logs[0]:
		return d, fmt.Errorf("%w: %s is not the oldest, %s is", ErrKept, name, logName(f.logs[0]))
	case len(f.logs) == 1:
		return d, fmt.Errorf("%w: %s is the only one; rotate the ledger first", ErrKept, name)
	}
	p, err := planDrop(dir, name, logName(f.logs[1]), o)
	if err != nil {
		return d, err
	}
	o.at("drop planned")
	// From here on the log is gone, whatever happens.
	err = os.Rename(filepath.Join(dir, name), filepath.Join(dir, droppedPrefix+name))
	if err = errors.Join(err, syncFolder(dir)); err != nil {
		return d, fmt.Errorf("ledger: drop: %w", err)
	}
	o.at("drop renamed")
	return p.Dropped, finishDrop(dir, name, false, o)
}

// planDrop makes sure that the log may go, and notes durably what goes with it.
func planDrop(dir, name, next string, o Options) (p plan, err error) {
	at := filepath.Join(dir, name)
	l, err := ledger.OpenFrozen(at, o.Ledger)
	if err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrKept, name, err)
	}
	p.Dropped = Dropped{Name: name, Origin: l.Origin(), Base: l.Base(), Size: l.Size(), Root: l.Head().Root, Returned: l.Returned()}
	err = follows(filepath.Join(dir, next), next, l)
	if err = errors.Join(err, l.Close()); err != nil {
		return p, fmt.Errorf("%w: %w", ErrKept, err)
	}
	needless := map[ledger.KeyID]bool{}
	err = eachKey(at, func(id ledger.KeyID, sealed bool) {
		if !sealed {
			needless[id] = true
		}
	})
	if err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrKept, name, err)
	}
	if err := keepNeeded(dir, name, needless); err != nil {
		return p, fmt.Errorf("%w: %w", ErrKept, err)
	}
	for some := range slices.Chunk(sorted(needless), keysAtOnce) {
		there, err := o.Ledger.Keys.ByID(context.Background(), some)
		if err != nil {
			return p, fmt.Errorf("ledger: drop: look up keys: %w", err)
		}
		for _, id := range some {
			if _, ok := there[id]; ok {
				p.Needless = append(p.Needless, id[:])
			}
		}
	}
	p.Keys = len(p.Needless)
	return p, writePlan(at, p)
}

// keepNeeded takes out of needless the keys that another log than the one of
// that name announces or is sealed with.
func keepNeeded(dir, name string, needless map[ledger.KeyID]bool) error {
	f, err := list(dir)
	if err != nil {
		return err
	}
	for _, n := range f.logs {
		if logName(n) == name {
			continue
		}
		if err := eachKey(filepath.Join(dir, logName(n)), func(id ledger.KeyID, _ bool) { delete(needless, id) }); err != nil {
			return fmt.Errorf("log %s: %w", logName(n), err)
		}
	}
	return nil
}

// sorted returns the keys of a set in a fixed order.
func sorted(set map[ledger.KeyID]bool) []ledger.KeyID {
	return slices.SortedFunc(maps.Keys(set), func(a, b ledger.KeyID) int { return slices.Compare(a[:], b[:]) })
}

// keysAtOnce is how many keys the table is asked for at once.
const keysAtOnce = 1000

// eachKey calls fn for each key that the log in dir announces, and for each
// that seals a part in it.
func eachKey(dir string, fn func(id ledger.KeyID, sealed bool)) error {
	i, err := ledger.Inspect(dir)
	if err != nil {
		return err
	}
	segments := i.Segments()
	for n, number := range segments {
		limit := int64(-1)
		if n+1 < len(segments) {
			next, err := i.Head(segments[n+1])
			if err != nil {
				return err
			}
			limit = next.Previous
		}
		if err := eachKeyOf(i, number, limit, fn); err != nil {
			return err
		}
	}
	return nil
}

// eachKeyOf is eachKey for one segment.
func eachKeyOf(i *ledger.Inspection, number uint64, limit int64, fn func(ledger.KeyID, bool)) (err error) {
	r, _, err := i.Read(number, limit)
	if r != nil {
		defer func() { err = errors.Join(err, r.Close()) }()
	}
	if err != nil {
		return err
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for n := range b.Records {
			for _, sealed := range b.Records[n].Sealed {
				if id, ok := ledger.KeyOf(sealed); ok {
					fn(id, true)
				}
			}
			leaf, err := ledger.ParseLeaf(b.Records[n].Leaf)
			if err != nil {
				return err
			}
			if leaf.Kind != ledger.KindKey {
				continue
			}
			if id, _, ok := ledger.Announced(leaf.Detail); ok {
				fn(id, false)
			}
		}
	}
}

// writePlan makes a plan durable, whole or not at all.
func writePlan(dir string, p plan) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("ledger: drop: %w", err)
	}
	fresh := filepath.Join(dir, planFile+".new")
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("ledger: drop: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = errors.Join(os.Rename(fresh, filepath.Join(dir, planFile)), syncFolder(dir))
	}
	if err != nil {
		return fmt.Errorf("ledger: drop: %w", err)
	}
	return nil
}

// finishDrops finishes what an interrupted Drop left. The chain's lock is held.
func finishDrops(dir string, o Options) error {
	f, err := list(dir)
	if err != nil {
		return err
	}
	for _, n := range f.dropped {
		if slices.Contains(f.logs, n) || n > f.logs[0] {
			return fmt.Errorf("%w: %s%s can't have been dropped before %s", ErrBroken, droppedPrefix, logName(n), logName(f.logs[0]))
		}
		if err := finishDrop(dir, logName(n), true, o); err != nil {
			return err
		}
		o.log().Info("finished dropping a log", "log", logName(n))
	}
	return nil
}

// finishDrop destroys the keys of a log that has lost its name, then removes its
// folder. Old: somebody else began it.
func finishDrop(dir, name string, old bool, o Options) error {
	at := filepath.Join(dir, droppedPrefix+name)
	b, err := os.ReadFile(filepath.Join(at, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		// The plan goes last: then the folder is empty.
		if err := os.Remove(at); err != nil {
			return fmt.Errorf("%w: %s holds no %s, so it wasn't dropped: %w", ErrBroken, at, planFile, err)
		}
		return syncFolder(dir)
	}
	var p plan
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err == nil {
		err = destroyNeedless(dir, p, old, o)
	}
	if err != nil {
		return fmt.Errorf("ledger: drop %s: %w", name, err)
	}
	o.at("drop keys destroyed")
	entries, err := os.ReadDir(at)
	for _, e := range entries {
		if e.Name() != planFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(at, e.Name())))
			o.at("drop " + e.Name() + " removed")
		}
	}
	if err == nil {
		err = syncFolder(at)
	}
	if err == nil {
		err = os.Remove(filepath.Join(at, planFile))
	}
	if err == nil {
		o.at("drop plan removed")
		err = errors.Join(os.Remove(at), syncFolder(dir))
	}
	if err != nil {
		return fmt.Errorf("ledger: drop %s: %w", name, err)
	}
	return nil
}

// destroyNeedless destroys the keys of a plan. An old plan is compared with the
// remaining logs once more: a key that is needed is never destroyed, whatever a
// plan says.
func destroyNeedless(dir string, p plan, old bool, o Options) error {
	needless := map[ledger.KeyID]bool{}
	for _, id := range p.Needless {
		if len(id) != len(ledger.KeyID{}) {
			return fmt.Errorf("%s: a key id of %d bytes", planFile, len(id))
		}
		needless[ledger.KeyID(id)] = true
	}
	if old {
		if err := keepNeeded(dir, "", needless); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(sorted(needless), keysAtOnce) {
		if err := o.Ledger.Keys.Destroy(context.Background(), some); err != nil {
			return fmt.Errorf("destroy keys: %w", err)
		}
	}
	return nil
}
