package policy

import (
	"github.com/cedar-policy/cedar-go"

	"paravent/internal/access"
)

// prepared holds what every decision needs and no decision changes.
type prepared struct {
	permits, forbids rules
	permit           []bool // by index of the rule
	purposes         map[access.Purpose]preparedPurpose
	noPurpose        preparedPurpose
	categories       map[access.Category]cedar.Value
	relations        map[access.RelationKind]cedar.Value
}

// A preparedPurpose is a purpose as rules read it.
type preparedPurpose struct {
	record cedar.Record // context.purpose
	needs  cedar.Set
	reach  access.Reach
}

// prepare makes what every decision needs.
func (p *Policy) prepare() {
	q := prepared{purposes: map[access.Purpose]preparedPurpose{}, categories: map[access.Category]cedar.Value{}, relations: map[access.RelationKind]cedar.Value{}}
	q.permit = make([]bool, len(p.rules))
	for i, r := range p.rules {
		if q.permit[i] = r.policy.Effect() == cedar.Permit; q.permit[i] {
			q.permits.add(i, r.policy)
		} else {
			q.forbids.add(i, r.policy)
		}
	}
	for _, c := range p.categories {
		q.categories[c.Name] = uid("Category", string(c.Name))
	}
	for _, r := range relations {
		q.relations[access.RelationKind(r)] = uid("Relation", r)
	}
	for name, u := range p.purposes {
		q.purposes[name] = preparePurpose(u, true)
	}
	q.noPurpose = preparePurpose(Purpose{}, false)
	p.prepared = q
}

func preparePurpose(u Purpose, known bool) preparedPurpose {
	var roles, needs []cedar.Value
	for _, r := range u.Who {
		roles = append(roles, uid("Role", string(r)))
	}
	for _, c := range u.Categories {
		needs = append(needs, uid("Category", string(c)))
	}
	set := cedar.NewSet(needs...)
	return preparedPurpose{reach: u.Reach, needs: set, record: cedar.NewRecord(cedar.RecordMap{
		"known": cedar.Boolean(known), "roles": cedar.NewSet(roles...), "needs": set, "reach": cedar.String(u.Reach),
	})}
}

func uid(typ, id string) cedar.EntityUID {
	return cedar.NewEntityUID(cedar.EntityType(typ), cedar.String(id))
}

// entities are the two people of one request.
type entities struct{ principal, resource cedar.Entity }

// Get returns the entity of this name.
func (e *entities) Get(id cedar.EntityUID) (cedar.Entity, bool) {
	switch id {
	case e.principal.UID:
		return e.principal, true
	case e.resource.UID:
		return e.resource, true
	}
	return cedar.Entity{}, false
}

// request puts the facts into the words of the rules.
func (p *Policy) request(f *Facts) (cedar.Request, *entities) {
	u := p.prepared.noPurpose
	resource := f.Asked.Customer
	if f.Task != nil {
		if known, ok := p.prepared.purposes[f.Task.Purpose]; ok {
			u = known
		}
		if resource == "" {
			resource = f.Task.Customer
		}
	}
	// The facts about a customer are the task's customer's: where another one is
	// asked, nothing is known of her.
	known := resource != "" && f.Customer.ID == resource
	e := &entities{
		principal: cedar.Entity{UID: uid("Employee", string(f.Employee.ID)), Attributes: principalRecord(&f.Employee)},
		resource:  cedar.Entity{UID: uid("Customer", string(resource)), Attributes: resourceRecord(f, known)},
	}
	action := f.Asked.Action
	if action == "" {
		action = access.ActionView
	}
	return cedar.Request{
		Principal: e.principal.UID,
		Action:    uid("Action", string(action)),
		Resource:  e.resource.UID,
		Context: cedar.NewRecord(cedar.RecordMap{
			"qualified":     cedar.Boolean(f.Qualified.Current),
			"missing":       missing(f.Qualified.Missing),
			"now":           cedar.NewDatetime(f.Now),
			"task":          taskRecord(f),
			"purpose":       u.record,
			"asked":         p.askedRecord(f, u),
			"relations":     p.relations(f, known),
			"second_person": cedar.Boolean(agreed(f)),
		}),
	}, e
}

func principalRecord(e *access.Employee) cedar.Record {
	m := cedar.RecordMap{"role": uid("Role", string(e.Role))}
	if e.Team != "" {
		m["team"] = uid("Team", string(e.Team))
	}
	return cedar.NewRecord(m)
}

func resourceRecord(f *Facts, known bool) cedar.Record {
	m := cedar.RecordMap{
		"known":          cedar.Boolean(known),
		"notable":        cedar.Boolean(known && f.Customer.Notable),
		"same_household": cedar.Boolean(known && f.Customer.Household != "" && f.Customer.Household == f.Employee.Household),
	}
	if known && f.Customer.Employee != "" {
		m["employee"] = uid("Employee", string(f.Customer.Employee))
	}
	return cedar.NewRecord(m)
}

func taskRecord(f *Facts) cedar.Record {
	t := f.Task
	if t == nil {
		t = &access.Task{}
	}
	return cedar.NewRecord(cedar.RecordMap{
		"known":         cedar.Boolean(f.Task != nil),
		"assigned":      cedar.Boolean(f.Task != nil && (f.Assigned == AssignedEmployee || f.Assigned == AssignedTeam)),
		"by_team":       cedar.Boolean(f.Assigned == AssignedTeam),
		"customer":      uid("Customer", string(t.Customer)),
		"open":          cedar.Boolean(open(f.Task, f.Now)),
		"purpose":       uid("Purpose", string(t.Purpose)),
		"channel":       cedar.String(t.Channel),
		"self_made":     cedar.Boolean(t.SelfMade),
		"confirmed":     cedar.Boolean(confirmed(t, f.Employee.ID)),
		"opened_by_him": cedar.Boolean(t.OpenedBy != "" && t.OpenedBy == string(f.Employee.ID)),
	})
}

func (p *Policy) askedRecord(f *Facts, u preparedPurpose) cedar.Record {
	categories := u.needs
	if len(f.Asked.Categories) > 0 {
		values := make([]cedar.Value, len(f.Asked.Categories))
		for i, c := range f.Asked.Categories {
			v, ok := p.prepared.categories[c]
			if !ok { // unknown to the policy, so beyond any purpose
				v = uid("Category", string(c))
			}
			values[i] = v
		}
		categories = cedar.NewSet(values...)
	}
	return cedar.NewRecord(cedar.RecordMap{
		"categories": categories,
		"order":      cedar.Boolean(f.Asked.Order != ""),
		"order_fits": cedar.Boolean(orderFits(f, u.reach)),
	})
}

// relations returns the employee's ties to the customer. That she is himself is
// known from her record, too.
func (p *Policy) relations(f *Facts, known bool) cedar.Set {
	if !known {
		return cedar.NewSet()
	}
	values := make([]cedar.Value, 0, len(f.Relations)+1)
	for _, r := range f.Relations {
		v, ok := p.prepared.relations[r]
		if !ok { // a kind that this program doesn't know is a tie all the same
			v = uid("Relation", string(r))
		}
		values = append(values, v)
	}
	if f.Customer.Employee != "" && f.Customer.Employee == f.Employee.ID {
		values = append(values, p.prepared.relations[access.RelationSelf])
	}
	return cedar.NewSet(values...)
}

func missing(what []string) cedar.Set {
	values := make([]cedar.Value, len(what))
	for i, w := range what {
		values[i] = cedar.String(w)
	}
	return cedar.NewSet(values...)
}
