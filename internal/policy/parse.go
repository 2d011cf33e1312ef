package policy

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"paravent/internal/access"
)

// The bounds of what a policy may set. A grant that lasts for weeks would be
// standing leave; a limit of a thousand misses would be none.
const (
	maxGrant      = 24 * time.Hour
	maxHolds      = 7 * 24 * time.Hour
	maxRecentDays = 3650
	maxMisses     = 100
)

// parse reads the sections of policy.yaml into p. What refers to something
// else is checked afterwards, when everything is known.
func (p *Policy) parse(r *reader, root *yaml.Node) {
	p.roles = map[access.Role]string{}
	p.sources = map[string]Source{}
	p.purposes = map[access.Purpose]Purpose{}
	// Sections may stand in any order; they are read in the order in which one
	// refers to another.
	var roles, categories, sources, purposes, second, callers *yaml.Node
	keep := func(to **yaml.Node) func(*yaml.Node) { return func(n *yaml.Node) { *to = n } }
	r.fields(root, "policy", []field{
		{"version", true, func(n *yaml.Node) {
			if s, ok := r.text(n, "version"); ok && s != "1" {
				r.wrong(n, "this program reads version 1", "version: unknown version %q", s)
			}
		}},
		{"roles", true, keep(&roles)},
		{"categories", true, keep(&categories)},
		{"sources", true, keep(&sources)},
		{"purposes", true, keep(&purposes)},
		{"second_person", true, keep(&second)},
		{"callers", false, keep(&callers)},
	})
	for _, section := range []struct {
		n    *yaml.Node
		read func(*reader, *yaml.Node)
	}{
		{roles, p.parseRoles}, {categories, p.parseCategories}, {sources, p.parseSources},
		{purposes, p.parsePurposes}, {second, p.parseSecondPerson}, {callers, p.parseCallers},
	} {
		if section.n != nil {
			section.read(r, section.n)
		}
	}
}

func (p *Policy) parseRoles(r *reader, n *yaml.Node) {
	r.entries(n, "roles", func(key, value *yaml.Node) {
		title, _ := r.text(value, "role "+key.Value)
		p.roles[access.Role(key.Value)] = title
	})
}

func (p *Policy) parseCategories(r *reader, n *yaml.Node) {
	r.entries(n, "categories", func(key, value *yaml.Node) {
		c := Category{Name: access.Category(key.Value), Pos: r.at(key)}
		what := "category " + key.Value
		r.fields(value, what, []field{
			{"title", true, func(n *yaml.Node) { c.Title, _ = r.text(n, what+", title") }},
			{"fideslang", true, func(n *yaml.Node) {
				for _, item := range r.texts(n, what+", fideslang") {
					if !fideslangKey.MatchString(item.Value) {
						r.wrong(item, "such as user.contact.email", "%s: %q is not a data category of fideslang", what, item.Value)
						continue
					}
					c.Fideslang = append(c.Fideslang, item.Value)
				}
				if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
					r.wrong(n, "such as [user.contact.email]", "%s: no key of the taxonomy is named", what)
				}
			}},
		})
		p.categories = append(p.categories, c)
	})
}

func (p *Policy) parsePurposes(r *reader, n *yaml.Node) {
	r.entries(n, "purposes", func(key, value *yaml.Node) {
		u := Purpose{Name: access.Purpose(key.Value), Pos: r.at(key)}
		what := "purpose " + key.Value
		var reach, days, changes *yaml.Node
		r.fields(value, what, []field{
			{"title", true, func(n *yaml.Node) { u.Title, _ = r.text(n, what+", title") }},
			{"categories", true, func(n *yaml.Node) {
				known := p.categoryNames()
				for _, item := range r.texts(n, what+", categories") {
					if c, ok := r.word(item, what+", categories", known); ok {
						u.Categories = append(u.Categories, access.Category(c))
					}
				}
			}},
			{"reach", true, func(n *yaml.Node) {
				reach = n
				s, _ := r.word(n, what+", reach", []string{string(access.ReachRecord), string(access.ReachRecent), string(access.ReachAll)})
				u.Reach = access.Reach(s)
			}},
			{"recent_days", false, func(n *yaml.Node) {
				days = n
				u.Recent = time.Duration(r.number(n, what+", recent_days", 1, maxRecentDays)) * 24 * time.Hour
			}},
			{"grant", true, func(n *yaml.Node) { u.Grant = r.duration(n, what+", grant", time.Minute, maxGrant) }},
			{"who", true, func(n *yaml.Node) { u.Who = p.parseRoleList(r, n, what+", who") }},
			{"sensitive", false, func(n *yaml.Node) {
				for _, item := range r.texts(n, what+", sensitive") {
					if s, ok := r.word(item, what+", sensitive", p.Sensitive()); ok {
						u.Sensitive = append(u.Sensitive, s)
					}
				}
			}},
			{"changes", false, func(n *yaml.Node) { changes = n }},
		})
		if changes != nil {
			u.Changes = p.parseChanges(r, changes, what+", changes", u.Categories)
		}
		switch {
		case u.Reach == access.ReachRecent && days == nil:
			r.wrong(reach, "such as `recent_days: 90`", "%s: reach recent needs recent_days", what)
		case u.Reach != access.ReachRecent && u.Reach != "" && days != nil:
			r.wrong(days, "take it away, or write `reach: recent`", "%s: recent_days goes with reach recent only", what)
		}
		slices.Sort(u.Categories)
		slices.Sort(u.Sensitive)
		p.purposes[u.Name] = u
	})
}

