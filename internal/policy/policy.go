package policy

import (
	_ "embed" // the default policy
	"slices"
	"strings"

	"paravent/internal/access"
)

//go:embed defaults/policy.yaml
var defaultYAML []byte

//go:embed defaults/default.cedar
var defaultCedar []byte

// DefaultYAML returns the shipped policy.yaml, commented for its reader.
func DefaultYAML() []byte { return slices.Clone(defaultYAML) }

// DefaultCedar returns the shipped conditions, commented for their reader.
func DefaultCedar() []byte { return slices.Clone(defaultCedar) }

// A Policy is a loaded policy. It doesn't change, so any number of goroutines
// may decide by it.
type Policy struct {
	roles        map[access.Role]string
	categories   []Category
	sources      map[string]Source
	purposes     map[access.Purpose]Purpose
	secondPerson SecondPerson
	callers      Callers
	rules        []rule
	read         map[string]bool // paths of the attributes that some rule reads
	prepared     prepared
}

// Purpose returns the purpose of this name.
func (p *Policy) Purpose(name access.Purpose) (Purpose, bool) {
	u, ok := p.purposes[name]
	return u, ok
}

// Purposes returns every purpose, sorted by name.
func (p *Policy) Purposes() []Purpose {
	out := make([]Purpose, 0, len(p.purposes))
	for _, u := range p.purposes {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b Purpose) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return out
}

// Categories returns every category, in the order of the file.
func (p *Policy) Categories() []Category { return slices.Clone(p.categories) }

// Roles returns every role that the policy knows, sorted. Any other role has no
// rights.
func (p *Policy) Roles() []access.Role {
	out := make([]access.Role, 0, len(p.roles))
	for r := range p.roles {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// Source returns the data map of the source of this name.
func (p *Policy) Source(name string) (Source, bool) {
	s, ok := p.sources[name]
	return s, ok
}

// Sources returns the data maps of all sources by name. The caller owns the map,
// not what its values refer to.
func (p *Policy) Sources() map[string]Source {
	out := make(map[string]Source, len(p.sources))
	for name, s := range p.sources {
		out[name] = s
	}
	return out
}

// SecondPerson returns who may agree where one person isn't enough.
func (p *Policy) SecondPerson() SecondPerson { return p.secondPerson }

// Callers returns how the caller of a call in progress is found.
func (p *Policy) Callers() Callers { return p.callers }

// Sensitive returns every kind of sensitive goods that a table names, sorted.
func (p *Policy) Sensitive() []string {
	var out []string
	for _, s := range p.sources {
		for _, t := range s.Tables {
			out = append(out, t.Sensitive.Goods...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Needs returns which categories each purpose needs, sorted by purpose, as
// explaining and detecting take it in.
func (p *Policy) Needs() []access.PurposeNeeds {
	var out []access.PurposeNeeds
	for _, u := range p.Purposes() {
		out = append(out, access.PurposeNeeds{Purpose: u.Name, Categories: slices.Clone(u.Categories)})
	}
	return out
}
