package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/review"
)

// newReviewCommand returns `paravent review`: look-ups of the past, from files.
func newReviewCommand(s streams) *cobra.Command {
	var o review.Options
	var since, until string
	c := &cobra.Command{
		Use:   "review DIR",
		Short: "Review look-ups of the past, from files",
		Long: `Reads what a company exports (accesses.csv and, as far as they are there, tasks,
assignments, work, contacts, customers, employees, relations, orders, purposes
and news; plain or .gz), holds each look-up against these facts, and writes
findings.jsonl, samples.jsonl, rejected.csv and report.html. It needs no server
and no network and changes nothing in DIR.`,
		Example: `  paravent review ./export
  paravent review ./export --out ./march --budget 10 --since 2026-03-01 --until 2026-04-01`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("give one folder to review, not %d\nTry: %s --help", len(args), c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Since, err = moment("--since", since); err != nil {
				return err
			}
			if o.Until, err = moment("--until", until); err != nil {
				return err
			}
			if o.Budget < 1 {
				return usageError{fmt.Errorf("--budget %d: give how many findings a day people can read, 1 or more", o.Budget)}
			}
			o.Dir, o.Notices = args[0], s.err
			return runReview(c.Context(), s, o)
		},
	}
	c.Flags().StringVar(&o.Out, "out", "./review", "`folder` for the output; made where it doesn't exist")
	c.Flags().IntVar(&o.Budget, "budget", 5, "findings a day, at most; the queue need not be filled")
	c.Flags().StringVar(&since, "since", "", "report from this `time` on (2026-03-01 or RFC 3339); what came before is history")
	c.Flags().StringVar(&until, "until", "", "look at nothing from this `time` on")
	c.Flags().BoolVar(&o.GoOnDespiteBadRows, "go-on", false, "review what can be read even where more than 1 % of a file's rows are bad")
	return c
}

// runReview reviews and tells what came of it.
func runReview(ctx context.Context, s streams, o review.Options) error {
	rules, err := policy.Load("policy.yaml", policy.DefaultYAML(), "policy.cedar", policy.DefaultCedar())
	if err != nil {
		return fmt.Errorf("load the shipped policy: %w", err)
	}
	o.Needs = rules.Needs()
	show := newReviewProgress(s)
	o.Progress = show.tell
	sum, err := review.Run(ctx, o)
	show.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d look-ups reviewed: %d findings, %d samples", sum.Lookups, len(sum.Findings), len(sum.Samples))
	if sum.Bad > 0 {
		fmt.Fprintf(s.out, ", %d bad rows left out", sum.Bad)
	}
	fmt.Fprintf(s.out, "\nOpen %s\n", sum.Report)
	return nil
}

// moment reads a date (its midnight in UTC) or an RFC 3339 time; "" is none.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usageError{access.Errorf(access.Invalid, "%s %q is neither a date such as 2026-03-01 nor an RFC 3339 time", flag, text)}
}

// reviewProgress shows how far a review is: a bar with rate and time left on a
// terminal, else a plain line every few seconds.
type reviewProgress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex // guards what follows
	phase review.Phase
	bar   *progressbar.ProgressBar
	begun time.Time
	told  time.Time
}

// plainEvery is how often a plain line tells of progress.
const plainEvery = 3 * time.Second

func newReviewProgress(s streams) *reviewProgress {
	return &reviewProgress{w: s.err, terminal: s.terminal}
}

func (r *reviewProgress) tell(p review.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if p.Phase != r.phase {
		r.finish()
		r.phase, r.begun, r.told = p.Phase, now, now
		if r.terminal && p.Total > 0 {
			r.bar = r.newBar(p)
		}
	}
	switch {
	case r.bar != nil:
		// A bar that can't be drawn must not end a review.
		if err := r.bar.Set64(p.Done); err != nil {
			r.bar = nil
		}
	case !r.terminal && p.Total > 0 && now.Sub(r.told) >= plainEvery:
		r.told = now
		fmt.Fprintln(r.w, plainLine(p, now.Sub(r.begun)))
	}
}

func (r *reviewProgress) newBar(p review.Progress) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(r.w), progressbar.OptionSetDescription(string(p.Phase)), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true),
	}
	if p.Phase == review.PhaseReading {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"))
	}
	return progressbar.NewOptions64(p.Total, options...)
}

// plainLine tells of progress in one line: share, rate and time left.
func plainLine(p review.Progress, took time.Duration) string {
	line := fmt.Sprintf("%s: %d %%", p.Phase, 100*p.Done/p.Total)
	if seconds := took.Seconds(); seconds > 0 && p.Done > 0 {
		rate := float64(p.Done) / seconds
		if p.Phase == review.PhaseReading {
			line += fmt.Sprintf(", %.1f MB/s", rate/1e6)
		} else {
			line += fmt.Sprintf(", %.0f events/s", rate)
		}
		left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second)).Round(time.Second)
		line += fmt.Sprintf(", %v left", left)
	}
	return line
}

// end takes the bar away.
func (r *reviewProgress) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finish()
}

func (r *reviewProgress) finish() {
	if r.bar == nil {
		return
	}
	if err := r.bar.Clear(); err != nil {
		fmt.Fprintln(r.w)
	}
	r.bar = nil
}
