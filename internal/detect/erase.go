package detect

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"paravent/internal/access"
)

// A Person is a customer or an employee who is to be forgotten, and the word
// that stands in the place of the id from then on: "erased-" and something
// random. Of Customer and Employee one is set.
type Person struct {
	Customer access.CustomerID
	Employee access.EmployeeID
	As       string
}

// Erase makes the engine forget who a person is (G5): whom it had under way or
// remembered at her is dropped, and findings that wait name her no more. What
// remains is a number without a past.
func (e *Engine) Erase(p Person) {
	if p.Customer != "" {
		if n, known := e.facts.EraseCustomer(p.Customer, access.CustomerID(p.As)); known {
			e.eraseCustomer(n)
		}
	}
	if p.Employee != "" {
		if n, known := e.facts.EraseEmployee(p.Employee, access.EmployeeID(p.As)); known {
			e.eraseEmployee(n)
		}
	}
	for _, list := range [...][]Finding{e.st.Backlog, e.findings, e.samples} {
		for i := range list {
			list[i].Erase(p)
		}
	}
	for i := range e.st.Sampled {
		e.st.Sampled[i].F.Erase(p)
	}
	for i := range e.st.Raised {
		e.st.Raised[i].Key = p.eraseKey(e.st.Raised[i].Key)
	}
	e.indexRaised()
}

// eraseCustomer drops what is remembered of the looks at customer n.
func (e *Engine) eraseCustomer(n int32) {
	e.erasePairs(func(_, c int32) bool { return c == n })
	if int(n) < len(e.st.Records) {
		e.st.Records[n] = record{}
	}
	e.st.Favours = slices.DeleteFunc(e.st.Favours, func(f favour) bool { return f.C == n })
	for i := range e.st.People {
		p := &e.st.People[i]
		p.Open = slices.DeleteFunc(p.Open, func(t trace) bool { return t.C == n })
	}
}

// eraseEmployee drops what is remembered of employee n. That somebody looked
// stays in the customers' records, by his number.
func (e *Engine) eraseEmployee(n int32) {
	e.erasePairs(func(em, _ int32) bool { return em == n })
	if int(n) < len(e.st.People) {
		e.st.People[n] = person{LastDay: -1}
	}
	e.st.Favours = slices.DeleteFunc(e.st.Favours, func(f favour) bool { return f.Opener == n || f.Looker == n })
}

// erasePairs drops open visits and histories.
func (e *Engine) erasePairs(which func(em, c int32) bool) {
	for i := range e.st.Visits {
		v := &e.st.Visits[i]
		if len(v.Looks) == 0 || !which(v.E, v.C) {
			continue
		}
		if int(v.C) < len(e.st.Records) {
			for j := range e.st.Records[v.C].Recent {
				if w := &e.st.Records[v.C].Recent[j]; w.Visit == int32(i) && w.Seq == v.Seq {
					w.Visit, w.Open, w.Worth = -1, 0, 0
				}
			}
		}
		e.end(int32(i))
		*v = visit{Seq: v.Seq}
	}
	for i := range e.st.Pairs {
		h := &e.st.Pairs[i]
		if len(h.Visits) == 0 || !which(h.E, h.C) {
			continue
		}
		delete(e.pairs, pairOf(h.E, h.C))
		*h = history{}
		e.st.FreePair = append(e.st.FreePair, int32(i))
	}
}

// Erase takes a person out of a finding (G5): her id becomes p.As, and the best
// explanation, which names her tasks, goes. It reports whether the finding spoke
// of her.
func (f *Finding) Erase(p Person) bool {
	found := false
	if p.Customer != "" {
		for i, c := range f.Customers {
			if c == p.Customer {
				f.Customers = slices.Clone(f.Customers)
				f.Customers[i], found = access.CustomerID(p.As), true
			}
		}
		slices.Sort(f.Customers)
	}
	if p.Employee != "" {
		for i, em := range f.Employees {
			if em == p.Employee {
				f.Employees = slices.Clone(f.Employees)
				f.Employees[i], found = access.EmployeeID(p.As), true
			}
		}
		slices.Sort(f.Employees)
	}
	word := string(p.Customer) + string(p.Employee)
	for i, r := range f.Reasons {
		if text := replaceWord(r.Text, word, p.As); text != r.Text {
			f.Reasons = slices.Clone(f.Reasons)
			f.Reasons[i].Text, found = text, true
		}
	}
	if f.Best != nil && (found || f.Best.names(p)) {
		f.Best, found = nil, true
	}
	return found
}

// replaceWord replaces word in text where it isn't a part of a longer one.
func replaceWord(text, word, by string) string {
	var b strings.Builder
	for word != "" {
		i := strings.Index(text, word)
		if i < 0 {
			break
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		b.WriteString(text[:i])
		if inWord(before) || inWord(after) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		text = text[i+len(word):]
	}
	b.WriteString(text)
	return b.String()
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// names reports whether an explanation speaks of the person.
func (b *Best) names(p Person) bool {
	for _, s := range b.Path {
		for _, place := range [...]string{s.From, s.To} {
			if p.Customer != "" && place == "customer "+string(p.Customer) || p.Employee != "" && place == "employee "+string(p.Employee) {
				return true
			}
		}
		if p.Employee != "" && s.By == string(p.Employee) {
			return true
		}
	}
	return false
}

// eraseKey replaces the person in the key of an episode (keyOf).
func (p Person) eraseKey(key string) string {
	from, to := "\x01"+string(p.Customer), "\x01"+p.As
	if p.Customer == "" {
		from, to = "\x00"+string(p.Employee), "\x00"+p.As
	}
	at := strings.Index(key, from)
	for at >= 0 {
		end := at + len(from)
		if end == len(key) || key[end] == 0 || key[end] == 1 {
			key = key[:at] + to + key[end:]
			end = at + len(to)
		}
		next := strings.Index(key[end:], from)
		if next < 0 {
			break
		}
		at = end + next
	}
	return key
}
