// Package audit is what an outsider does with a ledger: it publishes the tree as
// tiles and checkpoints, verifies all of it from files or over the network, and
// makes evidence that proves single records.
//
// It trusts nothing that it reads. Verify needs the log's public key and, to
// know that nothing was rewritten, a checkpoint that the reader kept himself or
// one that a witness cosigned; without either it says what it can't know. Each
// problem is named with file, byte and record. Every reader here is bounded and
// ends with its context: a hostile folder or server can waste a deadline, no more.
//
// Tiles (C2SP tlog-tiles) and checkpoints (C2SP tlog-checkpoint, signed-note)
// are a pure function of the journal, written behind it and rebuilt from it.
// They name nobody. docs/ledger-format.md describes all of it well enough to
// write another verifier; independent_test.go is one.
package audit
