package policy

import (
	"iter"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"paravent/internal/access"
)

// sweep tries the rules on made-up facts: every purpose with the roles that
// make a difference, each one and each two of the twists below. It notes the
// rules that never applied, and the lines of the floor that no rule of the file
// says in the company's words.
func (p *Policy) sweep(problems *Problems) {
	fired := make([]bool, len(p.rules))
	left := 0
	for i, r := range p.rules {
		if !p.triable(r) {
			fired[i] = true // its values can't be enumerated
			continue
		}
		left++
	}
	twists := p.twists()
	try := func(f Facts) {
		for i, said := range p.hear(&f) {
			if said == spoke && !fired[i] {
				fired[i] = true
				left--
			}
		}
	}
	for _, u := range p.Purposes() {
		for _, role := range p.triedRoles(u) {
			for i := range twists {
				for j := range i + 1 {
					if left == 0 {
						break
					}
					f := p.example(u, role)
					twists[i](&f)
					if j < i {
						twists[j](&f)
					}
					try(f)
				}
			}
		}
	}
	for i, r := range p.rules {
		if !fired[i] {
			problems.warn(r.pos, "look for conditions that exclude each other", "rule %q never applied, whatever was tried", r.id)
		}
	}
	p.uncovered(problems)
	p.loose(problems)
}

// triedRoles returns the roles that are worth trying for a purpose: those that
// rules name, one that may and one that may not. The others are like these.
func (p *Policy) triedRoles(u Purpose) []access.Role {
	var out []access.Role
	may, mayNot := false, false
	for _, r := range p.Roles() {
		if slices.Contains(u.Who, r) {
			if !may {
				out = append(out, r)
			}
			may = true
		} else {
			if !mayNot {
				out = append(out, r)
			}
			mayNot = true
		}
	}
	for _, r := range p.rules {
		for e := range r.entities() {
			if e.Type == "Role" && !slices.Contains(out, access.Role(e.ID)) {
				out = append(out, access.Role(e.ID))
			}
		}
	}
	return out
}

// triable reports whether the sweep can make up the values that a rule reads.
func (p *Policy) triable(r rule) bool {
	var none Problems
	c := &ruleCheck{rule: r, vocabulary: p.vocabulary(), problems: &none, read: map[string]depth{}}
	c.check()
	_, now := c.read["context.now"]
	return !now
}

// tried is the moment at which the sweep's made-up look-ups happen.
var tried = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// example returns facts that the default rules allow, if the role may.
func (p *Policy) example(u Purpose, role access.Role) Facts {
	return Facts{
		Now: tried, Employee: access.Employee{ID: "employee", Team: "team", Role: role, Household: "his"},
		Qualified: Qualification{Current: true}, Assigned: AssignedEmployee, OrderOf: true,
		Task:     &access.Task{ID: "task", Customer: "customer", Purpose: u.Name, Channel: "call", Order: "order", OpenedAt: tried.Add(-time.Hour)},
		Asked:    Asked{Customer: "customer"},
		Customer: access.Customer{ID: "customer", Household: "hers"},
	}
}

// twists returns changes to facts, each to one fact.
func (p *Policy) twists() []func(*Facts) {
	out := []func(*Facts){
		func(*Facts) {},
		func(f *Facts) { f.Qualified = Qualification{Missing: []string{"guideline", "training", "attestation"}} },
		func(f *Facts) { f.Task = nil },
		func(f *Facts) { f.Assigned = AssignedNot },
		func(f *Facts) { f.Assigned = AssignedTeam },
		func(f *Facts) { f.Asked.Customer = "another" },
		func(f *Facts) { f.Customer = access.Customer{} },
		func(f *Facts) { f.task().ClosedAt = tried.Add(-time.Minute) },
		func(f *Facts) { f.task().SelfMade = true },
		func(f *Facts) { f.task().SelfMade, f.task().ConfirmedBy = true, "colleague" },
		func(f *Facts) { f.task().OpenedBy = string(f.Employee.ID) },
		func(f *Facts) { f.task().Purpose = "no such purpose" },
		func(f *Facts) { f.Asked.Order = "order" },
		func(f *Facts) { f.Asked.Order, f.OrderOf = "other", false },
		func(f *Facts) { f.Customer.Notable = true },
		func(f *Facts) { f.Customer.Household = f.Employee.Household },
		func(f *Facts) { f.Customer.Employee = f.Employee.ID },
		func(f *Facts) { f.Customer.Employee = "colleague" },
		func(f *Facts) { f.SecondPerson = "colleague" },
		func(f *Facts) { f.Employee.Team = "" },
	}
	for _, a := range actions {
		out = append(out, func(f *Facts) { f.Asked.Action = access.Action(a) })
	}
	for _, r := range relations {
		out = append(out, func(f *Facts) { f.Relations = []access.RelationKind{access.RelationKind(r)} })
	}
	for _, c := range p.categories {
		out = append(out, func(f *Facts) { f.Asked.Categories = []access.Category{c.Name} })
	}
	for text := range p.literals() {
		out = append(out,
			func(f *Facts) { f.task().Channel = text.name },
			func(f *Facts) { f.Qualified.Missing = []string{text.name} },
			func(f *Facts) { f.Employee.Team = access.TeamID(text.name) },
			func(f *Facts) { f.Employee.ID = access.EmployeeID(text.name) },
			func(f *Facts) { f.Customer.Employee = access.EmployeeID(text.name) },
			func(f *Facts) {
				f.Asked.Customer, f.Customer.ID = access.CustomerID(text.name), access.CustomerID(text.name)
				f.task().Customer = f.Asked.Customer
			})
	}
	return out
}

