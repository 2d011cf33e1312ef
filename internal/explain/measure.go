package explain

import (
	"fmt"
	"math/rand/v2"

	"paravent/internal/access"
)

// Measured is how much one template explains, of real look-ups and of random
// ones. Shares are 0..1 over N look-ups each.
type Measured struct {
	Template string
	Real     float64 // share of real look-ups that it explains
	Uniform  float64 // share of look-ups at a customer drawn evenly that it would have explained
	Popular  float64 // the same at a customer drawn as often as she is looked at
	N        int
}

// Strength returns 1 − the larger share of random look-ups explained.
func (m Measured) Strength() float64 { return 1 - max(m.Uniform, m.Popular) }

// recentLookups is how many look-ups the popularity-matched draw goes back.
const recentLookups = 4096

// Measure plays events in order of time and holds one in `every` shown look-ups
// by people, and two random ones by the same employee at the same moment, against
// each template alone, with the facts known an hour later. Look-ups in which a
// name merely appeared in a result list don't count. The same events and seed
// give the same figures.
func Measure(events func(yield func(access.Event) bool), templates []Template, every int, seed uint64) ([]Measured, error) {
	if every < 1 {
		return nil, fmt.Errorf("measure templates: every must be at least 1, got %d", every)
	}
	m := &measuring{f: New(templates), rng: rand.New(rand.NewPCG(seed, 0))}
	m.out = make([]Measured, len(m.f.templates))
	n := 0
	var failed error
	events(func(ev access.Event) bool {
		at := access.Micros(ev.When())
		m.settle(at)
		l, ok := ev.(*access.Lookup)
		if !ok {
			failed = m.f.Add(ev)
			return failed == nil
		}
		if l.Action == access.ActionSearch || l.Outcome != "" && l.Outcome != access.OutcomeShown {
			return true
		}
		e, c := m.f.Employee(l.Employee), m.f.Customer(l.Customer)
		if n++; n%every == 0 && !m.f.st.Employees[e].Role.Automatic() && len(m.recent) == recentLookups {
			m.waiting = append(m.waiting, drawn{e: e, at: at, customers: [3]int32{c, int32(m.rng.IntN(len(m.f.st.Customers))), m.recent[m.rng.IntN(recentLookups)]}})
		}
		if len(m.recent) < recentLookups {
			m.recent = append(m.recent, c)
		} else {
			m.recent[n%recentLookups] = c
		}
		return true
	})
	if failed != nil {
		return nil, fmt.Errorf("measure templates: %w", failed)
	}
	for i := range m.out {
		o := &m.out[i]
		o.Template, o.N = m.f.templates[i].ID, m.n
		if m.n > 0 {
			o.Real, o.Uniform, o.Popular = o.Real/float64(m.n), o.Uniform/float64(m.n), o.Popular/float64(m.n)
		}
	}
	return m.out, nil
}

type measuring struct {
	f       *Facts
	rng     *rand.Rand
	recent  []int32 // customers of the last look-ups
	waiting []drawn
	out     []Measured
	n       int
}

// drawn is one real look-up with its two random companions.
type drawn struct {
	e         int32
	at        int64
	customers [3]int32 // the real one, uniform, popular
}

// settle grades what was drawn more than an hour before now.
func (m *measuring) settle(now int64) {
	k := 0
	for ; k < len(m.waiting) && m.waiting[k].at+hour < now; k++ {
		d := &m.waiting[k]
		m.n++
		for i := range m.f.templates {
			o := &m.out[i]
			for j, sum := range []*float64{&o.Real, &o.Uniform, &o.Popular} {
				if m.f.explains(i, d.e, d.customers[j], d.at, d.at+hour) {
					*sum++
				}
			}
		}
	}
	m.waiting = m.waiting[k:]
}

// explains reports whether template i alone explains a look-up by at least half
// of its strength.
func (f *Facts) explains(i int, e, c int32, at, now int64) bool {
	all := f.templates
	f.templates = all[i : i+1]
	g := f.Grade(e, c, at, now)
	f.templates = all
	return g.Template == 0 && g.Strength >= all[i].Strength/2
}
