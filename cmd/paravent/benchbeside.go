package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"paravent/internal/ledger"
)

// plainFile is what the ledger is measured beside: a file with group commit and
// fdatasync, nothing sealed, hashed or signed. The first of a group writes for
// all who came while the sync before was under way.
type plainFile struct {
	turn sync.Mutex
	f    *os.File

	mu   sync.Mutex
	open *plainGroup
}

type plainGroup struct {
	b    bytes.Buffer
	done chan struct{}
	err  error // read after done
}

// append returns once the record is durable.
func (p *plainFile) append(record []byte) error {
	p.mu.Lock()
	g := p.open
	leads := g == nil
	if leads {
		g = &plainGroup{done: make(chan struct{})}
		p.open = g
	}
	g.b.Write(record)
	p.mu.Unlock()
	if !leads {
		<-g.done
		return g.err
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	defer close(g.done)
	p.mu.Lock()
	p.open = nil
	p.mu.Unlock()
	if _, g.err = p.f.Write(g.b.Bytes()); g.err == nil {
		g.err = datasync(p.f)
	}
	return g.err
}

// memoryKeys is a table of keys for measuring: nothing of it is kept.
type memoryKeys struct {
	mu   sync.Mutex
	rows map[string]ledger.Key
}

var _ ledger.Keys = (*memoryKeys)(nil)

// Lookup returns the keys of these persons.
func (k *memoryKeys) Lookup(_ context.Context, persons []string) (map[string]ledger.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := make(map[string]ledger.Key, len(persons))
	for _, p := range persons {
		if key, ok := k.rows[p]; ok {
			found[p] = key
		}
	}
	return found, nil
}

// ByID returns the keys of these ids.
func (k *memoryKeys) ByID(_ context.Context, ids []ledger.KeyID) (map[ledger.KeyID]ledger.Key, error) {
	wanted := make(map[ledger.KeyID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	found := map[ledger.KeyID]ledger.Key{}
	for _, key := range k.rows {
		if wanted[key.ID] {
			found[key.ID] = key
		}
	}
	return found, nil
}

// Create keeps keys; who has one keeps it.
func (k *memoryKeys) Create(_ context.Context, keys []ledger.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		if _, ok := k.rows[key.Person]; !ok {
			k.rows[key.Person] = key
		}
	}
	return nil
}

// Destroy removes keys.
func (k *memoryKeys) Destroy(_ context.Context, ids []ledger.KeyID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for person, key := range k.rows {
		for _, id := range ids {
			if key.ID == id {
				delete(k.rows, person)
			}
		}
	}
	return nil
}

// countBatches returns how many group commits a ledger's journal holds.
func countBatches(dir string) (batches int, err error) {
	journal, err := ledger.Inspect(dir)
	if err != nil {
		return 0, err
	}
	for _, number := range journal.Segments() {
		r, _, err := journal.Read(number, -1)
		if err != nil {
			return 0, err
		}
		for err == nil {
			if _, err = r.Next(); err == nil {
				batches++
			}
		}
		if err := r.Close(); err != nil {
			return 0, err
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	return batches, nil
}
