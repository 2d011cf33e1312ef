package audit

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"paravent/internal/ledger"
)

// A spot is a record of one of the logs that are verified together.
type spot struct {
	log    int // from 0
	record int64
}

// nowhere is no record.
var nowhere = spot{-1, unknown}

func (s spot) known() bool { return s.log >= 0 }

// before says whether a record comes before another one.
func (s spot) before(o spot) bool { return s.log < o.log || s.log == o.log && s.record < o.record }

// A keyState is what the ledger's leaves say of one key.
type keyState struct {
	check  ledger.Hash
	made   spot      // its first leaf
	here   spot      // the leaf that made it known in the log that was read last
	gone   spot      // the first leaf that says that it was destroyed
	again  []spot    // those that say so once more: a failed destruction is repeated
	goneAt time.Time // of the first of them
	first  spot      // the record that was sealed with it first
	sealed uint64
}

// A keyBook collects what the leaves of all logs say of persons' keys: one key
// may seal records in several logs, each of which makes it known anew, and be
// destroyed by a leaf in the last.
type keyBook struct {
	keys  map[ledger.KeyID]*keyState
	names []string // of the logs so far; the last is being read
	bases []uint64 // number of each log's first record
	early bool     // there were logs before the first one, whose leaves aren't here
	late  bool     // there are logs behind the last one, whose leaves aren't here
}

func newKeyBook() *keyBook { return &keyBook{keys: map[ledger.KeyID]*keyState{}} }

// open begins the next log.
func (k *keyBook) open(name string) {
	k.names, k.bases = append(k.names, name), append(k.bases, 0)
}

func (k *keyBook) of(id ledger.KeyID) *keyState {
	s := k.keys[id]
	if s == nil {
		s = &keyState{made: nowhere, here: nowhere, gone: nowhere, first: nowhere}
		k.keys[id] = s
	}
	return s
}

// here returns a record of the log that is being read.
func (k *keyBook) here(record uint64) spot { return spot{len(k.names) - 1, int64(record)} }

// say names a record, with its log where that isn't the one being read.
func (k *keyBook) say(s spot) string {
	if s.log == len(k.names)-1 {
		return fmt.Sprintf("record %d", s.record)
	}
	return fmt.Sprintf("record %d of log %s", s.record, k.names[s.log])
}

// number returns a record's number in the whole ledger.
func (k *keyBook) number(s spot) uint64 { return k.bases[s.log] + uint64(s.record) }

// join adds what a stretch says of keys.
func (k *keyBook) join(r *Report, s *stretch) {
	for _, l := range s.keys {
		if l.gone {
			k.unmake(r, s, l)
		} else {
			k.make(r, s, l)
		}
	}
	for id, u := range s.used {
		state, first, last := k.of(id), k.here(u.first), k.here(u.last)
		state.sealed += u.count
		if !state.first.known() || first.before(state.first) {
			state.first = first
		}
		if state.here.log != first.log || first.before(state.here) {
			r.problem(s.file, unknown, first.record, "it is sealed with key %x, which no record before it has made known", id)
			state.here = first
			if !state.made.known() {
				state.made = first
			}
		}
		if state.gone.known() && state.gone.before(last) {
			r.problem(s.file, unknown, last.record, "it is sealed with key %x, which %s says was destroyed", id, k.say(state.gone))
		}
	}
}

// make takes a leaf that says that a key was made. Within one log it may stand
// twice; each log makes it known again.
func (k *keyBook) make(r *Report, s *stretch, l keyLeaf) {
	state, at := k.of(l.id), k.here(l.record)
	if state.made.known() && state.check != l.check {
		r.problem(s.file, unknown, at.record, "key %x was made a second time, with another secret than in %s", l.id, k.say(state.made))
	}
	if state.gone.known() && state.gone.log < at.log {
		r.problem(s.file, unknown, at.record, "key %x is used again, though %s says that it was destroyed", l.id, k.say(state.gone))
	}
	if !state.made.known() {
		state.made, state.check = at, l.check
	}
	if state.here.log != at.log {
		r.Keys++
		state.here = at
	}
}

// unmake takes a leaf that says that a key was destroyed.
func (k *keyBook) unmake(r *Report, s *stretch, l keyLeaf) {
	state, at := k.of(l.id), k.here(l.record)
	if !state.made.known() && !k.early {
		r.problem(s.file, unknown, at.record, "it says that key %x was destroyed, but no record says that there was one", l.id)
		return
	}
	if state.gone.known() {
		state.again = append(state.again, at)
		return
	}
	r.Erased++
	state.gone, state.goneAt = at, l.at
}

