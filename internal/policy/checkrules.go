package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// validator checks the types of a rule.
var validator = sync.OnceValue(func() *validate.Validator {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(cedarSchema())); err != nil {
		panic("the rules' schema doesn't parse: " + err.Error()) // impossible: a test loads it
	}
	resolved, err := s.Resolve()
	if err != nil {
		panic("the rules' schema doesn't resolve: " + err.Error())
	}
	return validate.New(resolved)
})

// checkRules notes what the rules say of things that don't exist, types that
// don't fit, and rules that would tell the asker more than their class may.
func (p *Policy) checkRules(problems *Problems) {
	vocabulary := p.vocabulary()
	p.read = map[string]bool{}
	permits := 0
	for _, r := range p.rules {
		if r.effect() == "permit" {
			permits++
		}
		before := len(*problems)
		c := &ruleCheck{rule: r, vocabulary: vocabulary, problems: problems, read: map[string]depth{}}
		c.check()
		for path := range c.read {
			p.read[path] = true
		}
		if len(*problems) > before {
			continue // what the types would say follows from this
		}
		if err := validator().Policy("", (*ast.Policy)(r.policy.AST())); err != nil {
			for line := range strings.Lines(err.Error()) {
				problems.add(r.pos, "", "rule %q: %s", r.id, strings.TrimSpace(line))
			}
		}
	}
	if len(p.rules) > 0 && permits == 0 {
		problems.add(p.rules[0].pos, "add a permit, as the default file has it", "no rule is a permit, so nothing is ever allowed")
	}
}

// A ruleCheck looks through one rule.
type ruleCheck struct {
	rule       rule
	vocabulary map[string][]string
	problems   *Problems
	read       map[string]depth // what the rule reads
}

func (c *ruleCheck) check() {
	policy := (*ast.Policy)(c.rule.policy.AST())
	c.scope("principal", policy.Principal)
	c.scope("action", policy.Action)
	c.scope("resource", policy.Resource)
	for _, condition := range policy.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), c.node)
	}
	c.depth()
}

// scope looks at the constraints in the rule's head.
func (c *ruleCheck) scope(name string, s ast.IsScopeNode) {
	switch s := s.(type) {
	case ast.ScopeTypeEq:
		c.entity(s.Entity)
	case ast.ScopeTypeIn:
		c.entity(s.Entity)
	case ast.ScopeTypeInSet:
		for _, e := range s.Entities {
			c.entity(e)
		}
	case ast.ScopeTypeIsIn:
		c.entity(s.Entity)
	}
	if _, all := s.(ast.ScopeTypeAll); !all && name == "resource" {
		c.read["resource"] = aboutStanding
	}
}

// node looks at one node of a condition. It reports whether to go on below it.
func (c *ruleCheck) node(n ast.IsNode) bool {
	switch n := n.(type) {
	case ast.NodeValue:
		c.value(n.Value)
	case ast.NodeTypeIs:
		c.entityType(n.EntityType)
	case ast.NodeTypeIsIn:
		c.entityType(n.EntityType)
	case ast.NodeTypeVariable, ast.NodeTypeAccess:
		path, ok := c.path(n)
		c.reads(path)
		return !ok
	case ast.NodeTypeHas:
		path, ok := c.path(ast.NodeTypeAccess(n))
		c.reads(path)
		return !ok
	}
	return true
}

// path follows a chain such as context.task.open down to its variable. ok is
// false where the chain starts at something else; then path is what attributes
// of the last name there are, separated by blanks.
func (c *ruleCheck) path(n ast.IsNode) (path string, ok bool) {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		return string(n.Name), true
	case ast.NodeTypeAccess:
		base, ok := c.path(n.Arg)
		if !ok {
			return c.anyNamed(string(n.Value)), false
		}
		// An entity's attributes are the same wherever it was found:
		// context.task.customer.notable is resource.notable.
		if a, found := attributeAt(base); found {
			c.reads(base)
			switch a.typ {
			case "Customer":
				base = "resource"
			case "Employee":
				base = "principal"
			}
		}
		full := base + "." + string(n.Value)
		if _, found := attributeAt(full); !found && len(attributesUnder(full)) == 0 {
			c.unknown(base, string(n.Value))
		}
		return full, true
	}
	return "", false
}

