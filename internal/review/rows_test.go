package review_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"paravent/internal/review"
)

type readRow struct {
	cells   []string
	line    int
	problem string
}

func readRows(t testing.TB, src io.Reader) []readRow {
	t.Helper()
	r := review.NewRowReader(src)
	var all []readRow
	for {
		cells, line, problem, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("read rows: %v", err)
		}
		all = append(all, readRow{cells, line, problem})
	}
}

func TestRowsAreTakenApart(t *testing.T) {
	long := strings.Repeat("x", review.MaxRow)
	for name, tc := range map[string]struct {
		in   string
		want []readRow
	}{
		"plain":                      {"a,b\nc,d\n", []readRow{{[]string{"a", "b"}, 1, ""}, {[]string{"c", "d"}, 2, ""}}},
		"no line end at the end":     {"a,b", []readRow{{[]string{"a", "b"}, 1, ""}}},
		"CRLF":                       {"a,b\r\nc,d\r\n", []readRow{{[]string{"a", "b"}, 1, ""}, {[]string{"c", "d"}, 2, ""}}},
		"empty cells":                {",,\n", []readRow{{[]string{"", "", ""}, 1, ""}}},
		"empty lines are skipped":    {"\n\na\n\r\nb\n", []readRow{{[]string{"a"}, 3, ""}, {[]string{"b"}, 5, ""}}},
		"quoted":                     {`"a,1","b ""x""",""` + "\r\nc\n", []readRow{{[]string{"a,1", `b "x"`, ""}, 1, ""}, {[]string{"c"}, 2, ""}}},
		"a line end in a cell":       {"\"a\nb\",c\nd\n", []readRow{{[]string{"a\nb", "c"}, 1, ""}, {[]string{"d"}, 3, ""}}},
		"quoted at the end":          {`a,"b"`, []readRow{{[]string{"a", "b"}, 1, ""}}},
		"a bare quote":               {"a,b\"c\nd\n", []readRow{{nil, 1, "a quotation mark stands inside a cell that doesn't begin with one"}, {[]string{"d"}, 2, ""}}},
		"text behind a quote":        {"\"a\"b,c\nd\n", []readRow{{nil, 1, "text follows a closing quotation mark"}, {[]string{"d"}, 2, ""}}},
		"an open quote costs a line": {"a,\"b\nc,d\ne\n", []readRow{{nil, 1, "a quotation mark isn't closed within 1 MiB"}, {[]string{"c", "d"}, 2, ""}, {[]string{"e"}, 3, ""}}},
		"not UTF-8":                  {"a,\xff\nb\n", []readRow{{nil, 1, "the row is not valid UTF-8"}, {[]string{"b"}, 2, ""}}},
		"quoted and not UTF-8":       {"a,\"\xff\"\nb\n", []readRow{{nil, 1, "the row is not valid UTF-8"}, {[]string{"b"}, 2, ""}}},
		"as long as may be":          {long + "\nb\n", []readRow{{[]string{long}, 1, ""}, {[]string{"b"}, 2, ""}}},
		"too long":                   {long + "x\nb\n", []readRow{{nil, 1, review.ProblemLong}, {[]string{"b"}, 2, ""}}},
		"much too long, at the end":  {"a\n" + strings.Repeat(long, 5), []readRow{{[]string{"a"}, 1, ""}, {nil, 2, review.ProblemLong}}},
		"too long within quotes":     {"\"" + long + "\",x\nb\n", []readRow{{nil, 1, review.ProblemLong}, {[]string{"b"}, 2, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			// However the bytes come, the rows are the same.
			sources := map[string]io.Reader{"at once": strings.NewReader(tc.in), "in halves": iotest.HalfReader(strings.NewReader(tc.in)), "with the end": iotest.DataErrReader(strings.NewReader(tc.in))}
			if len(tc.in) < 1000 {
				sources["byte by byte"] = iotest.OneByteReader(strings.NewReader(tc.in))
			}
			for how, src := range sources {
				got := readRows(t, src)
				if !slices.EqualFunc(got, tc.want, func(a, b readRow) bool {
					return slices.Equal(a.cells, b.cells) && a.line == b.line && a.problem == b.problem
				}) {
					t.Errorf("%s: got %.300s, want %.300s", how, fmt.Sprint(got), fmt.Sprint(tc.want))
				}
			}
		})
	}
}

// The reader agrees with encoding/csv on whatever both take.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\n\"\"b\",c\r\nd\n", "\"\",\n\n\"x\"", "a\"b\n\"c\"d\n\"e", "\r\n\r,\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		// encoding/csv turns \r\n inside quotes into \n; we keep a cell as it is.
		in = bytes.ReplaceAll(in, []byte{'\r'}, nil)
		got := readRows(t, bytes.NewReader(in))
		std := csv.NewReader(bytes.NewReader(in))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil {
			return
		}
		for _, row := range got {
			if row.problem != "" {
				return // encoding/csv takes what isn't UTF-8
			}
		}
		if len(got) != len(want) {
			t.Fatalf("got %d rows, encoding/csv %d, of %q", len(got), len(want), in)
		}
		for i := range got {
			if !slices.Equal(got[i].cells, want[i]) {
				t.Fatalf("row %d: got %q, encoding/csv %q", i, got[i].cells, want[i])
			}
		}
	})
}

// strict is the form of RFC 3339, letters in upper case.
var strict = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		"2016-03-01T00:54:26Z", "2016-02-29T23:59:59.123456789+02:00", "2015-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59.5-23:59",
		"9999-12-31T23:59:59Z", "2016-03-01 00:54:26Z", "2016-03-01T24:00:00Z", "2016-03-01T00:54:60Z", "2016-03-01T00:54:26", "2016-03-01T00:54:26+0200", "2016-03-01T00:54:26.Z", "2016-13-01T00:00:00Z", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := review.ParseTime([]byte(text))
		want, err := time.Parse(time.RFC3339, text)
		if !strict.MatchString(text) {
			// time.Parse takes a comma before the fraction and an hour of one
			// digit, which RFC 3339 doesn't.
			if ok {
				t.Fatalf("%q: taken, but is no RFC 3339", text)
			}
			return
		}
		if ok != (err == nil) {
			t.Fatalf("%q: taken %v, time.Parse says %v", text, ok, err)
		}
		if ok && got != want.UnixMicro() {
			t.Fatalf("%q: got %d, want %d", text, got, want.UnixMicro())
		}
	})
}
