package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
)

// The only door from the external tests to inner parts.

type Edge struct{ edge }

func (e *Edge) Extend(leaves []Hash) Span { return Span{e.extend(leaves)} }
func (e *Edge) Root() Hash                { return e.root() }

type Span struct{ *span }

func (s Span) Root() Hash                  { return s.root() }
func (s Span) Path(position uint64) []Hash { return s.path(position) }

// SignedHeads returns the heads of all whole batches that bytes hold anywhere,
// void ones too, by size.
func SignedHeads(b []byte) map[uint64][]Hash {
	heads := map[uint64][]Hash{}
	for at := 0; at+batchHeader <= len(b); at += batchAlign {
		h, err := decodeBatchHead(b[at:])
		if err != nil || at+h.length > len(b) {
			continue
		}
		if batch, err := decodeBatch(b[at : at+h.length]); err == nil {
			heads[batch.end()] = append(heads[batch.end()], batch.root)
		}
	}
	return heads
}

// ExchangeSealed exchanges the sealed parts of two records in a segment's file
// and mends the checksums, as someone with the disk would.
func ExchangeSealed(path string, p, q uint64) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, start, err := decodeSegmentHead(b)
	if err != nil {
		return err
	}
	type place struct {
		head   int
		record stored
	}
	places := map[uint64]place{}
	for at := start; at+batchHeader <= len(b); {
		h, err := decodeBatchHead(b[at:])
		if err != nil {
			break
		}
		batch, err := decodeBatch(b[at : at+h.length])
		if err != nil {
			return err
		}
		for i, r := range batch.records {
			places[batch.first+uint64(i)] = place{at, r}
		}
		at += h.length
	}
	for part := range 2 {
		x, y := places[p].record.sealed[part], places[q].record.sealed[part]
		if len(x) != len(y) {
			return errors.New("the parts differ in length")
		}
		kept := append([]byte(nil), x...)
		copy(x, y)
		copy(y, kept)
	}
	for _, at := range []int{places[p].head, places[q].head} {
		h, err := decodeBatchHead(b[at:])
		if err != nil {
			return err
		}
		end := at + h.length
		binary.LittleEndian.PutUint32(b[end-8:], crc32.Checksum(b[at:end-8], castagnoli))
	}
	return os.WriteFile(path, b, 0o600)
}

// SealTwoAndExchange opens a part beside the commitment of another one of the
// same person.
func SealTwoAndExchange() error {
	s, err := newSealer(Key{Person: "p", Secret: make([]byte, secretSize)})
	if err != nil {
		return nil
	}
	var one, other Hash
	var w workbench
	first := s.seal(nil, 0, []byte("first"), &one, &w)
	w.salts[0][0] = 1
	s.seal(nil, 0, []byte("other"), &other, &w)
	_, _, err = s.open(first, 0, other)
	return err
}

// DecodeAll runs every decoder on b.
func DecodeAll(b []byte) (whole []byte, records int) {
	if h, _, err := decodeSegmentHead(b); err == nil {
		whole = h.encode()
	}
	if l, err := decodeLeaf(b); err == nil {
		c := [2]*Hash{}
		for i, flag := range [...]byte{hasCustomer, hasEmployee} {
			if l.flags&flag != 0 {
				c[i] = &l.commitments[i]
			}
		}
		whole = appendLeaf(nil, l.Frame, l.digest, c)
	}
	if batch, err := decodeBatch(b); err == nil {
		out := appendBatchHeader(nil)
		for _, r := range batch.records {
			out = appendRecord(out, r.leaf, r.sealed[0], r.sealed[1])
		}
		whole = finishBatch(out, 0, batch.first, len(batch.records), batch.root, batch.signature)
		records = len(batch.records)
	}
	torn(bytes.NewReader(b), 0, int64(len(b)))
	return whole, records
}

// Commit is commit.
func Commit(salt [32]byte, plain []byte) Hash { return new(workbench).commit(&salt, plain) }

// Forget drops a person's key from memory, as if it had never been used.
func (l *Ledger) Forget(person string) {
	l.keys.mu.Lock()
	defer l.keys.mu.Unlock()
	for _, half := range [...]map[string]*sealer{l.keys.recent, l.keys.older} {
		if s := half[person]; s != nil {
			delete(l.keys.byID, s.id)
			delete(half, person)
		}
	}
}

// KeysUsed returns the positions of the parts that are sealed under each key,
// as the files of a ledger's folder tell.
func KeysUsed(dir string) (map[KeyID][]uint64, error) {
	used := map[KeyID][]uint64{}
	names, err := folder(dir).list()
	for _, name := range names {
		if _, ok := segmentNumber(name); !ok || err != nil {
			continue
		}
		var b []byte
		if b, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			break
		}
		for at := 0; at+batchHeader <= len(b); at += batchAlign {
			h, err := decodeBatchHead(b[at:])
			if err != nil || at+h.length > len(b) {
				continue
			}
			batch, err := decodeBatch(b[at : at+h.length])
			if err != nil {
				continue
			}
			for i, r := range batch.records {
				for _, sealed := range r.sealed {
					if len(sealed) > 0 {
						id := KeyID(sealed[:keyIDSize])
						used[id] = append(used[id], batch.first+uint64(i))
					}
				}
			}
		}
	}
	return used, err
}
