package policy

import "paravent/internal/access"

// loose warns of what a company leaves open that the default file refuses and no
// floor holds: the floor is G1 and G2, the rest is the company's to decide, but
// not by a file that somebody cut short unseen.
func (p *Policy) loose(problems *Problems) {
	if len(p.rules) == 0 {
		return
	}
	at := p.rules[0].pos
	for _, c := range []struct {
		what, rule string
		twist      func(*Facts)
	}{
		{"his qualification isn't current", "not-qualified", func(f *Facts) { f.Qualified = Qualification{Missing: []string{"training"}} }},
		{"the customer is the employee himself", "self", func(f *Facts) {
			f.Relations, f.Customer.Employee = []access.RelationKind{access.RelationSelf}, f.Employee.ID
		}},
		{"the employee has a tie to the customer", "relation", func(f *Facts) { f.Relations = []access.RelationKind{access.RelationFormerPartner} }},
		{"the customer is in the public eye", "notable", func(f *Facts) { f.Customer.Notable = true }},
	} {
		if p.allowsSome(c.twist) {
			problems.warn(Pos{File: at.File, Line: at.Line, Column: at.Column}, "the default file has a rule "+c.rule+" that refuses it",
				"a look-up is allowed though %s, and nobody else need agree", c.what)
		}
	}
}

// allowsSome reports whether an ordinary look-up of any purpose is allowed with
// this twist.
func (p *Policy) allowsSome(twist func(*Facts)) bool {
	for _, u := range p.Purposes() {
		for _, role := range p.triedRoles(u) {
			f := p.example(u, role)
			twist(&f)
			if p.Decide(f).Effect == Allow {
				return true
			}
		}
	}
	return false
}
