package ledger

import (
	"strings"
	"sync"
)

// OnAll is On, and counts what else changes the disk: cutting a file that was
// opened to be read, and removing one. A file goes by its newest name. Nothing is
// synced in truth: what a fault loses is overwritten, which is worse.
func (x *Faults) OnAll(o Options) Options {
	o.disk = func(dir string) disk {
		return &wholeDisk{faultyDisk: faultyDisk{lazyDisk{folder(dir)}, x}, made: map[string]*faultyFile{}}
	}
	return o
}

type lazyDisk struct{ disk }

func (d lazyDisk) create(name string) (file, error) {
	f, err := d.disk.create(name)
	return unsyncedFile{f}, err
}

func (d lazyDisk) open(name string) (file, error) {
	f, err := d.disk.open(name)
	return unsyncedFile{f}, err
}

func (lazyDisk) sync() error { return nil }

type wholeDisk struct {
	faultyDisk

	mu   sync.Mutex
	made map[string]*faultyFile
}

func (d *wholeDisk) create(name string) (file, error) {
	f, err := d.faultyDisk.create(name)
	if err == nil {
		d.mu.Lock()
		d.made[name] = f.(*faultyFile)
		d.mu.Unlock()
	}
	return f, err
}

func (d *wholeDisk) open(name string) (file, error) {
	f, err := d.disk.open(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, x: d.x, name: name}, nil
}

func (d *wholeDisk) rename(from, to string) error {
	err := d.faultyDisk.rename(from, to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.made[from]; f != nil && err == nil {
		f.name = to
	}
	return err
}

func (d *wholeDisk) remove(name string) error {
	return d.x.do("remove "+name, func() error { return d.disk.remove(name) })
}

// Writes is a disk that notes which kinds of changes are made to it, and what of
// them could still be lost with the power.
type Writes struct {
	mu    sync.Mutex
	kinds map[string]bool
	loose map[string]bool // files with bytes, and names, that aren't synced
}

// Loose returns what could still be lost, apart from room that is made ahead.
func (w *Writes) Loose() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for what := range w.loose {
		if what != spareName {
			all = append(all, what)
		}
	}
	return all
}

// track keeps loose up to date. A file that gets its name before its bytes are
// synced stays loose for ever.
func (w *Writes) track(action, name string) {
	switch action {
	case "write":
		w.loose[name] = true
	case "sync":
		delete(w.loose, name)
	case "rename":
		w.loose["the name "+name] = true
	case "sync folder":
		for what := range w.loose {
			if strings.HasPrefix(what, "the name ") {
				delete(w.loose, what)
			}
		}
	}
}

// KindOfWrite returns an operation without the number of its segment.
func KindOfWrite(what string) string {
	action, name, _ := strings.Cut(what, " ")
	if digits, rest, ok := strings.Cut(name, "."); ok && strings.Trim(digits, "0123456789") == "" {
		name = "segment." + rest
	}
	return action + " " + name
}

// Kinds returns them.
func (w *Writes) Kinds() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kinds
}

// On returns options whose disk is noted down.
func (w *Writes) On(o Options) Options {
	w.kinds, w.loose = map[string]bool{}, map[string]bool{}
	o.disk = func(dir string) disk {
		return &notingDisk{disk: folder(dir), w: w, made: map[string]*notingFile{}}
	}
	return o
}

func (w *Writes) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kinds[KindOfWrite(what)] = true
	if action, name, _ := strings.Cut(what, " "); what == "sync folder" {
		w.track(what, "")
	} else {
		w.track(action, name)
	}
}

type notingDisk struct {
	disk
	w *Writes

	mu   sync.Mutex
	made map[string]*notingFile
}

func (d *notingDisk) create(name string) (file, error) {
	d.w.note("create " + name)
	f, err := d.disk.create(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[name] = &notingFile{f, d.w, name}
	return d.made[name], nil
}

func (d *notingDisk) open(name string) (file, error) {
	f, err := d.disk.open(name)
	if err != nil {
		return nil, err
	}
	return &notingFile{f, d.w, name}, nil
}

func (d *notingDisk) rename(from, to string) error {
	d.w.note("rename " + to)
	err := d.disk.rename(from, to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.made[from]; f != nil && err == nil {
		f.name = to
	}
	return err
}

func (d *notingDisk) remove(name string) error {
	d.w.note("remove " + name)
	return d.disk.remove(name)
}

func (d *notingDisk) sync() error {
	d.w.note("sync folder")
	return d.disk.sync()
}

type notingFile struct {
	file
	w    *Writes
	name string
}

func (f *notingFile) WriteAt(b []byte, at int64) (int, error) {
	f.w.note("write " + f.name)
	return f.file.WriteAt(b, at)
}

func (f *notingFile) sync() error {
	f.w.note("sync " + f.name)
	return f.file.sync()
}

func (f *notingFile) Truncate(size int64) error {
	f.w.note("truncate " + f.name)
	return f.file.Truncate(size)
}
