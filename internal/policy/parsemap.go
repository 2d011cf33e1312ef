package policy

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"paravent/internal/access"
)

// parseSources reads the data map. Every table is read before the first path is
// followed.
func (p *Policy) parseSources(r *reader, n *yaml.Node) {
	r.entries(n, "sources", func(key, value *yaml.Node) {
		s := Source{Name: key.Value, Pos: r.at(key)}
		if strings.Contains(key.Value, ".") {
			r.wrong(key, "", "source %s: a source's name has no dot", key.Value)
		}
		var open *yaml.Node
		r.fields(value, "source "+key.Value, []field{
			{"tables", true, func(n *yaml.Node) {
				r.entries(n, "source "+key.Value+", tables", func(key, value *yaml.Node) {
					s.Tables = append(s.Tables, p.parseTable(r, key, value))
				})
			}},
			{"open", false, func(n *yaml.Node) { open = n }},
		})
		if open != nil {
			s.Open = parseOpen(r, open, s)
		}
		s.checkPaths(r)
		p.sources[s.Name] = s
	})
}

// parseOpen reads the tables that hold no customers' data.
func parseOpen(r *reader, n *yaml.Node, s Source) (out []string) {
	for _, item := range r.texts(n, "source "+s.Name+", open") {
		if _, mapped := s.Table(item.Value); mapped {
			r.wrong(item, "take it away here or under tables", "source %s, open: %q is mapped, so it holds customers' data", s.Name, item.Value)
			continue
		}
		out = append(out, item.Value)
	}
	return out
}

func (p *Policy) parseTable(r *reader, key, value *yaml.Node) Table {
	t := Table{Name: key.Value, Pos: r.at(key)}
	what := "table " + key.Value
	r.fields(value, what, []field{
		{"customer", true, func(n *yaml.Node) { t.Customer = parseOwner(r, n, what+", customer") }},
		{"order", false, func(n *yaml.Node) { t.Order, _ = r.text(n, what+", order") }},
		{"time", false, func(n *yaml.Node) { t.Time, _ = r.text(n, what+", time") }},
		{"columns", true, func(n *yaml.Node) {
			r.entries(n, what+", columns", func(key, value *yaml.Node) {
				t.Columns = append(t.Columns, p.parseColumn(r, what, key, value))
			})
		}},
		{"sensitive", false, func(n *yaml.Node) { t.Sensitive = parseSensitive(r, n, what+", sensitive") }},
	})
	return t
}

// parseOwner reads `customer_id` or `order_id -> orders.id`.
func parseOwner(r *reader, n *yaml.Node, what string) Owner {
	s, ok := r.text(n, what)
	if !ok {
		return Owner{}
	}
	column, path, isPath := strings.Cut(s, "->")
	o := Owner{Column: strings.TrimSpace(column), Pos: r.at(n)}
	if isPath {
		table, key, dot := strings.Cut(strings.TrimSpace(path), ".")
		o.Table, o.Key = strings.TrimSpace(table), strings.TrimSpace(key)
		if !dot || o.Table == "" || o.Key == "" {
			r.wrong(n, "such as `order_id -> orders.id`", "%s: expected `column -> table.column`, found %q", what, s)
			return Owner{}
		}
	}
	if o.Column == "" {
		r.wrong(n, "such as `customer_id` or `order_id -> orders.id`", "%s: no column is named in %q", what, s)
	}
	return o
}

// parseColumn reads `name: identity` or `email: {category: contact, mask: email}`.
func (p *Policy) parseColumn(r *reader, table string, key, value *yaml.Node) Column {
	c := Column{Name: key.Value, Mask: MaskNull, Pos: r.at(key)}
	what := table + ", column " + key.Value
	category := func(n *yaml.Node) {
		s, _ := r.word(n, what+", category", p.categoryNames())
		c.Category = access.Category(s)
	}
	if value.Kind == yaml.ScalarNode {
		category(value)
		return c
	}
	r.fields(value, what, []field{
		{"category", true, category},
		{"mask", false, func(n *yaml.Node) {
			s, _ := r.word(maskWord(n), what+", mask", masks)
			c.Mask = Mask(s)
		}},
		{"always", false, func(n *yaml.Node) {
			s, _ := r.word(maskWord(n), what+", always", masks)
			c.Always = Mask(s)
		}},
	})
	return c
}

