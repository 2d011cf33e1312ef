package simulate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/simulate"
)

var now = time.Date(2026, 2, 3, 10, 20, 30, 0, time.UTC)

func TestLiveTrafficIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	s := simulate.New(small)
	a, b := s.Live(now, 1), simulate.New(small).Live(now, 1)
	for i := range 2000 {
		if x, y := a.Next(), b.Next(); !cmp.Equal(x, y) {
			t.Fatalf("step %d differs:\n%s", i, cmp.Diff(x, y))
		}
	}
}

// The shipped policy, given nothing but the facts that Live itself told,
// allows every honest ask and none of the others.
func TestLiveAsksAreAllowedWhereHonestAndRefusedWhereNot(t *testing.T) {
	t.Parallel()
	p := shipped(t)
	s := simulate.New(simulate.Options{})
	f := newFacts(s)
	customers, employees := map[access.CustomerID]access.Customer{}, map[access.EmployeeID]access.Employee{}
	orders := map[access.OrderID]access.CustomerID{}
	for _, c := range s.Customers {
		customers[c.ID] = c
	}
	for _, e := range s.Employees {
		employees[e.ID] = e
	}
	for _, row := range s.Tables()[1].Rows {
		orders[access.OrderID(row[0].(string))] = access.CustomerID(row[1].(string))
	}
	l := s.Live(s.Options.Until, 9)
	var last time.Time
	var honest, refused, second, inProgress, ended int
	for last.Before(s.Options.Until.Add(30 * time.Minute)) {
		step := l.Next()
		if step.At.Before(last) {
			t.Fatalf("a step at %v comes after %v", step.At, last)
		}
		last = step.At
		for _, ev := range step.Facts {
			f.take(ev)
			if c, ok := ev.(*access.Contacted); ok && c.Channel == "call" {
				if c.Until.IsZero() {
					inProgress++
				} else {
					ended++
				}
			}
		}
		a := step.Ask
		if a == nil {
			continue
		}
		task := f.tasks[a.Task]
		if task == nil {
			t.Fatalf("an ask at %v names task %s, which no step told of", step.At, a.Task)
		}
		d := p.Decide(policy.Facts{
			Now: step.At, Employee: employees[a.Employee], Session: "s1", Qualified: policy.Qualification{Current: true},
			Task: task, Assigned: f.covers(a.Task, a.Employee, step.At), Customer: customers[task.Customer],
			Asked:     policy.Asked{Task: a.Task, Customer: a.Customer, Categories: a.Categories, Order: a.Order, Action: a.Action},
			Relations: relations(s, a.Employee, task.Customer), OrderOf: a.Order == "" || orders[a.Order] == task.Customer,
		})
		switch {
		case a.Honest && d.Effect != policy.Allow:
			t.Fatalf("an honest ask was refused: %+v\ntask %+v\n%+v", a, task, d.Reasons)
		case !a.Honest && d.Effect == policy.Allow:
			t.Fatalf("a snooper's ask was allowed: %+v\ntask %+v", a, task)
		case a.Honest:
			honest++
		case d.Effect == policy.NeedsSecondPerson:
			second++
		default:
			refused++
		}
		if a.Employee == s.Cast().Agent {
			t.Errorf("Live asks in the visitor's name: %+v", a)
		}
	}
	perSecond := float64(honest+refused+second) / 1800
	if perSecond < 1 || perSecond > 2 {
		t.Errorf("got %.2f asks a second, want 1 to 2", perSecond)
	}
	if refused < 15 || second == 0 || inProgress == 0 || ended == 0 {
		t.Errorf("in half an hour: %d refused, %d wait for a second person, %d calls began, %d ended; want some of each", refused, second, inProgress, ended)
	}
}

func relations(s *simulate.Shop, e access.EmployeeID, c access.CustomerID) (kinds []access.RelationKind) {
	for _, r := range s.Relations {
		if r.Employee == e && r.Customer == c {
			kinds = append(kinds, r.Kind)
		}
	}
	return kinds
}
