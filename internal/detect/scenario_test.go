package detect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// TestRaisesSnooping has one small story a row: what somebody did for himself,
// the kind of finding and a reason that it must be raised with.
func TestRaisesSnooping(t *testing.T) {
	tests := []struct {
		name   string
		kind   detect.Kind
		reason string
		story  func(w *world)
	}{
		{"own account", detect.KindPair, "self", func(w *world) {
			w.relate(1, 1, access.RelationSelf)
			w.look(10, 1, 1, "")
		}},
		{"the account that the directory says is his own", detect.KindPair, "self", func(w *world) {
			w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(1), Employee: emp(1)}})
			w.look(10, 1, 1, "")
		}},
		{"former partner, once", detect.KindPair, "relation", func(w *world) {
			w.relate(2, 2, access.RelationFormerPartner)
			w.look(10, 2, 2, "")
		}},
		{"somebody at his own address", detect.KindPair, "household", func(w *world) {
			w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(3), Household: "he3"}})
			w.look(10, 3, 3, "")
		}},
		{"colleague of his own team", detect.KindPair, "coworker", func(w *world) {
			w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(4), Employee: emp(6)}})
			w.look(10, 7, 4, "")
		}},
		{"a stranger, again and again", detect.KindPair, "again", func(w *world) {
			for d := range 4 {
				w.look(10+72*float64(d), 5, 5, "")
			}
		}},
		{"somebody whose task was closed three weeks ago", detect.KindPair, "dormant", func(w *world) {
			w.call(-24*21-1, 6, 6)
			w.task(-24*21, "T1", 6, "refund", -1, 6)
			w.close(-24*21+2, "T1", 6)
			w.look(10, 6, 6, "T1")
		}},
		{"far beyond the purpose of a task that is his", detect.KindPair, "beyond", func(w *world) {
			w.call(9, 8, 8)
			w.task(9, "T1", 8, "account", -1, 8)
			w.lookAt(9.5, 8, 8, "T1", "identity contact", "order_items/o1", "order_items/o2", "payment/o3", "order_items/o4", "delivery/o5", "order_items/o6")
		}},
		{"a task opened for the purpose of looking, said to be a mail that no server saw", detect.KindPair, "own_word", func(w *world) {
			w.task(10, "T1", 9, "refund", 9, 9)
			w.look(10.1, 9, 9, "T1")
			w.work(10.2, "T1", 9, "note")
			w.close(10.2, "T1", 9)
		}},
		{"customer numbers, one after the other", detect.KindRun, "enumeration", func(w *world) {
			for i := range 40 {
				w.n++
				l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(10 + float64(i)/60), Employee: emp(11), Customer: access.CustomerID(fmt.Sprintf("x%d", 5000+i)), Action: access.ActionView, Categories: categoriesIn("identity")}
				w.looks[l.ID] = l
				w.add(l)
			}
		}},
		{"an export by somebody about to leave", detect.KindRun, "leaving", func(w *world) {
			w.add(&access.EmployeeKnown{Employee: access.Employee{ID: emp(12), Role: access.RoleAgent, Team: "t2", LeavesOn: monday.AddDate(0, 0, 14)}})
			for i := range 60 {
				w.n++
				l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(10 + float64(i)/60), Employee: emp(12), Customer: cus(i * 3), Action: access.ActionExport, Categories: categoriesIn("identity orders")}
				w.looks[l.ID] = l
				w.add(l)
			}
		}},
		{"people in the public eye, by security staff, without a case", detect.KindRun, "notables", func(w *world) {
			w.add(&access.EmployeeKnown{Employee: access.Employee{ID: emp(13), Role: access.RoleSecurity, Team: "t2"}})
			for i := range 4 {
				w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(20 + i), Notable: true}})
				w.lookAt(10+26*float64(i), 13, 20+i, "", "identity contact")
			}
		}},
		{"a crowd at somebody in the news", detect.KindCrowd, "news", func(w *world) {
			w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(30), Notable: true}})
			w.add(&access.InNews{News: access.News{Customer: cus(30), At: at(8)}})
			for i := range 6 {
				w.look(9+float64(i)/4, 4*i, 30, "")
			}
		}},
		{"two who open tasks for each other", detect.KindHelpers, "each_other", func(w *world) {
			for i := range 3 {
				a, b := 15, 26
				if i == 1 {
					a, b = b, a
				}
				id := fmt.Sprintf("T%d", i)
				h := 10 + 24*float64(i)
				w.task(h, id, 40+i, "refund", a, b)
				w.look(h+0.1, b, 40+i, id)
				w.work(h+0.2, id, b, "note")
				w.close(h+0.3, id, b)
			}
		}},
		{"a task that he put on his own desk minutes before", detect.KindPair, "relation", func(w *world) {
			w.relate(17, 50, access.RelationFamily)
			w.call(8, 50, 3)
			w.task(8, "T1", 50, "refund", 3, 3)
			w.add(&access.Assigned{Assignment: access.Assignment{Task: "T1", Employee: emp(17), Since: at(11), By: string(emp(17))}})
			w.look(11.1, 17, 50, "T1")
			w.work(11.2, "T1", 17, "note")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.story(w)
			fs := w.review(detect.Options{})
			for _, f := range fs {
				for _, r := range f.Reasons {
					if f.Kind == tt.kind && r.Code == tt.reason {
						return
					}
				}
			}
			t.Errorf("got\n%s\nwant a %s with reason %s", told(fs), tt.kind, tt.reason)
		})
	}
}

