package witness

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"paravent/internal/ledger"
)

// stateHead begins the state file; the hash of the rest follows it.
const stateHead = "paravent witness state v1 "

// A seen is the last checkpoint of a log that the witness cosigned.
type seen struct {
	Checkpoint
	note string      // with the log's signature and the witness's own; "" before the first
	by   Cosignature // the witness's own

	// How the log came about, where the witness followed it from another: what
	// that log signed at its end (see ledger.Succession), and its name.
	detail, after string
	base          uint64 // records in all logs before it; meaningful with detail
	// next is the verifier key of the log that follows this one; "": it goes on.
	// A log that has ended is known with its last checkpoint.
	next string
}

// fresh is what a witness knows of a log that it has never seen: nothing, which
// is the empty tree.
func fresh(origin string) seen {
	return seen{Checkpoint: Checkpoint{Origin: origin, Root: emptyRoot}}
}

// stateRow is a log in the state file.
type stateRow struct {
	Origin string `json:"origin"`
	Note   string `json:"checkpoint"`           // "" before the first
	Detail string `json:"succession,omitempty"` // of the log that it was followed from
}

// encodeState returns the content of the state file.
func encodeState(logs map[string]seen) string {
	rows := []stateRow{}
	for _, origin := range slices.Sorted(maps.Keys(logs)) {
		rows = append(rows, stateRow{origin, logs[origin].note, logs[origin].detail})
	}
	body, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	return fmt.Sprintf("%s%x\n%s\n", stateHead, sha256.Sum256(body), body)
}

// readState reads the state file. Each note proves itself: it carries the
// witness's own cosignature, and where the log's key is known, the log's.
func readState(dir string, own Verifier, logs map[string]Log) (map[string]seen, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	head, body, _ := strings.Cut(string(content), "\n")
	body = strings.TrimSuffix(body, "\n")
	if head != fmt.Sprintf("%s%x", stateHead, sha256.Sum256([]byte(body))) {
		return nil, fmt.Errorf("%w: %s is not as it was written", ErrState, stateFile)
	}
	var rows []stateRow
	if err := json.Unmarshal([]byte(body), &rows); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, stateFile, err)
	}
	all := make(map[string]seen, len(rows))
	for _, r := range rows {
		s, err := r.read(own)
		if _, ok := all[r.Origin]; ok && err == nil {
			err = errors.New("it is there twice")
		}
		if log, ok := logs[r.Origin]; ok && err == nil && r.Note != "" {
			_, _, err = Verify([]byte(r.Note), log, []Verifier{own}, 1)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the checkpoint of %q: %w", ErrState, r.Origin, err)
		}
		all[r.Origin] = s
	}
	if err := link(all); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return all, nil
}

// read reads one log's row.
func (r stateRow) read(own Verifier) (s seen, err error) {
	s = fresh(r.Origin)
	if r.Note != "" {
		s, err = readSeen(r.Note, own)
	}
	if err == nil && s.Origin != r.Origin {
		err = fmt.Errorf("it is of %q", s.Origin)
	}
	if err != nil || r.Detail == "" {
		return s, err
	}
	from, err := ledger.ParseSuccession([]byte(r.Detail))
	if err != nil {
		return s, err
	}
	if next, err := ParseLog(from.Next); err != nil || next.origin != r.Origin {
		return s, errors.New("its succession is of another log")
	}
	s.detail, s.after, s.base = r.Detail, from.Origin, from.Base
	return s, nil
}

// link marks the logs that others follow as ended.
func link(all map[string]seen) error {
	for origin, s := range all {
		if s.detail == "" {
			continue
		}
		from, err := ledger.ParseSuccession([]byte(s.detail))
		if err != nil {
			return err
		}
		old, ok := all[from.Origin]
		if !ok || old.next != "" || old.Size != from.Size || old.Root != from.Root {
			return fmt.Errorf("the succession from %q to %q doesn't fit what is known of the two", from.Origin, origin)
		}
		old.next = from.Next
		all[from.Origin] = old
	}
	return nil
}

// readSeen reads a note that the witness cosigned.
func readSeen(text string, own Verifier) (seen, error) {
	n, err := openNote([]byte(text), own)
	if err != nil {
		return seen{}, err
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return seen{}, err
	}
	return seen{Checkpoint: c, note: text, by: cosignatureOf(*find(n, own))}, nil
}
