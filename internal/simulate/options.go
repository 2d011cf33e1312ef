package simulate

import "time"

// Options say how large the shop is and how it behaves. The zero value is the
// demo's shop.
type Options struct {
	// Seed makes one shop differ from another. Any value is good.
	Seed uint64
	// Start is the first day, cut to midnight UTC; zero: 2026-01-05, a Monday.
	Start time.Time
	// Until is the moment at which the history breaks off; what would lie after
	// it (a closing, a call-back) has not happened. Zero: Days after Start.
	Until time.Time
	// Days is the length of the history; 0: 30.
	Days int
	// Customers is their number; 0: 5,000; at least 200.
	Customers int
	// Employees is the number of all accounts of the staff; 0: 80; at least 12.
	Employees int
	// Notable is the number of customers in the public eye; 0: 12 in 5,000
	// customers and in proportion, at least 3.
	Notable int
	// Load multiplies the tasks that come in a day; 0: 1, about 5 for each
	// agent and working day.
	Load float64
	// Snooping multiplies the number of all snooping episodes; 0: 1. Negative:
	// nobody snoops.
	Snooping float64
	// Rates multiplies the number of episodes of single scenarios, by code
	// ("S1" to "S17", "N1", "N2", "N8", "N11", "N12"); a code that is absent
	// counts 1, one that is 0 or less doesn't occur.
	Rates map[string]float64
	// Everyone is the share of the staff, 0 to 1, that snoops: together at one
	// customer (S16), and each on his own account besides. 0: off.
	Everyone float64
}

// The least sizes in which every scenario finds its cast.
const (
	MinCustomers = 200
	MinEmployees = 12
)

// defaultStart is a Monday.
var defaultStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// filled returns o with every default in its place.
func (o Options) filled() Options {
	if o.Start.IsZero() {
		o.Start = defaultStart
	}
	y, m, d := o.Start.UTC().Date()
	o.Start = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if o.Days <= 0 {
		o.Days = 30
	}
	end := o.Start.AddDate(0, 0, o.Days)
	if o.Until.IsZero() || o.Until.After(end) {
		o.Until = end
	}
	o.Until = o.Until.UTC()
	if o.Customers == 0 {
		o.Customers = 5000
	}
	o.Customers = max(o.Customers, MinCustomers)
	if o.Employees == 0 {
		o.Employees = 80
	}
	o.Employees = max(o.Employees, MinEmployees)
	if o.Notable <= 0 {
		o.Notable = max(3, o.Customers*12/5000)
	}
	o.Notable = min(o.Notable, o.Customers/20)
	if o.Load <= 0 {
		o.Load = 1
	}
	if o.Snooping == 0 {
		o.Snooping = 1
	}
	o.Snooping = max(o.Snooping, 0)
	o.Everyone = min(max(o.Everyone, 0), 1)
	return o
}

// episodesPerMonth is how many episodes of a scenario begin among 80 employees
// in 30 days, at a multiplier of 1. Most employees never snoop; the figures
// were chosen so that about one look-up in a hundred is somebody's curiosity.
var episodesPerMonth = []struct {
	code Scenario
	rate float64
}{
	{"S1", 1}, {"S2", 2}, {"S3", 3}, {"S4", 1.5}, {"S5", 2}, {"S6", 2}, {"S7", 1}, {"S8", 2}, {"S9", 2},
	{"S10", 1}, {"S11", 1}, {"S12", 1}, {"S13", 1}, {"S14", 1}, {"S15", 1}, {"S17", 1},
	{"N1", 1}, {"N2", 1}, {"N8", 1}, {"N11", 4}, {"N12", 2},
}

// rate returns the multiplier of a scenario.
func (o Options) rate(code Scenario) float64 {
	k := 1.0
	if v, ok := o.Rates[string(code)]; ok {
		k = max(v, 0)
	}
	if code[0] == 'S' {
		k *= o.Snooping
	}
	return k
}
