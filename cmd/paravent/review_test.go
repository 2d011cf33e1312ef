package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/review"
)

const someLookups = "id,at,employee,customer,action\na1,2026-03-02T08:00:00Z,e1,c1,view\n"

// reviewed runs `paravent review` with these arguments behind the folder.
func reviewed(t *testing.T, accesses string, args ...string) (out, told string, err error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "accesses.csv"), []byte(accesses), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	c := newReviewCommand(streams{in: strings.NewReader(""), out: &o, err: &e})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append([]string{dir, "--out", filepath.Join(dir, "review")}, args...))
	err = c.ExecuteContext(t.Context())
	return o.String(), e.String(), err
}

func TestReviewTellsWhatCameOfIt(t *testing.T) {
	out, told, err := reviewed(t, someLookups)
	if err != nil || told != "" {
		t.Fatalf("error %v, told %q", err, told)
	}
	if !strings.HasPrefix(out, "1 look-ups reviewed: ") || !strings.Contains(out, "\nOpen ") || !strings.HasSuffix(out, "report.html\n") {
		t.Errorf("out: %q", out)
	}
}

func TestReviewStopsAtBadRowsUnlessToldToGoOn(t *testing.T) {
	bad := someLookups + "a2,soon,e1,c1,view\n"
	_, told, err := reviewed(t, bad)
	if codeFor(err) != 2 || access.CodeOf(err) != access.Invalid {
		t.Errorf("error %v, code %d, want 2", err, codeFor(err))
	}
	if want := "accesses.csv line 3: not a time with an offset or Z (RFC 3339): column at"; !strings.Contains(told, want) {
		t.Errorf("told %q, want %q in it", told, want)
	}
	out, _, err := reviewed(t, bad, "--go-on")
	if err != nil || !strings.Contains(out, "1 bad rows left out") {
		t.Errorf("with --go-on: %v, %q", err, out)
	}
}

func TestReviewRefusesWhatItCantUnderstand(t *testing.T) {
	for _, args := range [][]string{{"--since", "yesterday"}, {"--until", "2026-02-30"}, {"--budget", "0"}, {"another"}, {"--since", "2026-03-02", "--until", "2026-03-01"}} {
		if _, _, err := reviewed(t, someLookups, args...); codeFor(err) != 2 || err == nil {
			t.Errorf("%v: error %v, want exit code 2", args, err)
		}
	}
}

func TestMomentIsADateOrATime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"2026-03-01T01:00:00+02:00": time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC),
	} {
		if got, err := moment("--since", text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestProgressWithoutATerminalIsPlainLines(t *testing.T) {
	got := plainLine(review.Progress{Phase: review.PhaseReading, Done: 25e6, Total: 100e6}, 5*time.Second)
	if want := "reading: 25 %, 5.0 MB/s, 15s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = plainLine(review.Progress{Phase: review.PhaseJudging, Done: 0, Total: 100}, 0)
	if want := "judging: 0 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
