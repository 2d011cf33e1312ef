package review

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// maxBad is the share of bad rows in a file, 0..1, beyond which nobody is judged.
const maxBad = 0.01

// Options says what to review and how. The zero value of each optional field
// means its default.
type Options struct {
	Dir    string // holds the files to review
	Out    string // where the output goes; made where it doesn't exist
	Budget int    // findings a day (UTC) at most; 0: the engine's default
	// Since and Until bound what is reported, to the microsecond; zero: no
	// bound. What happened before Since is read as history and reported of no
	// one; what happened at Until or after it is not looked at.
	Since, Until time.Time
	// GoOnDespiteBadRows reviews what can be read even where more than one row
	// in a hundred of a file is bad.
	GoOnDespiteBadRows bool
	Needs              []access.PurposeNeeds // the policy's purposes; used when there is no purposes.csv
	Memory             int                   // bytes of records that each file may hold in memory; 0: DefaultMemory
	Progress           func(Progress)        // told now and then how far it is; never from two goroutines at once; may be nil
	Notices            io.Writer             // one line for each thing worth knowing; nil: none
}

// Progress says how far a review is.
type Progress struct {
	Phase Phase
	Done  int64 // of Total; bytes as they lie on disk while reading, events while judging
	Total int64
}

// Phase is what a review is doing.
type Phase string

// The phases, in this order.
const (
	PhaseReading Phase = "reading" // Progress counts bytes
	PhaseJudging Phase = "judging" // Progress counts events
	PhaseWriting Phase = "writing" // Progress counts nothing
)

// Summary is what a review came to.
type Summary struct {
	Files    []FileSummary
	Missing  []string // files that were not there, without .csv
	Rejected []Reject // the first few, in the order of Files
	Bad      int64    // rows that were not taken, over all files
	Lookups  int      // that were reviewed
	Findings []detect.Finding
	Samples  []detect.Finding
	Report   string // path of the report
}

// FileSummary counts the rows of one file, its header line not among them.
type FileSummary struct {
	Name      string
	Rows, Bad int64
}

// Share returns the share of bad rows, 0..1.
func (f FileSummary) Share() float64 {
	if f.Rows == 0 {
		return 0
	}
	return float64(f.Bad) / float64(f.Rows)
}

// Run reviews the files of o.Dir and writes findings.jsonl, samples.jsonl,
// rejected.csv and report.html into o.Out.
//
// It returns an access.Invalid error with a hint where the input or OUT can't
// be used, or has too many bad rows (then rejected.csv is written, and nobody
// is judged), and the context's error when it was interrupted (then OUT is as
// it was).
func Run(ctx context.Context, o Options) (s Summary, err error) {
	if !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until) {
		return s, access.Errorf(access.Invalid, "since is not before until").WithHint("Since is the first moment reported, until the first that isn't.")
	}
	if o.Budget < 0 {
		return s, access.Errorf(access.Invalid, "the budget is %d findings a day", o.Budget).WithHint("Give how many findings a day people can read, 1 or more.")
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Notices == nil {
		o.Notices = io.Discard
	}
	inputs, missing, err := findInputs(o.Dir)
	if err != nil {
		return s, err
	}
	others, err := unread(o.Dir, inputs)
	if err != nil {
		return s, err
	}
	for _, name := range others {
		fmt.Fprintf(o.Notices, "%s: not read, no table has this name\n", name)
	}
	out, err := openOutput(o.Out)
	if err != nil {
		return s, err
	}
	defer func() {
		if closing := out.close(); err == nil {
			err = closing
		}
	}()
	for _, path := range out.leftovers() {
		fmt.Fprintf(o.Notices, "left behind by an interrupted review, with rows of its input: %s\n", path)
	}
	read, err := readAll(ctx, o, inputs, out.work)
	defer func() {
		if closing := read.close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return s, err
	}
	s = read.summary(missing)
	if err := writeRejected(out, read); err != nil {
		return s, err
	}
	tell(o.Notices, read, s)
	if err := tooBad(s); err != nil && !o.GoOnDespiteBadRows {
		if publishing := out.publish(); publishing != nil {
			return s, publishing
		}
		return s, err
	}
	result, err := judge(ctx, o, read)
	if err != nil {
		return s, err
	}
	s.Lookups, s.Findings, s.Samples = result.tally.Lookups, result.findings, result.samples
	stories, err := tellStories(ctx, read, result)
	if err != nil {
		return s, err
	}
	o.Progress(Progress{Phase: PhaseWriting})
	if err := writeAll(out, o, s, result, stories); err != nil {
		return s, err
	}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	s.Report = filepath.Join(o.Out, reportFile)
	return s, out.publish()
}

// tell writes what is worth knowing before anybody is judged.
func tell(w io.Writer, read *reading, s Summary) {
	for _, t := range read.tables {
		for _, line := range t.notices {
			fmt.Fprintln(w, line)
		}
	}
	if s.Bad == 0 {
		return
	}
	for _, f := range s.Files {
		if f.Bad > 0 {
			fmt.Fprintf(w, "%s: %d of %d rows are bad (%.2f %%)\n", f.Name, f.Bad, f.Rows, 100*f.Share())
		}
	}
	for _, r := range s.Rejected {
		fmt.Fprintf(w, "  %s\n", r)
	}
	if more := s.Bad - int64(len(s.Rejected)); more > 0 {
		fmt.Fprintf(w, "  and %d more; all of them are in %s\n", more, rejectedFile)
	}
}

// tooBad returns an error when a file has too many bad rows for anybody to be
// judged by it.
func tooBad(s Summary) error {
	for _, f := range s.Files {
		if f.Share() > maxBad {
			return access.Errorf(access.Invalid, "%.1f %% of the rows of %s are bad; nobody was judged", 100*f.Share(), f.Name).
				WithHint("Mend the export (rejected.csv says what is wrong with each row), or review what can be read with --go-on.")
		}
	}
	return nil
}

func writeRejected(out *output, read *reading) error {
	return out.write(rejectedFile, func(w io.Writer) error {
		if _, err := io.WriteString(w, rejectsHeader+"\n"); err != nil {
			return err
		}
		for _, t := range read.tables {
			if err := t.rejects.copyTo(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func writeAll(out *output, o Options, s Summary, r *result, stories []story) error {
	if err := out.write(samplesFile, func(w io.Writer) error { return writeLines(w, r.samples) }); err != nil {
		return err
	}
	if err := out.write(findingsFile, func(w io.Writer) error { return writeLines(w, r.findings) }); err != nil {
		return err
	}
	return out.write(reportFile, func(w io.Writer) error { return writeReport(w, newReport(o, s, r, stories)) })
}

// writeLines writes one finding a line.
func writeLines(w io.Writer, findings []detect.Finding) error {
	enc := json.NewEncoder(w)
	for _, f := range findings {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// rankOverall puts findings in order, the most serious first, and numbers them.
func rankOverall(findings []detect.Finding) {
	slices.SortStableFunc(findings, func(a, b detect.Finding) int {
		return cmp.Or(-cmp.Compare(a.Score, b.Score), a.RaisedAt.Compare(b.RaisedAt), cmp.Compare(a.ID, b.ID))
	})
	for i := range findings {
		findings[i].Rank = i + 1
	}
}

// micros returns t in microseconds since 1970, otherwise where t is zero.
func micros(t time.Time, otherwise int64) int64 {
	if t.IsZero() {
		return otherwise
	}
	return t.UnixMicro()
}

// never is later than every time that a file can hold.
const never = math.MaxInt64
