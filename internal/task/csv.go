package task

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paravent/internal/access"
)

// RowError says what is wrong with one row. It names line and column, never a
// value.
type RowError struct {
	Line   int // from 1, the header's
	Column string
	Reason string
}

// Error returns line, column and reason.
func (e *RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, %s: %s", e.Line, e.Column, e.Reason)
}

// maxCell is the longest cell that is taken in, in bytes.
const maxCell = 1000

// A table is one kind of file: its columns, those that can't do without, and
// how a row becomes events.
type table struct {
	columns  []string
	required []string
	events   func(r *row) []access.Event
}

// tables are the files that can be imported, with the columns of the input of
// a review. tasks has order besides (what it is about), employees has name.
var tables = map[string]table{
	"tasks": {
		columns:  []string{"id", "customer", "purpose", "channel", "order", "opened_at", "opened_by", "closed_at", "closed_by"},
		required: []string{"id", "customer", "purpose", "opened_at"}, events: taskEvents,
	},
	"assignments": {
		columns:  []string{"task", "employee", "team", "since", "until", "by"},
		required: []string{"task", "since"}, events: assignmentEvents,
	},
	"work": {
		columns:  []string{"task", "employee", "at", "kind"},
		required: []string{"task", "employee", "at", "kind"}, events: workEvents,
	},
	"contacts": {
		columns:  []string{"id", "customer", "at", "until", "channel", "direction", "employee"},
		required: []string{"id", "at", "channel", "direction"}, events: contactEvents,
	},
	"customers": {
		columns:  []string{"id", "surname", "household", "notable", "employee"},
		required: []string{"id"}, events: customerEvents,
	},
	"employees": {
		columns:  []string{"id", "name", "surname", "household", "team", "role", "manager", "joined_on", "leaves_on"},
		required: []string{"id", "role"}, events: employeeEvents,
	},
	"relations": {
		columns:  []string{"employee", "customer", "kind"},
		required: []string{"employee", "customer", "kind"}, events: relationEvents,
	},
	"orders": {
		columns:  []string{"id", "customer", "at"},
		required: []string{"id", "customer", "at"}, events: orderEvents,
	},
	"news": {
		columns:  []string{"customer", "at"},
		required: []string{"customer", "at"}, events: newsEvents,
	},
}

// Tables returns the names of the tables that can be imported, sorted.
func Tables() []string {
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ReadCSV reads one table (see Tables) as events, row by row in the order of
// the file; a row that speaks of two moments is two events. A row that can't be
// understood yields a *RowError, and reading goes on; any other error
// (access.Invalid for an unknown table or a header without a needed column, or
// the reader's own) ends it.
func ReadCSV(table string, r io.Reader) iter.Seq2[access.Event, error] {
	return func(yield func(access.Event, error) bool) {
		for ev, err := range readRows(table, r) {
			if !yield(ev.event, err) {
				return
			}
		}
	}
}

// rowEvent is an event and the line that told of it.
type rowEvent struct {
	event access.Event
	line  int
}

// readRows is ReadCSV with line numbers.
func readRows(name string, r io.Reader) iter.Seq2[rowEvent, error] {
	return func(yield func(rowEvent, error) bool) {
		in := csv.NewReader(r)
		in.ReuseRecord = true
		in.FieldsPerRecord = -1
		t, at, err := readHeader(name, in)
		if err != nil {
			yield(rowEvent{}, err)
			return
		}
		for {
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var wrong *csv.ParseError
			if errors.As(err, &wrong) {
				if !yield(rowEvent{}, &RowError{Line: wrong.StartLine, Reason: "it isn't CSV (RFC 4180)"}) {
					return
				}
				continue
			}
			if err != nil {
				yield(rowEvent{}, fmt.Errorf("read %s: %w", name, err))
				return
			}
			line, _ := in.FieldPos(0)
			events, err := t.read(&row{line: line, at: at, cells: cells})
			if err != nil {
				if !yield(rowEvent{}, err) {
					return
				}
				continue
			}
			for _, ev := range events {
				if !yield(rowEvent{event: ev, line: line}, nil) {
					return
				}
			}
		}
	}
}

// readHeader finds the table and where its columns stand; unknown ones are
// ignored.
func readHeader(name string, in *csv.Reader) (table, map[string]int, error) {
	t, ok := tables[name]
	if !ok {
		return table{}, nil, access.Errorf(access.Invalid, "There is no such table.").
			WithHint("The tables are: " + strings.Join(Tables(), ", ") + ".")
	}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return table{}, nil, access.Errorf(access.Invalid, "The file is empty: it lacks the line with the names of the columns.")
	}
	if err != nil {
		return table{}, nil, access.Errorf(access.Invalid, "The line with the names of the columns can't be read.").Because(err)
	}
	at := map[string]int{}
	for i, column := range header {
		column = strings.TrimSpace(strings.TrimPrefix(column, "\ufeff"))
		if _, twice := at[column]; twice && slices.Contains(t.columns, column) {
			return table{}, nil, access.Errorf(access.Invalid, "The column %s stands there twice.", column)
		}
		at[column] = i
	}
	for _, column := range t.required {
		if _, ok := at[column]; !ok {
			return table{}, nil, access.Errorf(access.Invalid, "The column %s is missing.", column).
				WithHint("The columns of " + name + " are: " + strings.Join(t.columns, ", ") + ".")
		}
	}
	return t, at, nil
}

// read turns a row into events; its error is a *RowError.
func (t table) read(r *row) ([]access.Event, error) {
	for _, column := range t.columns {
		if cell := r.text(column); len(cell) > maxCell || !utf8.ValidString(cell) || strings.ContainsRune(cell, 0) {
			r.fail(column, "it isn't text of at most 1000 bytes in UTF-8")
		}
	}
	for _, column := range t.required {
		if r.text(column) == "" {
			r.fail(column, "it is empty")
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	events := t.events(r)
	if r.err != nil {
		return nil, r.err
	}
	return events, nil
}

// row is one row being read; it keeps its first mistake.
type row struct {
	line  int
	at    map[string]int
	cells []string
	err   error
}

// fail notes a mistake, unless one is noted already.
func (r *row) fail(column, reason string) {
	if r.err == nil {
		r.err = &RowError{Line: r.line, Column: column, Reason: reason}
	}
}

// text returns a cell, "" where the column or the cell is missing.
func (r *row) text(column string) string {
	i, ok := r.at[column]
	if !ok || i >= len(r.cells) {
		return ""
	}
	return strings.Clone(r.cells[i]) // a record's cells share one string; keep none alive for another
}

// time returns a cell that holds a moment (RFC 3339); the zero time where empty.
func (r *row) time(column string) time.Time {
	cell := r.text(column)
	if cell == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, cell)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		r.fail(column, "it isn't a time (RFC 3339 with an offset or Z)")
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// day returns a cell that holds a day (2006-01-02, or a moment of it).
func (r *row) day(column string) time.Time {
	cell := r.text(column)
	if t, err := time.Parse(time.DateOnly, cell); err == nil {
		return t
	}
	return r.time(column).Truncate(24 * time.Hour)
}

// oneOf returns a cell that must be one of these.
func (r *row) oneOf(column string, allowed ...string) string {
	cell := r.text(column)
	if !slices.Contains(allowed, cell) {
		r.fail(column, "it isn't one of "+strings.Join(allowed, ", "))
	}
	return cell
}
