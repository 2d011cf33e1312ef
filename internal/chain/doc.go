// Package chain keeps a ledger that is made of several logs, one behind the other:
// all but the last are frozen, the last is written to. So one act is rotation of
// the signing key, the yearly change and the beginning of retention: a frozen log
// can be dropped as a whole.
//
// Each log is a folder of package ledger, with a tree, an origin and a signing key
// of its own: dir/0001, dir/0002, without a gap. The last record of a frozen log
// names the key of the log that follows; the first record of that one holds the
// old log's last checkpoint and the old key's signature on the new. So no log can
// be exchanged or added unseen, nor vanish from between two others (G4); that the
// newest are still there is for witnesses to say. A record's Number counts through
// all of them.
//
// The package decides what is done in which order, so that a crash between any
// two steps is put right by the next Open; ledger/DESIGN.md, "Rotation", lists
// them. It trusts no folder by its name: Open verifies every link.
package chain
