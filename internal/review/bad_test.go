package review_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"paravent/internal/access"
)

func TestEachKindOfBadRowIsLeftOutWithItsReason(t *testing.T) {
	for name, tc := range map[string]struct{ file, row, reason string }{
		"too few cells":               {"accesses", "x1,2026-03-02T08:00:00Z,e1", "3 cells, but the header names 13 columns"},
		"too many cells":              {"news", "c1,2026-03-02T08:00:00Z,x", "3 cells, but the header names 2 columns"},
		"no id":                       {"accesses", ",2026-03-02T08:00:00Z,e1,c1,view,,,,,,,,", "empty cell: column id"},
		"no time":                     {"accesses", "x1,,e1,c1,view,,,,,,,,", "empty cell: column at"},
		"no employee":                 {"accesses", "x1,2026-03-02T08:00:00Z,,c1,view,,,,,,,,", "empty cell: column employee"},
		"no customer":                 {"accesses", "x1,2026-03-02T08:00:00Z,e1,,view,,,,,,,,", "empty cell: column customer"},
		"no action":                   {"accesses", "x1,2026-03-02T08:00:00Z,e1,c1,,,,,,,,,", "empty cell: column action"},
		"a time without offset":       {"accesses", "x1,2026-03-02T08:00:00,e1,c1,view,,,,,,,,", "not a time with an offset or Z (RFC 3339): column at"},
		"a day that doesn't exist":    {"accesses", "x1,2026-02-30T08:00:00Z,e1,c1,view,,,,,,,,", "not a time with an offset or Z (RFC 3339): column at"},
		"an unknown action":           {"accesses", "x1,2026-03-02T08:00:00Z,e1,c1,peek,,,,,,,,", "unknown action (column action): expected search, view or export"},
		"an unknown outcome":          {"accesses", "x1,2026-03-02T08:00:00Z,e1,c1,view,,,,,,,,fine", "unknown outcome (column outcome): expected shown, refused, missed or break_glass"},
		"an id that was there":        {"accesses", "a1,2026-03-02T08:00:00Z,e1,c1,view,,,,,,,,", "an earlier row has the same id (column id)"},
		"a quote out of place":        {"accesses", `x1,2026-03-02T08:00:00Z,e1,c1,view,,,,said "hello",,,,`, "a quotation mark stands inside a cell that doesn't begin with one"},
		"not UTF-8":                   {"accesses", "x\xff,2026-03-02T08:00:00Z,e1,c1,view,,,,,,,,", "the row is not valid UTF-8"},
		"a task without customer":     {"tasks", "X1,,refund,call,2026-03-02T08:00:00Z,e1,,", "empty cell: column customer"},
		"a task closed before opened": {"tasks", "X1,c1,refund,call,2026-03-02T08:00:00Z,e1,2026-03-02T07:00:00Z,e1", "closed before it was opened (columns opened_at, closed_at)"},
		"a task closed at nonsense":   {"tasks", "X1,c1,refund,call,2026-03-02T08:00:00Z,e1,soon,e1", "not a time with an offset or Z (RFC 3339): column closed_at"},
		"assigned to nobody":          {"assignments", "T1,,,2026-03-02T08:00:00Z,,e1", "neither employee nor team is given"},
		"assigned backwards":          {"assignments", "T1,e1,,2026-03-02T08:00:00Z,2026-03-02T07:59:59Z,e1", "ends before it begins (columns since, until)"},
		"work by nobody":              {"work", "T1,,2026-03-02T08:00:00Z,note", "empty cell: column employee"},
		"a contact backwards":         {"contacts", "X1,c1,2026-03-02T08:00:00Z,2026-03-02T07:00:00Z,call,in,", "ends before it begins (columns at, until)"},
		"a contact without time":      {"contacts", "X1,c1,,,call,in,", "empty cell: column at"},
		"an unknown direction":        {"contacts", "X1,c1,2026-03-02T08:00:00Z,,call,inbound,", "unknown direction (column direction): expected in, out or nothing"},
		"notable perhaps":             {"customers", "x1,Name,h1,perhaps,", "unknown word (column notable): expected yes, no or nothing"},
		"joined at nonsense":          {"employees", "x1,Name,h1,t1,agent,,1.3.2020,", "not a date (2006-01-02): column joined_on"},
		"an unknown relation":         {"relations", "e1,c1,friend", "unknown kind (column kind): expected self, family, former_partner, coworker or neighbour"},
		"an order without customer":   {"orders", "o1,,2026-03-02T08:00:00Z", "empty cell: column customer"},
		"a purpose without needs":     {"purposes", "refund,", "empty cell: column categories"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			file := tc.file + ".csv"
			line := strings.Count(f[file], "\n") + 1
			f[file] += tc.row + "\n"
			r := must(t, run(t, f, goOn))
			if r.Bad != 1 || len(r.Rejected) != 1 {
				t.Fatalf("%d rows are bad, want 1: %v", r.Bad, r.Rejected)
			}
			if got := r.Rejected[0]; got.File != file || got.Line != line || got.Reason != tc.reason {
				t.Errorf("got %v, want line %d of %s: %s", got, line, file, tc.reason)
			}
			rows, err := csv.NewReader(strings.NewReader(r.file(t, "rejected.csv"))).ReadAll()
			if err != nil || len(rows) != 2 {
				t.Fatalf("rejected.csv: %v, %v", rows, err)
			}
			want := fmt.Sprint([]string{file, fmt.Sprint(line), tc.reason, strings.ToValidUTF8(tc.row, "\ufffd")})
			if got := fmt.Sprint(rows[1]); got != want {
				t.Errorf("rejected.csv has %s, want %s", got, want)
			}
			if strings.Contains(r.notices, tc.row) || strings.Contains(r.file(t, "report.html"), tc.row) {
				t.Error("the row is quoted outside of rejected.csv")
			}
		})
	}
}

