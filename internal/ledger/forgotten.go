package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"sync"
)

// The list of destroyed keys (DESIGN.md, "Forgetting"): derived from the
// journal, kept so that a start needn't read all of it.
const (
	forgottenFile   = "forgotten"
	forgottenMagic  = "PVFORGET"
	forgottenFormat = 1
	forgottenHeader = 48 // magic, format, count, SHA-256 of the public key
	forgottenEntry  = 40 // key id, 1+position of the leaf, size of the tree before it, the leaf's time
)

var errForgotten = errors.New("malformed list of destroyed keys")

// A forgotten is the list of keys that were destroyed or are about to be.
type forgotten struct {
	disk disk
	key  Hash // of the log's public key

	mu      sync.Mutex
	entries []forgottenKey
}

// A forgottenKey is one of them.
type forgottenKey struct {
	id   KeyID
	leaf uint64 // 1 + position of its KindForget leaf; 0: about to be, or not known
	from uint64 // there is no such leaf before this position
	at   int64  // the leaf's time, microseconds; 0: not known
}

// intend notes, durably, that the leaf of these keys comes next: so every leaf
// is preceded by its place in the list.
func (f *forgotten) intend(ids []KeyID, from uint64) error {
	return f.change(func(entries []forgottenKey) []forgottenKey {
		for _, id := range ids {
			if !slices.ContainsFunc(entries, func(e forgottenKey) bool { return e.id == id }) {
				entries = append(entries, forgottenKey{id: id, from: from})
			}
		}
		return entries
	})
}

// done notes where the leaf of these keys is, and its time.
func (f *forgotten) done(ids []KeyID, position uint64, at int64) error {
	return f.change(func(entries []forgottenKey) []forgottenKey {
		for i := range entries {
			if e := &entries[i]; e.leaf == 0 && slices.Contains(ids, e.id) {
				e.leaf, e.at = 1+position, at
			}
		}
		return entries
	})
}

// change makes a change durable, whole or not at all.
func (f *forgotten) change(fn func([]forgottenKey) []forgottenKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries := fn(slices.Clone(f.entries))
	if err := writeForgotten(f.disk, encodeForgotten(f.key, entries)); err != nil {
		return err
	}
	f.entries = entries
	return nil
}

// ids returns the keys whose leaf is known.
func (f *forgotten) ids() []KeyID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]KeyID, 0, len(f.entries))
	for _, e := range f.entries {
		if e.leaf > 0 {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// load reads the list and makes it complete: where it isn't there, or isn't
// whole, from all of the journal; else from the place where a leaf that was
// about to be written would stand. What was never written is struck off.
func (f *forgotten) load(l *Ledger) error {
	f.mu.Lock()
	entries, err := readForgotten(f.disk, f.key)
	f.mu.Unlock()
	from, changed := l.size, false
	switch {
	case errors.Is(err, errForgotten) || errors.Is(err, fs.ErrNotExist):
		l.o.Log.Warn("the list of destroyed keys is made again from the whole journal", "error", err)
		entries, from, changed = nil, 0, true
	case err != nil:
		return err
	}
	for _, e := range entries {
		if e.leaf == 0 {
			from, changed = min(from, e.from), true
		}
	}
	if !changed {
		f.entries = entries
		return nil
	}
	err = l.forgetLeaves(from, func(position uint64, at int64, id KeyID) {
		i := slices.IndexFunc(entries, func(e forgottenKey) bool { return e.id == id })
		switch {
		case i < 0:
			entries = append(entries, forgottenKey{id: id, leaf: 1 + position, from: position, at: at})
		case entries[i].leaf == 0:
			entries[i].leaf, entries[i].at = 1+position, at
		}
	})
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e forgottenKey) bool { return e.leaf == 0 })
	return f.change(func([]forgottenKey) []forgottenKey { return entries })
}

// forgetLeaves calls fn for each key that a KindForget leaf from that position
// on names. It reads frames only.
func (l *Ledger) forgetLeaves(from uint64, fn func(position uint64, at int64, id KeyID)) error {
	for i, c := range l.chapter {
		if i+1 < len(l.chapter) && l.chapter[i+1].first <= from {
			continue
		}
		if err := l.forgetLeavesOf(c, from, fn); err != nil {
			return err
		}
	}
	return nil
}

