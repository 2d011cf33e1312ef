package review_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/review"
)

var outputs = []string{"findings.jsonl", "rejected.csv", "report.html", "samples.jsonl"}

func TestAReviewWritesItsFourFilesAndNothingElse(t *testing.T) {
	r := must(t, run(t, shop(), nil))
	if got := r.names(t); !slices.Equal(got, outputs) {
		t.Errorf("OUT holds %v, want %v", got, outputs)
	}
	for _, name := range outputs {
		info, err := os.Stat(filepath.Join(r.out, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s: mode %v, want 0600: it holds personal data", name, mode)
		}
	}
	if r.Lookups != 20*61 || r.Bad != 0 || len(r.Findings) == 0 || len(r.Samples) == 0 {
		t.Errorf("got %d look-ups, %d bad rows, %d findings, %d samples", r.Lookups, r.Bad, len(r.Findings), len(r.Samples))
	}
	if want := "file,line,reason,row\n"; r.file(t, "rejected.csv") != want {
		t.Errorf("rejected.csv is %q, want only its header", r.file(t, "rejected.csv"))
	}
}

func TestFindingsAreWrittenAsTheFormatSays(t *testing.T) {
	r := must(t, run(t, shop(), nil))
	last := 2.0
	for i, line := range strings.Split(strings.TrimSpace(r.file(t, "findings.jsonl")), "\n") {
		var f struct {
			Rank                int
			Score               float64
			Kind                string
			Customers           []string
			Employees, Accesses []string
			FirstAt             time.Time `json:"first_at"`
			RaisedAt            time.Time `json:"raised_at"`
			Reasons             []struct {
				Code, Text string
				Weight     float64
			}
			Best struct {
				Template string
				Strength float64
				Path     []any
			} `json:"best_explanation"`
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if f.Rank != i+1 || f.Score > last || f.Score <= 0 {
			t.Errorf("line %d: rank %d, score %v after %v", i+1, f.Rank, f.Score, last)
		}
		last = f.Score
		if f.Kind == "" || len(f.Customers) == 0 || len(f.Employees) == 0 || len(f.Accesses) == 0 || len(f.Reasons) == 0 || f.FirstAt.IsZero() || f.RaisedAt.Before(f.FirstAt) {
			t.Errorf("line %d lacks something: %s", i+1, line)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(r.file(t, "samples.jsonl")), "\n") {
		if !strings.Contains(line, `"kind":"sample"`) {
			t.Errorf("a sample of another kind: %s", line)
		}
	}
}

// Same input, same output, byte for byte; and what doesn't change the meaning
// of the input doesn't change the output either.
func TestTheSameInputGivesTheSameOutput(t *testing.T) {
	want := must(t, run(t, shop(), nil))
	same := func(f files, change func(*review.Options)) func(*testing.T) {
		return func(t *testing.T) {
			got := must(t, run(t, f, change))
			for _, name := range outputs {
				a, b := got.file(t, name), want.file(t, name)
				if name == "report.html" {
					b = strings.ReplaceAll(b, ".csv.gz</th>", ".csv</th>")
					a = strings.ReplaceAll(a, ".csv.gz</th>", ".csv</th>")
				}
				if a != b {
					t.Errorf("%s differs", name)
				}
			}
		}
	}
	t.Run("again", same(shop(), nil))
	t.Run("packed", same(shop().change(func(name, text string) (string, string) { return name + ".gz", text }), nil))
	t.Run("with CRLF", same(shop().change(func(name, text string) (string, string) { return name, strings.ReplaceAll(text, "\n", "\r\n") }), nil))
	t.Run("with a byte order mark", same(shop().change(func(name, text string) (string, string) { return name, "\ufeff" + text }), nil))
	t.Run("rows and columns in another order", same(shop().change(func(name, text string) (string, string) { return name, shuffled(t, text, 7) }), nil))
	t.Run("with hardly any memory", same(shop().change(func(name, text string) (string, string) { return name, shuffled(t, text, 8) }), func(o *review.Options) { o.Memory = 2000 }))
	t.Run("over an earlier review", func(t *testing.T) {
		got := must(t, runIn(t, t.Context(), shop().write(t), want.out, nil))
		if got.file(t, "findings.jsonl") == "" {
			t.Error("nothing was written")
		}
	})
}

func TestOnlyLookUpsAreNeeded(t *testing.T) {
	r := must(t, run(t, files{"accesses.csv": shop()["accesses.csv"]}, nil))
	if len(r.Missing) != 10 {
		t.Errorf("missing: %v, want all ten others", r.Missing)
	}
	page := r.file(t, "report.html")
	for _, want := range []string{"No tasks:", "No contacts:", "No relations:", "No news:"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	if r = must(t, run(t, files{"accesses.csv": "id,at,employee,customer,action\n"}, nil)); r.Lookups != 0 || len(r.Findings) != 0 {
		t.Errorf("a file without rows: %d look-ups, %d findings", r.Lookups, len(r.Findings))
	}
}

func TestInputThatCantBeUsedIsRefusedWithTheWayOut(t *testing.T) {
	accesses := shop()["accesses.csv"]
	for name, tc := range map[string]struct {
		files      files
		says, hint string
	}{
		"no accesses":             {files{"tasks.csv": shop()["tasks.csv"]}, "has no accesses.csv", "the one file that a review needs"},
		"plain and packed":        {files{"accesses.csv": accesses, "accesses.csv.gz": accesses}, "both there", "Remove one"},
		"an empty file":           {files{"accesses.csv": ""}, "accesses.csv is empty", "first line names the columns"},
		"an empty packed file":    {files{"accesses.csv.gz": ""}, "accesses.csv.gz is empty", "first line names"},
		"a column is missing":     {files{"accesses.csv": "id,at,employee,action\n"}, "no column customer", "The columns of this file are"},
		"a column is there twice": {files{"accesses.csv": "id,at,employee,customer,action,ID\n"}, `two columns are called "id"`, "Rename"},
		"semicolons":              {files{"accesses.csv": "id;at;employee;customer;action\n"}, "no column id", "separated by semicolons instead of commas"},
		"UTF-16":                  {files{"accesses.csv": "\xff\xfei\x00d\x00"}, "UTF-16", "UTF-8"},
		"packed without .gz":      {files{"accesses.csv": string(packed(t, []byte(accesses)))}, "gzip-compressed", "Rename it to accesses.csv.gz"},
		"a broken header":         {files{"accesses.csv": "id,\"at\n"}, "header line can't be read", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, run(t, tc.files, nil), tc.says, tc.hint)
		})
	}
	t.Run("cut short", func(t *testing.T) {
		dir := t.TempDir()
		whole := packed(t, []byte(accesses))
		if err := os.WriteFile(filepath.Join(dir, "accesses.csv.gz"), whole[:len(whole)-9], 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, runIn(t, t.Context(), dir, t.TempDir(), nil), "can't be read to its end", "Nobody was judged")
	})
	t.Run("no folder", func(t *testing.T) {
		wantRefused(t, runIn(t, t.Context(), filepath.Join(t.TempDir(), "none"), t.TempDir(), nil), "no folder", "accesses.csv")
	})
	t.Run("since after until", func(t *testing.T) {
		wantRefused(t, run(t, shop(), func(o *review.Options) { o.Since, o.Until = time.Unix(9, 0), time.Unix(9, 0) }), "since is not before until", "Since is")
	})
}

func wantRefused(t *testing.T, r ran, says, hint string) {
	t.Helper()
	var coded *access.Error
	if !errors.As(r.err, &coded) || coded.Code != access.Invalid {
		t.Fatalf("got error %v, want a refusal", r.err)
	}
	if !strings.Contains(coded.Message, says) || !strings.Contains(coded.Hint, hint) {
		t.Errorf("got %q / %q, want %q / %q in them", coded.Message, coded.Hint, says, hint)
	}
	if _, err := os.Stat(filepath.Join(r.out, "findings.jsonl")); err == nil {
		t.Error("findings were written")
	}
}

func TestUnknownColumnsAreIgnoredWithOneNotice(t *testing.T) {
	f := shop()
	f["tasks.csv"] = strings.ReplaceAll(strings.Replace(f["tasks.csv"], "closed_by\n", "closed_by,priority,<b>\n", 1), ",e1\n", ",e1,high,\n")
	rows := strings.Split(strings.TrimSpace(f["tasks.csv"]), "\n")
	for i, row := range rows {
		for strings.Count(rows[i], ",") < 9 {
			row += ","
			rows[i] = row
		}
	}
	f["tasks.csv"] = strings.Join(rows, "\n")
	r := must(t, run(t, f, nil))
	if r.Bad != 0 || strings.Count(r.notices, "columns not used") != 1 || !strings.Contains(r.notices, `tasks.csv: columns not used: "priority", "<b>"`) {
		t.Errorf("%d bad rows, notices %q", r.Bad, r.notices)
	}
}

func TestSinceAndUntilBoundWhatIsReported(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	all := must(t, run(t, shop(), nil))
	r := must(t, run(t, shop(), func(o *review.Options) { o.Since, o.Until = day(8), day(12) }))
	if want := 4 * 61; r.Lookups != want {
		t.Errorf("%d look-ups were reviewed, want %d", r.Lookups, want)
	}
	if len(r.Findings) == 0 || len(r.Findings) >= len(all.Findings) {
		t.Errorf("%d findings of %d", len(r.Findings), len(all.Findings))
	}
	for _, f := range slices.Concat(r.Findings, r.Samples) {
		if f.RaisedAt.Before(day(8)) || !f.RaisedAt.Before(day(12)) {
			t.Errorf("raised at %v", f.RaisedAt)
		}
	}
	if r := must(t, run(t, shop(), func(o *review.Options) { o.Since = day(1).AddDate(1, 0, 0) })); r.Lookups != 0 || len(r.Findings) != 0 {
		t.Errorf("since after the end: %d look-ups, %d findings", r.Lookups, len(r.Findings))
	}
	// What comes after until is as if it weren't there.
	cut := shop()
	rows := strings.SplitAfter(cut["accesses.csv"], "\n")
	cut["accesses.csv"] = strings.Join(slices.DeleteFunc(rows, func(row string) bool {
		return strings.Contains(row, ",2026-03-") && !strings.Contains(row, ",2026-03-0")
	}), "")
	a, b := must(t, run(t, cut, nil)), must(t, run(t, shop(), func(o *review.Options) { o.Until = day(10) }))
	strip := func(list []detect.Finding) (ids []string) {
		for _, f := range list {
			ids = append(ids, f.ID)
		}
		return ids
	}
	if !slices.Equal(strip(a.Findings), strip(b.Findings)) {
		t.Errorf("findings with until: %v, of a file that ends there: %v", strip(b.Findings), strip(a.Findings))
	}
}

func TestProgressGoesForwardThroughThePhases(t *testing.T) {
	var seen []review.Progress
	must(t, run(t, shop(), func(o *review.Options) { o.Progress = func(p review.Progress) { seen = append(seen, p) } }))
	var phases []review.Phase
	for i, p := range seen {
		if p.Done > p.Total {
			t.Errorf("%v", p)
		}
		if i == 0 || seen[i-1].Phase != p.Phase {
			phases = append(phases, p.Phase)
		} else if p.Done < seen[i-1].Done {
			t.Errorf("went back from %v to %v", seen[i-1], p)
		}
	}
	if want := []review.Phase{review.PhaseReading, review.PhaseJudging, review.PhaseWriting}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
}

func TestAnInterruptedReviewLeavesNothing(t *testing.T) {
	for _, phase := range []review.Phase{review.PhaseReading, review.PhaseJudging, review.PhaseWriting} {
		t.Run(string(phase), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := runIn(t, ctx, shop().write(t), t.TempDir(), func(o *review.Options) {
				o.Memory = 2000
				o.Progress = func(p review.Progress) {
					if p.Phase == phase {
						cancel()
					}
				}
			})
			if !errors.Is(r.err, context.Canceled) {
				t.Errorf("got error %v, want canceled", r.err)
			}
			if names := r.names(t); len(names) != 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}
