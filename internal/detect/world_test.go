package detect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// world is a small company written by hand: a test adds what happens, then asks
// what is raised. Times are hours after Monday 2026-03-02, 00:00 UTC; the
// company has been seen for five weeks by then, so that its habits are known.
type world struct {
	t      *testing.T
	events []access.Event
	looks  map[access.LookupID]*access.Lookup
	n      int
}

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{t: t, looks: map[access.LookupID]*access.Lookup{}}
	for p, c := range map[string]string{"delivery": "identity contact orders delivery", "refund": "identity contact orders order_items payment", "account": "identity contact"} {
		w.add(&access.PurposeNeeds{Purpose: access.Purpose(p), Categories: categoriesIn(c)})
	}
	slices.SortFunc(w.events, func(a, b access.Event) int {
		return strings.Compare(string(a.(*access.PurposeNeeds).Purpose), string(b.(*access.PurposeNeeds).Purpose))
	})
	for i := range 40 {
		w.add(&access.EmployeeKnown{Employee: access.Employee{ID: emp(i), Surname: fmt.Sprintf("Emp%d", i), Household: fmt.Sprintf("he%d", i), Team: access.TeamID(fmt.Sprintf("t%d", i/5)), Role: access.RoleAgent}})
	}
	for i := range 400 {
		w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(i), Surname: fmt.Sprintf("Cus%d", i%200), Household: fmt.Sprintf("h%d", i)}})
	}
	// Five weeks of ordinary calls, so that contacts are expected.
	for h := -35 * 24; h < 24*40; h++ {
		for k := range 3 {
			w.call(float64(h)+float64(k)/3, 300+(h+1000)%100, -1)
		}
	}
	return w
}

func emp(i int) access.EmployeeID { return access.EmployeeID(fmt.Sprintf("e%d", i)) }
func cus(i int) access.CustomerID { return access.CustomerID(fmt.Sprintf("c%d", 7*i)) }
func at(hours float64) time.Time  { return monday.Add(time.Duration(hours * float64(time.Hour))) }

func (w *world) add(ev access.Event) { w.events = append(w.events, ev) }

// look adds a visit of four look-ups: the customer, her orders, two of them.
func (w *world) look(h float64, e, c int, task string) {
	w.lookAt(h, e, c, task, "identity contact", "orders", "order_items/o1", "delivery/o2")
}

// lookAt adds one look-up per entry: categories, or categories/order.
func (w *world) lookAt(h float64, e, c int, task string, what ...string) {
	for i, s := range what {
		cats, record, _ := strings.Cut(s, "/")
		w.n++
		l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(h).Add(time.Duration(i) * 20 * time.Second), Employee: emp(e), Customer: cus(c), Action: access.ActionView,
			Categories: categoriesIn(cats), Record: access.OrderID(record), Task: access.TaskID(task), Session: access.SessionID(fmt.Sprintf("s%d-%d", e, int(h)/24)), Device: fmt.Sprintf("d%d", e)}
		w.looks[l.ID] = l
		w.add(l)
	}
}

func (w *world) call(h float64, c, e int) {
	k := access.Contact{ID: access.ContactID(fmt.Sprintf("k%d", len(w.events))), Customer: cus(c), At: at(h), Channel: "call", Direction: "in"}
	if e >= 0 {
		k.Employee = emp(e)
	}
	w.add(&access.Contacted{Contact: k})
}

// task opens a task of a customer's and assigns it; by and to are employees, -1
// the system or nobody.
func (w *world) task(h float64, id string, c int, purpose string, by, to int) {
	who := access.BySystem
	if by >= 0 {
		who = string(emp(by))
	}
	w.add(&access.TaskOpened{Task: access.Task{ID: access.TaskID(id), Customer: cus(c), Purpose: access.Purpose(purpose), Channel: "mail", OpenedAt: at(h), OpenedBy: who}})
	if to >= 0 {
		w.add(&access.Assigned{Assignment: access.Assignment{Task: access.TaskID(id), Employee: emp(to), Since: at(h), By: who}})
	}
}

func (w *world) work(h float64, id string, e int, kind string) {
	w.add(&access.Worked{Work: access.Work{Task: access.TaskID(id), Employee: emp(e), At: at(h), Kind: kind}})
}

func (w *world) close(h float64, id string, e int) {
	w.add(&access.TaskClosed{Task: access.TaskID(id), At: at(h), By: string(emp(e))})
}

func (w *world) relate(e, c int, kind access.RelationKind) {
	w.add(&access.Related{Relation: access.Relation{Employee: emp(e), Customer: cus(c), Kind: kind}})
}

// review plays everything in order of time, facts before look-ups.
func (w *world) review(o detect.Options) []detect.Finding {
	w.t.Helper()
	late := func(ev access.Event) int {
		if _, ok := ev.(*access.Lookup); ok {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(w.events, func(a, b access.Event) int {
		if c := a.When().Compare(b.When()); c != 0 {
			return c
		}
		return late(a) - late(b)
	})
	e, err := detect.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, ev := range w.events {
		if err := e.Feed(ev); err != nil {
			w.t.Fatal(err)
		}
	}
	e.Finish(w.events[len(w.events)-1].When())
	f, _ := e.Take()
	budget := o.Budget
	if budget == 0 {
		budget = 5
	}
	sound(w.t, w.looks, f, budget)
	return f
}

// told writes findings as one line each: kind, reasons' codes, heaviest first.
func told(fs []detect.Finding) string {
	var lines []string
	for _, f := range fs {
		line := string(f.Kind) + ":"
		for _, r := range f.Reasons {
			line += " " + r.Code
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
