package review_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/review"
)

func TestAForeignFileIsNeverOverwritten(t *testing.T) {
	for _, name := range outputs {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			path := filepath.Join(out, name)
			if err := os.WriteFile(path, []byte("my own work\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			wantKept(t, runIn(t, t.Context(), shop().write(t), out, nil), path)
		})
	}
	t.Run("behind a link", func(t *testing.T) {
		out, path := t.TempDir(), filepath.Join(t.TempDir(), "precious")
		if err := os.WriteFile(path, []byte("my own work\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(out, "findings.jsonl")); err != nil {
			t.Skip(err)
		}
		wantKept(t, runIn(t, t.Context(), shop().write(t), out, nil), path)
	})
}

func wantKept(t *testing.T, r ran, path string) {
	t.Helper()
	if access.CodeOf(r.err) != access.Invalid {
		t.Errorf("got error %v, want a refusal", r.err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "my own work\n" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestOutMayLieInsideTheFolderReviewed(t *testing.T) {
	dir := shop().write(t)
	must(t, runIn(t, t.Context(), dir, filepath.Join(dir, "review"), nil))
	must(t, runIn(t, t.Context(), dir, filepath.Join(dir, "review"), nil))
	must(t, runIn(t, t.Context(), dir, dir, nil))
}

func TestARefusedReviewKeepsAnEarlierOne(t *testing.T) {
	first := must(t, run(t, shop(), nil))
	want := first.file(t, "findings.jsonl")
	bad := shop().with(files{"news.csv": "customer,at\nc1,soon\n"})
	if r := runIn(t, t.Context(), bad.write(t), first.out, nil); r.err == nil {
		t.Fatal("it was not refused")
	}
	if got := first.file(t, "findings.jsonl"); got != want {
		t.Error("the earlier findings changed")
	}
}

func TestALeftoverOfAnInterruptedReviewIsToldOf(t *testing.T) {
	out := t.TempDir()
	if err := os.Mkdir(filepath.Join(out, ".paravent-review-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := must(t, runIn(t, t.Context(), shop().write(t), out, nil))
	if want := "left behind by an interrupted review, with rows of its input: " + filepath.Join(out, ".paravent-review-1") + "\n"; r.notices != want {
		t.Errorf("notices %q, want %q", r.notices, want)
	}
}

func TestAFileWithAMisspeltNameIsToldOf(t *testing.T) {
	f := shop().with(files{"task.csv": "id\n", "rejected.csv": "file,line,reason,row\n", "notes.txt": "x"})
	r := must(t, runIn(t, t.Context(), f.write(t), t.TempDir(), nil))
	if want := "task.csv: not read, no table has this name\n"; r.notices != want {
		t.Errorf("notices %q, want %q", r.notices, want)
	}
}

func TestAReviewDoesNotTakeItsOwnFolderForALeftover(t *testing.T) {
	t.Chdir(t.TempDir())
	if r := must(t, runIn(t, t.Context(), shop().write(t), "./out", nil)); r.notices != "" {
		t.Errorf("notices %q", r.notices)
	}
}

// At the same moment facts come before look-ups, an assignment ends before the
// next begins, and one without length begins before it ends.
func TestEventsOfOneMomentComeInTheOrderOfTheirMeaning(t *testing.T) {
	f := files{
		"accesses.csv":    "id,at,employee,customer,action\na10,2026-03-02T08:00:00Z,e1,c1,view\na9,2026-03-02T10:00:00+02:00,e1,c1,view\na1,2026-03-02T07:59:59.999999Z,e1,c1,view\n",
		"tasks.csv":       "id,customer,opened_at,closed_at\nT1,c1,2026-03-02T08:00:00Z,2026-03-02T08:00:00Z\n",
		"assignments.csv": "task,employee,since,until\nT1,e1,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\nT1,e1,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z\nT1,e1,2026-03-02T08:00:00Z,2026-03-02T08:00:00Z\n",
		"contacts.csv":    "id,customer,at\nk1,c1,2026-03-02T08:00:00Z\n",
		"work.csv":        "task,employee,at\nT1,e1,2026-03-02T08:00:00Z\n",
		"employees.csv":   "id\ne1\n",
		"customers.csv":   "id,notable\nc1,yes\nc2,no\n",
	}
	at := func(s int) time.Time { return time.Date(2026, 3, 2, 8, 0, s, 0, time.UTC) }
	events, err := review.Events(t.Context(), f.write(t), t.TempDir(), 50)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range events {
		switch ev := ev.(type) {
		case *access.EmployeeKnown:
			got = append(got, "employee "+string(ev.ID))
		case *access.CustomerKnown:
			got = append(got, map[bool]string{true: "notable ", false: "customer "}[ev.Notable]+string(ev.ID))
		case *access.TaskOpened:
			got = append(got, "opened")
		case *access.TaskClosed:
			got = append(got, "closed")
		case *access.Assigned:
			got = append(got, "assigned "+ev.Since.Format("15:04"))
		case *access.Unassigned:
			got = append(got, "unassigned "+ev.At.Format("15:04"))
		case *access.Contacted:
			got = append(got, "contacted")
		case *access.Worked:
			got = append(got, "worked")
		case *access.Lookup:
			got = append(got, "look-up "+string(ev.ID))
			if ev.ID == "a9" && !ev.At.Equal(at(0)) {
				t.Errorf("a9 is at %v", ev.At)
			}
		}
	}
	want := []string{
		"employee e1", "notable c1", "customer c2", "assigned 07:00", "look-up a1", "opened", "assigned 08:00", "unassigned 08:00", "unassigned 08:00",
		"assigned 08:00", "contacted", "worked", "closed", "look-up a9", "look-up a10", "unassigned 09:00",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d is %q, want %q", i, got[i], want[i])
		}
	}
}
