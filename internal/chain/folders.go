package chain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"paravent/internal/ledger"
)

// Names inside the folder of a chain, beside those of its logs.
const (
	lockFile      = "lock"
	nextFolder    = ".next"     // the key of the log that is to follow; then also its journal
	droppedPrefix = ".dropped-" // and the name: a log that is being removed
)

// folders is what the folder of a chain holds.
type folders struct {
	logs    []int // numbers of the logs, ascending
	dropped []int
	next    bool
}

// logName returns the folder name of the n-th log, n from 1.
func logName(n int) string { return fmt.Sprintf("%04d", n) }

// logNumber is the inverse of logName.
func logNumber(name string) (int, bool) {
	n, err := strconv.Atoi(name)
	return n, err == nil && n > 0 && logName(n) == name
}

// list reads the folder of a chain. The error is ledger.ErrMissing where it
// isn't there or holds no log, and names a gap between the logs.
func list(dir string) (folders, error) {
	var f folders
	entries, err := os.ReadDir(dir)
	if err != nil {
		return f, fmt.Errorf("%w: %w", ledger.ErrMissing, err)
	}
	for _, e := range entries {
		name, dropped := strings.CutPrefix(e.Name(), droppedPrefix)
		n, ok := logNumber(name)
		switch {
		case ok && dropped:
			f.dropped = append(f.dropped, n)
		case ok:
			f.logs = append(f.logs, n)
		case e.Name() == nextFolder:
			f.next = true
		}
	}
	if len(f.logs) == 0 {
		return f, fmt.Errorf("%w: %s holds no log", ledger.ErrMissing, dir)
	}
	slices.Sort(f.logs)
	for i := 1; i < len(f.logs); i++ {
		if at := f.logs[i-1] + 1; f.logs[i] != at {
			err = errors.Join(err, fmt.Errorf("%w: between the logs %s and %s there is a gap: %s is missing in %s",
				ErrBroken, logName(at-1), logName(f.logs[i]), logName(at), dir))
		}
	}
	return f, err
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// An InspectedLog is one log of a chain as an outsider reads it.
type InspectedLog struct {
	Name string // "0001"
	Dir  string
	*ledger.Inspection
}

// Inspect lists the logs in the folder of a chain, oldest first, without its lock,
// its keys or any trust in it, and beside the process that owns it. A gap between
// their names is an error that is ErrBroken and names it; a log that holds no
// journal is ledger.ErrMissing. The logs that can be read are returned with it.
func Inspect(dir string) ([]InspectedLog, error) {
	f, err := list(dir)
	var logs []InspectedLog
	for _, n := range f.logs {
		at := filepath.Join(dir, logName(n))
		i, broken := ledger.Inspect(at)
		if broken != nil {
			err = errors.Join(err, fmt.Errorf("log %s: %w", logName(n), broken))
			continue
		}
		logs = append(logs, InspectedLog{Name: logName(n), Dir: at, Inspection: i})
	}
	return logs, err
}
