package witness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The kinds of alarms.
const (
	// KindFork: the log signed two stories that can't both be true. Known and
	// Shown, and Proof where Shown is larger, prove it to anyone who has the
	// log's key. It never ends by itself.
	KindFork = "fork"
	// KindInconsistent: the log signed a checkpoint, and whoever brought it had
	// no proof that it contains what was known. Either the log was rewritten,
	// or somebody brought a real checkpoint with a wrong proof.
	KindInconsistent = "inconsistent"
	// KindRollback: a checkpoint smaller than the known one was brought as the
	// newest. Either the log was set back, or somebody brought an old one.
	KindRollback = "rollback"
	// KindSuccessors: the log signed two different ends. Known and Shown, each a
	// succession, prove it. It never ends by itself.
	KindSuccessors = "successors"
	// KindOutlived: the log signed that it had ended, and it signed a larger tree.
	// Known and Shown, one a succession and one a checkpoint, prove it. It never
	// ends by itself.
	KindOutlived = "outlived"
	// KindContinued: the log has gone on from where it was known; what was
	// suspected before is answered. It ends alarms, and is none.
	KindContinued = "continued"
)

// maxAlarms bounds the alarms kept of one log, separately for forks and for the
// rest, so that what anybody can provoke never displaces what only the log's
// key can make.
const maxAlarms = 500

// An Alarm says that a log was shown as it should never be, with the evidence.
type Alarm struct {
	Kind   string         `json:"kind"`
	Time   time.Time      `json:"time"` // by the witness's clock
	Origin string         `json:"origin"`
	Text   string         `json:"text"`            // what it means, in plain words
	Known  Evidence       `json:"known"`           // what the witness had cosigned
	Shown  Evidence       `json:"shown"`           // what it was shown then
	Old    uint64         `json:"old"`             // size that the proof starts from
	Proof  tlog.TreeProof `json:"proof,omitempty"` // what was brought as proof
	Open   bool           `json:"open,omitempty"`  // nothing has answered it; not in the file
}

// Evidence is one signed checkpoint, or a log's signed end.
type Evidence struct {
	Size uint64    `json:"size"`
	Root tlog.Hash `json:"root"`
	Note string    `json:"note"` // the signed note, of a succession both; "" for the empty tree
}

// Proven reports whether the alarm proves by itself that the log lied.
func (a Alarm) Proven() bool {
	return a.Kind == KindFork || a.Kind == KindSuccessors || a.Kind == KindOutlived
}

// key is what makes two alarms the same.
func (a Alarm) key() string {
	return fmt.Sprintf("%s %s %d %s", a.Origin, a.Kind, a.Shown.Size, a.Shown.Root)
}

// judge compares a signed checkpoint with the known one and returns the alarm
// that it's due, if any.
func judge(known, shown Checkpoint, req request) (kind, text string) {
	switch {
	case shown.Size < known.Size:
		return KindRollback, fmt.Sprintf("A checkpoint of %d records was shown after one of %d. If the log's server did that, "+
			"records were dropped or an old copy was restored; or somebody repeated an old checkpoint.", shown.Size, known.Size)
	case shown.Size == known.Size && shown.Root != known.Root:
		return KindFork, twoTrees(known.Size)
	case req.old != known.Size || known.Size == 0 || consistent(known, shown, req.proof):
		return "", ""
	}
	if old, now, ok := implied(req.proof, known.Size, shown.Size); ok && now == shown.Root && old != known.Root {
		return KindFork, fmt.Sprintf("The log signed a tree of %d records whose first %d are not those that it had signed before. "+
			"It has been rewritten, or it shows different records to different people.", shown.Size, known.Size)
	}
	return KindInconsistent, fmt.Sprintf("The log signed a tree of %d records, and what was brought does not prove that it begins with "+
		"the %d known ones. If the log's server did that, the log has been rewritten; or somebody brought a wrong proof.", shown.Size, known.Size)
}

