package policy

import (
	"fmt"
	"slices"
	"strings"

	"paravent/internal/access"
)

// A depth says whom a fact is about, from what the asker knows anyway to what
// he must not learn. A rule's class bounds the depth of what it may read (G9).
type depth int

const (
	aboutAsker    depth = iota // himself, and what he asked
	aboutStanding              // whether the task is his and this customer's
	aboutTask                  // his own task
	aboutCustomer              // the customer
	aboutOrder                 // whose an order is
)

// An attribute is one thing that a rule may read.
type attribute struct {
	path     string // such as context.task.open
	typ      string // in Cedar's schema language
	optional bool   // a rule asks `has` first
	about    depth
}

// attributes lists everything that a rule may read. The schema against which
// rules are checked and the facts that Decide hands over are both made of it.
var attributes = []attribute{
	{path: "principal.role", typ: "Role", about: aboutAsker},
	{path: "principal.team", typ: "Team", optional: true, about: aboutAsker},
	{path: "resource.known", typ: "Bool", about: aboutStanding},
	{path: "resource.notable", typ: "Bool", about: aboutCustomer},
	{path: "resource.same_household", typ: "Bool", about: aboutCustomer},
	{path: "resource.employee", typ: "Employee", optional: true, about: aboutCustomer},
	{path: "context.qualified", typ: "Bool", about: aboutAsker},
	{path: "context.missing", typ: "Set<String>", about: aboutAsker},
	{path: "context.now", typ: "datetime", about: aboutAsker},
	{path: "context.task.known", typ: "Bool", about: aboutStanding},
	{path: "context.task.assigned", typ: "Bool", about: aboutStanding},
	{path: "context.task.by_team", typ: "Bool", about: aboutStanding},
	{path: "context.task.about_her", typ: "Bool", about: aboutStanding},
	{path: "context.task.customer", typ: "Customer", about: aboutStanding},
	{path: "context.task.open", typ: "Bool", about: aboutTask},
	{path: "context.task.purpose", typ: "Purpose", about: aboutTask},
	{path: "context.task.channel", typ: "String", about: aboutTask},
	{path: "context.task.self_made", typ: "Bool", about: aboutTask},
	{path: "context.task.confirmed", typ: "Bool", about: aboutTask},
	{path: "context.task.opened_by_him", typ: "Bool", about: aboutTask},
	{path: "context.purpose.known", typ: "Bool", about: aboutTask},
	{path: "context.purpose.roles", typ: "Set<Role>", about: aboutTask},
	{path: "context.purpose.needs", typ: "Set<Category>", about: aboutTask},
	{path: "context.purpose.reach", typ: "String", about: aboutTask},
	{path: "context.asked.categories", typ: "Set<Category>", about: aboutAsker},
	{path: "context.asked.order", typ: "Bool", about: aboutAsker},
	{path: "context.asked.order_fits", typ: "Bool", about: aboutOrder},
	{path: "context.relations", typ: "Set<Relation>", about: aboutCustomer},
	{path: "context.second_person", typ: "Bool", about: aboutCustomer},
}

// attributeAt returns the attribute of this path.
func attributeAt(path string) (attribute, bool) {
	i := slices.IndexFunc(attributes, func(a attribute) bool { return a.path == path })
	if i < 0 {
		return attribute{}, false
	}
	return attributes[i], true
}

// attributesUnder returns the attributes below a record, such as context.task.
func attributesUnder(record string) []attribute {
	var out []attribute
	for _, a := range attributes {
		if strings.HasPrefix(a.path, record+".") {
			out = append(out, a)
		}
	}
	return out
}

// relations lists what context.relations may hold.
var relations = []string{string(access.RelationSelf), string(access.RelationFamily), string(access.RelationFormerPartner),
	string(access.RelationCoworker), string(access.RelationNeighbour)}

// actions lists what may be asked.
var actions = []string{string(access.ActionView), string(access.ActionSearch), string(access.ActionExport)}

// vocabulary returns, for each entity type whose names are known, these names.
func (p *Policy) vocabulary() map[string][]string {
	v := map[string][]string{"Relation": relations, "Action": actions, "Category": p.categoryNames()}
	for _, r := range p.Roles() {
		v["Role"] = append(v["Role"], string(r))
	}
	for _, u := range p.Purposes() {
		v["Purpose"] = append(v["Purpose"], string(u.Name))
	}
	return v
}

// cedarSchema writes the schema against which rules are checked, in Cedar's schema
// language. The names of roles, purposes and categories are checked elsewhere,
// with hints, so plain entity types do here.
func cedarSchema() string {
	var b strings.Builder
	for _, t := range []string{"Role", "Team", "Purpose", "Category", "Relation"} {
		fmt.Fprintf(&b, "entity %s;\n", t)
	}
	fmt.Fprintf(&b, "entity Employee = %s;\n", record("principal"))
	fmt.Fprintf(&b, "entity Customer = %s;\n", record("resource"))
	for _, a := range actions {
		fmt.Fprintf(&b, "action %q appliesTo { principal: Employee, resource: Customer, context: %s };\n", a, record("context"))
	}
	return b.String()
}

// record writes the type of a record and of the records in it.
func record(prefix string) string {
	var b strings.Builder
	b.WriteString("{")
	done := map[string]bool{}
	for _, a := range attributesUnder(prefix) {
		name, inner, nested := strings.Cut(strings.TrimPrefix(a.path, prefix+"."), ".")
		if done[name] {
			continue
		}
		done[name] = true
		typ := a.typ
		if nested && inner != "" {
			typ = record(prefix + "." + name)
		}
		mark := ""
		if a.optional {
			mark = "?"
		}
		fmt.Fprintf(&b, " %s%s: %s,", name, mark, typ)
	}
	b.WriteString(" }")
	return b.String()
}
