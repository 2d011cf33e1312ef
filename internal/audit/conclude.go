package audit

import (
	"context"
	"fmt"
)

// conclude holds the logs against each other, against the reader's key, his
// witnesses, what he kept and the key table, and makes one result of it all.
func (v *verification) conclude(ctx context.Context) (*Result, error) {
	if !v.alone() {
		v.link()
		for i, r := range v.logs[1:] {
			v.linkEnd(v.logs[i], r)
		}
	}
	v.anchor()
	remembered, err := v.compareKept()
	if err != nil {
		return nil, err
	}
	witnessed := v.witnessed()
	v.ends()
	r := v.merge()
	if v.o.Table != nil {
		v.book.late = v.alone() && v.logs[0].end != nil
		if err := v.book.table(ctx, &r.Report, v.o.Table, v.before); err != nil {
			return nil, err
		}
	}
	if v.o.Quick && r.Segments > 0 {
		r.unknown("whether every signed head in the journal is intact: only the last of each segment was checked (--quick); every record is under it")
	}
	limits(&r.Report, remembered, witnessed, r.First+r.Size)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if v.o.Memory == nil || !r.Sound() {
		return r, nil
	}
	return r, v.o.Memory.keep(v.logs, v.o.Place)
}

// anchor holds the logs' keys against the reader's. One that is known proves the
// others: forward by signed successions, backward because a log commits to the
// root of the one before it. link has checked both.
func (v *verification) anchor() {
	last := v.logs[len(v.logs)-1]
	if v.given == nil {
		if last.key != nil {
			v.whole.note("the key beside the ledger was trusted (%s); who can replace the ledger can replace that key too. Get it by another way and give it with --key", last.key.vkey)
		}
		return
	}
	for _, r := range v.logs {
		if r.key == nil || r.key.vkey != v.given.vkey {
			continue
		}
		if r != last {
			v.whole.note("the key that you gave is that of log %s; the logs behind it are tied to it by what each signed of the next. Keep the newest: %s", r.name, last.key.vkey)
		}
		return
	}
	if first := v.logs[0]; first.next != nil && first.next.Verify(v.given.vkey) == nil {
		v.whole.note("the key that you gave is that of the log before the first one that is here, and signed that one's. Keep the newest: %s", last.key.vkey)
		return
	}
	v.whole.problem("", unknown, unknown, "the key that you gave is of another ledger (%s): no log here has it, and none follows from it", v.given.origin)
}

// witnessed checks the witnesses' signatures under the last checkpoint that is
// published, and returns the number of the first record that it doesn't cover. A
// log that was begun just now has none; the one before then says up to where.
func (v *verification) witnessed() uint64 {
	if len(v.watchers.keys) == 0 {
		return 0
	}
	for i := len(v.logs) - 1; i >= 0; i-- {
		r := v.logs[i]
		if r.key == nil || r.published == nil && i > 0 {
			continue
		}
		if v.watchers.cosigned(&r.Report, r.key, r.file, r.published) && r.head != nil {
			return r.base + r.head.Size
		}
		return 0
	}
	return 0
}

// ends says what lies before the first log and behind the last, as far as their
// records tell.
func (v *verification) ends() {
	first, last := v.logs[0], v.logs[len(v.logs)-1]
	if n := first.next; n != nil {
		before := fmt.Sprintf("it follows the log %s, which ended with %d records and the root %s", n.Origin, n.Size, n.Root)
		if v.alone() {
			first.note("%s. Its records are numbered from %d in the whole ledger", before, n.Base)
			first.unknown("whether the log before it is intact, and whether that log's key signed this one: verify the whole ledger")
		} else {
			first.note("records 0 to %d were in logs that aren't here any more: %s", n.Base-1, before)
			v.whole.unknown("whether the older logs were dropped as the company's rules say or simply taken away, and what was in them: of them there's only the last checkpoint, in record %d. Whoever kept one of them can still verify it against that", n.Base)
		}
	}
	if last.end == nil {
		return
	}
	switch {
	case v.alone():
		last.note("it is frozen: its record %d says that the next log has the key %s", last.end.record, last.end.next)
		last.unknown("whether the next log is there and intact: verify the whole ledger")
	case v.pending == last.end.next:
		v.whole.unknown("where the next log is: this one is frozen, and the next is being made with the key %s. Should this stay so once the server runs, the next log was removed (ROLLED BACK)", v.pending)
	case v.remote:
		last.problem("", unknown, int64(last.end.record), "ROLLED BACK: this record froze the log and says that one with the key %s follows, and it isn't served: it was removed, unless it's being made this minute", last.end.next)
	default:
		last.problem("", unknown, int64(last.end.record), "ROLLED BACK: this record froze the log and says that one with the key %s follows, and there is none: it was removed", last.end.next)
	}
}

