package simulate

import (
	"math"
	"slices"
	"sort"
)

// purchases hold every order, oldest first, and each customer's.
type purchases struct {
	sold    []sale
	ofBuyer []int32 // indices of sold, customer after customer, oldest first
	firstOf []int32 // customer: her first place in ofBuyer; one more ends the list
}

// sale is one order; what was in it is drawn from its number when asked for.
type sale struct {
	at       int64
	customer int32
}

// history is how far back orders reach before the first day.
const history = 730

// sell lets customers place orders, five each on average and a few many more.
func (s *Shop) sell() {
	d := newDice(s.Options.Seed, 's')
	total := 0
	for _, b := range s.buyers {
		total += int(b.weight)
	}
	mean := 4.6 * float64(len(s.buyers)) / float64(total)
	span := int64(history+s.Options.Days) * 86400
	s.sold = make([]sale, 0, len(s.buyers)*5)
	for c, b := range s.buyers {
		n := max(1, d.about(mean*float64(b.weight)*(0.5+d.Float64())))
		if b.wholesale {
			n = int(d.between(30, 60))
		}
		// A customer came at some time and has bought since, more of late.
		since := int64(float64(span) * 0.75 * d.Float64())
		for range n {
			t := since + int64(float64(span-since)*math.Pow(d.Float64(), 0.8))
			day := int(t/86400) - history
			s.sold = append(s.sold, sale{s.dayStart(day) + s.shoppingSecond(d), int32(c)})
		}
	}
	slices.SortFunc(s.sold, func(a, b sale) int {
		switch {
		case a.at != b.at:
			return int(max(-1, min(1, a.at-b.at)))
		default:
			return int(a.customer) - int(b.customer)
		}
	})
	// What would be ordered after the end isn't in the shop.
	s.sold = s.sold[:s.soldBefore(s.until)]
	s.index()
}

// shoppingSecond draws a second of the day; people shop in the evening.
func (s *Shop) shoppingSecond(d dice) int64 {
	hour := d.weighted(shoppingHours)
	return int64(hour)*3600 + d.Int64N(3600)
}

var shoppingHours = []float64{1, .5, .3, .2, .2, .4, 1, 2, 3, 4, 4, 4, 5, 5, 4, 4, 4, 5, 6, 8, 9, 8, 5, 2}

// index groups the orders by customer.
func (p *purchases) index() {
	customers := 0
	for _, o := range p.sold {
		customers = max(customers, int(o.customer)+1)
	}
	p.firstOf = make([]int32, customers+1)
	for _, o := range p.sold {
		p.firstOf[o.customer+1]++
	}
	for c := range customers {
		p.firstOf[c+1] += p.firstOf[c]
	}
	next := slices.Clone(p.firstOf)
	p.ofBuyer = make([]int32, len(p.sold))
	for i, o := range p.sold {
		p.ofBuyer[next[o.customer]] = int32(i)
		next[o.customer]++
	}
}

// ordersOf returns the orders of a customer, oldest first.
func (p *purchases) ordersOf(c int32) []int32 {
	if int(c)+1 >= len(p.firstOf) {
		return nil
	}
	return p.ofBuyer[p.firstOf[c]:p.firstOf[c+1]]
}

// ordersBefore returns the orders that a customer had placed before t.
func (p *purchases) ordersBefore(c int32, t int64) []int32 {
	all := p.ordersOf(c)
	n := sort.Search(len(all), func(i int) bool { return p.sold[all[i]].at >= t })
	return all[:n]
}

// count returns how many orders a customer placed.
func (p *purchases) count(c int32) int { return len(p.ordersOf(c)) }

// soldBefore returns how many orders were placed before t.
func (p *purchases) soldBefore(t int64) int {
	return sort.Search(len(p.sold), func(i int) bool { return p.sold[i].at >= t })
}

// recent draws an order placed in the weeks before t, the newest most likely;
// none if there is none.
func (p *purchases) recent(d dice, t int64) int32 {
	hi, lo := p.soldBefore(t), p.soldBefore(t-120*86400)
	if hi == lo {
		return none
	}
	u := d.Float64()
	return int32(hi - 1 - int(float64(hi-lo)*u*u))
}

// good is one article on sale; money is in cents.
type good struct {
	article, department string
	cents               int64
}

// goods are what the shop sells. Pharmacy, lingerie, adult and religion are
// sensitive: they say what nobody but the buyer needs to know.
var goods = func() (g []good) {
	add := func(department string, cents int64, articles ...string) {
		for i, a := range articles {
			g = append(g, good{a, department, cents + int64(i)*cents/3})
		}
	}
	add("books", 990, "novel", "cookbook", "atlas", "picture book", "crime story", "poems", "travel guide")
	add("electronics", 2990, "kettle", "headphones", "radio", "tablet cover", "lamp", "camera", "printer")
	add("clothing", 1990, "socks", "shirt", "scarf", "trousers", "raincoat", "dress", "winter coat")
	add("shoes", 3990, "slippers", "sandals", "trainers", "boots")
	add("home", 1490, "towels", "candles", "curtain", "pan", "bed linen", "carpet", "armchair")
	add("garden", 890, "seeds", "gloves", "secateurs", "watering can", "hose", "mower")
	add("toys", 1290, "puzzle", "building bricks", "doll", "board game", "kite", "wooden railway")
	add("sports", 1590, "ball", "yoga mat", "bottle", "tent", "sleeping bag", "dumbbells")
	add("food", 490, "tea", "coffee", "chocolate", "olive oil", "spices")
	add("pets", 690, "leash", "cat litter", "dog food", "aquarium")
	add("pharmacy", 790, "painkillers", "pregnancy test", "sleeping drops", "glucose strips", "nicotine patches", "hair-loss treatment")
	add("lingerie", 2490, "bra", "stockings", "nightdress", "corset")
	add("adult", 1990, "massage oil", "handcuffs", "vibrator", "film")
	add("religion", 1190, "prayer book", "rosary", "prayer rug", "menorah", "incense")
	return g
}()

// sensitiveShare of what is sold comes from the last four departments.
const sensitiveShare = 0.08

// firstSensitive is the index of the first sensitive good.
var firstSensitive = slices.IndexFunc(goods, func(g good) bool { return g.department == "pharmacy" })