// twoTrees tells the plainest fork.
func twoTrees(size uint64) string {
	return fmt.Sprintf("The log signed two different trees of %d records. It has been rewritten, "+
		"or it shows different records to different people.", size)
}

// alarms is the file of alarms and what of it is needed.
type alarms struct {
	path string
	all  []Alarm
	have map[string]bool
	// unkept counts what was raised by log after the bound, since it last went on.
	unkept map[string]int
	// unread counts lines that can't be read, such as one cut short by a crash.
	unread int
}

// readAlarms reads the file. It must be there: the witness makes it with its key.
func readAlarms(dir string) (*alarms, error) {
	a := &alarms{path: filepath.Join(dir, alarmFile), have: map[string]bool{}, unkept: map[string]int{}}
	content, err := os.ReadFile(a.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	lines := bytes.SplitAfter(content, []byte("\n"))
	for _, line := range lines {
		var one Alarm
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &one) != nil:
			a.unread++
		default:
			a.note(one)
		}
	}
	if n := len(content); n > 0 && content[n-1] != '\n' {
		// A crash cut the last line short. It stays as it is.
		if err := appendLine(a.path, nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	return a, nil
}

// raise keeps an alarm, durably. The same one isn't kept twice, and what anybody
// can provoke not without end; it reports whether this one is news.
func (a *alarms) raise(one Alarm) (bool, error) {
	switch {
	case a.have[one.key()]:
		return false, nil
	case a.count(one.Origin, one.Proven()) >= maxAlarms:
		a.unkept[one.Origin]++
		return true, nil
	}
	return true, a.write(one)
}

// answer ends the suspicions that the log's going on to c answers: c contains
// what was known, and is as large as what was suspected. What was suspected and
// is another tree of c's very size is returned: together with c it's a fork.
func (a *alarms) answer(c seen, at time.Time) (forked *Alarm, err error) {
	a.unkept[c.Origin] = 0
	answered := false
	for _, one := range a.all {
		if !one.Open || one.Origin != c.Origin || one.Proven() || one.Shown.Size > c.Size {
			continue
		}
		answered = true
		if one.Shown.Size == c.Size && one.Shown.Root != c.Root {
			forked = &one
		}
	}
	if !answered {
		return nil, nil
	}
	return forked, a.write(Alarm{
		Kind: KindContinued, Time: at, Origin: c.Origin, Shown: Evidence{c.Size, c.Root, c.note},
		Text: fmt.Sprintf("The log has gone on to %d records and proved that they begin with all that was known.", c.Size),
	})
}

func (a *alarms) write(one Alarm) error {
	one.Open = false // what answers it comes later in the file
	line, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("keep alarm: %w", err)
	}
	a.note(one) // shown even if the disk fails
	if err := appendLine(a.path, line); err != nil {
		return fmt.Errorf("keep alarm: %w", err)
	}
	return nil
}

// note takes an alarm into memory.
func (a *alarms) note(one Alarm) {
	if one.Kind == KindContinued {
		for i, other := range a.all {
			if other.Origin == one.Origin && !other.Proven() && other.Shown.Size <= one.Shown.Size {
				a.all[i].Open = false
			}
		}
	}
	one.Open = one.Kind != KindContinued
	a.all = append(a.all, one)
	a.have[one.key()] = true
}

// open counts the alarms of a log that nothing has answered.
func (a *alarms) open(origin string) (forks, suspicions int) {
	for _, one := range a.all {
		switch {
		case !one.Open || one.Origin != origin:
		case one.Proven():
			forks++
		default:
			suspicions++
		}
	}
	return forks, suspicions + a.unkept[origin]
}

func (a *alarms) count(origin string, proven bool) int {
	n := 0
	for _, one := range a.all {
		if one.Origin == origin && one.Proven() == proven && one.Kind != KindContinued {
			n++
		}
	}
	return n
}
