package ledger

import "sync/atomic"

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
