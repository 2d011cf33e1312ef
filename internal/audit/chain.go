package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"paravent/internal/ledger"
)

// nextFolder is where the next log is made while the last one is frozen.
const nextFolder = ".next"

// Chain verifies a ledger of several logs: each as Folder does, that each was
// frozen and says which follows, that each commits to all of the one before and
// was signed for by its key, and persons' keys over all of them. The reader's key
// may be that of any log. What is wrong stands in the result, with its log. Where
// dir is the folder of a single log, that is verified by itself. The error is
// ErrUsage when there's no ledger, or ctx's when it ended first.
func Chain(ctx context.Context, dir string, o Options) (*Result, error) {
	return within(ctx, func() (*Result, error) {
		names, err := logsIn(dir)
		if err == nil && len(names) == 0 {
			return folder(ctx, dir, o)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w: %w", ErrUsage, ledger.ErrMissing, err)
		}
		v, err := newVerification(o)
		if err != nil {
			return nil, err
		}
		for len(names) > 0 {
			for _, name := range names {
				if err := v.folder(ctx, name, filepath.Join(dir, name)); err != nil {
					return nil, err
				}
			}
			last := v.logs[len(v.logs)-1]
			if last.end == nil {
				break
			}
			// Perhaps it was frozen while it was read, by a running server.
			v.pending = pendingIn(dir)
			if names, err = logsIn(dir); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrUsage, err)
			}
			names = names[1+slices.Index(names, last.name):]
		}
		return v.conclude(ctx)
	})
}

// logsIn lists the logs in a ledger's folder, in their order.
func logsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if isLogName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// logName returns the name of a ledger's log, from 1.
func logName(n int) string { return fmt.Sprintf("%04d", n) }

func isLogName(name string) bool { return number(name) > 0 }

// number returns the number in a log's name; 0 where it's no such name.
func number(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || n < 0 || logName(n) != name {
		return 0
	}
	return n
}

// pendingIn returns the key of the log that is being made in a ledger's folder,
// "" where there is none.
func pendingIn(dir string) string {
	text, err := readFile(filepath.Join(dir, nextFolder, publicFile), 4<<10)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// PublishedIn returns the published checkpoint in a log's folder, a signed note
// as it lies there, unverified; nil where none is published yet.
func PublishedIn(logDir string) ([]byte, error) {
	msg, err := readFile(filepath.Join(logDir, TilesFolder, checkpointFile), maxNote)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return msg, err
}
