package audit

import (
	"context"
	"iter"
	"time"

	"paravent/internal/ledger"
)

// A keyState is what the ledger's leaves say of one key.
type keyState struct {
	check  ledger.Hash
	made   int64     // record of its leaf; -1: none
	gone   int64     // record that says first that it was destroyed; -1: none
	again  []int64   // records that say so once more: a failed destruction is repeated
	goneAt time.Time // of the first of them
	first  int64     // record that was sealed with it first; -1: none
	sealed uint64
}

// A keyBook collects what the ledger says of its keys.
type keyBook struct {
	keys map[ledger.KeyID]*keyState
}

func (k *keyBook) of(id ledger.KeyID) *keyState {
	s := k.keys[id]
	if s == nil {
		s = &keyState{made: unknown, gone: unknown, first: unknown}
		k.keys[id] = s
	}
	return s
}

// join adds what a stretch says of keys.
func (k *keyBook) join(r *Report, s *stretch) {
	file := s.file
	for _, l := range s.keys {
		state := k.of(l.id)
		switch {
		case l.gone && state.made < 0:
			r.problem(file, unknown, int64(l.record), "it says that key %x was destroyed, but no record says that there was one", l.id)
		case l.gone:
			if state.gone >= 0 {
				state.again = append(state.again, int64(l.record))
				break
			}
			r.Erased++
			state.gone, state.goneAt = int64(l.record), l.at
		case state.made >= 0 && state.check != l.check:
			r.problem(file, unknown, int64(l.record), "key %x was made a second time, with another secret than in record %d", l.id, state.made)
		case state.made < 0:
			r.Keys++
			state.made, state.check = int64(l.record), l.check
		}
	}
	for id, u := range s.used {
		state := k.of(id)
		state.sealed += u.count
		if state.first < 0 || int64(u.first) < state.first {
			state.first = int64(u.first)
		}
		if state.made < 0 || state.made > int64(u.first) {
			r.problem(file, unknown, int64(u.first), "it is sealed with key %x, which no record before it has made known", id)
			state.made = int64(u.first)
		}
		if state.gone >= 0 && state.gone < int64(u.last) {
			r.problem(file, unknown, int64(u.last), "it is sealed with key %x, which record %d says was destroyed", id, state.gone)
		}
	}
}

// table holds the key table against the leaves: each key that was made and not
// destroyed must be there, with the secret and the person that its leaf proves.
// Rows come oldest first. No person is named.
// Before are the keys that were there before the journal was read: one that is
// destroyed by a running server meanwhile, rightly, has its leaf behind what was read.
func (k *keyBook) table(ctx context.Context, r *Report, rows iter.Seq2[ledger.Key, error], before map[ledger.KeyID]bool) error {
	const file = "key table"
	have := map[ledger.KeyID]bool{}
	var newest bool
	var spare []ledger.KeyID
	for row, err := range rows {
		if err != nil {
			r.problem(file, unknown, unknown, "a row can't be read: %v", err)
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if have[row.ID] {
			r.problem(file, unknown, unknown, "two rows have the key %x", row.ID)
		}
		have[row.ID] = true
		state := k.keys[row.ID]
		switch {
		case state == nil:
			spare = append(spare, row.ID)
			newest = true
			continue
		case state.gone >= 0:
			r.problem(file, unknown, state.gone, "key %x is still there, though this record says that it was destroyed; replay erasures after a restore", row.ID)
		case state.check != row.Check():
			r.problem(file, unknown, state.made, "the row of key %x isn't the one whose making this record proves: its secret or its person was changed, and %d parts can't be opened", row.ID, state.sealed)
		}
		newest = false
	}
	for id, state := range k.keys {
		if !have[id] && !before[id] && state.gone < 0 {
			r.problem(file, unknown, max(state.first, state.made), "the row of key %x is missing, and no record says that it was destroyed: %d parts can't be opened", id, state.sealed)
		}
	}
	switch {
	case len(spare) == 0:
	case len(spare) == 1 && newest:
		r.note("key %x, the newest, is in the key table without a record that it was made: the process ended between the two, or a record is just being written. Nothing is sealed with it", spare[0])
	default:
		r.note("%d keys are in the key table without a record that they were made (the first is %x): writes that were refused or cut off leave such keys, so does somebody who adds rows. Nothing is sealed with them", len(spare), spare[0])
	}
	return nil
}

// idsOf returns the ids of the rows that can be read; nil without a table.
func idsOf(rows iter.Seq2[ledger.Key, error]) map[ledger.KeyID]bool {
	if rows == nil {
		return nil
	}
	ids := map[ledger.KeyID]bool{}
	for row, err := range rows {
		if err == nil {
			ids[row.ID] = true
		}
	}
	return ids
}
