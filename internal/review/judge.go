package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// result is what the engine made of the events.
type result struct {
	findings, samples []detect.Finding // ranked overall; samples in order of time
	tally             detect.Tally     // of what is reported, since Options.Since
	from, to          time.Time        // first and last look-up reported; zero: none
}

// batchSize is how many events are handed to the engine at a time.
const batchSize = 512

// batch is a piece of the stream, or the error that ended it.
type batch struct {
	events []access.Event
	err    error
}

// judge feeds all events to the engine, in order of time, and takes what it
// raises.
func judge(ctx context.Context, o Options, read *reading) (*result, error) {
	engine, err := detect.New(detect.Options{Budget: o.Budget, Seed: read.lookups().inputHash})
	if err != nil {
		return nil, fmt.Errorf("start detection: %w", err)
	}
	if !read.has("purposes") {
		for _, needs := range o.Needs {
			if err := engine.Feed(&access.PurposeNeeds{Purpose: needs.Purpose, Categories: needs.Categories}); err != nil {
				return nil, fmt.Errorf("judge: %w", err)
			}
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	horizon := horizonOf(read.lookups().last, o.Until)
	stream := make(chan batch, 4)
	go decodeAll(ctx, read, horizon, stream)

	j := &judging{engine: engine, o: o, result: &result{}}
	for b := range stream {
		if b.err != nil {
			return nil, b.err
		}
		for _, ev := range b.events {
			if err := j.feed(ev); err != nil {
				return nil, err
			}
		}
		j.take()
		j.done += int64(len(b.events))
		o.Progress(Progress{PhaseJudging, j.done, read.events()})
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	o.Progress(Progress{PhaseJudging, read.events(), read.events()})
	return j.finish(horizon), nil
}

// horizonOf returns the last moment that is looked at: the end of the day
// (UTC) of the last look-up, so that facts which came soon after it count, and
// before until in any case.
func horizonOf(last int64, until time.Time) int64 {
	const day = 86400e6
	if last == known {
		return known
	}
	end := last - last%day
	if end > last {
		end -= day
	}
	return min(end+day-1, micros(until, never)-1)
}

// decodeAll sends the events up to horizon, in order, and closes the stream.
func decodeAll(ctx context.Context, read *reading, horizon int64, stream chan<- batch) {
	defer close(stream)
	send := func(b batch) bool {
		select {
		case stream <- b:
			return true
		case <-ctx.Done():
			return false
		}
	}
	m, err := read.merged()
	if err != nil {
		send(batch{err: err})
		return
	}
	d := newDecoder()
	events := make([]access.Event, 0, batchSize)
	for record := m.first(); record != nil && recordTime(record) <= horizon; record = m.first() {
		events = append(events, d.event(record))
		if err := m.drop(); err != nil {
			send(batch{err: err})
			return
		}
		if len(events) == batchSize {
			if !send(batch{events: events}) {
				return
			}
			events = make([]access.Event, 0, batchSize)
		}
	}
	send(batch{events: events})
}

// judging is the state of one pass through the engine.
type judging struct {
	engine *detect.Engine
	o      Options
	result *result
	done   int64
	before *detect.Tally // what was counted before Since
}

func (j *judging) feed(ev access.Event) error {
	if !j.o.Since.IsZero() && j.before == nil && !ev.When().Before(j.o.Since) {
		tally := j.engine.Tally()
		j.before = &tally
	}
	if l, ok := ev.(*access.Lookup); ok && !l.At.Before(j.o.Since) {
		if j.result.from.IsZero() {
			j.result.from = l.At
		}
		j.result.to = l.At
	}
	if err := j.engine.Feed(ev); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	return nil
}

// take keeps what was raised, leaving out what was raised before Since.
func (j *judging) take() {
	findings, samples := j.engine.Take()
	early := func(f detect.Finding) bool { return f.RaisedAt.Before(j.o.Since) }
	j.result.findings = append(j.result.findings, slices.DeleteFunc(findings, early)...)
	j.result.samples = append(j.result.samples, slices.DeleteFunc(samples, early)...)
}

func (j *judging) finish(horizon int64) *result {
	if !j.o.Since.IsZero() && j.before == nil { // everything was before it
		tally := j.engine.Tally()
		j.before = &tally
	}
	if horizon != known {
		j.engine.Finish(time.UnixMicro(horizon).UTC())
	}
	j.take()
	r := j.result
	rankOverall(r.findings)
	for i := range r.samples {
		r.samples[i].Rank = i + 1
	}
	r.tally = j.engine.Tally()
	if j.before != nil {
		r.tally = subtract(r.tally, *j.before, j.o.Since)
	}
	return r
}

// subtract returns what was counted in all but not before since.
func subtract(all, before detect.Tally, since time.Time) detect.Tally {
	all.Lookups -= before.Lookups
	all.NotShown -= before.NotShown
	all.Unexplained -= before.Unexplained
	all.Weak -= before.Weak
	for i := range all.Explained {
		for _, was := range before.Explained {
			if was.Template == all.Explained[i].Template {
				all.Explained[i].Lookups -= was.Lookups
			}
		}
	}
	first := since.UTC().Truncate(24 * time.Hour)
	all.Days = slices.DeleteFunc(all.Days, func(d detect.TallyDay) bool { return d.Day.Before(first) })
	return all
}
