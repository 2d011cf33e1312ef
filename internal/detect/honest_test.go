package detect_test

import (
	"fmt"
	"testing"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// TestLeavesHonestWorkAlone has one honest story a row that looks like
// snooping; none may be raised. N1 to N14 are the bed's names for them.
func TestLeavesHonestWorkAlone(t *testing.T) {
	tests := []struct {
		name  string
		story func(w *world)
	}{
		{"N1 a person in the public eye really calls, several teams serve her", func(w *world) {
			w.add(&access.CustomerKnown{Customer: access.Customer{ID: cus(1), Notable: true}})
			w.call(10, 1, 1)
			w.task(10, "T1", 1, "refund", 1, 1)
			for i, e := range []int{1, 8, 15, 22} {
				w.add(&access.Assigned{Assignment: access.Assignment{Task: "T1", Employee: emp(e), Since: at(10 + float64(i)/5), By: string(emp(1))}})
				w.lookAt(10.01+float64(i)/5, e, 1, "T1", "identity contact", "orders")
			}
		}},
		{"N2 a recall: one task a customer, made by somebody else", func(w *world) {
			for i := range 60 {
				id := fmt.Sprintf("T%d", i)
				w.task(8, id, i, "delivery", 39, 3)
				w.lookAt(9+float64(i)/30, 3, i, id, "identity contact", "delivery/o1")
			}
		}},
		{"N3 a regular, served by the same person again and again", func(w *world) {
			for i := range 12 {
				id, h := fmt.Sprintf("T%d", i), 10+24*float64(i)
				w.call(h, 3, 4)
				w.task(h, id, 3, "refund", 4, 4)
				w.look(h+0.05, 4, 3, id)
				w.close(h+0.2, id, 4)
			}
		}},
		{"N4 a walk-up at a desk that opens tasks all day", func(w *world) {
			for i := range 60 {
				id, h := fmt.Sprintf("D%d", i), -24*28+10*float64(i)
				w.call(h, 100+i, 5)
				w.task(h, id, 100+i, "refund", 5, 5)
				w.close(h+0.2, id, 5)
			}
			w.task(10, "T1", 4, "refund", 5, 5)
			w.look(10.1, 5, 4, "T1")
			w.close(10.2, "T1", 5)
		}},
		{"N6 a newcomer looks over a colleague's shoulder", func(w *world) {
			w.call(10, 6, 6)
			w.task(10, "T1", 6, "refund", 6, 6)
			w.look(10.1, 6, 6, "T1")
			w.look(10.12, 7, 6, "T1")
		}},
		{"N7 the same surname by chance", func(w *world) {
			w.add(&access.EmployeeKnown{Employee: access.Employee{ID: emp(7), Surname: "Cus7", Team: "t1", Role: access.RoleAgent}})
			w.call(10, 7, 7)
			w.task(10, "T1", 7, "refund", 7, 7)
			w.look(10.1, 7, 7, "T1")
		}},
		{"N8 a legal case, one person many times", func(w *world) {
			w.task(8, "T1", 8, "refund", 39, 8)
			for d := range 15 {
				w.look(10+24*float64(d), 8, 8, "T1")
			}
		}},
		{"N9 a closed task that a colleague takes up again and hands back", func(w *world) {
			w.call(-200, 9, 9)
			w.task(-200, "T1", 9, "refund", -1, 9)
			w.close(-190, "T1", 9)
			w.add(&access.Assigned{Assignment: access.Assignment{Task: "T1", Employee: emp(9), Since: at(9), By: string(emp(39))}})
			w.look(10, 9, 9, "T1")
			w.look(34, 9, 9, "T1")
			w.look(58, 9, 9, "T1")
		}},
		{"N10 the night shift", func(w *world) {
			for d := range 5 {
				id, h := fmt.Sprintf("T%d", d), 3+24*float64(d)
				w.call(h, 10+d, 10)
				w.task(h, id, 10+d, "refund", 10, 10)
				w.look(h+0.1, 10, 10+d, id)
			}
		}},
		{"N11 family, served through a task that somebody else made and assigned", func(w *world) {
			w.relate(11, 11, access.RelationFamily)
			w.call(10, 11, 2)
			w.task(10, "T1", 11, "refund", 2, 11)
			w.look(10.1, 11, 11, "T1")
		}},
		{"N12 a campaign list exported under tasks that a lead made", func(w *world) {
			for i := range 50 {
				id := fmt.Sprintf("T%d", i)
				w.task(8, id, i, "account", 39, 12)
				w.n++
				l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(10 + float64(i)/60), Employee: emp(12), Customer: cus(i), Action: access.ActionExport, Categories: categoriesIn("identity contact"), Task: access.TaskID(id)}
				w.looks[l.ID] = l
				w.add(l)
			}
		}},
		{"N13 a wholesale customer, ten orders opened in one visit, all within the purpose", func(w *world) {
			w.call(10, 13, 13)
			w.task(10, "T1", 13, "refund", -1, 13)
			w.lookAt(10.1, 13, 13, "T1", "order_items/o1", "order_items/o2", "payment/o3", "order_items/o4", "order_items/o5", "payment/o6", "order_items/o7", "order_items/o8", "order_items/o9", "payment/o10")
		}},
		{"N14 somebody who seldom opens tasks serves a caller alone", func(w *world) {
			w.call(9.9, 14, 14)
			w.task(10, "T1", 14, "refund", 14, 14)
			w.look(10.1, 14, 14, "T1")
			w.work(10.2, "T1", 14, "note")
			w.close(10.3, "T1", 14)
		}},
		{"a wrong name, opened once", func(w *world) { w.lookAt(10, 20, 60, "", "identity contact") }},
		{"a colleague helps on a task that another team works on, twice", func(w *world) {
			w.call(9, 61, 30)
			w.task(9, "T1", 61, "refund", -1, 30)
			w.look(10, 21, 61, "T1")
			w.look(34, 21, 61, "T1")
		}},
		{"a contact that arrives minutes late", func(w *world) {
			w.relate(22, 62, access.RelationNeighbour)
			w.look(10, 22, 62, "")
			w.call(10.1, 62, 22)
		}},
		{"refused tries show nothing", func(w *world) {
			w.relate(23, 63, access.RelationSelf)
			for i := range 20 {
				w.n++
				l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(10 + float64(i)), Employee: emp(23), Customer: cus(63), Action: access.ActionView, Outcome: access.OutcomeRefused}
				w.looks[l.ID] = l
				w.add(l)
			}
		}},
		{"names in a result list", func(w *world) {
			for i := range 30 {
				w.n++
				l := &access.Lookup{ID: access.LookupID(fmt.Sprintf("a%d", w.n)), At: at(10), Employee: emp(24), Customer: cus(i), Action: access.ActionSearch, Categories: categoriesIn("identity")}
				w.looks[l.ID] = l
				w.add(l)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.story(w)
			if fs := w.review(detect.Options{}); len(fs) > 0 {
				t.Errorf("raised honest work:\n%s", told(fs))
			}
		})
	}
}
