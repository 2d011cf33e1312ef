package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNoKey says that there is no key to be destroyed: nothing is sealed about
// this person, or no longer.
var ErrNoKey = errors.New("ledger: this person has no key")

// Destroy makes everything that is sealed about the person unreadable, for
// ever (G5). A KindForget leaf says so, durably, before the key is destroyed in
// the table; no record after that leaf is sealed under it. It returns the
// leaf's receipt, and ErrNoKey where there is nothing to destroy. Any other
// error leaves open how far it came: then it's right to call it again; once the
// leaf is durable nothing opens with the key any more, and the next Open
// destroys it at the latest.
//
// A record about the person that comes later, or is on its way at that moment,
// is sealed under a new key, which can be destroyed in its turn: to refuse it
// would be to lose a look-up (G3).
func (l *Ledger) Destroy(ctx context.Context, person string) (Receipt, error) {
	l.forgetting.Lock()
	defer l.forgetting.Unlock()
	if err := l.ready(ctx); err != nil {
		return Receipt{}, err
	}
	// Until the key is gone nobody reads or makes one: who meets the person
	// meanwhile waits for the new key.
	l.keys.turn.Lock()
	defer l.keys.turn.Unlock()
	rows, err := l.o.Keys.Lookup(ctx, []string{person})
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: destroy a key: look it up: %w", ErrUnavailable, err)
	}
	key, ok := rows[person]
	if !ok {
		return Receipt{}, ErrNoKey
	}
	// From here on it goes to its end, whatever becomes of the caller.
	ctx = context.WithoutCancel(ctx)
	ids := []KeyID{key.ID}
	if err := l.forgotten.intend(ids, l.Size()); err != nil {
		return Receipt{}, fmt.Errorf("%w: destroy a key: %w", ErrUnavailable, err)
	}
	p := l.own(KindForget, string(key.ID[:]))
	p.forgets = ids
	g, err := l.submit(ctx, p)
	if err != nil {
		return Receipt{}, fmt.Errorf("ledger: destroy a key: %w", err)
	}
	if err := l.forgotten.done(ids, p.position, p.at); err != nil {
		l.o.Log.Warn("could not note where a forget leaf is; the next start looks for it", "error", err)
	}
	if err := l.o.Keys.Destroy(ctx, ids); err != nil {
		return Receipt{}, fmt.Errorf("%w: destroy a key: the leaf is written, the key is not destroyed yet: %w", ErrUnavailable, err)
	}
	return l.receipt(g, p), nil
}

// living takes out of a group the records that are sealed under a key which a
// leaf before them destroys; they are marked as refused and sealed anew by who
// appended them. It runs before the group is built and in its order, so no
// record stands behind its key's forget leaf. l.turn is held.
func (l *Ledger) living(records []*prepared) []*prepared {
	kept := records[:0]
	for _, p := range records {
		if len(p.forgets) > 0 {
			l.keys.doom(p.forgets, doom{position: math.MaxUint64})
			l.dooms++
		}
		p.refused = l.dead(p.keys[0]) || l.dead(p.keys[1])
		if !p.refused {
			kept = append(kept, p)
		}
	}
	return kept
}

// dead says whether the sealer's key is destroyed. It asks the keyring only
// where something was destroyed since it asked last. l.turn is held.
func (l *Ledger) dead(s *sealer) bool {
	if s == nil {
		return false
	}
	if s.dooms != l.dooms {
		s.dooms, s.dead = l.dooms, l.keys.doomed(s.id)
	}
	return s.dead
}

// replay destroys again every key of which a leaf says that it is destroyed: a
// crash may have come between the two, and a key table restored from a backup
// brings keys back (G5).
func (l *Ledger) replay(ctx context.Context) error {
	if err := l.forgotten.load(l); err != nil {
		return fmt.Errorf("ledger: open: list of destroyed keys: %w", err)
	}
	ids := l.forgotten.ids()
	if len(ids) > 0 {
		l.dooms++
	}
	for _, e := range l.forgotten.entries {
		l.keys.doom([]KeyID{e.id}, doom{position: e.leaf - 1, at: e.at})
	}
	back, err := l.o.Keys.ByID(ctx, ids)
	if err != nil {
		return fmt.Errorf("ledger: open: look for destroyed keys: %w", err)
	}
	if len(back) == 0 {
		return nil
	}
	again := make([]KeyID, 0, len(back))
	for id, key := range back {
		again = append(again, id)
		l.returned = append(l.returned, key.Person)
	}
	slices.Sort(l.returned)
	slices.SortFunc(again, func(a, b KeyID) int { return slices.Compare(a[:], b[:]) })
	if err := l.o.Keys.Destroy(ctx, again); err != nil {
		return fmt.Errorf("ledger: open: destroy keys again: %w", err)
	}
	l.o.Log.Warn("keys that were destroyed had come back and are destroyed again: was the key table restored?", "keys", len(again))
	return nil
}

// Returned names the persons whose destroyed keys were found in the key table
// when the ledger was opened, and are destroyed again: whatever was restored
// with that table may still speak of them.
func (l *Ledger) Returned() []string { return slices.Clone(l.returned) }

// ForgottenKeys reads the Detail of a KindForget leaf: the ids of the keys that
// it says are destroyed, 1 to 64 of them, each once, 16 bytes each.
func ForgottenKeys(detail []byte) ([]KeyID, error) {
	if len(detail) == 0 || len(detail)%keyIDSize != 0 || len(detail) > maxDetail {
		return nil, fmt.Errorf("%w: %d bytes of key ids", errLeaf, len(detail))
	}
	ids := make([]KeyID, 0, len(detail)/keyIDSize)
	seen := map[KeyID]bool{}
	for ; len(detail) > 0; detail = detail[keyIDSize:] {
		id := KeyID(detail[:keyIDSize])
		if seen[id] {
			return nil, fmt.Errorf("%w: a key id stands twice", errLeaf)
		}
		seen[id] = true
		ids = append(ids, id)
	}
	return ids, nil
}
