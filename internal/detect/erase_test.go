package detect_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// erasedDays feeds twenty days in which colleagues look at one customer, with
// and without a reason, and at others.
func erasedDays(t *testing.T, e *detect.Engine) (end time.Time) {
	t.Helper()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	feed := func(ev access.Event) {
		if err := e.Feed(ev); err != nil {
			t.Fatal(err)
		}
	}
	feed(&access.CustomerKnown{Customer: access.Customer{ID: "cust-erin", Surname: "Quillfeather", Household: "hh-erin", Notable: true}})
	feed(&access.PurposeNeeds{Purpose: "refund", Categories: []access.Category{"identity", "orders"}})
	for i := range 9 {
		feed(&access.EmployeeKnown{Employee: access.Employee{ID: access.EmployeeID(fmt.Sprint("emp-", i)), Surname: fmt.Sprint("Nym", i), Role: access.RoleAgent, Team: "t1"}})
	}
	feed(&access.Related{Relation: access.Relation{Employee: "emp-1", Customer: "cust-erin", Kind: access.RelationFormerPartner}})
	n := 0
	for d := range 20 {
		for i := range 9 {
			at = at.Add(20 * time.Minute)
			n++
			c := access.CustomerID(fmt.Sprint("cust-", d*9+i))
			if i%2 == 1 {
				c = "cust-erin"
			}
			task := access.TaskID(fmt.Sprint("task-", c, "-", n))
			if i%3 == 0 {
				feed(&access.TaskOpened{Task: access.Task{ID: task, Customer: c, Purpose: "refund", Order: access.OrderID("order-" + string(c)), OpenedAt: at.Add(-time.Minute), OpenedBy: access.ByCustomer}})
				feed(&access.Assigned{Assignment: access.Assignment{Task: task, Employee: access.EmployeeID(fmt.Sprint("emp-", i)), Since: at.Add(-time.Minute)}})
			}
			feed(&access.Lookup{ID: access.LookupID(fmt.Sprint("l", n)), At: at, Employee: access.EmployeeID(fmt.Sprint("emp-", i)), Customer: c,
				Categories: []access.Category{"identity", "orders", "payment"}, Record: access.OrderID("order-" + string(c)), Task: task, Action: access.ActionView})
		}
		at = at.Add(21 * time.Hour)
	}
	return at
}

func TestG5AnErasedPersonIsInNothingThatTheEngineKeeps(t *testing.T) {
	for _, c := range []struct {
		p       detect.Person
		traces  []string
		someone string // who must still be there
	}{
		{detect.Person{Customer: "cust-erin", As: "erased-1"}, []string{"cust-erin", "Quillfeather", "hh-erin"}, "emp-1"},
		{detect.Person{Employee: "emp-1", As: "erased-1"}, []string{"emp-1", "Nym1"}, "cust-erin"},
	} {
		e, err := detect.New(detect.Options{SamplesPerDay: 2})
		if err != nil {
			t.Fatal(err)
		}
		end := erasedDays(t, e)
		before, err := e.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range append(c.traces, c.someone) {
			if !bytes.Contains(before, []byte(trace)) {
				t.Fatalf("%s is not there before: the test shows nothing", trace)
			}
		}
		e.Erase(c.p)
		after, err := e.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range c.traces {
			if bytes.Contains(after, []byte(trace)) {
				t.Errorf("%s is left", trace)
			}
		}
		if !bytes.Contains(after, []byte(c.someone)) {
			t.Errorf("%s is gone too", c.someone)
		}
		again, err := detect.Restore(detect.Options{SamplesPerDay: 2}, after)
		if err != nil {
			t.Fatal(err)
		}
		again.Finish(end.Add(48 * time.Hour))
		for _, list := range [][]detect.Finding{first(again.Take()), first(e.Take())} {
			for _, f := range list {
				for _, trace := range c.traces {
					if text := fmt.Sprintf("%+v %+v", f, f.Best); bytes.Contains([]byte(text), []byte(trace)) {
						t.Errorf("a finding names %s: %s", trace, text)
					}
				}
			}
		}
	}
}

// first returns findings and samples as one list.
func first(findings, samples []detect.Finding) []detect.Finding { return append(findings, samples...) }

func TestAFindingForgetsAPersonAndKeepsTheRest(t *testing.T) {
	f := detect.Finding{ID: "f1", Customers: []access.CustomerID{"c1", "c2"}, Employees: []access.EmployeeID{"e1"}, Score: 0.9,
		Reasons: []detect.Reason{{Code: "unexplained", Text: "No task of c1, but one of c12 and éc1."}}, Best: &detect.Best{}}
	if f.Erase(detect.Person{Customer: "c", As: "x"}) || f.Best == nil {
		t.Error("somebody else was erased")
	}
	if !f.Erase(detect.Person{Customer: "c1", As: "erased-1"}) {
		t.Error("she was not found")
	}
	if got := fmt.Sprint(f.Customers, f.Employees, f.Best == nil, f.Reasons[0].Text); got != "[c2 erased-1] [e1] trueNo task of erased-1, but one of c12 and éc1." {
		t.Errorf("got %s", got)
	}
}