// categoryNames returns the names of all categories.
func (p *Policy) categoryNames() []string {
	out := make([]string, len(p.categories))
	for i, c := range p.categories {
		out[i] = string(c.Name)
	}
	return out
}

func (p *Policy) parseRoleList(r *reader, n *yaml.Node, what string) []access.Role {
	var known []string
	for _, role := range p.Roles() {
		known = append(known, string(role))
	}
	var out []access.Role
	for _, item := range r.texts(n, what) {
		if s, ok := r.word(item, what, known); ok {
			out = append(out, access.Role(s))
		}
	}
	slices.Sort(out)
	return out
}

func (p *Policy) parseSecondPerson(r *reader, n *yaml.Node) {
	s := SecondPerson{Pos: r.at(n)}
	r.fields(n, "second_person", []field{
		{"who", true, func(n *yaml.Node) { s.Who = p.parseRoleList(r, n, "second_person, who") }},
		{"waits", true, func(n *yaml.Node) { s.Waits = r.duration(n, "second_person, waits", time.Minute, maxHolds) }},
		{"holds", true, func(n *yaml.Node) { s.Holds = r.duration(n, "second_person, holds", time.Minute, maxHolds) }},
	})
	p.secondPerson = s
}

func (p *Policy) parseCallers(r *reader, n *yaml.Node) {
	c := Callers{Identifiers: map[string]Identifier{}, Pos: r.at(n)}
	var findBy *yaml.Node
	r.fields(n, "callers", []field{
		{"identifiers", true, func(n *yaml.Node) {
			r.entries(n, "callers, identifiers", func(key, value *yaml.Node) {
				c.Identifiers[key.Value] = p.parseIdentifier(r, key, value)
			})
		}},
		{"find_by", true, func(n *yaml.Node) { findBy = n }},
		{"misses", true, func(n *yaml.Node) { c.Misses = r.number(n, "callers, misses", 1, maxMisses) }},
		{"within", true, func(n *yaml.Node) { c.Within = r.duration(n, "callers, within", time.Minute, maxGrant) }},
		{"locked_for", true, func(n *yaml.Node) { c.LockedFor = r.duration(n, "callers, locked_for", time.Minute, maxGrant) }},
	})
	if findBy != nil {
		r.items(findBy, "callers, find_by", func(item *yaml.Node) {
			if combination := parseCombination(r, item, c.Identifiers); combination != nil {
				c.Combinations = append(c.Combinations, combination)
			}
		})
	}
	p.callers = c
}

// parseCombination reads identifiers that are together enough to find a caller:
// two at least, all of one source. It returns nil where they aren't.
func parseCombination(r *reader, n *yaml.Node, identifiers map[string]Identifier) []string {
	const what = "callers, find_by"
	var out []string
	source := ""
	fine := true
	for _, item := range r.texts(n, what) {
		name, ok := r.word(item, what, sortedKeys(identifiers))
		fine = fine && ok
		if !ok {
			continue
		}
		id := identifiers[name]
		if source != "" && id.Source != "" && id.Source != source {
			r.wrong(item, "", "%s: %q is in source %s, the others in %s", what, name, id.Source, source)
			fine = false
		}
		source = id.Source
		out = append(out, name)
	}
	// One identifier alone would make the finding a way of browsing.
	if fine && len(out) < 2 {
		r.wrong(n, "such as [order, postcode]", "%s: at least two identifiers are needed together", what)
		fine = false
	}
	if !fine {
		return nil
	}
	slices.Sort(out)
	return out
}

func (p *Policy) parseIdentifier(r *reader, key, value *yaml.Node) Identifier {
	id := Identifier{Name: key.Value, Pos: r.at(key)}
	what := "identifier " + key.Value
	r.fields(value, what, []field{
		{"column", true, func(n *yaml.Node) {
			s, ok := r.text(n, what+", column")
			parts := strings.Split(s, ".")
			if !ok {
				return
			}
			if len(parts) != 3 {
				r.wrong(n, "such as shop.customers.email", "%s: expected source.table.column, found %q", what, s)
				return
			}
			id.Source, id.Table, id.Column = parts[0], parts[1], parts[2]
			p.checkIdentifier(r, n, what, id)
		}},
		{"kind", true, func(n *yaml.Node) {
			s, _ := r.word(n, what+", kind", identifierKinds)
			id.Kind = IdentifierKind(s)
		}},
	})
	return id
}