// maskWord lets `mask: null` mean the mask of that name: YAML reads it as
// nothing.
func maskWord(n *yaml.Node) *yaml.Node {
	if isNull(n) && n.Value == "null" {
		word := *n
		word.Tag = "!!str"
		return &word
	}
	return n
}

func parseSensitive(r *reader, n *yaml.Node, what string) Sensitive {
	s := Sensitive{Pos: r.at(n)}
	r.fields(n, what, []field{
		{"column", true, func(n *yaml.Node) { s.Column, _ = r.text(n, what+", column") }},
		{"goods", true, func(n *yaml.Node) {
			for _, item := range r.texts(n, what+", goods") {
				s.Goods = append(s.Goods, item.Value)
			}
			if n.Kind == yaml.SequenceNode && len(s.Goods) == 0 {
				r.wrong(n, "name them, or take `sensitive:` away", "%s: no goods are named", what)
			}
		}},
	})
	return s
}

// Table returns the mapped table of this name.
func (s Source) Table(name string) (Table, bool) {
	for _, t := range s.Tables {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}

// tableNames returns the names of all mapped tables.
func (s Source) tableNames() []string {
	out := make([]string, len(s.Tables))
	for i, t := range s.Tables {
		out[i] = t.Name
	}
	return out
}

// checkPaths notes paths that lead nowhere or in a circle.
func (s Source) checkPaths(r *reader) {
	for _, t := range s.Tables {
		seen := map[string]bool{t.Name: true}
		for at := t; at.Customer.Table != ""; {
			next, ok := s.Table(at.Customer.Table)
			if !ok {
				if at.Name == t.Name { // else it is told at the table whose path breaks
					r.problems.add(at.Customer.Pos, DidYouMean(at.Customer.Table, s.tableNames()),
						"table %s, customer: the path leads to table %q, which isn't mapped", t.Name, at.Customer.Table)
				}
				break
			}
			if seen[next.Name] {
				r.problems.add(t.Customer.Pos, "end it at a table that holds the customer's id",
					"table %s, customer: the path goes in a circle at table %s", t.Name, next.Name)
				break
			}
			seen[next.Name] = true
			at = next
		}
	}
}

// checkIdentifier notes an identifier whose column isn't in the data map.
func (p *Policy) checkIdentifier(r *reader, n *yaml.Node, what string, id Identifier) {
	s, ok := p.sources[id.Source]
	if !ok {
		r.wrong(n, DidYouMean(id.Source, sortedKeys(p.sources)), "%s: unknown source %q", what, id.Source)
		return
	}
	t, ok := s.Table(id.Table)
	if !ok {
		r.wrong(n, DidYouMean(id.Table, s.tableNames()), "%s: unknown table %q", what, id.Table)
		return
	}
	if _, ok := t.Column(id.Column); !ok {
		names := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			names[i] = c.Name
		}
		r.wrong(n, DidYouMean(id.Column, names), "%s: table %s has no mapped column %q", what, id.Table, id.Column)
	}
}

// parseChanges reads columns that a purpose may change: mapped, of a category
// that it needs, shown whole, and none that says whose the row is or whether it
// is shown; else a change could move a row into or out of the grant (G2).
func (p *Policy) parseChanges(r *reader, n *yaml.Node, what string, needs []access.Category) (out []ColumnRef) {
	for _, item := range r.texts(n, what) {
		parts := strings.Split(item.Value, ".")
		if len(parts) != 3 {
			r.wrong(item, "such as shop.customers.street", "%s: expected source.table.column, found %q", what, item.Value)
			continue
		}
		ref := ColumnRef{parts[0], parts[1], parts[2]}
		t, _ := p.sources[ref.Source].Table(ref.Table)
		c, ok := t.Column(ref.Column)
		switch {
		case !ok:
			r.wrong(item, "", "%s: no mapped column %q", what, item.Value)
		case !slices.Contains(needs, c.Category):
			r.wrong(item, "add the category, or take the column away", "%s: the purpose doesn't need %s, of which %s is", what, c.Category, item.Value)
		case c.Always != "":
			r.wrong(item, "", "%s: %s is always masked, so nobody can change it", what, item.Value)
		case slices.Contains([]string{t.Customer.Column, t.Order, t.Time, t.Sensitive.Column}, ref.Column):
			r.wrong(item, "", "%s: %s says whose the row is or when it is shown", what, item.Value)
		default:
			out = append(out, ref)
		}
	}
	return out
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
