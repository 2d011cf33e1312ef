package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"paravent/internal/ledger"
)

// forgottenFile is the list of destroyed keys in a log's folder, from which
// the server knows at its start what must not come back.
const forgottenFile = "forgotten"

// maxForgotten bounds that list, in bytes: six million keys.
const maxForgotten = 256 << 20

// A forgottenList is that list, as it was at one moment.
type forgottenList struct {
	keys map[ledger.KeyID]uint64 // 1 + record of the leaf; 0: it is about to be written
	err  error
}

func readForgotten(dir string, key *logKey) forgottenList {
	path := filepath.Join(dir, forgottenFile)
	if err := regular(path); err != nil {
		return forgottenList{err: err}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > maxForgotten {
		return forgottenList{err: errors.Join(err, fmt.Errorf("it has more than %d bytes", maxForgotten))}
	}
	keys, err := ledger.ReadForgotten(dir, key.pub)
	return forgottenList{keys: keys, err: err}
}

// list holds the list of the log that was just read against its leaves. A
// running server adds a key to it before it writes the leaf, and the leaf's place
// after: so what stood in the list before the journal was read must be in the
// journal, and what was in the journal must be in the list afterwards.
func (k *keyBook) list(r *Report, before, after forgottenList) {
	log := len(k.names) - 1
	switch {
	case errors.Is(after.err, fs.ErrNotExist):
		for _, s := range k.keys {
			if len(s.goneIn(log)) > 0 {
				r.note("%s, the list of destroyed keys, is missing; the server makes it again from the journal when it starts", forgottenFile)
				return
			}
		}
		return
	case after.err != nil:
		r.problem(forgottenFile, unknown, unknown, "the list of destroyed keys can't be read: %v", after.err)
		return
	}
	for id, leaf := range before.keys {
		s := k.keys[id]
		if leaf > 0 && (s == nil || !s.destroyedAt(k.here(leaf-1))) {
			r.problem(forgottenFile, unknown, int64(leaf)-1, "the list says that this record destroyed key %x, and it did not", id)
		}
	}
	for id, s := range k.keys {
		if _, listed := after.keys[id]; listed {
			continue
		}
		if gone := s.goneIn(log); len(gone) > 0 {
			r.problem(forgottenFile, unknown, gone[0].record, "key %x, which this record destroyed, is not in the list: brought back from a backup, it would open again", id)
		}
	}
}

// destroyed returns the keys that a leaf says were destroyed.
func (k *keyBook) destroyed() map[ledger.KeyID]Destroyed {
	all := map[ledger.KeyID]Destroyed{}
	for id, s := range k.keys {
		if s.gone.known() {
			all[id] = Destroyed{Record: k.number(s.gone), At: s.goneAt}
		}
	}
	return all
}
