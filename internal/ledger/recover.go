package ledger

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// A pending batch was built and signed, and may or may not be on disk. It's
// written again, byte for byte, into the next segment, so that no position and
// no signed head ever exists twice with different content (G4).
type pending struct {
	*built
	begun byte // why the next segment is begun
	own   bool // it holds the ledger's own leaf only: nobody was answered
}

// fail stops the ledger after a failed write. The file is never written again:
// after a failed sync nobody can tell what of it is on disk. l.turn is held.
func (l *Ledger) fail(begun byte, b *built, cause error) {
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			l.o.Log.Warn("could not close the failed segment", "segment", segmentName(l.number), "error", err)
		}
		l.file = nil
	}
	l.failed = &pending{built: b, begun: begun, own: begun == begunOpened}
	l.buffer = nil // the pending batch's now
	reason := "the disk refused a write"
	if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) {
		reason = "the disk is full"
	}
	l.o.Log.Error("nothing can be recorded: every look-up is refused until it can", "reason", reason, "error", cause)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = State{Reason: reason, Since: l.o.Clock().UTC()}
	if !l.closed {
		l.background.Go(l.probe)
	}
}

// probe tries to resume until it can or the ledger is closed.
func (l *Ledger) probe() {
	tick := time.NewTicker(l.o.Probe)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		if err := l.resume(); err == nil {
			return
		} else {
			l.o.Log.Warn("still nothing can be recorded", "error", err)
		}
	}
}

// resume writes the pending batch into a new segment, then a leaf that says
// which positions were answered with an error: they are recorded, but nothing
// was disclosed for them.
func (l *Ledger) resume() error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.failed != nil {
		if err := l.begin(l.failed.begun, l.failed.built); err != nil {
			return err
		}
		if next := l.failed.next; next != "" {
			// It was the record that ends the log: nothing stands behind it.
			l.failed = nil
			l.freeze(next)
			return nil
		}
		detail := "resumed"
		if !l.failed.own {
			detail = fmt.Sprintf("resumed unanswered=%d+%d", l.failed.before.size, l.failed.count)
		}
		l.failed = nil
		b := l.build([]*prepared{l.own(KindStart, detail)})
		if err := l.write(b); err != nil {
			if err2 := l.file.Close(); err2 != nil {
				err = errors.Join(err, err2)
			}
			l.file, l.buffer, l.failed = nil, nil, &pending{built: b, begun: begunFailed, own: true}
			return err
		}
	}
	l.mu.Lock()
	l.state = State{OK: true, Since: l.o.Clock().UTC()}
	l.mu.Unlock()
	l.o.Log.Info("recording again")
	return nil
}