// anyNamed returns every path that ends in this name.
func (c *ruleCheck) anyNamed(name string) string {
	var out []string
	for _, a := range attributes {
		if strings.HasSuffix(a.path, "."+name) {
			out = append(out, a.path)
		}
	}
	if out == nil {
		c.unknown("", name)
	}
	return strings.Join(out, " ")
}

// reads notes what is read. A whole record counts as everything in it.
func (c *ruleCheck) reads(paths string) {
	for path := range strings.FieldsSeq(paths) {
		switch a, ok := attributeAt(path); {
		case ok:
			c.read[path] = a.about
		case path == "resource":
			c.read[path] = aboutStanding
		default:
			for _, a := range attributesUnder(path) {
				if path != "principal" {
					c.read[a.path] = a.about
				}
			}
		}
	}
}

// unknown notes an attribute that doesn't exist.
func (c *ruleCheck) unknown(base, name string) {
	var known []string
	for _, a := range attributesUnder(base) {
		next, _, _ := strings.Cut(strings.TrimPrefix(a.path, base+"."), ".")
		if !slices.Contains(known, next) {
			known = append(known, next)
		}
	}
	what := base + "." + name
	if base == "" {
		what = name
		for _, a := range attributes {
			known = append(known, a.path[strings.LastIndexByte(a.path, '.')+1:])
		}
	}
	c.problems.add(c.rule.find(name), DidYouMean(name, known), "rule %q: unknown attribute %s", c.rule.id, what)
}

// value looks at a literal.
func (c *ruleCheck) value(v types.Value) {
	switch v := v.(type) {
	case types.EntityUID:
		c.entity(v)
	case types.Set:
		for e := range v.All() {
			c.value(e)
		}
	case types.Record:
		for e := range v.Values() {
			c.value(e)
		}
	}
}

// entity looks at a named entity: a role, purpose, category, action or relation
// must exist, for a rule about one that doesn't never applies.
func (c *ruleCheck) entity(e types.EntityUID) {
	c.entityType(e.Type)
	names, closed := c.vocabulary[string(e.Type)]
	if closed && !slices.Contains(names, string(e.ID)) {
		c.problems.add(c.rule.find(fmt.Sprintf("%q", string(e.ID))), DidYouMean(string(e.ID), names),
			"rule %q can never apply: there is no %s %q", c.rule.id, strings.ToLower(string(e.Type)), string(e.ID))
	}
	if e.Type == "Customer" { // a rule that names her rests on who she is
		c.read["Customer::"+fmt.Sprintf("%q", string(e.ID))] = aboutCustomer
	}
}

// entityType notes a type that doesn't exist.
func (c *ruleCheck) entityType(t types.EntityType) {
	known := []string{"Employee", "Customer", "Role", "Team", "Purpose", "Category", "Relation", "Action"}
	if !slices.Contains(known, string(t)) {
		c.problems.add(c.rule.find(string(t)), DidYouMean(string(t), known), "rule %q: unknown entity type %s", c.rule.id, t)
	}
}

// depth notes a rule that reads more than its class may tell (G9). A permit
// that rests on a fact about the customer would tell it by not applying.
func (c *ruleCheck) depth() {
	if c.rule.class == classUnknown {
		return
	}
	allowed := map[class][]depth{
		classOwn:      {aboutAsker},
		classNotYours: {aboutAsker, aboutStanding, aboutTask},
		classTask:     {aboutAsker, aboutStanding, aboutTask},
		classCustomer: {aboutAsker, aboutStanding, aboutTask, aboutCustomer},
		classOrder:    {aboutAsker, aboutStanding, aboutTask, aboutOrder},
	}[c.rule.class]
	who := fmt.Sprintf("with @asker(%q)", classNames[c.rule.class])
	if c.rule.effect() == "permit" {
		who = "a permit"
	}
	for _, path := range sortedKeys(c.read) {
		about := c.read[path]
		if slices.Contains(allowed, about) {
			continue
		}
		hint := map[depth]string{
			aboutStanding: `use @asker("not_yours")`,
			aboutTask:     `use @asker("task")`,
			aboutCustomer: `write a forbid with @asker("customer")`,
			aboutOrder:    `write a forbid with @asker("order")`,
		}[about]
		word := path[strings.LastIndexByte(path, '.')+1:]
		if i := strings.Index(path, "::"); i >= 0 {
			word = path[i+2:]
		}
		c.problems.add(c.rule.find(word), hint, "rule %q: %s it may not read %s, for the answer would tell it (G9)", c.rule.id, who, path)
	}
}
