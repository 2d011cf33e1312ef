package pggate

import (
	"context"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

// watch is the gate's clock: it ends grants, cuts what takes too long, drops
// what nobody uses, and asks again about those of whom something was withdrawn.
func (g *Gate) watch() {
	ticker := time.NewTicker(g.cfg.Tick)
	defer ticker.Stop()
	revoked := g.cfg.Lookups.Revoked()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-ticker.C:
			g.tick()
		case e, ok := <-revoked:
			if !ok {
				revoked = nil
				continue
			}
			g.background(func(context.Context) { g.recheck(e) })
		}
	}
}

// all returns the sessions of this moment.
func (g *Gate) all() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*session, 0, len(g.sessions))
	for _, s := range g.sessions {
		out = append(out, s)
	}
	return out
}

func (g *Gate) tick() {
	now := g.now()
	g.coarse.Store(now.UnixNano())
	for _, s := range g.all() {
		s.tick(now)
	}
	over := g.upstreams.cull(func(u *upstream) bool {
		return now.Sub(u.idle) >= g.cfg.KeepIdle || u.grant != nil && !now.Before(u.grant.Until)
	})
	for _, u := range over {
		g.drop(u)
	}
}

// tick looks at one session's grant and limits.
func (s *session) tick(now time.Time) {
	s.mu.Lock()
	up, grant, limit := s.up, s.grant, s.limits.Time
	s.mu.Unlock()
	if up == nil {
		return
	}
	if grant != nil && !now.Before(grant.Until) {
		s.kill(&failure{code: stateShutdown, message: "the grant for this task has ended",
			hint: "Connect again and set your task again."})
		return
	}
	if since := s.writing.Load(); since != 0 && now.Sub(time.Unix(0, since)) >= s.gate.cfg.StallFor {
		s.kill(nil)
		return
	}
	since := s.head.Load()
	if limit <= 0 || since == 0 {
		return
	}
	switch took := now.Sub(time.Unix(0, since)); {
	case took >= limit+lingers:
		s.kill(errTime)
	case took >= limit && !s.late.Swap(true):
		s.cancelSoon(up)
	}
}

// errWithdrawn is the last word to somebody of whom access was withdrawn.
var errWithdrawn = &failure{code: stateShutdown, message: "your access was withdrawn", hint: "Ask your administrator."}

// recheck asks about every grant of an employee ("": of everybody) that is in
// use or kept, and ends what no longer stands. What can't be found out doesn't
// stand.
func (g *Gate) recheck(e access.EmployeeID) {
	ctx, cancel := context.WithTimeout(g.ctx, moveWithin)
	defer cancel()
	known := map[[2]string]bool{}
	stands := func(grant *access.Grant, who identity.Who) bool {
		asked := access.Grant{Employee: who.Employee().ID, Session: who.Session()}
		if grant != nil {
			asked = *grant
		}
		key := [2]string{asked.ID, string(asked.Session)}
		ok, have := known[key]
		if !have {
			ok = g.cfg.Lookups.Live(ctx, asked) == nil
			known[key] = ok
		}
		return ok
	}
	about := func(who identity.Who) bool { return e == "" || who.Employee().ID == e }
	for _, s := range g.all() {
		s.mu.Lock()
		grant, acting, up := s.grant, s.acting, s.up
		s.mu.Unlock()
		if up == nil || !about(acting) && !about(s.login) {
			continue
		}
		if !stands(grant, acting) || !stands(nil, s.login) {
			s.kill(errWithdrawn)
		}
	}
	for _, u := range g.upstreams.cull(func(u *upstream) bool { return about(u.who) }) {
		g.drop(u) // a connection costs less than a doubt
	}
}
