package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"paravent/internal/ledger"
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
	Place  string `json:"place"`
	Origin string `json:"origin"`
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

// stood returns the origin of the ledger that stood at a place; "" where none
// is remembered.
func (m *Memory) stood(at string) (string, error) {
	var p place
	_, err := m.load(m.path("place", at), &p)
	return p.Origin, err
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

// keep remembers a sound ledger.
func (m *Memory) keep(r *Result, at string) error {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the checkpoint: %w", err)
	}
	err := save(m.path("ledger", r.Origin), kept{Origin: r.Origin, Key: r.Key, Checkpoint: string(r.Checkpoint), Seen: m.Now().UTC()})
	if err == nil {
		err = save(m.path("place", at), place{Place: at, Origin: r.Origin})
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

// remember reads what the reader kept of this ledger and place. The head is nil
// where there is nothing to compare with.
func (r *Result) remember(o Options, t *trust) (*ledger.SignedHead, error) {
	if o.Memory == nil {
		return nil, nil
	}
	was, err := o.Memory.stood(o.Place)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if was != "" && was != t.origin {
		r.problem("", unknown, unknown, "EXCHANGED: when you verified it last, the ledger %s stood here, and now %s does. If it was moved or replaced for a reason that you know, verify this one with another --state folder", was, t.origin)
	}
	k, err := o.Memory.recall(t.origin)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if k == nil {
		return nil, nil
	}
	h, err := parseCheckpoint([]byte(k.Checkpoint), t.origin, t.pub)
	if err != nil {
		r.problem(keptFile, unknown, unknown, "the checkpoint that you kept on %s does not belong to this ledger and key: %v", k.Seen.Format(time.DateOnly), err)
		return nil, nil
	}
	r.seen = k.Seen
	return h, nil
}

// keptFile names the reader's own checkpoint in problems.
const keptFile = "kept checkpoint"

// compareKept says whether the ledger contains everything that it contained
// when the reader saw it last (G4).
func (r *Result) compareKept(was *ledger.SignedHead, roots map[uint64]ledger.Hash) {
	if was == nil {
		return
	}
	day := r.seen.Format(time.RFC3339)
	root, known := roots[was.Size]
	switch {
	case was.Size > r.Size:
		r.problem(keptFile, unknown, int64(r.Size), "ROLLED BACK: the ledger had %d records when you verified it on %s, and has %d now: an older copy was put in its place, or records were cut off", was.Size, day, r.Size)
	case known && root != was.Root:
		r.problem(keptFile, unknown, unknown, "REWRITTEN: the first %d records are not those that you verified on %s; both trees are signed by the ledger's key", was.Size, day)
	case known:
		r.note("it contains all %d records that you verified on %s", was.Size, day)
	default:
		r.unknown("whether the first %d records are those that you verified on %s: the journal is too damaged to tell", was.Size, day)
	}
}
