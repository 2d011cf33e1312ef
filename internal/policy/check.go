package policy

import (
	"slices"
	"strings"

	"paravent/internal/access"
)

// warnings notes what runs but looks like a mistake.
func (p *Policy) warnings(problems *Problems) {
	p.warnCategories(problems)
	p.warnPurposes(problems)
	for _, name := range sortedKeys(p.sources) {
		for _, t := range p.sources[name].Tables {
			p.warnTable(problems, p.sources[name], t)
		}
	}
	if len(p.secondPerson.Who) == 0 {
		problems.warn(p.secondPerson.Pos, "name the roles that may agree", "second_person: nobody may agree, so what needs a second person is never shown")
	}
	for _, name := range sortedKeys(p.callers.Identifiers) {
		if !slices.ContainsFunc(p.callers.Combinations, func(c []string) bool { return slices.Contains(c, name) }) {
			problems.warn(p.callers.Identifiers[name].Pos, "add it to a line of find_by, or take it away", "identifier %s: no line of find_by uses it", name)
		}
	}
}

func (p *Policy) warnCategories(problems *Problems) {
	for _, c := range p.categories {
		held, needed := false, false
		for _, s := range p.sources {
			for _, t := range s.Tables {
				held = held || slices.ContainsFunc(t.Columns, func(x Column) bool { return x.Category == c.Name })
			}
		}
		for _, u := range p.purposes {
			needed = needed || slices.Contains(u.Categories, c.Name)
		}
		if !held {
			problems.warn(c.Pos, "map a column to it, or take it away", "category %s: no column holds it", c.Name)
		}
		if !needed {
			problems.warn(c.Pos, "add it to a purpose that needs it", "category %s: no purpose needs it, so it is never shown", c.Name)
		}
	}
}

func (p *Policy) warnPurposes(problems *Problems) {
	for _, u := range p.Purposes() {
		if len(u.Categories) == 0 {
			problems.warn(u.Pos, "name what such a task needs", "purpose %s: it needs no category, so it shows nothing", u.Name)
		}
		if len(u.Who) == 0 {
			problems.warn(u.Pos, "name the roles that may", "purpose %s: nobody may use it", u.Name)
		}
	}
}

// secrets are parts of column names whose values nobody needs to see whole.
var secrets = []string{"iban", "card", "account_number", "passport", "password", "passwd", "secret", "token", "ssn", "social_security", "tax_id", "cvc", "cvv"}

func (p *Policy) warnTable(problems *Problems, s Source, t Table) {
	for _, c := range t.Columns {
		name := strings.ToLower(c.Name)
		if i := slices.IndexFunc(secrets, func(part string) bool { return strings.Contains(name, part) }); i >= 0 && c.Always == "" && c.Category != "" {
			problems.warn(c.Pos, "add `always: last4` or another mask", "table %s, column %s: it is shown whole to everybody who may see %s", t.Name, c.Name, c.Category)
		}
	}
	timed := t.Time != ""
	for at := t; !timed && at.Customer.Table != ""; timed = at.Time != "" {
		next, ok := s.Table(at.Customer.Table)
		if !ok {
			break
		}
		at = next
	}
	if t.Order == "" && !timed && t.Customer.Table != "" {
		problems.warn(t.Pos, "name its order or time column, so that a purpose's reach narrows it", "table %s: all its rows are always within reach, like the customer's own card", t.Name)
	}
	if t.Order == "" || timed {
		return
	}
	for _, u := range p.Purposes() {
		needs := slices.ContainsFunc(t.Columns, func(c Column) bool { return slices.Contains(u.Categories, c.Category) })
		if needs && u.Reach == access.ReachRecent {
			problems.warn(t.Pos, "name its time column", "table %s: no time is known for its rows, so reach recent (purpose %s) never shows one", t.Name, u.Name)
			return
		}
	}
}
