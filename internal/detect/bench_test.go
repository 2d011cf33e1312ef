package detect_test

import (
	"fmt"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// BenchmarkEngine measures look-ups a second of an ordinary day repeated: 300
// employees, 20,000 customers, one assigned task a visit, four look-ups each,
// one visit in twelve without any reason; events already decoded.
func BenchmarkEngine(b *testing.B) {
	events, lookups := ordinary(200_000)
	b.ReportAllocs()
	for b.Loop() {
		e, err := detect.New(detect.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, ev := range events {
			if err := e.Feed(ev); err != nil {
				b.Fatal(err)
			}
		}
		e.Take()
	}
	b.ReportMetric(float64(lookups*b.N)/b.Elapsed().Seconds(), "lookups/s")
}

func ordinary(lookups int) ([]access.Event, int) {
	var events []access.Event
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for i := range 300 {
		events = append(events, &access.EmployeeKnown{Employee: access.Employee{ID: access.EmployeeID(fmt.Sprintf("e%d", i)), Team: access.TeamID(fmt.Sprintf("t%d", i/10)), Role: access.RoleAgent}})
	}
	for i := range 20_000 {
		events = append(events, &access.CustomerKnown{Customer: access.Customer{ID: access.CustomerID(fmt.Sprintf("c%d", i)), Surname: fmt.Sprintf("s%d", i%3000)}})
	}
	at := start
	n := 0
	for v := 0; n < lookups; v++ {
		at = at.Add(2 * time.Second)
		e := access.EmployeeID(fmt.Sprintf("e%d", v*7%300))
		c := access.CustomerID(fmt.Sprintf("c%d", v*131%20_000))
		task := access.TaskID("")
		if v%12 != 0 {
			task = access.TaskID(fmt.Sprintf("T%d", v))
			events = append(events,
				&access.Contacted{Contact: access.Contact{Customer: c, At: at, Channel: "call", Direction: "in"}},
				&access.TaskOpened{Task: access.Task{ID: task, Customer: c, Purpose: "delivery", OpenedAt: at, OpenedBy: access.BySystem}},
				&access.Assigned{Assignment: access.Assignment{Task: task, Employee: e, Since: at, By: access.BySystem}})
		}
		for k := range 4 {
			events = append(events, &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", n)), At: at, Employee: e, Customer: c, Action: access.ActionView,
				Categories: []access.Category{"identity", "orders"}[:1+k%2], Task: task, Session: access.SessionID(e)})
			n++
		}
		if task != "" {
			events = append(events, &access.TaskClosed{Task: task, At: at.Add(time.Second), By: string(e)})
		}
	}
	return events, n
}
