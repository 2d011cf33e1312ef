// Package ledger keeps the record of every look-up: a journal that is on disk
// before anything is released (G3), in which no record can be changed, dropped,
// moved or doubled unseen (G4), and in which a person can be forgotten while
// every proof still holds (G5).
//
// A record is a frame (position, time, node, kind, outcome: no person in it)
// and up to two personal parts. Each part is sealed under its person's own key;
// what the Merkle tree holds of it is a commitment. The record's index in the
// tree is its position in the journal. Records are committed in batches, by
// what is in flight and never by sleeping: one write, one fdatasync and one
// signed tree head for all of them; each caller gets a receipt with a real
// inclusion proof, which the public key alone verifies.
//
// The package knows nothing of tasks, policies or customers: kinds, outcomes
// and parts are opaque to it. It imports nothing of ours. The table of persons'
// keys is the caller's (Keys). DESIGN.md beside this file describes the format
// byte by byte, the life of one record and every crash point.
package ledger
