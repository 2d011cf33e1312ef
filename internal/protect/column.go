package protect

import (
	"fmt"

	"paravent/internal/policy"
)

// A keyKind is how a column is held against an id.
type keyKind int

const (
	keyNone  keyKind = iota // can't be
	keyWhole                // a whole number
	keyUUID
	keyText  // equal bytes are equal texts
	keyLoose // equal only in the type's own eyes; the texts are compared, too
	keyExact // a number with a scale; the texts are compared, too
)

func (c column) keyKind() keyKind {
	switch c.base {
	case "int2", "int4", "int8":
		return keyWhole
	case "uuid":
		return keyUUID
	case "numeric":
		return keyExact
	case "text", "varchar":
		if c.deterministic {
			return keyText
		}
		return keyLoose
	case "bpchar", "citext":
		return keyLoose
	}
	return keyNone
}

// is writes the comparison of a column with the grant's customer or order,
// which stands in the variables g.<what>, g.<what>_int and g.<what>_uuid. It
// goes by the column's index and, where the type calls more equal than bytes
// are, by the bytes, too (G2).
func (c column) is(expression, what string) string {
	exact := fmt.Sprintf(` AND %s::text COLLATE "C" = g.%s`, expression, what)
	switch c.keyKind() {
	case keyWhole:
		return fmt.Sprintf("%s = g.%s_int", expression, what)
	case keyUUID:
		return fmt.Sprintf("%s = g.%s_uuid", expression, what)
	case keyExact:
		return fmt.Sprintf("%s = g.%s_int", expression, what) + exact
	case keyText:
		return fmt.Sprintf("%s = g.%s", expression, what)
	}
	return fmt.Sprintf("%s = g.%s::%s", expression, what, c.typ) + exact
}

// joins writes the comparison of two columns along a path.
func joins(there column, thereExpr string, here column, hereExpr string) (string, bool) {
	a, b := there.keyKind(), here.keyKind()
	if a == keyNone || b == keyNone || a == keyUUID != (b == keyUUID) || (a == keyWhole || a == keyExact) != (b == keyWhole || b == keyExact) {
		return "", false
	}
	text := fmt.Sprintf("%s = %s", thereExpr, hereExpr)
	if a >= keyLoose || b >= keyLoose {
		text += fmt.Sprintf(` AND %s::text COLLATE "C" = %s::text COLLATE "C"`, thereExpr, hereExpr)
	}
	return text, true
}

// moment writes a column as a timestamptz, whatever the session's settings are.
func (c column) moment(expression string) (string, bool) {
	switch c.base {
	case "timestamptz":
		return expression, true
	case "timestamp":
		return expression + " AT TIME ZONE 'UTC'", true
	case "date":
		return expression + "::timestamp AT TIME ZONE 'UTC'", true
	case "text", "varchar", "bpchar":
		return "paravent.moment(" + expression + "::text)", true
	case "int2", "int4", "int8":
		return "paravent.moment(" + expression + "::bigint)", true
	}
	return "", false
}

// masked writes what stands in a column's place under a mask. It keeps the
// column's type; where a mask isn't possible in that type, NULL stands there.
// Nothing in it can fail on a value, for an error would quote it.
func (c column) masked(m policy.Mask, expression string) string {
	null := "NULL::" + c.typ
	text := expression + "::text"
	var masked string
	switch {
	case m == policy.MaskYear && c.base == "timestamptz":
		return fmt.Sprintf("(date_trunc('year', %s AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')::%s", expression, c.typ)
	case m == policy.MaskYear && (c.base == "timestamp" || c.base == "date"):
		return fmt.Sprintf("date_trunc('year', %s::timestamp)::%s", expression, c.typ)
	case c.category != "S":
		return null
	case m == policy.MaskRedacted:
		masked = "'[redacted]'"
	case m == policy.MaskEmail:
		masked = fmt.Sprintf("CASE WHEN %[1]s ~ '.@[^@]*$' THEN left(%[1]s, 1) || '•••' || substring(%[1]s FROM '@[^@]*$') WHEN %[1]s IS NOT NULL THEN '[redacted]' END", text)
	case m == policy.MaskLast4:
		masked = fmt.Sprintf("CASE WHEN length(btrim(%[1]s)) >= 8 THEN '•••' || right(btrim(%[1]s), 4) WHEN %[1]s IS NOT NULL THEN '•••' END", text)
	case m == policy.MaskYear:
		masked = fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN coalesce(to_char(paravent.moment(%[1]s) AT TIME ZONE 'UTC', 'YYYY'), '[redacted]') END", text)
	case m == policy.MaskPseudonym:
		masked = fmt.Sprintf("'p-' || left(encode(sha256(g.pseudonym_outer || sha256(g.pseudonym_inner || convert_to(%s, 'UTF8'))), 'hex'), 20)", text)
	default: // MaskNull, and any mask that this program doesn't know
		return null
	}
	return "(" + masked + ")::" + c.typ
}
