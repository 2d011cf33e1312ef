package detect_test

import (
	"encoding/json"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// TestFindsTheBedsSnoopersWithinTheDaysReading holds the target: five findings
// a day, at least 0.70 of the episodes, at most 1.5 false findings a day, at
// most 4 % of the honest staff ever named.
func TestFindsTheBedsSnoopersWithinTheDaysReading(t *testing.T) {
	b := loadBed(t, damage{})
	f := b.review(t, detect.Options{Budget: 5})
	s := b.score(f, 5, b.first, b.last.Add(48*time.Hour))
	t.Logf("recall %.3f, false a day %.2f, honest staff named %.3f; found %v of %v; look-alikes raised %v", s.Recall, s.FalsePerDay, s.HonestNamed, s.Found, s.Episodes, s.Benign)
	if s.Recall < 0.70 {
		t.Errorf("recall of episodes: got %.3f, want at least 0.70; found %v of %v", s.Recall, s.Found, s.Episodes)
	}
	if s.FalsePerDay > 1.5 {
		t.Errorf("false findings a day: got %.2f, want at most 1.5", s.FalsePerDay)
	}
	if s.HonestNamed > 0.04 {
		t.Errorf("honest staff named: got %.3f, want at most 0.04", s.HonestNamed)
	}
	sound(t, b.byID, f, 5)
}

// TestHoldsWhenFactsAreMissing damages the bed as real companies' data are: no
// relations, no news, every fifth day without contacts, one task in fifty lost.
func TestHoldsWhenFactsAreMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("reviews the bed once more")
	}
	b := loadBed(t, damage{relations: true, news: true, contacts: 0.2, tasks: 0.02, seed: 6})
	s := b.score(b.review(t, detect.Options{Budget: 5}), 5, b.first, b.last.Add(48*time.Hour))
	t.Logf("recall %.3f, false a day %.2f", s.Recall, s.FalsePerDay)
	if s.Recall < 0.65 || s.FalsePerDay > 1.5 {
		t.Errorf("recall %.3f, false a day %.2f; want at least 0.65 and at most 1.5", s.Recall, s.FalsePerDay)
	}
}

// TestResumesFromASnapshotAsIfNeverStopped reviews part of the bed in one go,
// and again with the engine written away and read back in between.
func TestResumesFromASnapshotAsIfNeverStopped(t *testing.T) {
	b := loadBed(t, damage{})
	events := b.events
	for i, ev := range events {
		if l, ok := ev.(*access.Lookup); ok && l.At.After(b.first.AddDate(0, 0, 16)) {
			events = events[:i]
			break
		}
	}
	run := func(cuts int) string {
		e, err := detect.New(detect.Options{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		var all []detect.Finding
		for i, ev := range events {
			if err := e.Feed(ev); err != nil {
				t.Fatal(err)
			}
			if cuts > 0 && i%(len(events)/(cuts+1)) == 1 {
				data, err := e.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if e, err = detect.Restore(detect.Options{Seed: 7}, data); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.Finish(b.last)
		f, s := e.Take()
		all = append(append(all, f...), s...)
		out, err := json.Marshal(struct {
			F []detect.Finding
			T detect.Tally
		}{all, e.Tally()})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	whole := run(0)
	if got := run(3); got != whole {
		t.Error("findings differ after three restarts")
	}
}

// sound checks what every list of findings must hold, whatever it is about.
func sound(t *testing.T, lookups map[access.LookupID]*access.Lookup, findings []detect.Finding, budget int) {
	t.Helper()
	perDay, seen := map[string]int{}, map[string]bool{}
	for _, f := range findings {
		day := f.RaisedAt.Format(time.DateOnly)
		perDay[day]++
		if perDay[day] > budget {
			t.Errorf("%s: more than %d findings", day, budget)
		}
		what, err := json.Marshal([]any{day, f.Customers, f.Employees})
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(what)] {
			t.Errorf("the same people and customers twice on a day: %s", what)
		}
		seen[string(what)] = true
		if f.Score < 0 || f.Score >= 1 || len(f.Reasons) == 0 || len(f.Accesses) == 0 {
			t.Errorf("finding %s: score %v, %d reasons, %d accesses", f.ID, f.Score, len(f.Reasons), len(f.Accesses))
		}
		employees, customers, twice := map[access.EmployeeID]bool{}, map[access.CustomerID]bool{}, map[access.LookupID]bool{}
		for _, a := range f.Accesses {
			l := lookups[a]
			if l == nil || twice[a] {
				t.Fatalf("finding %s: access %q is unknown or named twice", f.ID, a)
			}
			twice[a] = true
			employees[l.Employee], customers[l.Customer] = true, true
			if l.At.After(f.RaisedAt) {
				t.Errorf("finding %s rests on %s, which came after it was raised", f.ID, a)
			}
		}
		if len(employees) != len(f.Employees) || len(customers) != len(f.Customers) {
			t.Errorf("finding %s names people or customers that are not in its accesses", f.ID)
		}
	}
}
