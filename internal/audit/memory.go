package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Memory is the folder in which a reader keeps what he saw of ledgers: of
// each its last checkpoint, and which ledger stood at which place. With it, a
// ledger that was rolled back, rewritten or exchanged since is found (G4).
type Memory struct {
	Dir string
	Now func() time.Time // when the reader looks
}

// kept is what is remembered of one ledger.
type kept struct {
	Origin     string    `json:"origin"`
	Key        string    `json:"key"`
	Checkpoint string    `json:"checkpoint"` // signed note
	Seen       time.Time `json:"seen"`
}

// place says which ledger stood at a folder or address.
type place struct {
	Place  string   `json:"place"`
	Origin string   `json:"origin"`         // of its last log
	Logs   []string `json:"logs,omitempty"` // origins of all its logs, in their order
}

// path returns the file for what a name stands for.
func (m *Memory) path(what, name string) string {
	h := sha256.Sum256([]byte(name))
	return filepath.Join(m.Dir, fmt.Sprintf("%s-%x.json", what, h[:12]))
}

// recall reads what is remembered of a ledger; nil where that is nothing.
func (m *Memory) recall(origin string) (*kept, error) {
	var k kept
	if found, err := m.load(m.path("ledger", origin), &k); !found || err != nil {
		return nil, err
	}
	return &k, nil
}

// stood returns what stood at a place; nil where none is remembered.
func (m *Memory) stood(at string) (*place, error) {
	var p place
	if found, err := m.load(m.path("place", at), &p); !found || err != nil {
		return nil, err
	}
	if len(p.Logs) == 0 {
		p.Logs = []string{p.Origin}
	}
	return &p, nil
}

func (m *Memory) load(path string, into any) (found bool, err error) {
	b, err := readFile(path, 2*maxNote)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return false, fmt.Errorf("read what was kept (%s): %w", path, err)
	}
	return true, nil
}

// keep remembers a sound ledger: the last checkpoint of each log, and that they
// stood there.
func (m *Memory) keep(logs []*logRun, at string) error {
	err := os.MkdirAll(m.Dir, 0o700)
	p := place{Place: at}
	for _, l := range logs {
		if err == nil {
			err = save(m.path("ledger", l.Origin), kept{Origin: l.Origin, Key: l.key.vkey, Checkpoint: string(l.checkpoint), Seen: m.Now().UTC()})
		}
		p.Origin, p.Logs = l.Origin, append(p.Logs, l.Origin)
	}
	if err == nil {
		err = save(m.path("place", at), p)
	}
	if err != nil {
		return fmt.Errorf("keep the checkpoint: %w", err)
	}
	return nil
}

// save writes a file whole or not at all.
func save(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
