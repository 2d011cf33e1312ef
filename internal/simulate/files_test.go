package simulate_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"paravent/internal/access"
	"paravent/internal/simulate"
)

func TestWrittenFilesAreTheSameBytesEveryTime(t *testing.T) {
	t.Parallel()
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, dir := range []string{a, b} {
		if _, err := simulate.WriteFiles(t.Context(), dir, simulate.New(small), nil); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(a)
	if err != nil || len(files) != 12 {
		t.Fatalf("got %d files (%v), want 12", len(files), err)
	}
	for _, f := range files {
		x, errX := os.ReadFile(filepath.Join(a, f.Name()))
		y, errY := os.ReadFile(filepath.Join(b, f.Name()))
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs", f.Name())
		}
	}
}

func TestWrittenFilesSayWhatTheHistorySays(t *testing.T) {
	t.Parallel()
	s, dir := simulate.New(small), t.TempDir()
	if _, err := simulate.WriteFiles(t.Context(), dir, s, nil); err != nil {
		t.Fatal(err)
	}
	rows := func(name string) []map[string]string {
		text, err := os.ReadFile(filepath.Join(dir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out []map[string]string
		for _, row := range all[1:] {
			m := map[string]string{}
			for i, cell := range row {
				m[all[0][i]] = cell
			}
			out = append(out, m)
		}
		return out
	}
	n := map[string]int{}
	closed := map[string]string{}
	var lookups []*access.Lookup
	for _, ev := range s.History() {
		switch ev := ev.(type) {
		case *access.Lookup:
			lookups = append(lookups, ev)
		case *access.TaskOpened:
			n["tasks"]++
		case *access.TaskClosed:
			closed[string(ev.Task)] = ev.At.Format("2006-01-02T15:04:05Z") + ev.By
		case *access.Assigned:
			n["assignments"]++
		case *access.Worked:
			n["work"]++
		case *access.Contacted:
			n["contacts"]++
		case *access.Ordered:
			n["orders"]++
		case *access.InNews:
			n["news"]++
		}
	}
	n["customers"], n["employees"], n["relations"], n["labels"] = len(s.Customers), len(s.Employees), len(s.Relations), len(s.Labels())
	for name, want := range n {
		if got := len(rows(name)); got != want {
			t.Errorf("%s: got %d rows, the history has %d", name, got, want)
		}
	}
	for _, r := range rows("tasks") {
		if got := r["closed_at"] + r["closed_by"]; got != closed[r["id"]] {
			t.Errorf("task %s: the file says closed %q, the history %q", r["id"], got, closed[r["id"]])
		}
	}
	accesses := rows("accesses")
	if len(accesses) != len(lookups) {
		t.Fatalf("got %d look-ups in the file, the history has %d", len(accesses), len(lookups))
	}
	for i, r := range accesses {
		l := lookups[i]
		words := make([]string, len(l.Categories))
		for k, c := range l.Categories {
			words[k] = string(c)
		}
		got := strings.Join([]string{r["id"], r["at"], r["employee"], r["customer"], r["action"], r["categories"], r["record"], r["task"], r["reason"], r["session"], r["device"], r["site"], r["outcome"]}, "|")
		want := strings.Join([]string{string(l.ID), l.At.Format("2006-01-02T15:04:05Z"), string(l.Employee), string(l.Customer), string(l.Action), strings.Join(words, " "),
			string(l.Record), string(l.Task), l.Reason, string(l.Session), l.Device, l.Site, string(l.Outcome)}, "|")
		if got != want {
			t.Fatalf("look-up %d:\n got %s\nwant %s", i, got, want)
		}
	}
}

func TestWritingNeverOverwrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := filepath.Join(dir, "labels.csv")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.WriteFiles(t.Context(), dir, simulate.New(small), nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want an error that the file exists", err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "mine" {
		t.Errorf("the file was changed to %q (%v)", text, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("got %d files (%v) where nothing should have been written beside the one", len(left), err)
	}
}

func TestLookupsGrowWithStaffAndDays(t *testing.T) {
	t.Parallel()
	count := func(o simulate.Options) (n int) {
		for ev := range simulate.New(o).Stream() {
			if _, ok := ev.(*access.Lookup); ok {
				n++
			}
		}
		return n
	}
	base := simulate.Options{Seed: 2, Employees: 40, Customers: 2500, Days: 12, Load: 0.5}
	wide, long := base, base
	wide.Employees, wide.Customers = 160, 10_000
	long.Days = 24
	one := float64(count(base))
	if got := float64(count(wide)) / one; got < 3.2 || got > 5.5 {
		t.Errorf("four times the staff make %.2f times the look-ups", got)
	}
	if got := float64(count(long)) / one; got < 1.6 || got > 2.5 {
		t.Errorf("twice the days make %.2f times the look-ups", got)
	}
	tiny := simulate.Options{Employees: 1, Customers: 1, Days: 1}
	if got := simulate.New(tiny); len(got.Employees) != simulate.MinEmployees || len(got.Customers) != simulate.MinCustomers || len(got.History()) == 0 {
		t.Errorf("the least shop has %d employees, %d customers", len(got.Employees), len(got.Customers))
	}
}

// ISO 13616 and Luhn, written apart from the code that makes the numbers.
func TestAccountAndCardNumbersLookRightAndAreNobodys(t *testing.T) {
	t.Parallel()
	for n := range uint64(500) {
		n *= 0x9e3779b97f4a7c15
		number := simulate.IBAN(n)
		digits := ""
		for _, c := range number[4:] + number[:4] {
			if c >= 'A' {
				digits += strconv.Itoa(int(c-'A') + 10)
			} else {
				digits += string(c)
			}
		}
		rest := 0
		for _, c := range digits {
			rest = (rest*10 + int(c-'0')) % 97
		}
		if rest != 1 || !strings.HasPrefix(number, "ZZ") || len(number) != 22 {
			t.Fatalf("IBAN %s: rest %d", number, rest)
		}
		digits, sum := simulate.Card(n), 0
		for i := range digits {
			x := int(digits[len(digits)-1-i] - '0')
			if i%2 == 1 {
				x = x*2%10 + x/5
			}
			sum += x
		}
		if sum%10 != 0 || !strings.HasPrefix(digits, "9999") || len(digits) != 16 {
			t.Fatalf("card %s: Luhn sum %d", digits, sum)
		}
		if p := simulate.Phone(n); len(p) != 13 && len(p) != 14 && len(p) != 12 {
			t.Fatalf("telephone %s", p)
		}
	}
}
