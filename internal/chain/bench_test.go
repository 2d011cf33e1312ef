package chain_test

import (
	"testing"

	"paravent/internal/ledger"
)

// How long nothing is recorded while a ledger is rotated: from Freeze to the
// first record in the next log, without the publishing between.
func BenchmarkRotation(b *testing.B) {
	o := options(newTable())
	o.Ledger.SegmentBytes = 0 // the product's
	dir := create(b, o)
	c := open(b, dir, o)
	look(b, c, ledger.KindIntent, 0, "c1", "e1", "x")
	for b.Loop() {
		c = rotate(b, dir, c, o)
		look(b, c, ledger.KindIntent, 0, "c1", "e1", "x")
	}
}

// What each frozen log adds to a start.
func BenchmarkOpenWithTenFrozenLogs(b *testing.B) {
	o := options(newTable())
	dir := create(b, o)
	c := open(b, dir, o)
	for range 10 {
		look(b, c, ledger.KindIntent, 0, "c1", "e1", "x")
		c = rotate(b, dir, c, o)
	}
	closed(b, c)
	for b.Loop() {
		closed(b, open(b, dir, o))
	}
}
