package witness

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stateHead begins the state file; the hash of the rest follows it.
const stateHead = "paravent witness state v1 "

// A seen is the last checkpoint of a log that the witness cosigned.
type seen struct {
	Checkpoint
	note string      // with the log's signature and the witness's own; "" before the first
	by   Cosignature // the witness's own
}

// fresh is what a witness knows of a log that it has never seen: nothing, which
// is the empty tree.
func fresh(origin string) seen {
	return seen{Checkpoint: Checkpoint{Origin: origin, Root: emptyRoot}}
}

// stateRow is a log in the state file.
type stateRow struct {
	Origin string `json:"origin"`
	Note   string `json:"checkpoint"` // "" before the first
}

// encodeState returns the content of the state file.
func encodeState(logs map[string]seen) string {
	rows := []stateRow{}
	for _, origin := range slices.Sorted(maps.Keys(logs)) {
		rows = append(rows, stateRow{origin, logs[origin].note})
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
		if r.Note == "" {
			all[r.Origin] = fresh(r.Origin)
			continue
		}
		s, err := readSeen(r.Note, own)
		if err == nil && s.Origin != r.Origin {
			err = fmt.Errorf("it is of %q", s.Origin)
		}
		if log, ok := logs[r.Origin]; ok && err == nil {
			_, _, err = Verify([]byte(r.Note), log, []Verifier{own}, 1)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: the checkpoint of %q: %w", ErrState, r.Origin, err)
		}
		all[r.Origin] = s
	}
	return all, nil
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
