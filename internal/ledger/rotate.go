package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// frozenReason is the State of a frozen log.
const frozenReason = "the log is frozen; the one that follows it is not open"

// Freeze ends the log for good: a KindEnd record, which names the verifier key
// of the log that is to follow, becomes its last one, durably. From then on
// Append, AppendAll and Destroy return ErrFrozen, also after a restart. It
// returns the final head. Freezing once more for the same key is no error, for
// another one ErrFrozen. After ErrUnavailable the record may yet come to be
// written: then only the same key will do.
func (l *Ledger) Freeze(ctx context.Context, next string) (SignedHead, error) {
	origin, err := canonicalKey(next)
	if err != nil {
		return SignedHead{}, fmt.Errorf("%w: the key of the next log: %w", ErrInvalid, err)
	}
	if origin == l.self.origin {
		return SignedHead{}, fmt.Errorf("%w: a log can't follow itself", ErrInvalid)
	}
	// Who is destroying a key comes to his end first.
	l.forgetting.Lock()
	defer l.forgetting.Unlock()
	l.turn.Lock()
	defer l.turn.Unlock()
	if named, frozen := l.Frozen(); frozen && named != next {
		return SignedHead{}, fmt.Errorf("%w: and %s is to follow it", ErrFrozen, named)
	} else if frozen {
		return l.Head(), nil
	}
	if err := l.ready(ctx); err != nil {
		return SignedHead{}, err
	}
	b := l.build([]*prepared{l.own(KindEnd, next)})
	b.next = next
	if err := l.write(b); err != nil {
		l.fail(begunFailed, b, err)
		return SignedHead{}, fmt.Errorf("%w: freeze: %w", ErrUnavailable, err)
	}
	l.freeze(next)
	return b.head, nil
}

// freeze takes note that the record which ends the log is durable. l.turn is held.
func (l *Ledger) freeze(next string) {
	l.mu.Lock()
	l.next = next
	l.state = State{Reason: frozenReason, Since: l.o.Clock().UTC()}
	l.mu.Unlock()
	// Give back the room that was reserved; a failure only costs disk space.
	if err := errors.Join(l.file.Truncate(l.written), l.file.Close()); err != nil {
		l.o.Log.Warn("could not trim a frozen log", "log", l.self.origin, "error", err)
	}
	l.file, l.buffer = nil, nil
	l.o.Log.Info("the log is frozen", "log", l.self.origin, "records", l.Size(), "next", next)
}

// Frozen says whether the log is frozen, and the verifier key of the log that
// its last record names as the one to follow it.
func (l *Ledger) Frozen() (next string, frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next, l.next != ""
}

// Base returns the Number of the log's first record: how many records the logs
// before it hold, 0 for the first log of a ledger.
func (l *Ledger) Base() uint64 { return l.base }

// Succession returns what the log's first record says of the log before it;
// false for the first log of a ledger.
func (l *Ledger) Succession() (Succession, bool) {
	if l.first == nil {
		return Succession{}, false
	}
	return *l.first, true
}

// Forgot tells a frozen log that a log behind it destroyed these keys, by a leaf
// of that time: they open nothing here from now on, and the parts that they
// sealed read as erased then (G5).
func (l *Ledger) Forgot(ids []KeyID, at time.Time) {
	for _, id := range ids {
		if !l.keys.doomed(id) {
			l.keys.doom([]KeyID{id}, doom{at: micros(at)})
		}
	}
}

// Follows says that these frozen logs come before l, oldest first. What l has
// destroyed and will destroy they're told of (Forgot) at the moment when the leaf
// counts; and damage that is found in the last of them stops l.
func (l *Ledger) Follows(before ...*Ledger) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.before = before
	l.mu.Unlock()
	l.forgotten.mu.Lock()
	gone := l.forgotten.entries
	l.forgotten.mu.Unlock()
	for _, old := range before {
		for _, e := range gone {
			if e.leaf > 0 {
				old.Forgot([]KeyID{e.id}, fromMicros(e.at))
			}
		}
	}
	if len(before) == 0 {
		return
	}
	last := before[len(before)-1]
	last.mu.Lock()
	last.after = l
	damage := last.damage
	last.mu.Unlock()
	if damage != nil {
		l.damaged(fmt.Errorf("in the log %s before this one: %w", last.self.origin, damage))
	}
}

// CreateNext makes the log that follows before, which is frozen, in dir, where
// NewKey has put its key: the one that before's last record names, else the error
// is ErrSuccession. Its first record is of KindNext and holds the succession,
// signed with before's key, and checkpoint: before's last one as it was published,
// with its cosignatures; nil: its own, which has none. A checkpoint that isn't
// before's last, isn't signed by it or is too long is ErrSuccession. The journal
// appears whole or not at all; where there is one the error is ErrExists.
func CreateNext(dir string, o Options, before *Ledger, checkpoint []byte) error {
	if err := createNext(dir, o, before, checkpoint); err != nil {
		return fmt.Errorf("ledger: create the next log: %w", err)
	}
	return nil
}

func createNext(dir string, o Options, before *Ledger, checkpoint []byte) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	me, err := readSelf(dir)
	if err != nil {
		return err
	}
	next, frozen := before.Frozen()
	switch {
	case !frozen:
		return fmt.Errorf("%w: %s is not frozen", ErrSuccession, before.Origin())
	case next != me.verifier:
		return fmt.Errorf("%w: %s ends by naming %s, the key in %s is %s", ErrSuccession, before.Origin(), next, dir, me.verifier)
	}
	if _, err := os.Stat(filepath.Join(dir, segmentName(1))); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%w: %s holds a journal", ErrExists, dir), err)
	}
	ctx := context.Background()
	if err := me.load(ctx, o.secrets(dir)); err != nil {
		return err
	}
	s, err := before.hand(ctx, next, checkpoint)
	if err != nil {
		return err
	}
	l := newLedger(o, me, o.disk(dir))
	if err := l.forgotten.change(func(none []forgottenKey) []forgottenKey { return none }); err != nil {
		return err
	}
	if err := l.begin(begunCreated, l.build([]*prepared{l.own(KindNext, string(s.detail()))})); err != nil {
		return err
	}
	return errors.Join(l.file.Truncate(l.written), l.file.Close())
}

// hand makes and signs the succession to the log of that key. The log is frozen.
func (l *Ledger) hand(ctx context.Context, next string, checkpoint []byte) (Succession, error) {
	me := *l.self
	if me.key == nil {
		if err := me.load(ctx, l.o.secrets(l.dir)); err != nil {
			return Succession{}, err
		}
	}
	head := l.Head()
	s := Succession{Origin: me.origin, Size: head.Size, Root: head.Root, Base: l.base + head.Size, Next: next, Checkpoint: checkpoint}
	var err error
	if checkpoint == nil {
		if s.Checkpoint, err = me.checkpoint(head); err != nil {
			return s, err
		}
	}
	if s.Note, err = me.signNote(s.text()); err != nil {
		return s, err
	}
	if n := len(s.detail()); n > maxNext {
		return s, fmt.Errorf("%w: with the checkpoint it has %d bytes, more than %d", ErrSuccession, n, maxNext)
	}
	if _, err := ParseSuccession(s.detail()); err != nil {
		return s, err
	}
	return s, s.Verify(me.verifier)
}