// forgetLeavesOf is forgetLeaves for one segment.
func (l *Ledger) forgetLeavesOf(c chapter, from uint64, fn func(uint64, int64, KeyID)) (err error) {
	f, err := l.disk.open(segmentName(c.number))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &batchReader{f: f, at: c.start, end: c.end}
	for r.at < r.end {
		b, err := r.next()
		if err != nil {
			return err
		}
		for i := range b.records {
			leaf := b.records[i].leaf
			position := b.first + uint64(i)
			if position < from || !isOfKind(leaf, KindForget) {
				continue
			}
			d, err := decodeLeaf(leaf)
			if err != nil {
				return err
			}
			ids, err := ForgottenKeys(d.Detail)
			if err != nil {
				return fmt.Errorf("record %d: %w", position, err)
			}
			for _, id := range ids {
				fn(position, micros(d.Time), id)
			}
		}
	}
	return nil
}

// isOfKind says whether an encoded leaf is of that kind.
func isOfKind(leaf []byte, kind Kind) bool {
	at := leafFixed + 1 + int(leaf[leafFixed])
	return len(leaf) > at+len(kind) && int(leaf[at]) == len(kind) && string(leaf[at+1:at+1+len(kind)]) == string(kind)
}

// encodeForgotten returns the bytes of a list.
func encodeForgotten(key Hash, entries []forgottenKey) []byte {
	b := append(make([]byte, 0, forgottenHeader+forgottenEntry*len(entries)+4), forgottenMagic...)
	b = binary.LittleEndian.AppendUint32(b, forgottenFormat)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(entries)))
	b = append(b, key[:]...)
	for _, e := range entries {
		b = append(b, e.id[:]...)
		b = binary.LittleEndian.AppendUint64(b, e.leaf)
		b = binary.LittleEndian.AppendUint64(b, e.from)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.at))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeForgotten is the inverse of encodeForgotten, for the list of that log.
func decodeForgotten(b []byte, key Hash) ([]forgottenKey, error) {
	if len(b) < forgottenHeader+4 || string(b[:8]) != forgottenMagic || binary.LittleEndian.Uint32(b[8:]) != forgottenFormat {
		return nil, fmt.Errorf("%w: form", errForgotten)
	}
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	if int64(len(b)) != forgottenHeader+n*forgottenEntry+4 ||
		crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: length or checksum", errForgotten)
	}
	if !bytes.Equal(b[16:forgottenHeader], key[:]) {
		return nil, fmt.Errorf("%w: it is another ledger's", errForgotten)
	}
	entries := make([]forgottenKey, n)
	for i := range entries {
		e := b[forgottenHeader+i*forgottenEntry:]
		entries[i] = forgottenKey{id: KeyID(e[:keyIDSize]), leaf: binary.LittleEndian.Uint64(e[keyIDSize:]),
			from: binary.LittleEndian.Uint64(e[keyIDSize+8:]), at: int64(binary.LittleEndian.Uint64(e[keyIDSize+16:]))}
	}
	return entries, nil
}

// readForgotten reads the list; fs.ErrNotExist where there is none.
func readForgotten(d disk, key Hash) ([]forgottenKey, error) {
	f, err := d.open(forgottenFile)
	if err != nil {
		return nil, err
	}
	size, err := f.size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return decodeForgotten(b, key)
}

// writeForgotten replaces the list: written and synced under another name, then
// given its own.
func writeForgotten(d disk, b []byte) error {
	f, err := d.create(forgottenFile + newSuffix)
	if err != nil {
		return fmt.Errorf("write the list of destroyed keys: %w", err)
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.rename(forgottenFile+newSuffix, forgottenFile)
	}
	if err == nil {
		err = d.sync()
	}
	if err != nil {
		return fmt.Errorf("write the list of destroyed keys: %w", err)
	}
	return nil
}

// ReadForgotten reads the list of destroyed keys in a ledger's folder, for
// whoever compares it with the leaves: key → 1 + position of its KindForget
// leaf, 0 where the leaf was about to be written when the ledger was last open.
// The public key is the ledger's. It fails with fs.ErrNotExist where there is no list.
func ReadForgotten(dir string, public ed25519.PublicKey) (map[KeyID]uint64, error) {
	entries, err := readForgotten(folder(dir), keyHash(public))
	if err != nil {
		return nil, fmt.Errorf("ledger: read %s: %w", forgottenFile, err)
	}
	keys := make(map[KeyID]uint64, len(entries))
	for _, e := range entries {
		keys[e.id] = e.leaf
	}
	return keys, nil
}
