package source

import (
	"fmt"
	"strings"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// A plan is how one mapped table is read.
type plan struct {
	table    policy.Table
	from     string // the table as t, with the joins along its path
	customer string // expression for the customer's id
	order    string // expression for the order's id; "" where rows have none
	time     string // expression for the row's time, its own or the path's; "" none
}

// planFor follows a table's path to the customer. The loader of the policy has
// made sure that it ends.
func planFor(s policy.Source, t policy.Table) plan {
	p := plan{table: t, from: "main." + quote(t.Name) + " AS t"}
	if t.Order != "" {
		p.order = column("t", t.Order)
	}
	if t.Time != "" {
		p.time = column("t", t.Time)
	}
	at, alias := t, "t"
	for step := 1; at.Customer.Table != ""; step++ {
		next, ok := s.Table(at.Customer.Table)
		if !ok { // impossible after Load; read nothing rather than everything
			return plan{table: t, from: p.from, customer: "NULL"}
		}
		joined := fmt.Sprintf("j%d", step)
		here, there := column(alias, at.Customer.Column), column(joined, at.Customer.Key)
		p.from += fmt.Sprintf(" JOIN main.%s AS %s ON %s = %s AND CAST(%s AS TEXT) = CAST(%s AS TEXT) COLLATE BINARY",
			quote(next.Name), joined, there, here, there, here)
		at, alias = next, joined
		if p.time == "" && at.Time != "" {
			p.time = column(alias, at.Time)
		}
	}
	p.customer = column(alias, at.Customer.Column)
	return p
}

// column writes a qualified column. Qualified, a name that no longer exists is
// an error; bare, SQLite would read it as a text.
func column(alias, name string) string { return alias + "." + quote(name) }

// exact writes a comparison that finds by the column's index and then compares
// byte by byte, whatever collation or type the column has. It takes the value
// twice.
func exact(expression string) string {
	return fmt.Sprintf("(%s = ? AND CAST(%s AS TEXT) = ? COLLATE BINARY)", expression, expression)
}

// history reports whether a table's rows belong to orders or moments, so that a
// reach narrows them, rather than being the customer's own card.
func (p plan) history() bool { return p.order != "" || p.time != "" }

// A cell is one shown column of a read.
type cell struct {
	column policy.Column
	mask   policy.Mask // "" shows the value
	read   bool        // the value is selected
}

// cells returns the mapped columns as the grant shows them, and whether any of
// them is granted.
func (p plan) cells(g access.Grant) (cells []cell, granted bool) {
	for _, c := range p.table.Columns {
		one := cell{column: c, mask: c.Mask}
		for _, category := range g.Categories {
			if category == c.Category {
				one.mask, granted = c.Always, true
			}
		}
		// G2: a value that isn't granted and isn't needed for its mask isn't
		// even read.
		one.read = one.mask != policy.MaskNull && one.mask != policy.MaskRedacted
		cells = append(cells, one)
	}
	return cells, granted
}

// query writes the statement that reads the table under a grant, with its
// arguments. ok is false where the grant's reach shows no row of it.
//
// The first two columns are the row's time and its sensitive good, or NULL; the
// cells that are read follow. The unary plus takes the declared type from a
// column, so that the driver hands over what is stored.
func (p plan) query(g access.Grant, cells []cell) (text string, args []any, ok bool) {
	where := []string{exact(p.customer)}
	args = []any{string(g.Customer), string(g.Customer)}
	if p.history() {
		switch g.Reach {
		case access.ReachRecord:
			if p.order == "" || g.Order == "" {
				return "", nil, false
			}
		case access.ReachRecent:
			if p.time == "" {
				return "", nil, false
			}
		case access.ReachAll:
		default:
			return "", nil, false
		}
		if g.Order != "" {
			if p.order == "" {
				return "", nil, false
			}
			where = append(where, exact(p.order))
			args = append(args, string(g.Order), string(g.Order))
		}
	}
	selected := []string{"NULL", "NULL"}
	if p.time != "" {
		selected[0] = "+" + p.time
	}
	if p.table.Sensitive.Column != "" {
		selected[1] = "+" + column("t", p.table.Sensitive.Column)
	}
	for _, c := range cells {
		if c.read {
			selected = append(selected, "+"+column("t", c.column.Name))
		}
	}
	text = "SELECT " + strings.Join(selected, ", ") + " FROM " + p.from + " WHERE " + strings.Join(where, " AND ")
	if p.time != "" { // the newest first, so that a cut loses the oldest
		text += " ORDER BY " + p.time + " DESC"
		if p.order != "" {
			text += ", " + p.order
		}
	}
	return text, args, true
}
