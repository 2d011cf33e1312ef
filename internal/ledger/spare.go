package ledger

import (
	"errors"
	"fmt"
	"time"
)

// Overwriting zeros that are on disk needs no change of the file system's own
// tables, so fdatasync takes about half as long as after growing the file
// (figures in DESIGN.md). So the next segment's room is written ahead, in the
// background and under a temporary name: never near a file that holds records.
const (
	spareName  = "spare" + newSuffix
	firstRoom  = 1 << 20                // written before a segment that has no spare
	zeroPiece  = 1 << 20                // written and synced at a time
	worthwhile = 500 * time.Millisecond // a segment that fills faster needs the disk itself
)

// A spare is a file full of zeros, ready to become the next segment.
type spare struct {
	file file
	name string
	room int64 // bytes of zeros that are on disk
}

// makeSpare makes a file with that many bytes of zeros on disk.
func makeSpare(d disk, name string, room int64, stop <-chan struct{}) (s *spare, err error) {
	f, err := d.create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	zeros := make([]byte, min(room, zeroPiece))
	for at := int64(0); at < room && err == nil; at += int64(len(zeros)) {
		select {
		case <-stop:
			err = ErrClosed
		default:
			if _, err = f.WriteAt(zeros, at); err == nil {
				err = f.sync()
			}
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make room in %s: %w", name, err), f.Close(), d.remove(name))
	}
	return &spare{file: f, name: name, room: room}, nil
}

// prepareSpare makes the next segment's room in the background, unless one is
// being made already.
func (l *Ledger) prepareSpare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.spare != nil || l.preparing {
		return
	}
	l.preparing = true
	l.background.Go(func() {
		s, err := makeSpare(l.disk, spareName, l.o.SegmentBytes, l.stop)
		if err != nil && !errors.Is(err, ErrClosed) {
			l.o.Log.Warn("could not make room ahead; recording goes on more slowly", "error", err)
		}
		l.mu.Lock()
		l.spare, l.preparing = s, false
		l.mu.Unlock()
	})
}

// takeSpare returns the spare, or nil when there is none.
func (l *Ledger) takeSpare() *spare {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.spare
	l.spare = nil
	return s
}

// hasSpare says whether the next segment's file is ready.
func (l *Ledger) hasSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spare != nil
}