// TestEveryoneDoesItIsRaisedAllTheSame lets 40 % of the staff look at one
// customer over four days. The finding must come, whatever the share, and the
// last of them must name them all.
func TestEveryoneDoesItIsRaisedAllTheSame(t *testing.T) {
	w := newWorld(t)
	for i := range 16 {
		w.look(10+6*float64(i), 2*i, 70, "")
	}
	fs := w.review(detect.Options{})
	named := map[access.EmployeeID]bool{}
	for _, f := range fs {
		for _, e := range f.Employees {
			named[e] = true
		}
	}
	if len(fs) == 0 || fs[0].Kind != detect.KindCrowd {
		t.Fatalf("got\n%s\nwant a crowd first", told(fs))
	}
	if fs[0].RaisedAt.After(at(10 + 6*9 + 1)) {
		t.Errorf("raised at %v, later than an hour after the tenth viewer", fs[0].RaisedAt)
	}
	if len(named) < 14 {
		t.Errorf("named %d of the 16 who looked", len(named))
	}
}

// TestAFullDayLosesNothing gives a day more than it can hold: what is left over
// is raised on a later day.
func TestAFullDayLosesNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.relate(i, 80+i, access.RelationSelf)
		w.look(10+float64(i), i, 80+i, "")
	}
	fs := w.review(detect.Options{Budget: 2})
	who := map[access.EmployeeID]bool{}
	for _, f := range fs {
		who[f.Employees[0]] = true
	}
	if len(who) != 6 {
		t.Errorf("raised %d of 6:\n%s", len(who), told(fs))
	}
}

// TestSamplesComeBesideTheQueue checks that samples are few, say so, and depend
// on the seed alone.
func TestSamplesComeBesideTheQueue(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.look(10+float64(i)/4, i, 100+i, "")
	}
	pick := func(seed uint64) string {
		e, err := detect.New(detect.Options{Seed: seed, SamplesPerDay: 2})
		if err != nil {
			t.Fatal(err)
		}
		w.review(detect.Options{})
		for _, ev := range w.events {
			if err := e.Feed(ev); err != nil {
				t.Fatal(err)
			}
		}
		e.Finish(at(24 * 40))
		_, samples := e.Take()
		ids := ""
		for _, s := range samples {
			if s.Kind != detect.KindSample {
				t.Errorf("a sample of kind %s", s.Kind)
			}
			ids += s.ID + " "
		}
		if len(samples) == 0 || len(samples) > 2*2 {
			t.Errorf("%d samples of one day's look-ups", len(samples))
		}
		return ids
	}
	first, again := pick(1), pick(1)
	if first != again {
		t.Error("the same seed chose differently")
	}
	if first == pick(2) {
		t.Error("another seed chose the same")
	}
}

// TestTimePassingInBetweenChangesNothing compares a file review with a live
// engine that is told the time every ten minutes.
func TestTimePassingInBetweenChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.relate(1, 1, access.RelationSelf)
	w.look(10, 1, 1, "")
	for d := range 5 {
		w.look(12+50*float64(d), 5, 5, "")
	}
	want := told(w.review(detect.Options{}))
	e, err := detect.New(detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []detect.Finding
	clock := w.events[0].When()
	for _, ev := range w.events {
		for !ev.When().IsZero() && (clock.IsZero() || clock.Add(10*time.Minute).Before(ev.When())) {
			if clock.IsZero() {
				clock = ev.When()
			} else {
				clock = clock.Add(10 * time.Minute)
			}
			if err := e.Advance(clock); err != nil {
				t.Fatal(err)
			}
			f, _ := e.Take()
			got = append(got, f...)
		}
		if err := e.Feed(ev); err != nil {
			t.Fatal(err)
		}
	}
	e.Finish(w.events[len(w.events)-1].When())
	f, _ := e.Take()
	got = append(got, f...)
	if told(got) != want || want == "" {
		t.Errorf("live:\n%s\nreview:\n%s", told(got), want)
	}
}

// TestReasonsAreSentences reads every text as a person would.
func TestReasonsAreSentences(t *testing.T) {
	w := newWorld(t)
	w.relate(1, 1, access.RelationFormerPartner)
	for d := range 4 {
		w.look(10+30*float64(d), 1, 1, "")
	}
	fs := w.review(detect.Options{})
	if len(fs) == 0 {
		t.Fatal("nothing raised")
	}
	for _, f := range fs {
		for _, r := range f.Reasons {
			if !strings.HasSuffix(r.Text, ".") || strings.ToUpper(r.Text[:1]) != r.Text[:1] || strings.Contains(r.Text, "%!") {
				t.Errorf("reason %s isn't a sentence: %q", r.Code, r.Text)
			}
		}
		if f.Best == nil || f.Best.Missing == "" {
			t.Errorf("finding %s doesn't say which link is missing", f.ID)
		}
	}
}
