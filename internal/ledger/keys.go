package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// A KeyID names one key. It is random, so it names nobody.
type KeyID [16]byte

// A Key seals all parts about one person. Destroying it makes them unreadable (G5).
type Key struct {
	Person string // such as "customer:c17"
	ID     KeyID  // written beside each part that it seals
	Secret []byte // 32 bytes
}

// Keys is the table of keys, kept apart from the journal.
type Keys interface {
	// Lookup returns the keys of these persons. Who has none is absent from
	// the map; that's no error.
	Lookup(ctx context.Context, persons []string) (map[string]Key, error)
	// ByID returns the keys of these ids. What isn't there (any more) is
	// absent from the map; that's no error.
	ByID(ctx context.Context, ids []KeyID) (map[KeyID]Key, error)
	// Create stores keys and is durable on return. A person who has a key
	// keeps it: that row is left as it is and the new key forgotten, without error.
	Create(ctx context.Context, keys []Key) error
	// Destroy removes the keys of these ids so that nothing of them can be read
	// on the disk any more, and is durable on return. What isn't there is no error.
	Destroy(ctx context.Context, ids []KeyID) error
}

// A keyring hands out sealers. It asks the table once for all who wait, and
// keeps what was used lately.
type keyring struct {
	table Keys
	size  func() uint64 // records that are durable

	mu      sync.Mutex
	recent  map[string]*sealer // used since the last turn
	older   map[string]*sealer // used before it
	byID    map[KeyID]*sealer  // of both
	half    int                // recent's bound; at most twice as many are kept
	waiting *fetch             // the fetch that may still be joined
	dooms   map[KeyID]doom     // by KindForget leaves

	turn sync.Mutex // held by the leader of the fetch in flight, and while a key is destroyed
}

// A fetch is one question to the table for several persons at once. Its first
// asker leads: he waits for the fetch before it, then asks for all who joined.
type fetch struct {
	persons map[string]bool
	done    chan struct{}
	found   map[string]*sealer // read after done
	err     error              // read after done
}

func newKeyring(table Keys, most int, size func() uint64) *keyring {
	return &keyring{table: table, size: size, half: max(most/2, 2), dooms: map[KeyID]doom{},
		recent: map[string]*sealer{}, older: map[string]*sealer{}, byID: map[KeyID]*sealer{}}
}

// of returns the person's sealer, making his key where he has none. The key is
// durable when of returns.
func (k *keyring) of(ctx context.Context, person string) (*sealer, error) {
	k.mu.Lock()
	if s := k.cached(person); s != nil {
		k.mu.Unlock()
		return s, nil
	}
	k.mu.Unlock()
	found, err := k.fetch(ctx, person)
	if err != nil {
		return nil, err
	}
	if found[person] == nil {
		return nil, errLeaving
	}
	return found[person], nil
}

// errLeaving says that the leaf which destroys a person's key is not durable
// yet: nobody can tell whether the old key or a new one is right.
var errLeaving = fmt.Errorf("%w: a key is being destroyed", ErrUnavailable)

