package review

import (
	"context"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// Doors for the tests of what lies inside.
var (
	ParseTime       = parseTime
	NewRowReader    = newRowReader
	WriteReport     = writeReport
	RankOverall     = rankOverall
	ReportMark      = reportMark
	MaxRow          = maxRow
	NewDayChart     = newDayChart
	Inert           = inert
	NewSorter       = newSorter
	ProblemLong     = problemLong
	ReasonDuplicate = reasonDuplicate
)

// Next returns the cells of the next row as strings, its line and its problem.
func (r *rowReader) Next() (cells []string, line int, problem string, err error) {
	row, err := r.next()
	for _, c := range row.cells {
		cells = append(cells, string(c))
	}
	return cells, row.line, row.problem, err
}

// ReportOf returns a page about these findings, without stories.
func ReportOf(findings []detect.Finding, tally detect.Tally) *report {
	return newReport(Options{}, Summary{Findings: findings}, &result{findings: findings, tally: tally}, make([]story, len(findings)))
}

// Events returns the events of a folder in the order in which they are judged.
func Events(ctx context.Context, dir, work string, memory int) (events []access.Event, err error) {
	err = eachEvent(ctx, dir, work, memory, func(ev access.Event) { events = append(events, ev) })
	return events, err
}

// CountEvents goes through the events of a folder in the order in which they
// are judged.
func CountEvents(ctx context.Context, dir, work string, memory int) (n int, err error) {
	err = eachEvent(ctx, dir, work, memory, func(access.Event) { n++ })
	return n, err
}

func eachEvent(ctx context.Context, dir, work string, memory int, each func(access.Event)) (err error) {
	inputs, _, err := findInputs(dir)
	if err != nil {
		return err
	}
	read, err := readAll(ctx, Options{Memory: memory, Progress: func(Progress) {}}, inputs, work)
	defer func() {
		if closing := read.close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return err
	}
	m, err := read.merged()
	if err != nil {
		return err
	}
	d := newDecoder()
	for m.first() != nil {
		each(d.event(m.first()))
		if err := m.drop(); err != nil {
			return err
		}
	}
	return nil
}
