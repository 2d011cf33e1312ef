package ledger

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
)

// CountSyncs returns options whose disk counts syncs of files.
func (o Options) CountSyncs(n *atomic.Int64) Options {
	o.disk = func(dir string) disk { return countingDisk{folder(dir), n} }
	return o
}

type countingDisk struct {
	disk
	n *atomic.Int64
}

func (d countingDisk) create(name string) (file, error) {
	f, err := d.disk.create(name)
	return countingFile{f, d.n}, err
}

type countingFile struct {
	file
	n *atomic.Int64
}

func (f countingFile) sync() error {
	f.n.Add(1)
	return f.file.sync()
}

// WithoutSyncs returns options whose disk doesn't sync what it opens to read, for
// tests that open thousands of ledgers.
func (o Options) WithoutSyncs() Options {
	o.disk = func(dir string) disk { return unsyncedDisk{folder(dir)} }
	return o
}

type unsyncedDisk struct{ disk }

func (d unsyncedDisk) open(name string) (file, error) {
	f, err := d.disk.open(name)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ file }

func (unsyncedFile) sync() error    { return nil }
func (unsyncedFile) uncache() error { return nil }

// Faults is a disk on which one operation goes wrong, and maybe all after it.
// Operations that change the disk are counted from Arm on.
type Faults struct {
	mu    sync.Mutex
	armed bool
	at    int    // the operation that goes wrong, from 0
	how   string // see Arm
	n     int
	dead  bool
	Hit   string // the operation that went wrong
}

var errFault = errors.New("fault")

// Arm makes the at-th operation from now go wrong. How:
//
//	fails      nothing is done, an error is returned
//	persists   it is done, an error is returned
//	partial    a write is done by half, an error is returned
//	full       a write is done by half, "no space left on device" is returned
//	lost       a sync fails, and what was written since the last one is lost
//	killed     it is done, and nothing after it: the process is dead
//	killed-mid a write is done by half, and nothing after it
func (x *Faults) Arm(at int, how string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed, x.at, x.how, x.n, x.dead, x.Hit = true, at, how, 0, false, ""
}

// Break makes every operation from now on go wrong.
func (x *Faults) Break(how string) {
	x.Arm(-1, how)
}

// Disarm mends the disk. It returns how many operations were counted.
func (x *Faults) Disarm() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed, x.dead = false, false
	return x.n
}

// On returns options whose disk has the faults.
func (x *Faults) On(o Options) Options {
	o.disk = func(dir string) disk { return faultyDisk{folder(dir), x} }
	return o
}

// next says what becomes of the next operation: "" goes well.
func (x *Faults) next(what string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead {
		return "fails"
	}
	if !x.armed {
		return ""
	}
	n := x.n
	x.n++
	if n != x.at && x.at >= 0 {
		return ""
	}
	x.Hit = what
	x.dead = x.how == "killed" || x.how == "killed-mid"
	return x.how
}

// do runs a whole operation that may go wrong.
func (x *Faults) do(what string, op func() error) error {
	switch x.next(what) {
	case "":
		return op()
	case "persists", "killed":
		return errors.Join(op(), fmt.Errorf("%s: %w", what, errFault))
	case "full":
		return fmt.Errorf("%s: %w", what, syscall.ENOSPC)
	default:
		return fmt.Errorf("%s: %w", what, errFault)
	}
}

type faultyDisk struct {
	disk
	x *Faults
}

func (d faultyDisk) create(name string) (f file, err error) {
	err = d.x.do("create "+name, func() error {
		f, err = d.disk.create(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, x: d.x, name: name}, nil
}

func (d faultyDisk) rename(from, to string) error {
	return d.x.do("rename "+to, func() error { return d.disk.rename(from, to) })
}

func (d faultyDisk) sync() error { return d.x.do("sync folder", d.disk.sync) }

type faultyFile struct {
	file
	x       *Faults
	name    string
	unsaved [][2]int64 // offset and length of what was written since the last sync
}

func (f *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	how := f.x.next("write " + f.name)
	if how == "" || how == "persists" || how == "killed" {
		n, err := f.file.WriteAt(b, at)
		f.unsaved = append(f.unsaved, [2]int64{at, int64(n)})
		if how != "" {
			err = errFault
		}
		return n, err
	}
	if how == "fails" || how == "lost" {
		return 0, errFault
	}
	n, err := f.file.WriteAt(b[:len(b)/2], at)
	if err == nil {
		err = errFault
	}
	if how == "full" {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f *faultyFile) sync() error {
	switch how := f.x.next("sync " + f.name); how {
	case "":
		f.unsaved = nil
		return f.file.sync()
	case "persists", "killed":
		return errors.Join(f.file.sync(), errFault)
	case "lost":
		for _, w := range f.unsaved {
			if _, err := f.file.WriteAt(make([]byte, w[1]), w[0]); err != nil {
				return err
			}
		}
		return errFault
	default:
		return errFault
	}
}

func (f *faultyFile) Truncate(size int64) error {
	if how := f.x.next("truncate " + f.name); how != "" {
		return errFault
	}
	return f.file.Truncate(size)
}
