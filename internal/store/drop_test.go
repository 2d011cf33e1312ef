package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
	"paravent/internal/store"
)

// A log was dropped: thousands of rows go in several steps, with the findings
// that speak of nothing else, and no byte of them is left; what came later stays.
func TestTheIndexForgetsADroppedLog(t *testing.T) {
	const before, all = 4500, 6000 // rows
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	id := func(i int) access.LookupID { return access.LookupID(fmt.Sprintf("look-%06d-x", i)) }
	var rows []investigate.Indexed
	for i := range all {
		rows = append(rows, row(uint64(i), id(i), time.Duration(i)*time.Second, access.OutcomeShown))
	}
	for part := range slices.Chunk(rows, 1000) {
		if err := s.SaveIndexed(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	finding := func(name string, of ...int) detect.Finding {
		f := detect.Finding{ID: name, Kind: detect.KindPair, RaisedAt: at, Reasons: []detect.Reason{}}
		for _, i := range of {
			f.Accesses = append(f.Accesses, id(i))
		}
		return f
	}
	checkpoint := investigate.Checkpoint{Number: all, Seq: 7, State: []byte("state")}
	err := s.SaveCheckpoint(t.Context(), checkpoint,
		[]detect.Finding{finding("older", 1, 2), finding("both", 3, before), finding("younger", before+1), finding("nothing")},
		[]detect.Finding{finding("older-sample", before-1)})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.DropIndex(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("nothing was dropped: %d, %v", n, err)
	}
	if n, err := s.DropIndex(t.Context(), before); n != before || err != nil {
		t.Errorf("got %d, %v, want %d", n, err, before)
	}
	files := readAll(t, dir)
	for i := range all {
		if gone := !bytes.Contains(files, []byte(id(i))); gone != (i < before) {
			t.Fatalf("look-up %d is gone: %v", i, gone)
		}
	}
	var left []string
	for _, samples := range []bool{false, true} {
		some, err := s.Findings(t.Context(), samples, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range some {
			left = append(left, fmt.Sprint(f.ID, len(f.Accesses)))
		}
	}
	slices.Sort(left)
	if want := []string{"both1", "nothing0", "younger1"}; !slices.Equal(left, want) {
		t.Errorf("findings left, with the number of their look-ups: %v, want %v", left, want)
	}
	if c, err := s.Checkpoint(t.Context()); err != nil || c.Number != all || c.Seq != 7 || string(c.State) != "state" {
		t.Errorf("the follower's cursor moved: %+v, %v", c, err)
	}
	if n, err := s.DropIndex(t.Context(), before); n != 0 || err != nil {
		t.Errorf("once more: %d, %v", n, err)
	}
}

// readAll returns every byte of the store's files.
func readAll(t *testing.T, dir string) (all []byte) {
	t.Helper()
	for _, file := range []string{store.StateFile, store.StateFile + "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a closed store has no log
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// What needs the records of a log is found by the index, to the record.
func TestWhatNeedsTheRecordsOfALogIsFound(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer mustClose(t, s)
	var rows []investigate.Indexed
	for i, c := range []access.CustomerID{"c1", "c2", "c1", ""} {
		r := row(uint64(10+i), access.LookupID(fmt.Sprint("l", 10+i)), 0, access.OutcomeShown)
		r.Lookup.Customer = c
		rows = append(rows, r)
	}
	if err := s.SaveIndexed(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	save(t, s,
		&access.TaskOpened{Task: access.Task{ID: "h1", Customer: "c2", Purpose: investigate.PurposeLegalHold, OpenedAt: at}},
		&access.TaskOpened{Task: access.Task{ID: "h2", Customer: "c1", Purpose: investigate.PurposeLegalHold, OpenedAt: at.Add(-time.Hour)}},
		&access.TaskClosed{Task: "h2", At: at},
		&access.TaskOpened{Task: access.Task{ID: "t1", Customer: "c1", Purpose: "refund", OpenedAt: at}})
	if err := s.SaveCheckpoint(t.Context(), investigate.Checkpoint{}, []detect.Finding{
		{ID: "f1", RaisedAt: at, Accesses: []access.LookupID{"l10", "l12"}},
		{ID: "f2", RaisedAt: at.Add(-time.Minute), Accesses: []access.LookupID{"l13"}},
	}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to       uint64
		held, findings time.Time
	}{
		{0, 10, time.Time{}, time.Time{}},
		{0, 11, time.Time{}, at},
		{0, 12, at, at},
		{11, 12, at, time.Time{}},
		{13, 14, time.Time{}, at.Add(-time.Minute)},
		{14, 99, time.Time{}, time.Time{}},
	} {
		held, err := s.HeldAmong(t.Context(), investigate.PurposeLegalHold, c.from, c.to)
		if err != nil || !held.Equal(c.held) {
			t.Errorf("records %d to %d are held since %v, %v, want %v", c.from, c.to, held, err, c.held)
		}
		last, err := s.LastFindingAmong(t.Context(), at.Add(-time.Hour), c.from, c.to)
		if err != nil || !last.Equal(c.findings) {
			t.Errorf("the last finding of records %d to %d is of %v, %v, want %v", c.from, c.to, last, err, c.findings)
		}
	}
	if last, err := s.LastFindingAmong(t.Context(), at, 0, 99); err != nil || !last.IsZero() {
		t.Errorf("an old finding holds: %v, %v", last, err)
	}
}

// A crash after the rows are deleted and before the file is wiped: the next start
// wipes it. SQLite's own secure_delete leaves copies of rows on pages that were laid
// out anew, which this shows too.
func TestWhatACrashKeptFromBeingWipedIsWipedAtTheNextStart(t *testing.T) {
	const before, all = 4500, 6000 // rows
	dir := t.TempDir()
	s := mustOpen(t, dir)
	var rows []investigate.Indexed
	for i := range all {
		rows = append(rows, row(uint64(i), access.LookupID(fmt.Sprintf("look-%06d-x", i)), time.Duration(i)*time.Second, access.OutcomeShown))
	}
	for part := range slices.Chunk(rows, 1000) {
		if err := s.SaveIndexed(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < before; from += 100 {
		if err := s.Run(t.Context(), fmt.Sprintf(`DELETE FROM lookups WHERE number < %d; PRAGMA user_version = 1`, from+100)); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n int) {
		files := readAll(t, dir)
		for i := range before {
			if bytes.Contains(files, fmt.Appendf(nil, "look-%06d-x", i)) {
				n++
			}
		}
		return n
	}
	mustClose(t, s)
	if left() == 0 {
		t.Error("nothing is left after the deletion: the test shows nothing")
	}
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	if n := left(); n != 0 {
		t.Errorf("%d look-ups are left", n)
	}
	var sound string
	if err := s.Check(t.Context(), &sound); err != nil || sound != "ok" {
		t.Errorf("the file is damaged: %s, %v", sound, err)
	}
	kept, err := s.LookupsByID(t.Context(), []access.LookupID{"look-004500-x", "look-005999-x", "look-004499-x"})
	if err != nil || len(kept) != 2 {
		t.Errorf("kept: %d, %v", len(kept), err)
	}
}
