package pggate

import "sync"

// prep is a text that a client has prepared.
type prep struct {
	stmt
}

// unseen stands for a statement that was prepared in a way that the gateway
// didn't see.
var unseen = &prep{stmt{text: "(a prepared statement that was not seen)", writes: true}}

// names is what a client's names for prepared statements and portals mean. It
// is used under session.mu.
type names struct {
	unnamed *prep // its last Parse without a name
	known   map[string]naming
	portal  *prep // the portal without a name
	portals map[string]*prep
}

// naming is what one name means: what PostgreSQL has confirmed, and what it
// hasn't yet. Both may be there: if the name is taken, PostgreSQL refuses the
// second.
type naming struct{ confirmed, pending *prep }

// maxNames bounds how many names one session may have, of each kind.
const maxNames = 10_000

func (n *names) prepare(name string, p *prep) bool {
	if name == "" {
		n.unnamed = p
		return true
	}
	if n.known == nil {
		n.known = map[string]naming{}
	}
	if len(n.known) >= maxNames {
		return false
	}
	n.known[name] = naming{confirmed: n.known[name].confirmed, pending: p}
	return true
}

// settle takes PostgreSQL's answer to a Parse or PREPARE.
func (n *names) settle(name string, p *prep, ok bool) {
	was, known := n.known[name]
	switch {
	case name == "" || !known:
	case ok:
		if was.pending == p {
			was.pending = nil
		}
		n.known[name] = naming{confirmed: p, pending: was.pending}
	case was.pending == p && was.confirmed == nil:
		delete(n.known, name)
	case was.pending == p:
		n.known[name] = naming{confirmed: was.confirmed}
	}
}

func (n *names) forget(name string) {
	if name == "*" {
		clear(n.known)
	} else {
		delete(n.known, name)
	}
}

// statement returns what a name means now. Where PostgreSQL hasn't decided
// between two, both are recorded.
func (n *names) statement(name []byte) *prep {
	if len(name) == 0 {
		return n.unnamed
	}
	was := n.known[string(name)]
	switch {
	case was.confirmed == nil:
		return was.pending
	case was.pending == nil:
		return was.confirmed
	}
	both := *was.pending
	both.text = cutText([]byte(was.confirmed.text + "; " + was.pending.text))
	both.relations = append(append([]string(nil), was.confirmed.relations...), was.pending.relations...)
	both.writes, both.reads = both.writes || was.confirmed.writes, both.reads || was.confirmed.reads
	return &both
}

// bind takes note of what a portal runs.
func (n *names) bind(portal []byte, p *prep) bool {
	if len(portal) == 0 {
		n.portal = p
		return true
	}
	if n.portals == nil {
		n.portals = map[string]*prep{}
	}
	if len(n.portals) >= maxNames {
		return false
	}
	n.portals[string(portal)] = p
	return true
}

// running returns what a portal runs.
func (n *names) running(portal []byte) *prep {
	p := n.portal
	if len(portal) > 0 {
		p = n.portals[string(portal)]
	}
	if p == nil {
		return unseen
	}
	return p
}

// interned keeps texts that clients prepare, so that a thousand sessions of one
// program share them and each is taken apart once. Texts of the simple protocol
// aren't kept: they carry values.
type interned struct {
	mu   sync.Mutex
	all  map[string]*prep
	size int
}

// Bounds of what is interned.
const (
	maxInterned     = 4 << 20 // bytes of all texts
	maxInternedText = 16 << 10
)

func (i *interned) prep(sql []byte, escapes bool, p protected, r rules) *prep {
	keep := len(sql) <= maxInternedText && !escapes && !r.copyIn
	if keep {
		i.mu.Lock()
		have := i.all[string(sql)]
		i.mu.Unlock()
		if have != nil {
			return have
		}
	}
	made := &prep{}
	if all := analyse(sql, escapes, p, r); len(all) > 0 {
		made.stmt = all[0]
	}
	if keep && made.special != setBehalf && made.special != setTask {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.all == nil || i.size > maxInterned {
			i.all, i.size = map[string]*prep{}, 0
		}
		i.all[string(sql)] = made
		i.size += len(sql)
	}
	return made
}
