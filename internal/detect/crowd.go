package detect

import (
	"fmt"
	"math"
	"slices"
)

const (
	crowdWindow = 7 * day
	crowdLeast  = 4 // employees who looked without a reason, from which it may be a crowd
)

// crowd looks, when an employee begins to look at a customer, whether too many
// are looking. It doesn't wait: what they have in common is seen at once. How
// many colleagues do it never makes it normal: the measure is this customer's
// own history and her own explained business.
func (e *Engine) crowd(c, n int32, at int64) {
	v := &e.st.Visits[n]
	r := e.record(c)
	if r.Since == 0 {
		r.Since = at
	}
	r.Recent = slices.DeleteFunc(r.Recent, func(w viewer) bool { return w.At < at-crowdWindow })
	r.Recent = append(r.Recent, viewer{E: v.E, At: at, Visit: n, Seq: v.Seq})
	if e.facts.Role(v.E).Automatic() {
		return
	}
	open := 0
	for i := range r.Recent {
		if w := &r.Recent[i]; w.Visit >= 0 || w.Open >= openVisit {
			open++
		}
	}
	if open < crowdLeast {
		return
	}
	e.crowdOf(c, r, at, false)
}

// settleCrowds raises, at the end of a day, each crowd once more that grew after
// it was raised and has been quiet for a day, so that everybody is named.
func (e *Engine) settleCrowds(at int64) {
	for i := range e.st.Raised {
		k := e.st.Raised[i]
		if !k.Crowd || k.At < at-2*crowdWindow {
			continue
		}
		r := e.record(k.C)
		if n := len(r.Recent); n > 0 && r.Recent[n-1].At > k.At && r.Recent[n-1].At <= at-day {
			e.crowdOf(k.C, r, at, true)
		}
	}
}

// crowdOf counts who looked without a reason and proposes the crowd; last says
// that it has come to rest.
func (e *Engine) crowdOf(c int32, r *record, at int64, last bool) {
	who := e.scratch[:0]
	var looks []look
	explained, n := 0, 0.0
	for i := range r.Recent {
		w := &r.Recent[i]
		var visitLooks []look
		if w.Visit >= 0 {
			v := &e.st.Visits[w.Visit]
			j := e.grade(v, at)
			w.Open, w.Worth = j.Open, j.worth()
			visitLooks = v.Looks
		} else if k, ok := e.pairs[pairOf(w.E, c)]; ok && w.Open >= openVisit {
			h := &e.st.Pairs[k]
			for m := range h.Visits {
				if h.Visits[m].First == w.At {
					visitLooks = h.Visits[m].Looks
				}
			}
		}
		if w.Open < openVisit || e.facts.Role(w.E).Automatic() {
			explained++
			continue
		}
		if len(visitLooks) == 0 {
			continue
		}
		if !slices.Contains(who, w.E) {
			who = append(who, w.E)
			n += w.Worth
		}
		looks = append(looks, visitLooks...)
	}
	e.scratch = who[:0]
	if n < crowdLeast {
		return
	}
	e.propose(candidate{kind: KindCrowd, employees: slices.Clone(who), customers: []int32{c}, looks: looks, reasons: e.crowdReasons(c, r, len(who), n, explained, at), last: last}, at)
}

func (e *Engine) crowdReasons(c int32, r *record, people int, n float64, explained int, at int64) reasons {
	var rs reasons
	// What her own history and her own business let expect of unexplained
	// viewers in one window.
	past := float64(at-r.Since) / float64(crowdWindow)
	expected := 0.5 + 0.15*float64(explained)
	if past > 1 {
		expected += r.Viewers / past
	}
	rs.add("crowd", weightCrowd*math.Log2(n/expected), fmt.Sprintf("%d employees looked at this customer within a week without a reason; %s would be usual for this customer.", people, about(expected)))
	if e.facts.Notable(c) {
		rs.add("notable", weightNotable, "The customer is in the public eye.")
	}
	if k := e.facts.NewsBefore(c, at); k > 0 && at-k < crowdWindow {
		rs.add("news", weightNews, "The customer was in the news within that week.")
	}
	return rs
}

func about(x float64) string {
	if x < 1 {
		return "hardly any"
	}
	return fmt.Sprintf("about %.0f", x)
}

// seen notes how a visit was judged, for the crowd and for the customer's own
// history.
func (e *Engine) seen(n int32, v *visit, j *judged) {
	r := e.record(v.C)
	for i := len(r.Recent) - 1; i >= 0; i-- {
		if w := &r.Recent[i]; w.Visit == n && w.Seq == v.Seq {
			w.Visit, w.Open, w.Worth = -1, j.Open, j.worth()
			break
		}
	}
	if j.Open >= openVisit {
		r.Viewers += j.worth()
	}
}
