package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// MaxPartial is up to how many customers something said may fit to count as
// pointing to them.
const MaxPartial = 3

// The shortest that can be said: fewer signs would make the finding a way of
// browsing.
const (
	PhoneDigits    = 9 // so many at the end are compared
	minPhoneDigits = 7
)

// A said is one identifier as the caller said it.
type said struct {
	plan       plan
	expression string // the column in the form in which it is compared
	value      string // what was said, in the same form
	exactly    bool   // compared byte by byte, by the column's index
}

// Find finds the one customer whom everything said fits, by identifiers that the
// policy names together, never by browsing. Two that it fits are nobody. The
// same statements run whether somebody is found or not, and the answer has the
// same shape.
//
// It returns an access.Invalid error for an identifier that the policy doesn't
// know, one that can't be read, and for too little said.
func (s *SQLite) Find(ctx context.Context, fields map[string]string) (Found, error) {
	all, err := s.said(fields)
	if err != nil {
		return Found{}, err
	}
	var found Found
	var parts []string
	var args []any
	for _, one := range all {
		text, values := one.query()
		parts = append(parts, text)
		args = append(args, values...)
	}
	hits, err := s.strings(ctx, strings.Join(parts, " INTERSECT ")+" LIMIT 2", args...)
	if err != nil {
		return Found{}, fmt.Errorf("find caller in source %s: %w", s.name, err)
	}
	for _, one := range all {
		text, values := one.query()
		near, err := s.strings(ctx, text+fmt.Sprintf(" LIMIT %d", MaxPartial+1), values...)
		if err != nil {
			return Found{}, fmt.Errorf("find caller in source %s: %w", s.name, err)
		}
		if len(near) > MaxPartial {
			continue
		}
		for _, c := range near {
			found.Partial = append(found.Partial, access.CustomerID(c))
		}
	}
	if len(hits) == 1 {
		found.Customer = access.CustomerID(hits[0])
	}
	slices.Sort(found.Partial)
	found.Partial = slices.Compact(found.Partial)
	found.Partial = slices.DeleteFunc(found.Partial, func(c access.CustomerID) bool { return c == found.Customer })
	return found, nil
}

// said writes how what the caller said is compared.
func (s *SQLite) said(fields map[string]string) ([]said, error) {
	all, err := Said(s.callers, s.name, fields)
	if err != nil {
		return nil, err
	}
	out := make([]said, len(all))
	for i, id := range all {
		if out[i], err = s.compare(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// An Identified is one identifier of a caller's with what he said.
type Identified struct {
	policy.Identifier
	Value string // in the form in which it is compared
}

// Said brings what a caller said into the form in which it is compared, sorted by
// the identifiers' names, and makes sure that the policy lets that much find
// somebody in this source: access.Invalid otherwise.
func Said(callers policy.Callers, source string, fields map[string]string) ([]Identified, error) {
	var out []Identified
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if strings.TrimSpace(fields[name]) == "" {
			continue
		}
		id, ok := callers.Identifiers[name]
		if !ok || id.Source != source {
			return nil, access.Errorf(access.Invalid, "A caller isn't found by %q.", name).WithHint(enough(callers))
		}
		value, err := compared(id, fields[name])
		if err != nil {
			return nil, err
		}
		out = append(out, Identified{id, value})
	}
	for _, combination := range callers.Combinations {
		enough := true
		for _, name := range combination {
			enough = enough && strings.TrimSpace(fields[name]) != ""
		}
		if enough {
			return out, nil
		}
	}
	return nil, access.Errorf(access.Invalid, "That isn't enough to find a caller.").WithHint(enough(callers))
}

// enough says what finds a caller.
func enough(callers policy.Callers) string {
	var ways []string
	for _, c := range callers.Combinations {
		ways = append(ways, strings.Join(c, " and "))
	}
	if len(ways) == 0 {
		return "The policy names nothing by which a caller is found."
	}
	return "Ask for " + strings.Join(ways, ", or ") + "."
}

// compared brings what was said of one identifier into the form in which it is
// compared.
func compared(id policy.Identifier, value string) (string, error) {
	value = strings.TrimSpace(value)
	switch id.Kind {
	case policy.KindPostcode:
		return asciiUpper(strings.NewReplacer(" ", "", "-", "").Replace(value)), nil
	case policy.KindEmail:
		return asciiLower(value), nil
	case policy.KindPhone:
		digits := keepDigits(value)
		if len(digits) < minPhoneDigits {
			return "", access.Errorf(access.Invalid, "The %s is too short.", id.Name).WithHint("Ask for the whole number.")
		}
		return digits[max(0, len(digits)-PhoneDigits):], nil
	case policy.KindDate:
		day, ok := date(value)
		if !ok {
			return "", access.Errorf(access.Invalid, "The %s isn't a date.", id.Name).WithHint("Write it as 1990-12-31 or 31.12.1990.")
		}
		return day, nil
	}
	return value, nil
}

// compare brings a column into the form in which it is compared.
func (s *SQLite) compare(id Identified) (said, error) {
	i := slices.IndexFunc(s.plans, func(p plan) bool { return p.table.Name == id.Table })
	if i < 0 {
		return said{}, errors.New("find caller: the identifier's table isn't read") // impossible after policy.Load
	}
	out := said{plan: s.plans[i], expression: column("t", id.Column), value: id.Value}
	switch id.Kind {
	case policy.KindPostcode:
		out.expression = "upper(" + without(out.expression, " ", "-") + ")"
	case policy.KindEmail:
		out.expression = "lower(trim(" + out.expression + "))"
	case policy.KindPhone:
		out.expression = fmt.Sprintf("substr(%s, -%d)", without(out.expression, " ", "-", "/", "(", ")", ".", "+"), PhoneDigits)
	case policy.KindDate:
		out.expression = "substr(" + out.expression + ", 1, 10)"
	default:
		out.exactly = true
	}
	return out, nil
}

// query writes the statement for every customer whom one identifier fits.
func (one said) query() (text string, args []any) {
	where := one.expression + " = ? COLLATE BINARY"
	args = []any{one.value}
	if one.exactly {
		where, args = exact(one.expression), []any{one.value, one.value}
	}
	customer := one.plan.customer
	return "SELECT * FROM (SELECT DISTINCT CAST(" + customer + " AS TEXT) COLLATE BINARY AS c FROM " + one.plan.from + " WHERE " + where + " AND " + customer + " IS NOT NULL)", args
}

// without writes an expression that takes signs away.
func without(expression string, signs ...string) string {
	for _, sign := range signs {
		expression = "replace(" + expression + ", '" + sign + "', '')"
	}
	return expression
}

// keepDigits keeps the digits 0 to 9.
func keepDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// asciiUpper and asciiLower change the letters that SQLite's upper and lower
// change, so that both sides are compared alike.
func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// date reads a day in one of the two forms that can't be mistaken for another.
func date(value string) (string, bool) {
	for _, form := range []string{time.DateOnly, "02.01.2006", "2.1.2006"} {
		if t, err := time.Parse(form, value); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}
