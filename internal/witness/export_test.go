package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// FailSave makes the witness's next saves fail; when persists is set, what they
// wrote is on the disk all the same.
func (w *Witness) FailSave(persists bool) {
	save := w.save
	w.save = func(all map[string]seen) error {
		var err error
		if persists {
			err = save(all)
		}
		return errors.Join(errors.New("injected"), err)
	}
}

// OnSave calls f after each save, before anything is answered.
func (w *Witness) OnSave(f func()) {
	save := w.save
	w.save = func(all map[string]seen) error {
		err := save(all)
		f()
		return err
	}
}

// StateOf is the state file with those rows.
func StateOf(rows string) string {
	return fmt.Sprintf("%s%x\n%s\n", stateHead, sha256.Sum256([]byte(rows)), rows)
}

// Round runs one round of the publisher.
func (p *Publisher) Round(ctx context.Context) { p.round(ctx) }

var (
	ParseRequest = func(b []byte) ([]byte, error) {
		r, err := parseRequest(b)
		if err != nil {
			return nil, err
		}
		return r.encode(), nil
	}
	Implied         = implied
	ParseCheckpoint = parseCheckpoint
)

const (
	MaxRequest = maxRequest
	MaxAlarms  = maxAlarms
)
