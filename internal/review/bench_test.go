package review_test

import (
	"os"
	"path/filepath"
	"testing"

	"paravent/internal/review"
)

// benchInput is PARAVENT_BENCH, the test bed where it lies beside the
// repository, or else the small shop of the tests.
func benchInput(b *testing.B) string {
	if dir := os.Getenv("PARAVENT_BENCH"); dir != "" {
		return dir
	}
	dir := filepath.Join("..", "..", "..", "shared", "data", "bed")
	if _, err := os.Stat(filepath.Join(dir, "accesses.csv.gz")); err == nil {
		return dir
	}
	return shop().write(b)
}

// BenchmarkReview measures a whole review, files to report: rows of all files a
// second, and look-ups a second.
func BenchmarkReview(b *testing.B) {
	dir := benchInput(b)
	out := b.TempDir()
	var rows int64
	var lookups int
	for b.Loop() {
		s, err := review.Run(b.Context(), review.Options{Dir: dir, Out: out, GoOnDespiteBadRows: true})
		if err != nil {
			b.Fatal(err)
		}
		rows, lookups = rowsOf(s), s.Lookups
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(rows)/seconds, "rows/s")
	b.ReportMetric(float64(lookups)/seconds, "look-ups/s")
}

// BenchmarkReading measures the way from files to events in order, without
// judging: rows of all files a second.
func BenchmarkReading(b *testing.B) {
	dir := benchInput(b)
	var events int
	for b.Loop() {
		var err error
		if events, err = review.CountEvents(b.Context(), dir, b.TempDir(), review.DefaultMemory); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events)/(b.Elapsed().Seconds()/float64(b.N)), "events/s")
}