// goneIn returns the leaves of a log that say that the key was destroyed.
func (s *keyState) goneIn(log int) []spot {
	var all []spot
	if s.gone.log == log {
		all = append(all, s.gone)
	}
	for _, a := range s.again {
		if a.log == log {
			all = append(all, a)
		}
	}
	return all
}

// destroyedAt says whether that leaf says that the key was destroyed.
func (s *keyState) destroyedAt(at spot) bool { return slices.Contains(s.goneIn(at.log), at) }

// keyTable names the key table in problems.
const keyTable = "key table"

// problem returns a problem of the key table at a record.
func (k *keyBook) problem(at spot, format string, args ...any) Problem {
	p := Problem{File: keyTable, Byte: unknown, Record: at.record, What: fmt.Sprintf(format, args...)}
	if at.known() && k.names[at.log] != "" {
		p.Log, p.Number = k.names[at.log], int64(k.number(at))
	}
	return p
}

// table holds the key table against the leaves: each key that was made and not
// destroyed must be there, with the secret and the person that its leaf proves.
// Rows come oldest first. No person is named.
// Before are the keys that were there before the journal was read: one that is
// destroyed by a running server meanwhile, rightly, has its leaf behind what was read.
func (k *keyBook) table(ctx context.Context, r *Report, rows iter.Seq2[ledger.Key, error], before map[ledger.KeyID]bool) error {
	have := map[ledger.KeyID]bool{}
	var newest bool
	var spare, back []ledger.KeyID
	for row, err := range rows {
		if err != nil {
			r.problem(keyTable, unknown, unknown, "a row can't be read: %v", err)
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if have[row.ID] {
			r.problem(keyTable, unknown, unknown, "two rows have the key %x", row.ID)
		}
		have[row.ID] = true
		state := k.keys[row.ID]
		newest = state == nil
		switch {
		case state == nil:
			spare = append(spare, row.ID)
		case state.gone.known():
			back = append(back, row.ID)
		case state.made.known() && state.check != row.Check():
			r.Add(k.problem(state.made, "the row of key %x isn't the one whose making this record proves: its secret or its person was changed, and %d parts can't be opened", row.ID, state.sealed))
		}
	}
	back, err := stillThere(ctx, rows, back)
	if err != nil {
		return err
	}
	for _, id := range back {
		r.Add(k.problem(k.keys[id].gone, "key %x is still there, though this record says that it was destroyed; replay erasures after a restore", id))
	}
	lost := 0
	for id, state := range k.keys {
		if have[id] || before[id] || state.gone.known() {
			continue
		}
		if lost++; k.late {
			continue
		}
		at := state.made
		if at.before(state.first) {
			at = state.first
		}
		r.Add(k.problem(at, "the row of key %x is missing, and no record says that it was destroyed: %d parts can't be opened", id, state.sealed))
	}
	if k.late && lost > 0 {
		r.unknown("whether the %d keys of this log that are missing in the key table were rightly destroyed: a log behind this one would say so; verify the whole ledger", lost)
	}
	k.tellSpare(r, spare, newest)
	return nil
}

// A running server writes the leaf first and destroys the key behind it: for that
// it gets twice this time, in which the table is read again and again, ever more
// seldom.
const destroyedWithin = 800 * time.Millisecond

// stillThere returns which of these keys stay in the table.
func stillThere(ctx context.Context, rows iter.Seq2[ledger.Key, error], back []ledger.KeyID) ([]ledger.KeyID, error) {
	for wait := destroyedWithin / 16; len(back) > 0 && wait <= destroyedWithin; wait *= 2 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		now := idsOf(rows)
		back = slices.DeleteFunc(back, func(id ledger.KeyID) bool { return !now[id] })
	}
	return back, nil
}

// tellSpare notes rows of the key table of which no leaf tells.
func (k *keyBook) tellSpare(r *Report, spare []ledger.KeyID, newest bool) {
	switch {
	case len(spare) == 0 || len(k.names) == 1 && k.names[0] == "" && (k.early || k.late):
	case len(spare) == 1 && newest:
		r.note("key %x, the newest, is in the key table without a record that it was made: the process ended between the two, or a record is just being written. Nothing is sealed with it", spare[0])
	case k.early:
		r.note("%d keys are in the key table without a record that they were made (the first is %x): writes that were refused or cut off leave such keys, so does somebody who adds rows; and so does an older log that was taken away by hand, for dropping it properly destroys the keys that it alone used", len(spare), spare[0])
	default:
		r.note("%d keys are in the key table without a record that they were made (the first is %x): writes that were refused or cut off leave such keys, so does somebody who adds rows. Nothing is sealed with them", len(spare), spare[0])
	}
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
