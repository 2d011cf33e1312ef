package qualify

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paravent/internal/access"
)

// The bounds of one import.
const (
	maxShown = 20        // bad rows that are named
	maxRows  = 1_000_000 // rows that one import takes in
	maxCell  = 1000      // bytes of one cell
)

// Table is the name of the file that Import reads.
const Table = "qualifications"

// columns are the columns of that file. All of them are needed.
var columns = []string{"employee", "kind", "valid_until"}

// Import reads rows of employee, kind (guideline, training or attestation) and
// valid_until (the last day on which it holds, as 2006-01-02) and saves all of
// them, or none: where a row can't be understood, the error (access.Invalid)
// names the first 20 by line. It returns how many rows were saved. A row
// replaces what was known, also by an earlier day.
func (s *Service) Import(ctx context.Context, r io.Reader) (int, error) {
	rows, bad, err := read(r)
	if err != nil {
		return 0, err
	}
	if len(bad) > 0 {
		return 0, access.Errorf(access.Invalid, "Nothing of %s was imported: %d rows can't be understood.", Table, len(bad)).
			WithHint(strings.Join(bad[:min(len(bad), maxShown)], "; "))
	}
	if err := s.store.SaveQualifications(ctx, rows); err != nil {
		return 0, fmt.Errorf("import %s: %w", Table, err)
	}
	return len(rows), nil
}

// read returns the rows, and what is wrong with those that can't be understood.
func read(r io.Reader) (rows []Row, bad []string, err error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	at, err := readHeader(in)
	if err != nil {
		return nil, nil, err
	}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, bad, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			bad = append(bad, fmt.Sprintf("line %d: it isn't CSV (RFC 4180)", wrong.StartLine))
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", Table, err)
		}
		line, _ := in.FieldPos(0)
		row, reason := parse(cells, at)
		if reason != "" {
			bad = append(bad, fmt.Sprintf("line %d, %s", line, reason))
			continue
		}
		if len(rows) == maxRows {
			return nil, nil, access.Errorf(access.Invalid, "The table is too long: %d rows are the most.", maxRows)
		}
		rows = append(rows, row)
	}
}

// readHeader returns where the columns stand.
func readHeader(in *csv.Reader) (map[string]int, error) {
	header, err := in.Read()
	if err != nil {
		return nil, access.Errorf(access.Invalid, "The line with the names of the columns can't be read.").Because(err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))] = i
	}
	for _, name := range columns {
		if _, ok := at[name]; !ok {
			return nil, access.Errorf(access.Invalid, "The column %s is missing.", name).
				WithHint("The columns of " + Table + " are: " + strings.Join(columns, ", ") + ".")
		}
	}
	return at, nil
}

// parse returns a row, or column and reason of its first mistake.
func parse(cells []string, at map[string]int) (Row, string) {
	cell := func(column string) string {
		if i := at[column]; i < len(cells) {
			return cells[i]
		}
		return ""
	}
	employee, kind := cell("employee"), Kind(cell("kind"))
	if employee == "" || len(employee) > maxCell || !utf8.ValidString(employee) || strings.ContainsRune(employee, 0) {
		return Row{}, "employee: it isn't an id"
	}
	if !slices.Contains(kinds, kind) {
		return Row{}, "kind: it isn't guideline, training or attestation"
	}
	until, err := time.Parse(time.DateOnly, cell("valid_until"))
	if err != nil || until.Year() < 1970 {
		return Row{}, "valid_until: it isn't a day (such as 2026-12-31)"
	}
	return Row{Employee: access.EmployeeID(employee), Kind: kind, ValidUntil: until}, ""
}
