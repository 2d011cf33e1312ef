package chain

import (
	"paravent/internal/ledger"
)

// Dropped describes a log that was dropped.
type Dropped struct {
	Name   string // "0001"
	Origin string
	Base   uint64      // Number of its first record
	Size   uint64      // records
	Root   ledger.Hash // of its final tree
	Keys   int         // persons' keys that were destroyed with it: no log needs them any more
}

// finishDrops removes what an interrupted Drop left.
func (c *Chain) finishDrops() error { return nil }
