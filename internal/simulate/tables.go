package simulate

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"paravent/internal/access"
)

// Table is one table of the shop's database. Rows hold strings and int64s in
// the order of Columns; times are RFC 3339 UTC text, money is in cents.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]any
}

// Tables returns the shop's database as it was at the end of the history, every
// time made anew: customers, orders, order_items, payments and deliveries.
func (s *Shop) Tables() []Table {
	sales := s.salesTables()
	return append([]Table{s.customersTable()}, sales[:]...)
}

// address is where a household lives.
type address struct{ street, postcode, city string }

func (s *Shop) address(household uint32) address {
	h := hash(s.Options.Seed, 'a', uint64(household))
	at := func(list []string, shift uint) string { return list[h>>shift%uint64(len(list))] }
	town := h >> 40 % 60
	place := hash(s.Options.Seed, 'A', town)
	city := townStarts[place%uint64(len(townStarts))] + townEndings[place>>20%uint64(len(townEndings))]
	return address{
		street:   fmt.Sprintf("%s%s %d", at(streetStarts, 0), at(streetEndings, 16), 1+h>>52%120),
		postcode: fmt.Sprintf("%05d", 1+place>>40%99*10+h>>32%10),
		city:     city,
	}
}

// name returns the whole name of a customer.
func (s *Shop) name(c int32) string {
	b := s.buyers[c]
	return cultures[b.culture].given[b.given] + " " + surnames[b.surname]
}

var mailHosts = [...]string{"example.org", "mail.example.org", "post.example.net", "example.com"}

// mailName turns a name into the local part of an address: ASCII only.
var mailName = strings.NewReplacer(" ", ".", "ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "é", "e", "í", "i", "ó", "o", "á", "a", "ñ", "n",
	"Ç", "C", "ç", "c", "ğ", "g", "ı", "i", "ş", "s", "Ö", "Oe", "å", "a", "Å", "A", "ø", "o")

func (s *Shop) customersTable() Table {
	t := Table{Name: "customers", Columns: []string{"id", "name", "date_of_birth", "email", "phone", "street", "postcode", "city", "created_on"}}
	t.Rows = make([][]any, len(s.buyers))
	for c := range s.buyers {
		p, home := s.particulars(int32(c)), s.address(s.buyers[c].household)
		t.Rows[c] = []any{string(s.Customers[c].ID), p.name, p.born, p.email, p.phone, home.street, home.postcode, home.city, p.since}
	}
	return t
}

// particulars are what the shop knows of a customer besides her address.
type particulars struct{ name, born, email, phone, since string }

func (s *Shop) particulars(c int32) particulars {
	h := hash(s.Options.Seed, 'b', uint64(c))
	p := particulars{name: s.name(c), phone: phone(h >> 8)}
	p.born = time.Date(1936, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(h%25_500)).Format(time.DateOnly)
	p.since = moment(s.start - int64(history)*86400 - int64(h>>20%900)*86400).Format(time.DateOnly)
	p.email = fmt.Sprintf("%s%d@%s", strings.ToLower(mailName.Replace(p.name)), 10+c, mailHosts[h>>40%4])
	return p
}

// Says returns what the customer can say of herself on the telephone, so that
// she may be found: order, postcode, email, phone and date_of_birth. The order,
// her newest at t, is missing where she had none. An unknown customer says
// nothing.
func (s *Shop) Says(id access.CustomerID, t time.Time) map[string]string {
	n, err := strconv.Atoi(strings.TrimPrefix(string(id), "c"))
	if err != nil || n < 10001 || n-10001 >= len(s.buyers) {
		return nil
	}
	c := int32(n - 10001)
	p := s.particulars(c)
	said := map[string]string{"postcode": s.address(s.buyers[c].household).postcode, "email": p.email, "phone": p.phone, "date_of_birth": p.born}
	if o := s.lastOrderBefore(c, t.Unix()); o != none {
		said["order"] = string(orderID(o))
	}
	return said
}

