package review_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/review"
)

// bed is the labelled test bed, where it lies beside the repository.
func bed(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("PARAVENT_BED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "bed")
	}
	if _, err := os.Stat(filepath.Join(dir, "accesses.csv.gz")); err != nil {
		tb.Skip("the test bed isn't here; PARAVENT_BED names its folder")
	}
	return dir
}

func TestTheBedIsReviewedAndItsScoringAcceptsTheFindings(t *testing.T) {
	dir, out := bed(t), t.TempDir()
	var notices bytes.Buffer
	start := time.Now()
	s, err := review.Run(t.Context(), review.Options{Dir: dir, Out: out, Notices: &notices})
	if err != nil {
		t.Fatalf("review: %v\n%s", err, notices.String())
	}
	took := time.Since(start)
	t.Logf("%d look-ups, %d findings, %d samples in %v: %.0f rows a second", s.Lookups, len(s.Findings), len(s.Samples), took, float64(rowsOf(s))/took.Seconds())
	if s.Bad > 0 {
		t.Errorf("%d rows of the bed are bad:\n%s", s.Bad, notices.String())
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 isn't here to score the findings")
	}
	answer, err := exec.CommandContext(t.Context(), python, filepath.Join(dir, "score.py"), filepath.Join(out, "findings.jsonl"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("scoring refused the findings: %v\n%s", err, answer)
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	t.Logf("%s", strings.Join(lines[:len(lines)-1], "\n")) // the last is the same as JSON
}

func rowsOf(s review.Summary) int64 {
	var n int64
	for _, f := range s.Files {
		n += f.Rows
	}
	return n
}
