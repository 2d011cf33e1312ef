// Package audit is what an outsider does with a ledger: it publishes the tree of
// each log as tiles and checkpoints, verifies all logs and how they follow each
// other, from files or over the network, and makes evidence that proves single
// records.
//
// It trusts nothing that it reads. Verifying needs the public key of any of the
// ledger's logs and, to know that nothing was rewritten, a checkpoint that the
// reader kept himself or one that a witness cosigned; without either it says what
// it can't know. Each problem is named with log, file, byte and record. Every
// reader here is bounded and ends with its context: a hostile folder or server
// can waste a deadline, no more.
//
// A log stays as it was when another follows it: its last record names the next
// log's key, and the next log's first record holds its last checkpoint and what
// its key signed of the next. So one known key proves all of them, forward by
// signatures and backward by roots.
//
// Tiles (C2SP tlog-tiles) and checkpoints (C2SP tlog-checkpoint, signed-note)
// are a pure function of the journal, written behind it and rebuilt from it.
// They name nobody. docs/ledger-format.md describes all of it well enough to
// write another verifier; independent_test.go is one.
package audit
