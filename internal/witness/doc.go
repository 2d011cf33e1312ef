// Package witness makes the signing key alone not enough to rewrite the
// ledger (G4). A witness is another party, on a machine of its own, that
// remembers the last checkpoint it has seen of a log and puts its own signature
// only under one that contains everything of that one. A log with two stories
// can't get both cosigned, and the witness keeps the two as evidence.
//
// It holds three parts that meet only over HTTP: Witness, which the works
// council or an auditor runs; Client, which asks one; and Publisher, which
// follows a ledger, asks the configured witnesses about once a second and
// publishes the checkpoint with what they signed. Verify is for everyone else.
//
// The formats are those of C2SP: tlog-checkpoint, tlog-cosignature (Ed25519,
// cosignature/v1) and tlog-witness, so witnesses and logs of other make fit.
// Nothing here sees a record: a checkpoint names nobody. DESIGN.md beside this
// file tells what is kept where, and why.
package witness
