package policy

import (
	"github.com/cedar-policy/cedar-go"

	"paravent/internal/access"
)

// prepared holds what every decision needs and no decision changes: making
// Cedar's records anew was more than half of a decision's time. Only attributes
// that some rule reads are handed over.
type prepared struct {
	permits, forbids              rules
	permit                        []bool // by index of the rule
	roles                         map[access.Role]cedar.Record
	resources                     [8]cedar.Record  // by known, notable, same_household
	tasks                         [64]cedar.Record // by taskBits, where no rule reads more
	purposes                      map[access.Purpose]preparedPurpose
	noPurpose                     preparedPurpose
	categories                    map[access.Category]cedar.Value
	relations                     map[access.RelationKind]cedar.Value
	actions                       map[access.Action]cedar.EntityUID
	team, employee, now, missing, // read by some rule
	byTeam, customer, purpose, channel, openedByHim bool
}

// A preparedPurpose is a purpose as rules read it.
type preparedPurpose struct {
	record cedar.Record // context.purpose
	needs  cedar.Set
	reach  access.Reach
	asked  [4]cedar.Record // context.asked for all it needs, by order and order_fits
}

// prepare makes what every decision needs.
func (p *Policy) prepare() {
	q := prepared{
		roles: map[access.Role]cedar.Record{}, purposes: map[access.Purpose]preparedPurpose{}, categories: map[access.Category]cedar.Value{},
		relations: map[access.RelationKind]cedar.Value{}, actions: map[access.Action]cedar.EntityUID{},
		team: p.read["principal.team"], employee: p.read["resource.employee"], now: p.read["context.now"], missing: p.read["context.missing"],
		byTeam: p.read["context.task.by_team"], customer: p.read["context.task.customer"], purpose: p.read["context.task.purpose"], channel: p.read["context.task.channel"],
		openedByHim: p.read["context.task.opened_by_him"],
	}
	q.permit = make([]bool, len(p.rules))
	for i, r := range p.rules {
		if q.permit[i] = r.policy.Effect() == cedar.Permit; q.permit[i] {
			q.permits.add(i, r.policy)
		} else {
			q.forbids.add(i, r.policy)
		}
	}
	for r := range p.roles {
		q.roles[r] = cedar.NewRecord(cedar.RecordMap{"role": uid("Role", string(r))})
	}
	for i := range q.resources {
		q.resources[i] = cedar.NewRecord(resourceMap(i&4 != 0, i&2 != 0, i&1 != 0))
	}
	for i := range q.tasks {
		q.tasks[i] = cedar.NewRecord(taskMap(i))
	}
	for _, c := range p.categories {
		q.categories[c.Name] = uid("Category", string(c.Name))
	}
	for _, r := range relations {
		q.relations[access.RelationKind(r)] = uid("Relation", r)
	}
	for _, a := range actions {
		q.actions[access.Action(a)] = uid("Action", a)
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
	q := preparedPurpose{reach: u.Reach, needs: set, record: cedar.NewRecord(cedar.RecordMap{
		"known": cedar.Boolean(known), "roles": cedar.NewSet(roles...), "needs": set, "reach": cedar.String(u.Reach),
	})}
	for i := range q.asked {
		q.asked[i] = askedRecord(set, i&2 != 0, i&1 != 0)
	}
	return q
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
		principal: cedar.Entity{UID: uid("Employee", string(f.Employee.ID)), Attributes: p.principal(&f.Employee)},
		resource:  cedar.Entity{UID: uid("Customer", string(resource)), Attributes: p.resource(f, known)},
	}
	action := f.Asked.Action
	if action == "" {
		action = access.ActionView
	}
	verb, ok := p.prepared.actions[action]
	if !ok {
		verb = uid("Action", string(action))
	}
	context := make(cedar.RecordMap, 8)
	context["qualified"] = cedar.Boolean(f.Qualified.Current)
	context["task"] = p.task(f, resource)
	context["purpose"] = u.record
	context["asked"] = p.asked(f, u)
	context["relations"] = p.relations(f, known)
	context["second_person"] = cedar.Boolean(agreed(f))
	if p.prepared.missing {
		context["missing"] = missing(f.Qualified.Missing)
	}
	if p.prepared.now {
		context["now"] = cedar.NewDatetime(f.Now)
	}
	return cedar.Request{Principal: e.principal.UID, Action: verb, Resource: e.resource.UID, Context: cedar.NewRecord(context)}, e
}