// merge makes one report of those of all logs.
func (v *verification) merge() *Result {
	last := v.logs[len(v.logs)-1]
	r := &Result{Report: Report{Origin: last.Origin, Root: last.Root}, First: v.logs[0].base, Checkpoint: last.checkpoint, Destroyed: v.book.destroyed()}
	if last.key != nil {
		r.Key = last.key.vkey
	}
	r.Add(v.whole.Problems...)
	r.Count += v.whole.Count - len(v.whole.Problems)
	for _, l := range v.logs {
		r.Size, r.Segments, r.Heads = r.Size+l.Size, r.Segments+l.Segments, r.Heads+l.Heads
		part := LogPart{Name: l.name, Origin: l.Origin, Base: l.base, Size: l.Size, Root: l.Root, Frozen: l.end != nil,
			Segments: l.Segments, Heads: l.Heads, Keys: l.Keys, Erased: l.Erased, Problems: l.Count, Last: l.checkpoint}
		if l.key != nil {
			part.Key = l.key.vkey
		}
		r.Logs = append(r.Logs, part)
		r.Count += l.Count - len(l.Problems)
		r.Add(l.labelled()...)
		for _, n := range l.Notes {
			r.Notes = append(r.Notes, l.say(n))
		}
		for _, n := range l.Unknown {
			r.Unknown = append(r.Unknown, l.say(n))
		}
	}
	r.Notes, r.Unknown = append(r.Notes, v.whole.Notes...), append(r.Unknown, v.whole.Unknown...)
	for _, s := range v.book.keys {
		if s.made.known() {
			r.Keys++
		}
		if s.gone.known() {
			r.Erased++
		}
	}
	return r
}

// labelled returns the problems of one of several logs, with its name and their
// numbers in the whole ledger.
func (l *logRun) labelled() []Problem {
	if l.name == "" {
		return l.Problems
	}
	out := make([]Problem, 0, len(l.Problems))
	for _, p := range l.Problems {
		p.Log, p.Number = l.name, p.Record
		if p.Record >= 0 {
			p.Number += int64(l.base)
		}
		out = append(out, p)
	}
	return out
}

// say puts the log's name before a sentence.
func (l *logRun) say(text string) string {
	if l.name == "" {
		return text
	}
	return "log " + l.name + ": " + text
}

// link holds each log against the one before it.
func (v *verification) link() {
	for i, r := range v.logs {
		n := number(r.name)
		if i == 0 {
			if r.next != nil {
				r.base = r.next.Base
			}
			v.book.bases[0] = r.base
			if r.key != nil && (n > 1) != (r.next != nil) && r.Size > 0 {
				r.problem("", unknown, 0, "it is log %d of the ledger, and its first record says otherwise", n)
			}
			continue
		}
		before := v.logs[i-1]
		r.base = before.base + before.Size
		v.book.bases[i] = r.base
		for missing := n - 1; missing >= 1 && logName(missing) != before.name && missing > n-10; missing-- {
			v.whole.problem("", unknown, unknown, "log %s is missing", logName(missing))
		}
		if r.key == nil || before.key == nil {
			v.whole.unknown("whether log %s follows log %s: one of them can't be read", r.name, before.name)
			continue
		}
		v.linkNext(before, r)
		if r.start.known && before.stop.known && r.start.at < before.stop.at {
			r.note("it begins at %s, before the last record of log %s (%s): the clock was set back in between", clockText(r.start.at), before.name, clockText(before.stop.at))
		}
		for _, older := range v.logs[:i] {
			if older.key != nil && older.key.pub.Equal(r.key.pub) {
				r.problem(publicFile, unknown, unknown, "it has the signing key of log %s: whoever kept that key can write here", older.name)
			}
		}
	}
}

// linkEnd checks what the log before says of the next.
func (v *verification) linkEnd(before, r *logRun) {
	switch {
	case before.key == nil || r.key == nil:
	case before.end == nil:
		before.problem("", unknown, int64(before.Size), "CUT OFF: log %s follows, but no record here says so: the record that froze this log is missing", r.name)
	case before.end.next != r.key.vkey:
		before.problem("", unknown, int64(before.end.record), "EXCHANGED: it says that the next log has the key %s, and log %s has %s", before.end.next, r.name, r.key.vkey)
	}
}

// linkNext checks what a log's first record says of the log before.
func (v *verification) linkNext(before, r *logRun) {
	n := r.next
	if n == nil {
		if r.Size > 0 {
			r.problem("", unknown, 0, "it doesn't say which log it follows")
		}
		return
	}
	name := func(format string, args ...any) { r.problem("", unknown, 0, format, args...) }
	switch {
	case n.Origin != before.key.origin:
		name("it follows the log %s, and log %s is %s", n.Origin, before.name, before.key.origin)
	case n.Verify(before.key.vkey) != nil:
		name("what it says of log %s is not what that log's key signed: %v", before.name, n.Verify(before.key.vkey))
	}
	if n.Size != before.Size {
		name("it says that log %s ended with %d records, and that has %d", before.name, n.Size, before.Size)
	} else if n.Root != before.Root {
		name("REWRITTEN: it says that log %s ended with the root %s, and that has %s", before.name, n.Root, before.Root)
	}
	if n.Base != before.base+n.Size {
		name("it says that its first record is number %d of the ledger, and that should be %d", n.Base, before.base+n.Size)
	}
}