var methods = [...]string{"invoice", "direct_debit", "card"}

// salesTables makes the tables of which each row hangs on an order.
func (s *Shop) salesTables() [4]Table {
	n := len(s.sold)
	placed := Table{Name: "orders", Columns: []string{"id", "customer_id", "placed_at", "status", "total_cents"}, Rows: make([][]any, 0, n)}
	lines := Table{Name: "order_items", Columns: []string{"id", "order_id", "article", "department", "quantity", "price_cents"}, Rows: make([][]any, 0, n*3)}
	paid := Table{Name: "payments", Columns: []string{"id", "order_id", "method", "iban", "card_number", "amount_cents", "paid_at"}, Rows: make([][]any, 0, n)}
	sent := Table{Name: "deliveries", Columns: []string{"id", "order_id", "recipient", "street", "postcode", "city", "carrier", "tracking", "delivered_at"}, Rows: make([][]any, 0, n)}
	source := rand.NewPCG(0, 0)
	d := dice{rand.New(source)}
	for i, o := range s.sold {
		source.Seed(s.Options.Seed, hash('g', uint64(i)))
		id, who := string(orderID(int32(i))), s.buyers[o.customer]
		total := int64(0)
		for k := range s.basket(d, who) {
			g := goods[s.article(d)]
			quantity := int64(1)
			if d.chance(0.2) {
				quantity = d.between(2, 4)
			}
			total += quantity * g.cents
			lines.Rows = append(lines.Rows, []any{fmt.Sprintf("i%s-%d", id[1:], k+1), id, g.article, g.department, quantity, g.cents})
		}
		status, delivered := s.progress(d, o.at)
		placed.Rows = append(placed.Rows, []any{id, string(s.Customers[o.customer].ID), stamp(o.at), status, total})
		paid.Rows = append(paid.Rows, s.payment(d, i, id, o, total))
		home := s.address(who.household)
		sent.Rows = append(sent.Rows, []any{"d" + id[1:], id, s.name(o.customer), home.street, home.postcode, home.city,
			carriers[d.IntN(len(carriers))], fmt.Sprintf("PV%010d", d.IntN(1e10)), delivered})
	}
	return [4]Table{placed, lines, paid, sent}
}

// basket draws how many articles an order has.
func (s *Shop) basket(d dice, b buyer) int {
	if b.wholesale {
		return int(d.between(3, 8))
	}
	return 1 + int(min(d.wait(1.9), 8))
}

// article draws what is bought.
func (s *Shop) article(d dice) int {
	if d.chance(sensitiveShare) {
		return firstSensitive + d.IntN(len(goods)-firstSensitive)
	}
	return d.IntN(firstSensitive)
}

// progress returns how far an order has come by the end of the history, and
// when it was delivered, or nothing.
func (s *Shop) progress(d dice, placed int64) (status string, delivered any) {
	at := placed + d.between(20, 110)*3600
	switch u := d.Float64(); {
	case u < 0.03:
		return "cancelled", nil
	case at > s.until:
		return "open", nil
	case u < 0.12:
		return "returned", stamp(at)
	}
	return "delivered", stamp(at)
}

// payment makes the row of an order's payment; a customer keeps her account
// and her card.
func (s *Shop) payment(d dice, i int, id string, o sale, total int64) []any {
	h := hash(s.Options.Seed, 'z', uint64(o.customer))
	row := []any{"p" + id[1:], id, "", nil, nil, total, nil}
	m := (h + uint64(d.IntN(10))/8) % 3
	row[2] = methods[m]
	switch m {
	case 1:
		row[3] = iban(h)
	case 2:
		row[4] = card(h >> 3)
	}
	if at := o.at + d.between(0, 9)*86400*int64(1-min(m, 1)) + 60; at < s.until {
		row[6] = stamp(at)
	}
	return row
}

// stamp writes a second as RFC 3339 UTC text.
func stamp(t int64) string { return time.Unix(t, 0).UTC().Format(time.RFC3339) }
