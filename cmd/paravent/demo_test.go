package main

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/simulate"
)

// A company's history, taken in at once, is judged as a review of its files
// would: by the facts as they were at each moment, not by what was read first.
func TestAHistoryTakenInAtOnceIsJudgedAsAReviewWould(t *testing.T) {
	now := realClock()
	d := &demonstration{streams: streams{err: io.Discard, out: io.Discard}, dir: t.TempDir(), shop: simulate.New(simulate.Options{
		Seed: 3, Start: now.AddDate(0, 0, -10), Until: now, Days: 11, Customers: 2000, Employees: 40, Snooping: 3,
	})}
	if err := d.open(t.Context(), freeAddress(t)); err != nil {
		t.Fatal(err)
	}
	defer d.system.close()
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan error)
	go func() { followed <- d.system.follower.Run(ctx) }()
	for saved := uint64(0); saved < d.system.ledger.Size(); time.Sleep(10 * time.Millisecond) {
		c, err := d.system.store.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		saved = c.Number
	}
	stop()
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	saved, err := d.system.store.Findings(t.Context(), false, 1000)
	if err != nil {
		t.Fatal(err)
	}
	// The last hours are left out: what came then may still be waiting for facts.
	until := now.Add(-3 * time.Hour)
	got, want := named(saved, until), named(judged(t, d, now), until)
	if !slices.Equal(got, want) {
		t.Errorf("live: %d findings, of files: %d\nlive  %v\nfiles %v", len(got), len(want), got, want)
	}
	if len(want) < 3 {
		t.Errorf("only %d findings: the shop snoops too little to prove anything", len(want))
	}
}

// judged feeds the same history to an engine of its own.
func judged(t *testing.T, d *demonstration, now time.Time) []detect.Finding {
	t.Helper()
	engine, err := detect.New(detect.Options{Budget: d.system.config.Budget})
	if err != nil {
		t.Fatal(err)
	}
	var events []access.Event
	for _, need := range d.system.policy.Needs() {
		events = append(events, &need)
	}
	for _, ev := range slices.Concat(events, d.shop.Standing(), d.shop.History()) {
		if err := engine.Feed(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.Advance(now); err != nil {
		t.Fatal(err)
	}
	findings, _ := engine.Take()
	return findings
}

// named returns who was raised and when, in order of time, up to a moment.
func named(findings []detect.Finding, until time.Time) []string {
	var all []string
	for _, f := range findings {
		if f.RaisedAt.Before(until) {
			all = append(all, f.RaisedAt.UTC().Format(time.RFC3339)+" "+f.ID)
		}
	}
	slices.Sort(all)
	return all
}
