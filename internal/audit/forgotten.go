package audit

import (
	"errors"
	"io/fs"
	"slices"

	"paravent/internal/ledger"
)

// forgottenFile is the list of destroyed keys in a ledger's folder, from which
// the server knows at its start what must not come back.
const forgottenFile = "forgotten"

// A forgottenList is that list, as it was at one moment.
type forgottenList struct {
	keys map[ledger.KeyID]uint64 // 1 + record of the leaf; 0: it is about to be written
	err  error
}

func readForgotten(dir string, t *trust) forgottenList {
	keys, err := ledger.ReadForgotten(dir, t.pub)
	return forgottenList{keys: keys, err: err}
}

// list holds the list against the leaves. A running server adds a key to it
// before it writes the leaf, and the leaf's place after: so what stood in the list
// before the journal was read must be in the journal, and what was in the journal
// must be in the list afterwards.
func (k *keyBook) list(r *Report, before, after forgottenList) {
	switch {
	case errors.Is(after.err, fs.ErrNotExist):
		if len(k.destroyed()) > 0 {
			r.note("%s, the list of destroyed keys, is missing; the server makes it again from the journal when it starts", forgottenFile)
		}
		return
	case after.err != nil:
		r.problem(forgottenFile, unknown, unknown, "the list of destroyed keys can't be read: %v", after.err)
		return
	}
	for id, leaf := range before.keys {
		s := k.keys[id]
		if leaf > 0 && (s == nil || s.gone != int64(leaf)-1 && !slices.Contains(s.again, int64(leaf)-1)) {
			r.problem(forgottenFile, unknown, int64(leaf)-1, "the list says that this record destroyed key %x, and it did not", id)
		}
	}
	for id, s := range k.keys {
		if _, listed := after.keys[id]; s.gone >= 0 && !listed {
			r.problem(forgottenFile, unknown, s.gone, "key %x, which this record destroyed, is not in the list: brought back from a backup, it would open again", id)
		}
	}
}

// destroyed returns the keys that a leaf says were destroyed.
func (k *keyBook) destroyed() map[ledger.KeyID]Destroyed {
	all := map[ledger.KeyID]Destroyed{}
	for id, s := range k.keys {
		if s.gone >= 0 {
			all[id] = Destroyed{Record: uint64(s.gone), At: s.goneAt}
		}
	}
	return all
}
