package store

import (
	"context"
	"fmt"

	"paravent/internal/ledger"
)

var _ ledger.Keys = (*Keys)(nil)

// Keys is the ledger's table of keys, in a file of its own.
type Keys struct {
	d *database
}

// Keys returns the ledger's table of keys.
func (s *Store) Keys() *Keys { return &Keys{d: s.keys} }

const selectKey = `SELECT person, id, secret FROM keys WHERE person = ?`

// Lookup returns the keys of these persons; who has none is absent.
func (k *Keys) Lookup(ctx context.Context, persons []string) (map[string]ledger.Key, error) {
	found := make(map[string]ledger.Key, len(persons))
	for _, person := range persons {
		key, err := readKey(k.d.row(ctx, selectKey, person))
		if none(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		found[key.Person] = key
	}
	return found, nil
}

const selectKeyByID = `SELECT person, id, secret FROM keys WHERE id = ?`

// ByID returns the keys of these ids; what isn't there is absent.
func (k *Keys) ByID(ctx context.Context, ids []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	found := make(map[ledger.KeyID]ledger.Key, len(ids))
	for _, id := range ids {
		key, err := readKey(k.d.row(ctx, selectKeyByID, id[:]))
		if none(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		found[key.ID] = key
	}
	return found, nil
}

// readKey reads one row of keys. One that isn't whole is an error, never a key.
func readKey(r scanner) (ledger.Key, error) {
	var key ledger.Key
	var id []byte
	if err := r.Scan(&key.Person, &id, &key.Secret); err != nil {
		return ledger.Key{}, err
	}
	if len(id) != len(key.ID) || len(key.Secret) != secretSize {
		return ledger.Key{}, fmt.Errorf("a key in %s is damaged", KeysFile)
	}
	copy(key.ID[:], id)
	return key, nil
}

// secretSize is the size of a key's secret, in bytes.
const secretSize = 32

var insertKeys = newBulk(`INSERT INTO keys (person, id, secret)`, 3, `ON CONFLICT (person) DO NOTHING`)

// Create stores keys, synced before it returns (G3: no record may be sealed
// under a key that a crash could take away). A person who has a key keeps it.
func (k *Keys) Create(ctx context.Context, keys []ledger.Key) error {
	args := make([]any, 0, 3*len(keys))
	for _, key := range keys {
		if key.Person == "" || len(key.Secret) != secretSize {
			return fmt.Errorf("create keys: a key lacks its person or its secret")
		}
		args = append(args, key.Person, key.ID[:], key.Secret)
	}
	err := k.d.change(ctx, synced, func(t *tx) error { return t.insert(ctx, insertKeys, args) })
	if err != nil {
		return fmt.Errorf("create keys: %w", err)
	}
	return nil
}

const deleteKey = `DELETE FROM keys WHERE id = ?`

// Destroy removes the keys of these ids, synced, and so that nothing of them is
// left in keys.db or beside it (G5): what a file system or a disk keeps of
// overwritten blocks is out of its reach. What isn't there is no error.
func (k *Keys) Destroy(ctx context.Context, ids []ledger.KeyID) error {
	err := k.d.change(ctx, synced, func(t *tx) error {
		for _, id := range ids {
			if _, err := t.exec(ctx, deleteKey, id[:]); err != nil {
				return err
			}
		}
		return t.unclean(ctx)
	})
	if err == nil {
		err = k.d.wipe(ctx)
	}
	if err != nil {
		return fmt.Errorf("destroy keys: %w", err)
	}
	return nil
}

const countKeys = `SELECT COUNT(*) FROM keys`

// count returns how many keys there are.
func (k *Keys) count(ctx context.Context) (int, error) {
	var n int
	err := k.d.row(ctx, countKeys).Scan(&n)
	return n, err
}
