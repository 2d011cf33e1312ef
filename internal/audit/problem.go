package audit

import (
	"errors"
	"fmt"
	"strings"

	"paravent/internal/ledger"
)

// unknown stands for a byte or a record that a problem doesn't name.
const unknown = -1

// A Problem is one thing that isn't as it was written: evidence of tampering or
// of a broken disk. It names no person.
type Problem struct {
	Log    string // of several logs the one that is concerned, such as "0002"; "": the whole, or there is one log only
	File   string // of the log's folder or below its address; "" when no single file is meant
	Byte   int64  // offset in the file; -1: not known
	Record int64  // position, in its log, of the first record that is concerned; -1: none
	Number int64  // of that record in the whole ledger; means nothing without Log and Record
	What   string // a sentence without its full stop
}

// String returns the problem as one line: where, then what.
func (p Problem) String() string {
	if p.Log != "" {
		return p.inLog()
	}
	var where []string
	if p.Record >= 0 {
		where = append(where, fmt.Sprintf("record %d", p.Record))
	}
	if p.File != "" {
		file := p.File
		if p.Byte >= 0 {
			file += fmt.Sprintf(", byte %d", p.Byte)
		}
		where = append(where, file)
	}
	if len(where) == 0 {
		return p.What
	}
	return strings.Join(where, " (") + strings.Repeat(")", len(where)-1) + ": " + p.What
}

// inLog is String for one of several logs: "record 1017 (log 0002, its record
// 17, 0000000001.journal, byte 80): what".
func (p Problem) inLog() string {
	where := []string{"log " + p.Log}
	if p.Record >= 0 && p.Number != p.Record {
		where = append(where, fmt.Sprintf("its record %d", p.Record))
	}
	if p.File != "" {
		where = append(where, p.File)
	}
	if p.File != "" && p.Byte >= 0 {
		where = append(where, fmt.Sprintf("byte %d", p.Byte))
	}
	if p.Record >= 0 {
		return fmt.Sprintf("record %d (%s): %s", p.Number, strings.Join(where, ", "), p.What)
	}
	return strings.Join(where, ", ") + ": " + p.What
}

// problemOf makes a Problem of what a reader of the journal returned.
func problemOf(err error) Problem {
	var d *ledger.Damage
	if !errors.As(err, &d) {
		return Problem{Byte: unknown, Record: unknown, What: err.Error()}
	}
	what := d.What
	if d.Err != nil {
		what += ": " + d.Err.Error()
	}
	return Problem{File: d.Segment, Byte: d.Offset, Record: int64(d.Position), What: what}
}

// maxProblems bounds how many problems a report lists; all are counted.
const maxProblems = 200

// A Report is what a verification found.
type Report struct {
	Origin   string      // the log's name; of several, the last one's
	Size     uint64      // records that were verified, in all logs
	Root     ledger.Hash // of the log's tree; of several, the last one's
	Segments int         // of the journals; 0 over the network
	Heads    int         // signed heads that were checked
	Keys     int         // of persons, made
	Erased   int         // of persons, destroyed and recorded as destroyed
	Problems []Problem   // the first 200
	Count    int         // of problems, listed or not
	Notes    []string    // what a reader should know and is no problem
	Unknown  []string    // what couldn't be known, and what would be needed for it
}

// Sound says whether no problem was found.
func (r *Report) Sound() bool { return r.Count == 0 }

// Add adds problems to the report.
func (r *Report) Add(p ...Problem) {
	r.Count += len(p)
	if room := maxProblems - len(r.Problems); room > 0 {
		r.Problems = append(r.Problems, p[:min(room, len(p))]...)
	}
}

func (r *Report) problem(file string, at, record int64, format string, args ...any) {
	r.Add(Problem{File: file, Byte: at, Record: record, What: fmt.Sprintf(format, args...)})
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Report) unknown(format string, args ...any) {
	r.Unknown = append(r.Unknown, fmt.Sprintf(format, args...))
}
