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

// maxPartial is up to how many customers something said may fit to count as
// pointing to them.
const maxPartial = 3

// The shortest that can be said: fewer signs would make the finding a way of
// browsing.
const (
	phoneDigits    = 9
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
		near, err := s.strings(ctx, text+fmt.Sprintf(" LIMIT %d", maxPartial+1), values...)
		if err != nil {
			return Found{}, fmt.Errorf("find caller in source %s: %w", s.name, err)
		}
		if len(near) > maxPartial {
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

// said brings what the caller said into the form in which it is compared, and
// makes sure that the policy lets that much find somebody.
func (s *SQLite) said(fields map[string]string) ([]said, error) {
	var out []said
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if strings.TrimSpace(fields[name]) == "" {
			continue
		}
		id, ok := s.callers.Identifiers[name]
		if !ok || id.Source != s.name {
			return nil, access.Errorf(access.Invalid, "A caller isn't found by %q.", name).WithHint(s.enough())
		}
		one, err := s.compare(id, fields[name])
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	for _, combination := range s.callers.Combinations {
		enough := true
		for _, name := range combination {
			enough = enough && strings.TrimSpace(fields[name]) != ""
		}
		if enough {
			return out, nil
		}
	}
	return nil, access.Errorf(access.Invalid, "That isn't enough to find a caller.").WithHint(s.enough())
}

// enough says what finds a caller.
func (s *SQLite) enough() string {
	var ways []string
	for _, c := range s.callers.Combinations {
		ways = append(ways, strings.Join(c, " and "))
	}
	if len(ways) == 0 {
		return "The policy names nothing by which a caller is found."
	}
	return "Ask for " + strings.Join(ways, ", or ") + "."
}

// compare brings one identifier into the form in which it is compared.
func (s *SQLite) compare(id policy.Identifier, value string) (said, error) {
	i := slices.IndexFunc(s.plans, func(p plan) bool { return p.table.Name == id.Table })
	if i < 0 {
		return said{}, errors.New("find caller: the identifier's table isn't read") // impossible after policy.Load
	}
	out := said{plan: s.plans[i], expression: column("t", id.Column)}
	value = strings.TrimSpace(value)
	switch id.Kind {
	case policy.KindPostcode:
		out.expression = "upper(" + without(out.expression, " ", "-") + ")"
		out.value = asciiUpper(strings.NewReplacer(" ", "", "-", "").Replace(value))
	case policy.KindEmail:
		out.expression = "lower(trim(" + out.expression + "))"
		out.value = asciiLower(value)
	case policy.KindPhone:
		digits := keepDigits(value)
		if len(digits) < minPhoneDigits {
			return said{}, access.Errorf(access.Invalid, "The %s is too short.", id.Name).WithHint("Ask for the whole number.")
		}
		out.expression = fmt.Sprintf("substr(%s, -%d)", without(out.expression, " ", "-", "/", "(", ")", ".", "+"), phoneDigits)
		out.value = digits[max(0, len(digits)-phoneDigits):]
	case policy.KindDate:
		day, ok := date(value)
		if !ok {
			return said{}, access.Errorf(access.Invalid, "The %s isn't a date.", id.Name).WithHint("Write it as 1990-12-31 or 31.12.1990.")
		}
		out.expression = "substr(" + out.expression + ", 1, 10)"
		out.value = day
	default:
		out.value, out.exactly = value, true
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