// all is of for many persons, with one question to the table.
func (k *keyring) all(ctx context.Context, persons []string) (map[string]*sealer, error) {
	have := make(map[string]*sealer, len(persons))
	var missing []string
	k.mu.Lock()
	for _, p := range persons {
		if have[p] != nil {
			continue
		}
		if s := k.cached(p); s != nil {
			have[p] = s
		} else {
			missing = append(missing, p)
		}
	}
	k.mu.Unlock()
	if len(missing) == 0 {
		return have, nil
	}
	found, err := k.fetch(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for _, p := range missing {
		if found[p] == nil {
			return nil, errLeaving
		}
		have[p] = found[p]
	}
	return have, nil
}

// fetch asks the table for persons, together with whoever asks meanwhile.
func (k *keyring) fetch(ctx context.Context, persons ...string) (map[string]*sealer, error) {
	k.mu.Lock()
	f, leads := k.waiting, false
	if f == nil {
		f, leads = &fetch{persons: map[string]bool{}, done: make(chan struct{})}, true
		k.waiting = f
	}
	for _, p := range persons {
		f.persons[p] = true
	}
	k.mu.Unlock()
	if leads {
		k.turn.Lock()
		k.mu.Lock()
		k.waiting = nil
		k.mu.Unlock()
		// Others wait for this answer too: one caller's end isn't theirs.
		f.found, f.err = k.ask(context.WithoutCancel(ctx), slices.Sorted(maps.Keys(f.persons)))
		k.turn.Unlock()
		close(f.done)
	}
	select {
	case <-f.done:
		return f.found, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask reads the keys of persons from the table, making those that aren't there.
func (k *keyring) ask(ctx context.Context, persons []string) (map[string]*sealer, error) {
	rows, err := k.table.Lookup(ctx, persons)
	if err != nil {
		return nil, fmt.Errorf("%w: look up keys: %w", ErrUnavailable, err)
	}
	leaving, err := k.sweep(ctx, rows)
	if err != nil {
		return nil, err
	}
	persons = slices.DeleteFunc(persons, func(p string) bool { return leaving[p] })
	var fresh []Key
	for _, p := range persons {
		if _, ok := rows[p]; ok {
			continue
		}
		n := Key{Person: p, Secret: make([]byte, secretSize)}
		rand.Read(n.Secret)
		rand.Read(n.ID[:])
		fresh = append(fresh, n)
	}
	if len(fresh) > 0 {
		if err := k.table.Create(ctx, fresh); err != nil {
			return nil, fmt.Errorf("%w: make keys: %w", ErrUnavailable, err)
		}
		// Read back: what is used is what the table holds, whoever made it.
		if rows, err = k.table.Lookup(ctx, persons); err != nil {
			return nil, fmt.Errorf("%w: read new keys: %w", ErrUnavailable, err)
		}
	}
	found := make(map[string]*sealer, len(persons))
	for _, p := range persons {
		row, ok := rows[p]
		if !ok || row.Person != p {
			return nil, fmt.Errorf("%w: the key table lost a key that it had just stored", ErrUnavailable)
		}
		if found[p], err = newSealer(row); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	k.keep(found)
	return found, nil
}

// sweep takes out of rows the keys that a leaf says are destroyed. They are
// there only where destroying them failed half way: then it's done again, or, where
// the leaf itself is not durable yet, the person is named as leaving.
func (k *keyring) sweep(ctx context.Context, rows map[string]Key) (leaving map[string]bool, err error) {
	var back []KeyID
	for p, row := range rows {
		d, doomed := k.fate(row.ID)
		if !doomed {
			continue
		}
		delete(rows, p)
		if d.position < k.size() {
			back = append(back, row.ID)
			continue
		}
		if leaving == nil {
			leaving = map[string]bool{}
		}
		leaving[p] = true
	}
	if len(back) > 0 {
		if err := k.table.Destroy(ctx, back); err != nil {
			return nil, fmt.Errorf("%w: destroy keys again: %w", ErrUnavailable, err)
		}
	}
	return leaving, nil
}

// opened returns the sealers of those ids that still have a key.
func (k *keyring) opened(ctx context.Context, ids []KeyID) (map[KeyID]*sealer, error) {
	have := make(map[KeyID]*sealer, len(ids))
	asked := map[KeyID]bool{}
	k.mu.Lock()
	for _, id := range ids {
		if s := k.byID[id]; s != nil {
			have[id] = s
		} else {
			asked[id] = true
		}
	}
	k.mu.Unlock()
	if len(asked) == 0 {
		return have, nil
	}
	rows, err := k.table.ByID(ctx, slices.Collect(maps.Keys(asked)))
	if err != nil {
		return nil, fmt.Errorf("ledger: look up keys by id: %w", err)
	}
	found := make(map[string]*sealer, len(rows))
	for id, row := range rows {
		if d, doomed := k.fate(id); doomed && d.position < k.size() {
			continue // the table still has it, for a moment or by a restore: it opens nothing (G5)
		}
		s, err := newSealer(row)
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		have[id], found[row.Person] = s, s
	}
	k.keep(found)
	return have, nil
}

// cached returns the person's sealer if it's at hand. k.mu is held.
func (k *keyring) cached(person string) *sealer {
	if s := k.recent[person]; s != nil {
		return s
	}
	s := k.older[person]
	if s != nil {
		delete(k.older, person)
		k.put(person, s)
	}
	return s
}

// keep puts sealers into the cache.
func (k *keyring) keep(found map[string]*sealer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, s := range found {
		if _, doomed := k.dooms[s.id]; doomed {
			continue
		}
		delete(k.older, p)
		k.put(p, s)
	}
}

// put adds to the recent half and turns the halves over when it's full: what
// wasn't used for a whole turn goes. k.mu is held.
func (k *keyring) put(person string, s *sealer) {
	if len(k.recent) >= k.half {
		for _, old := range k.older {
			delete(k.byID, old.id)
		}
		k.older, k.recent = k.recent, make(map[string]*sealer, k.half)
	}
	k.recent[person], k.byID[s.id] = s, s
}

// A doom is the KindForget leaf that says that a key is destroyed.
type doom struct {
	position uint64 // of the leaf; more than any while it is not built
	at       int64  // its time, microseconds
}

// doom notes that a leaf says that these keys are destroyed, and drops them
// from the cache for good.
func (k *keyring) doom(ids []KeyID, d doom) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		k.dooms[id] = d
		if s := k.byID[id]; s != nil {
			delete(k.byID, id)
			delete(k.recent, s.person)
			delete(k.older, s.person)
		}
	}
}

// doomed says whether there is a leaf, durable or about to be, that says that
// the key is destroyed.
func (k *keyring) doomed(id KeyID) bool {
	_, doomed := k.fate(id)
	return doomed
}

// fate returns the leaf that says that the key is destroyed.
func (k *keyring) fate(id KeyID) (d doom, doomed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, doomed = k.dooms[id]
	return d, doomed
}
