package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/pgaudit"
)

// The bounds of one batch; the server takes 64 KiB.
const (
	batchSightings = 200
	batchBytes     = 28 << 10 // and one more sighting
	longestText    = 4 << 10  // bytes of a statement that are sent
)

// ingester sends what a log tells to the server.
type ingester struct {
	client  *client
	out     io.Writer
	err     io.Writer
	patient bool // waits for a server that is away
	now     func() time.Time

	relations, passed []string
	asked             time.Time // when the server told what is watched

	batch []sighting
	bytes int

	lines, recorded, known, unwatched int
}

// sighting is a line as the server takes it.
type sighting struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at,omitzero"`
	Reader    string    `json:"reader"`
	Database  string    `json:"database,omitempty"`
	Program   string    `json:"program,omitempty"`
	Host      string    `json:"host,omitempty"`
	Session   string    `json:"session,omitempty"`
	Command   string    `json:"command,omitempty"`
	Relations []string  `json:"relations"`
	Statement string    `json:"statement,omitempty"`
}

// learn asks the server what is watched, once a minute.
func (in *ingester) learn(ctx context.Context) error {
	if now := in.now(); in.asked.IsZero() || now.Sub(in.asked) >= time.Minute {
		var watched struct {
			Relations []string `json:"relations"`
			Passed    []string `json:"passed"`
		}
		if err := in.call(ctx, "GET", nil, &watched); err != nil {
			return err
		}
		in.relations, in.passed, in.asked = watched.Relations, watched.Passed, now
	}
	return nil
}

// take keeps an entry for the next batch where it is a read that is watched.
func (in *ingester) take(e pgaudit.Entry) {
	in.lines++
	touched := e.Touches(in.relations)
	if !e.Reads() || len(touched) == 0 || slices.Contains(in.passed, e.Reader) {
		in.unwatched++
		return
	}
	s := sighting{
		ID: e.ID, At: e.At, Reader: e.Reader, Database: e.Database, Program: e.Program, Host: e.Host, Session: e.Session,
		Command: e.Command, Relations: touched, Statement: e.Statement[:min(len(e.Statement), longestText)],
	}
	in.batch = append(in.batch, s)
	text, err := json.Marshal(s)
	if err != nil { // texts and a time always have their JSON
		text = nil
	}
	in.bytes += len(text) + 1
}

// full reports whether the batch should be sent.
func (in *ingester) full() bool { return len(in.batch) >= batchSightings || in.bytes >= batchBytes }

// send sends the batch. Once it returns without an error, the server has it
// recorded.
func (in *ingester) send(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	var counted struct{ Recorded, Known, Passed int }
	body := struct {
		Sightings []sighting `json:"sightings"`
	}{in.batch}
	if err := in.call(ctx, "POST", body, &counted); err != nil {
		return err
	}
	if counted.Recorded > 0 {
		fmt.Fprintf(in.out, "%s  %d reads past Paravent recorded, the last by %s\n",
			in.now().Format(time.DateTime), counted.Recorded, in.batch[len(in.batch)-1].Reader)
	}
	in.recorded, in.known, in.unwatched = in.recorded+counted.Recorded, in.known+counted.Known, in.unwatched+counted.Passed
	in.batch, in.bytes = in.batch[:0], 0
	return nil
}

// call asks the server; a patient one asks again while it is away.
func (in *ingester) call(ctx context.Context, method string, body, answer any) error {
	wait := time.Second
	for {
		err := in.client.call(ctx, method, "/v1/observed", body, answer)
		code := access.CodeOf(err)
		if !in.patient || err == nil || code != access.Unavailable && code != access.Internal {
			return err
		}
		fmt.Fprintf(in.err, "%s  %v; trying again in %s\n", in.now().Format(time.DateTime), err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// report says what was read.
func (in *ingester) report() {
	fmt.Fprintf(in.out, "%d lines of pgaudit: %d reads past Paravent recorded, %d known before, %d not watched.\n",
		in.lines, in.recorded, in.known, in.unwatched)
}
