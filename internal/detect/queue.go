package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"paravent/internal/access"
)

// candidate is an episode with its reasons, before it is known whether it
// deserves a person's time.
type candidate struct {
	kind                 Kind
	employees, customers []int32
	looks                []look
	reasons              reasons
	telling              *judged
	last                 bool // a crowd that has come to rest
}

// propose raises a candidate now, keeps it for another day where the day is
// full, or drops it because it isn't worth a person's time.
func (e *Engine) propose(c candidate, now int64) {
	score, sum := c.reasons.score()
	if score < e.o.Threshold {
		return
	}
	f := e.write(&c, score, now)
	key := keyOf(&f)
	last := e.lastRaised(key)
	if last != nil && !worthAgain(last, &f, sum, now, c.last) {
		return
	}
	if e.st.Today >= e.o.Budget {
		e.wait(f)
		return
	}
	e.raise(f, now)
}

// worthAgain reports whether an episode that was raised before has grown so
// much that a person should read it again: a crowd by half, or at all once it
// has come to rest; anything else to the double, a week later.
func worthAgain(last *raising, f *Finding, sum float64, now int64, rest bool) bool {
	n := len(f.Accesses)
	switch {
	case now/day == last.At/day:
		return false
	case f.Kind == KindCrowd:
		return 2*n >= 3*last.N || rest && n > last.N
	}
	return n >= 2*last.N && now-last.At > 7*day && sum > last.Sum
}

// keyOf names an episode: what it is about, not what it rests on.
func keyOf(f *Finding) string {
	key := string(f.Kind)
	if f.Kind != KindCrowd {
		for _, x := range f.Employees {
			key += "\x00" + string(x)
		}
	}
	if f.Kind == KindPair || f.Kind == KindCrowd {
		for _, x := range f.Customers {
			key += "\x01" + string(x)
		}
	}
	return key
}

func (e *Engine) lastRaised(key string) *raising {
	if i, ok := e.raised[key]; ok {
		return &e.st.Raised[i]
	}
	return nil
}

// write makes the finding of a candidate.
func (e *Engine) write(c *candidate, score float64, now int64) Finding {
	f := Finding{Kind: c.kind, Score: math.Round(score*1e4) / 1e4, RaisedAt: timeOf(now)}
	for _, n := range c.employees {
		f.Employees = append(f.Employees, e.facts.EmployeeID(n))
	}
	for _, n := range c.customers {
		f.Customers = append(f.Customers, e.facts.CustomerID(n))
	}
	slices.Sort(f.Employees)
	slices.Sort(f.Customers)
	looks := slices.Clone(c.looks)
	slices.SortStableFunc(looks, func(a, b look) int { return cmp.Compare(a.At, b.At) })
	for i := range looks {
		f.Accesses = append(f.Accesses, looks[i].ID)
	}
	f.FirstAt, f.LastAt = timeOf(looks[0].At), timeOf(looks[len(looks)-1].At)
	for _, r := range c.reasons {
		if r.Weight = math.Round(r.Weight*1e4) / 1e4; r.Weight > 0 {
			f.Reasons = append(f.Reasons, r)
		}
	}
	slices.SortStableFunc(f.Reasons, func(a, b Reason) int { return cmp.Compare(b.Weight, a.Weight) })
	if c.telling != nil {
		f.Best = e.best(c.employees[0], c.customers[0], c.telling, now)
	}
	f.ID = idOf(&f)
	return f
}

// idOf derives a finding's id from what it is about and what it rests on.
func idOf(f *Finding) string {
	texts := []string{keyOf(f)}
	for _, a := range f.Accesses {
		texts = append(texts, string(a))
	}
	return fmt.Sprintf("%016x", hash64(0, texts...))
}

// wait keeps a finding for another day, in place of an older form of itself.
func (e *Engine) wait(f Finding) {
	key := keyOf(&f)
	e.st.Backlog = slices.DeleteFunc(e.st.Backlog, func(g Finding) bool { return keyOf(&g) == key })
	e.st.Backlog = append(e.st.Backlog, f)
}

