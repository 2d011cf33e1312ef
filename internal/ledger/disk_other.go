//go:build !linux

package ledger

func (f osFile) sync() error                  { return f.Sync() }
func (f osFile) reserve(from, to int64) error { return f.Truncate(to) }
func (f osFile) uncache() error               { return nil }