func (p *Policy) principal(e *access.Employee) cedar.Record {
	if r, ok := p.prepared.roles[e.Role]; ok && (e.Team == "" || !p.prepared.team) {
		return r
	}
	m := cedar.RecordMap{"role": uid("Role", string(e.Role))}
	if e.Team != "" {
		m["team"] = uid("Team", string(e.Team))
	}
	return cedar.NewRecord(m)
}

func (p *Policy) resource(f *Facts, known bool) cedar.Record {
	notable := known && f.Customer.Notable
	household := known && f.Customer.Household != "" && f.Customer.Household == f.Employee.Household
	if !known || f.Customer.Employee == "" || !p.prepared.employee {
		return p.prepared.resources[bit(known, 4)|bit(notable, 2)|bit(household, 1)]
	}
	m := resourceMap(known, notable, household)
	m["employee"] = uid("Employee", string(f.Customer.Employee))
	return cedar.NewRecord(m)
}

func resourceMap(known, notable, household bool) cedar.RecordMap {
	return cedar.RecordMap{"known": cedar.Boolean(known), "notable": cedar.Boolean(notable), "same_household": cedar.Boolean(household)}
}

// bit returns value where b is true.
func bit(b bool, value int) int {
	if b {
		return value
	}
	return 0
}

// noTask stands in place of a task that doesn't exist.
var noTask access.Task

func (p *Policy) task(f *Facts, resource access.CustomerID) cedar.Record {
	t := f.Task
	if t == nil {
		t = &noTask
	}
	known := f.Task != nil
	bits := bit(known, 1) | bit(known && (f.Assigned == AssignedEmployee || f.Assigned == AssignedTeam), 2) |
		bit(known && t.Customer == resource, 4) | bit(open(f.Task, f.Now), 8) | bit(t.SelfMade, 16) | bit(confirmed(t, f.Employee.ID), 32)
	q := &p.prepared
	if !q.byTeam && !q.customer && !q.purpose && !q.channel && !q.openedByHim {
		return q.tasks[bits]
	}
	m := taskMap(bits)
	m["by_team"] = cedar.Boolean(f.Assigned == AssignedTeam)
	m["customer"] = uid("Customer", string(t.Customer))
	m["purpose"] = uid("Purpose", string(t.Purpose))
	m["channel"] = cedar.String(t.Channel)
	m["opened_by_him"] = cedar.Boolean(t.OpenedBy != "" && t.OpenedBy == string(f.Employee.ID))
	return cedar.NewRecord(m)
}

// taskMap returns the part of context.task that is yes or no.
func taskMap(bits int) cedar.RecordMap {
	return cedar.RecordMap{
		"known": cedar.Boolean(bits&1 != 0), "assigned": cedar.Boolean(bits&2 != 0), "about_her": cedar.Boolean(bits&4 != 0),
		"open": cedar.Boolean(bits&8 != 0), "self_made": cedar.Boolean(bits&16 != 0), "confirmed": cedar.Boolean(bits&32 != 0),
	}
}

func (p *Policy) asked(f *Facts, u preparedPurpose) cedar.Record {
	order, fits := f.Asked.Order != "", orderFits(f, u.reach)
	if len(f.Asked.Categories) == 0 {
		return u.asked[bit(order, 2)|bit(fits, 1)]
	}
	values := make([]cedar.Value, len(f.Asked.Categories))
	for i, c := range f.Asked.Categories {
		v, ok := p.prepared.categories[c]
		if !ok { // unknown to the policy, so beyond any purpose
			v = uid("Category", string(c))
		}
		values[i] = v
	}
	return askedRecord(cedar.NewSet(values...), order, fits)
}

func askedRecord(categories cedar.Set, order, fits bool) cedar.Record {
	return cedar.NewRecord(cedar.RecordMap{"categories": categories, "order": cedar.Boolean(order), "order_fits": cedar.Boolean(fits)})
}

var noRelations = cedar.NewSet()

// relations returns the employee's ties to the customer. That she is himself is
// known from her record, too.
func (p *Policy) relations(f *Facts, known bool) cedar.Set {
	self := f.Customer.Employee != "" && f.Customer.Employee == f.Employee.ID
	if !known || len(f.Relations) == 0 && !self {
		return noRelations
	}
	values := make([]cedar.Value, 0, len(f.Relations)+1)
	for _, r := range f.Relations {
		v, ok := p.prepared.relations[r]
		if !ok { // a kind that this program doesn't know is a tie all the same
			v = uid("Relation", string(r))
		}
		values = append(values, v)
	}
	if self {
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
