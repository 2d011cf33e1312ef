package audit

import (
	"fmt"
	"slices"
	"time"

	"paravent/internal/ledger"
)

// keptFile names the reader's own checkpoint in problems.
const keptFile = "kept checkpoint"

// recall reads what the reader kept of a log.
func (v *verification) recall(r *logRun) error {
	if v.o.Memory == nil {
		return nil
	}
	k, err := v.o.Memory.recall(r.Origin)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if k == nil {
		return nil
	}
	r.seen = k.Seen
	if r.was, err = parseCheckpoint([]byte(k.Checkpoint), r.key.origin, r.key.pub); err != nil {
		r.problem(keptFile, unknown, unknown, "the checkpoint that you kept on %s does not belong to this ledger and key: %v", k.Seen.Format(time.DateOnly), err)
		r.was = nil
	}
	return nil
}

// compareKept holds all logs against what the reader kept (G4), and says whether
// he had kept anything of this ledger.
func (v *verification) compareKept() (remembered bool, err error) {
	if v.o.Memory == nil {
		return false, nil
	}
	for _, r := range v.logs {
		remembered = remembered || r.was != nil
		r.compareKept()
	}
	was, err := v.o.Memory.stood(v.o.Place)
	if err != nil {
		return remembered, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if was == nil {
		return remembered, nil
	}
	followed, err := v.comparePlace(was)
	return remembered || followed, err
}

// compareKept says whether the log contains everything that it contained when
// the reader saw it last.
func (r *logRun) compareKept() {
	if r.was == nil {
		return
	}
	day := r.seen.Format(time.RFC3339)
	root, known := r.roots[r.was.Size]
	switch {
	case r.was.Size > r.Size:
		r.problem(keptFile, unknown, int64(r.Size), "ROLLED BACK: the ledger had %d records when you verified it on %s, and has %d now: an older copy was put in its place, or records were cut off", r.was.Size, day, r.Size)
	case known && root != r.was.Root:
		r.problem(keptFile, unknown, unknown, "REWRITTEN: the first %d records are not those that you verified on %s; both trees are signed by the ledger's key", r.was.Size, day)
	case known:
		r.note("it contains all %d records that you verified on %s", r.was.Size, day)
	default:
		r.unknown("whether the first %d records are those that you verified on %s: the journal is too damaged to tell", r.was.Size, day)
	}
}

// comparePlace says whether the logs that stood here are here still. A ledger
// may have moved on, by a succession that is proven, and may have dropped its
// oldest logs; it may not have lost its last.
func (v *verification) comparePlace(was *place) (followed bool, err error) {
	here := make([]string, len(v.logs))
	for i, r := range v.logs {
		here[i] = r.Origin
	}
	if slices.Contains(here, was.Origin) {
		for _, origin := range was.Logs {
			if !slices.Contains(here, origin) {
				v.whole.note("the log %s, which stood here when you verified it last, isn't here any more", origin)
			}
		}
		if here[len(here)-1] != was.Origin {
			v.whole.note("when you verified it last, the log %s was the newest; it was frozen since, and the next one follows from it", was.Origin)
		}
		return true, nil
	}
	if slices.ContainsFunc(was.Logs, func(origin string) bool { return slices.Contains(here, origin) }) {
		v.whole.problem(keptFile, unknown, unknown, "ROLLED BACK: when you verified it last, the log %s was the newest, and it isn't here: it was removed, or another one was put in its place", was.Origin)
		return true, nil
	}
	k, err := v.o.Memory.recall(was.Origin)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if n := v.logs[0].next; k != nil && n != nil && n.Origin == was.Origin && n.Verify(k.Key) == nil {
		v.compareDropped(k, n)
		return true, nil
	}
	v.whole.problem("", unknown, unknown, "EXCHANGED: when you verified it last, the ledger %s stood here, and now %s does. If it was moved or replaced for a reason that you know, verify this one with another --state folder", was.Origin, here[len(here)-1])
	return false, nil
}

// compareDropped holds what the first log says of the one before it, which isn't
// here any more, against what the reader kept of that.
func (v *verification) compareDropped(k *kept, n *ledger.Succession) {
	day := k.Seen.Format(time.RFC3339)
	key, err := parseKey(k.Key)
	if err != nil {
		return // it has verified the succession, so it can be read
	}
	was, err := parseCheckpoint([]byte(k.Checkpoint), key.origin, key.pub)
	switch {
	case err != nil:
		v.whole.problem(keptFile, unknown, unknown, "the checkpoint that you kept on %s does not verify: %v", day, err)
	case was.Size > n.Size:
		v.whole.problem(keptFile, unknown, unknown, "ROLLED BACK: the log %s had %d records when you verified it on %s, and the log that follows it says that it ended with %d", n.Origin, was.Size, day, n.Size)
	case was.Size == n.Size && was.Root != n.Root:
		v.whole.problem(keptFile, unknown, unknown, "REWRITTEN: the log %s that you verified on %s is not the one that this ledger follows; both are signed by its key", n.Origin, day)
	default:
		v.whole.note("the log %s, which you verified on %s, was dropped since; its key signed the log that follows it", n.Origin, day)
	}
}
