package detect

import (
	"fmt"
	"time"

	"paravent/internal/explain"
)

// Options says how an Engine works. The zero value of each field means its
// default.
type Options struct {
	Budget        int                // findings raised a day (UTC) at most; it need not be filled. Default 5
	SamplesPerDay int                // random samples a day beside the queue; default a fifth of the budget, at least 1; negative: none
	Seed          uint64             // chooses the samples; a review takes it from the hash of its input
	HoldFor       time.Duration      // how long a pair waits for late facts after its last look-up. Default 1 h
	Threshold     float64            // score (0..1) below which nothing is raised. Default 0.78
	Window        time.Duration      // how long unexplained look-ups and closed tasks are remembered. Default 90 days
	Fresh         time.Duration      // how long a finding that found the day full may wait for another. Default 7 days
	Templates     []explain.Template // nil: explain.Defaults
}

func (o Options) filled() (Options, error) {
	if o.Budget < 0 || o.HoldFor < 0 || o.Window < 0 || o.Fresh < 0 {
		return o, fmt.Errorf("options of detection: budget and durations can't be negative")
	}
	if !(o.Threshold >= 0 && o.Threshold < 1) {
		return o, fmt.Errorf("options of detection: threshold must be in [0, 1), got %v", o.Threshold)
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Budget == 0 {
		o.Budget = 5
	}
	if o.SamplesPerDay == 0 {
		o.SamplesPerDay = max(1, o.Budget/5)
	}
	if o.Threshold == 0 {
		o.Threshold = defaultThreshold
	}
	def(&o.HoldFor, time.Hour)
	def(&o.Window, 90*24*time.Hour)
	def(&o.Fresh, 7*24*time.Hour)
	return o, nil
}