// What looks odd but has a meaning, or means nothing, isn't bad.
func TestRowsThatAreNotBad(t *testing.T) {
	for name, tc := range map[string]struct{ file, row string }{
		"nobody found":                      {"accesses", "x1,2026-03-02T08:00:00Z,e1,,search,,,,,,,,missed"},
		"refused, without customer":         {"accesses", "x1,2026-03-02T08:00:00Z,e1,,view,,,,,,,,refused"},
		"an offset and a fraction":          {"accesses", "x1,2026-03-02T08:00:00.25+02:00,e1,c1,view,,,,,,,,shown"},
		"a customer who doesn't exist":      {"accesses", "x1,2026-03-02T08:00:00Z,e1,c999,view,,,,,,,,"},
		"an employee who doesn't exist":     {"accesses", "x1,2026-03-02T08:00:00Z,e999,c1,view,,,,,,,,"},
		"a cell with a line end":            {"accesses", "x1,2026-03-02T08:00:00Z,e1,c1,view,,,,\"two\nlines\",,,,"},
		"a huge cell":                       {"accesses", "x1,2026-03-02T08:00:00Z,e1,c1,view,,,," + strings.Repeat("y", 900<<10) + ",,,,"},
		"work on a task that doesn't exist": {"work", "T99999,e1,2026-03-02T08:00:00Z,note"},
		"a task that never closes":          {"tasks", "X1,c1,refund,call,2026-03-02T08:00:00Z,e1,9999-12-31T00:00:00Z,"},
		"an assignment without length":      {"assignments", "T1,e1,,2026-03-02T08:00:00Z,2026-03-02T08:00:00Z,e1"},
		"an unknown caller":                 {"contacts", "X1,,2026-03-02T08:00:00Z,,call,in,e1"},
		"leaves at a time":                  {"employees", "x1,Name,h1,t1,agent,,,2026-03-02T08:00:00Z"},
		"an empty line":                     {"orders", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f[tc.file+".csv"] += tc.row + "\n"
			if r := must(t, run(t, f, nil)); r.Bad != 0 {
				t.Errorf("rejected: %v", r.Rejected)
			}
		})
	}
}

func TestTooManyBadRowsStopTheReviewBeforeAnybodyIsJudged(t *testing.T) {
	f := shop()
	good := strings.Count(f["accesses.csv"], "\n") - 1
	bad := func(n int) files {
		return f.with(files{"accesses.csv": f["accesses.csv"] + strings.Repeat("x,soon,e1,c1,view,,,,,,,,\n", n)})
	}
	enough := good/99 + 1 // just over one in a hundred
	if r := must(t, run(t, bad(enough-1), nil)); r.Bad != int64(enough-1) {
		t.Errorf("%d bad rows, want %d", r.Bad, enough-1)
	}
	r := run(t, bad(enough), nil)
	wantRefused(t, r, "of the rows of accesses.csv are bad; nobody was judged", "--go-on")
	if access.CodeOf(r.err) != access.Invalid {
		t.Errorf("code %v", access.CodeOf(r.err))
	}
	if got := r.names(t); len(got) != 1 || got[0] != "rejected.csv" {
		t.Errorf("OUT holds %v, want rejected.csv alone", got)
	}
	must(t, run(t, bad(enough), goOn))
	// The same holds for every file, for who is judged rests on all of them.
	wantRefused(t, run(t, f.with(files{"contacts.csv": f["contacts.csv"] + strings.Repeat("k,c1,soon,,call,in,\n", 50)}), nil), "contacts.csv", "--go-on")
}

func TestOnlyTheFirstTwentyBadRowsAreShown(t *testing.T) {
	f := shop()
	f["orders.csv"] += strings.Repeat("o,c1,soon\n", 15)
	f["work.csv"] += strings.Repeat("secret words,e1,soon,note\n", 15)
	r := must(t, run(t, f, goOn))
	if len(r.Rejected) != 20 || r.Bad != 30 {
		t.Errorf("%d shown of %d", len(r.Rejected), r.Bad)
	}
	if got := strings.Count(r.notices, " line "); got != 20 || !strings.Contains(r.notices, "and 10 more; all of them are in rejected.csv") {
		t.Errorf("notices: %s", r.notices)
	}
	if got := strings.Count(r.file(t, "rejected.csv"), "\n"); got != 31 {
		t.Errorf("rejected.csv has %d lines, want 31", got)
	}
	if strings.Contains(r.notices, "secret words") {
		t.Error("a notice quotes a row")
	}
}

// The attack: an export is fed a row that a spreadsheet would take for a
// formula when somebody opens rejected.csv to see what is wrong.
func TestRejectedRowsAreInertInASpreadsheet(t *testing.T) {
	f := shop()
	for _, start := range []string{"=", "+", "-", "@", "\t", "|", "%"} {
		f["accesses.csv"] += start + "cmd|' /C calc'!A0\n"
	}
	f["accesses.csv"] += "\"=x\n\",1\n"
	r := must(t, run(t, f, goOn))
	rows, err := csv.NewReader(strings.NewReader(r.file(t, "rejected.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if strings.ContainsAny(cell[:1], "=+-@\t\r|%") {
				t.Errorf("a cell begins like a formula: %q", cell)
			}
		}
	}
}
