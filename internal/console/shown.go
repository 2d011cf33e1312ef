package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/lookup"
	"paravent/internal/source"
)

// shown is what one look-up disclosed, as the page shows it.
type shown struct {
	ID, Customer, Order string
	Categories, Size    string
	Until               moment
	Recorded, Outcome   recorded
	Cut                 bool
	Tables              []shownTable
}

// shownTable is one table of a look-up; a single row reads as a list of fields.
type shownTable struct {
	Title, Count string
	Single       bool
	Columns      []cell
	Rows         [][]cell
	Fields       []cell // of the single row
}

// cell is one value, or the head of a column.
type cell struct {
	Name   string // of the column
	Text   string
	Time   moment // set where the value is a moment
	Number bool
	Masked bool   // shown in part or not at all
	Hidden bool   // not shown at all
	Why    string // why it is masked
}

// shown puts a disclosure into the words of the page.
func (v *visit) shown(d *lookup.Disclosure) *shown {
	s := &shown{
		ID: string(d.ID), Customer: string(d.Grant.Customer), Order: string(d.Grant.Order), Until: v.moment(d.Grant.Until),
		Categories: lowerList(v.categoryTitles(d.Grant.Categories)),
		Recorded:   newRecorded("This look-up", "before it was shown", d.Intent),
		Outcome:    newRecorded("Its outcome", "", d.Outcome),
	}
	if d.Result == nil {
		return s
	}
	s.Cut, s.Size = d.Result.Cut, plural(d.Result.Rows, "row", "rows")
	for _, t := range d.Result.Tables {
		s.Tables = append(s.Tables, v.shownTable(t, d.Grant))
	}
	return s
}

func (v *visit) shownTable(t source.Table, g access.Grant) shownTable {
	const manyColumns = 4 // a single row with more reads better as a list of fields
	out := shownTable{Title: words(t.Name), Count: plural(len(t.Rows), "row", "rows")}
	for i, c := range t.Columns {
		head := cell{Name: columnTitle(c.Name), Masked: c.Masked}
		if c.Masked {
			head.Why = v.whyMasked(c, g)
		}
		head.Number = slices.ContainsFunc(t.Rows, func(row []any) bool { return numeric(row[i]) })
		out.Columns = append(out.Columns, head)
	}
	for _, row := range t.Rows {
		cells := make([]cell, len(out.Columns))
		for i := range out.Columns {
			cells[i] = v.cell(t.Columns[i].Name, out.Columns[i], row[i])
		}
		out.Rows = append(out.Rows, cells)
	}
	if len(out.Rows) == 1 && len(out.Columns) > manyColumns {
		out.Single, out.Fields, out.Count = true, out.Rows[0], ""
	}
	return out
}

// whyMasked says why a column is masked: nobody's look-up shows it whole, or
// this one didn't ask for its category.
func (v *visit) whyMasked(c source.Column, g access.Grant) string {
	if slices.Contains(g.Categories, c.Category) {
		return "Masked for everybody: no task needs this in full."
	}
	return "Masked: this look-up doesn't include “" + strings.Join(v.categoryTitles([]access.Category{c.Category}), "") + "”."
}

// cell puts one value into words. A masked column without a value is hidden; an
// unmasked one without a value is empty.
func (v *visit) cell(column string, head cell, value any) cell {
	c := cell{Name: head.Name, Number: head.Number, Masked: head.Masked, Why: head.Why}
	switch x := value.(type) {
	case nil:
		c.Hidden = head.Masked
	case string:
		c.Text = x
	case []byte:
		c.Text = string(x)
	case time.Time:
		c.Time = v.moment(x)
	case int64:
		if c.Text = strconv.FormatInt(x, 10); strings.HasSuffix(column, "_cents") {
			c.Text = cents(x)
		}
	default:
		c.Text = fmt.Sprint(x)
	}
	if t, err := time.Parse(time.RFC3339, c.Text); err == nil && !c.Masked {
		c.Time = v.moment(t)
	}
	return c
}

// columnTitle is a column's name in words; amounts are shown in whole units.
func columnTitle(name string) string { return words(strings.TrimSuffix(name, "_cents")) }

// cents writes an amount of hundredths.
func cents(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "−", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

func numeric(value any) bool {
	switch value.(type) {
	case int64, float64:
		return true
	}
	return false
}

// lowerList joins titles for the middle of a sentence.
func lowerList(titles []string) string {
	out := make([]string, len(titles))
	for i, t := range titles {
		out[i] = lowerFirst(t)
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}