// raise puts a finding into the queue.
func (e *Engine) raise(f Finding, now int64) {
	key := keyOf(&f)
	e.st.Backlog = slices.DeleteFunc(e.st.Backlog, func(g Finding) bool { return keyOf(&g) == key })
	f.RaisedAt = timeOf(now)
	sum := 0.0
	for _, r := range f.Reasons {
		sum += r.Weight
	}
	n := raising{Key: key, At: now, Sum: sum, N: len(f.Accesses)}
	if f.Kind == KindCrowd {
		n.Crowd, n.C = true, e.facts.Customer(f.Customers[0])
	}
	if last := e.lastRaised(key); last != nil {
		*last = n
	} else {
		e.raised[key] = len(e.st.Raised)
		e.st.Raised = append(e.st.Raised, n)
	}
	e.st.Today++
	f.Rank = e.st.Today
	e.st.Kinds[f.Kind]++
	e.dayOf(now).Findings++
	e.findings = append(e.findings, f)
}

// endDay closes the day that ends at `at`: its samples are handed out and what
// found it full may be raised, the heaviest first, while it is still fresh.
func (e *Engine) endDay(at int64, last bool) {
	for _, s := range e.st.Sampled {
		s.F.RaisedAt = timeOf(at)
		e.samples = append(e.samples, s.F)
	}
	e.st.Sampled = e.st.Sampled[:0]
	if last {
		return
	}
	e.st.Day = at / day
	e.st.Today = 0
	e.helpers(at)
	e.settleCrowds(at)
	e.offPathOfDay(at)
	if e.st.Day%7 == 0 {
		e.facts.Forget(timeOf(at - e.o.Window.Microseconds()))
		e.forget(at - e.o.Window.Microseconds())
	}
	fresh := at - e.o.Fresh.Microseconds()
	e.st.Backlog = slices.DeleteFunc(e.st.Backlog, func(f Finding) bool { return f.RaisedAt.UnixMicro() < fresh })
	slices.SortStableFunc(e.st.Backlog, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	for len(e.st.Backlog) > 0 && e.st.Today < (e.o.Budget+1)/2 {
		e.raise(e.st.Backlog[0], at)
	}
}

// forget drops what lies before limit, so that memory is bounded by the window.
func (e *Engine) forget(limit int64) {
	for i := range e.st.Pairs {
		h := &e.st.Pairs[i]
		if len(h.Visits) == 0 || h.Visits[0].First >= limit {
			continue
		}
		h.Visits = slices.DeleteFunc(h.Visits, func(j judged) bool { return j.First < limit })
		if len(h.Visits) == 0 {
			delete(e.pairs, pairOf(h.E, h.C))
			*h = history{}
			e.st.FreePair = append(e.st.FreePair, int32(i))
		}
	}
	if len(e.st.Raised) > 0 && slices.ContainsFunc(e.st.Raised, func(r raising) bool { return r.At < limit }) {
		e.st.Raised = slices.DeleteFunc(e.st.Raised, func(r raising) bool { return r.At < limit })
		e.indexRaised()
	}
}

func (e *Engine) indexRaised() {
	e.raised = make(map[string]int, len(e.st.Raised))
	for i := range e.st.Raised {
		e.raised[e.st.Raised[i].Key] = i
	}
}

// sample keeps a judged visit where chance chooses it: the visits with the
// smallest hashes of the day, whatever their score.
func (e *Engine) sample(v *visit, j *judged, now int64) {
	if e.o.SamplesPerDay <= 0 {
		return
	}
	order := hash64(e.o.Seed, string(v.Looks[0].ID))
	n := len(e.st.Sampled)
	if n >= e.o.SamplesPerDay && order >= e.st.Sampled[n-1].Order {
		return
	}
	f := Finding{Kind: KindSample, Customers: []access.CustomerID{e.facts.CustomerID(v.C)}, Employees: []access.EmployeeID{e.facts.EmployeeID(v.E)},
		FirstAt: timeOf(v.First), LastAt: timeOf(v.Last), RaisedAt: timeOf(now), Reasons: []Reason{}, Best: e.best(v.E, v.C, j, now)}
	for i := range v.Looks {
		f.Accesses = append(f.Accesses, v.Looks[i].ID)
	}
	f.ID = idOf(&f)
	s := append(e.st.Sampled, sampled{Order: order, F: f})
	slices.SortStableFunc(s, func(a, b sampled) int { return cmp.Compare(a.Order, b.Order) })
	e.st.Sampled = s[:min(len(s), e.o.SamplesPerDay)]
}