// task returns the facts' task for twisting, or one to throw away.
func (f *Facts) task() *access.Task {
	if f.Task == nil {
		return &access.Task{}
	}
	return f.Task
}

// A literal is a text or name that stands in a rule.
type literal struct{ name string }

// maxLiterals bounds how many of them the sweep tries.
const maxLiterals = 20

// literals returns the texts and the teams, employees and customers that rules
// name.
func (p *Policy) literals() map[literal]bool {
	out := map[literal]bool{}
	note := func(v types.Value) {
		if len(out) >= maxLiterals {
			return
		}
		switch v := v.(type) {
		case types.String:
			out[literal{string(v)}] = true
		case types.EntityUID:
			if slices.Contains([]types.EntityType{"Team", "Employee", "Customer"}, v.Type) {
				out[literal{string(v.ID)}] = true
			}
		}
	}
	for _, r := range p.rules {
		for v := range r.values() {
			note(v)
		}
	}
	return out
}

// values yields every value that stands in a rule, those in sets by themselves.
func (r rule) values() iter.Seq[types.Value] {
	var all []types.Value
	var add func(v types.Value)
	add = func(v types.Value) {
		all = append(all, v)
		if set, ok := v.(types.Set); ok {
			for e := range set.All() {
				add(e)
			}
		}
	}
	policy := (*ast.Policy)(r.policy.AST())
	for _, s := range []ast.IsScopeNode{policy.Principal, policy.Resource} {
		if eq, ok := s.(ast.ScopeTypeEq); ok {
			add(eq.Entity)
		}
	}
	for _, c := range policy.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeValue); ok {
				add(v.Value)
			}
			return true
		})
	}
	return slices.Values(all)
}

// entities yields every entity that a rule names.
func (r rule) entities() iter.Seq[types.EntityUID] {
	return func(yield func(types.EntityUID) bool) {
		for v := range r.values() {
			if e, ok := v.(types.EntityUID); ok && !yield(e) {
				return
			}
		}
	}
}

// uncovered notes what the floor refuses and no rule of the file does: it is
// refused all the same, but not in the company's words.
func (p *Policy) uncovered(problems *Problems) {
	if len(p.rules) == 0 {
		return
	}
	told := map[string]bool{}
	for _, u := range p.Purposes() {
		for _, role := range p.triedRoles(u) {
			for _, twist := range p.twists() {
				f := p.example(u, role)
				twist(&f)
				var d Decision
				heard := p.evaluate(&f, &d)
				if len(heard.refusals) > 0 {
					continue
				}
				purpose, known := Purpose{}, false
				if f.Task != nil {
					purpose, known = p.purposes[f.Task.Purpose]
				}
				for _, v := range p.floor(&f, purpose, known) {
					if !told[v.id] {
						told[v.id] = true
						problems.warn(Pos{File: p.rules[0].pos.File, Line: p.rules[0].pos.Line, Column: p.rules[0].pos.Column},
							"the default file has a rule of that name", "no rule refuses when %s; that is refused all the same, as %s", v.text, v.id)
					}
				}
			}
		}
	}
}
