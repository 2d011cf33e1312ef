package pggate

// The extended protocol, upward.

// parse deals with a Parse.
func (s *session) parse(body []byte) ([]byte, error) {
	name, rest, ok := cutString(body)
	sql, types, ok2 := cutString(rest)
	if !ok || !ok2 {
		return nil, errLayoutOf("Parse")
	}
	p := s.gate.interned.prep(sql, s.escapes.Load(), s.gate.protected, s.rules)
	if f := s.may(&p.stmt); f != nil {
		return s.failParse(&p.stmt, f), nil
	}
	if p.copyIn { // where Sync doesn't count while data come, answers couldn't be told apart
		return s.failParse(&p.stmt, refuseCommand("COPY FROM in the extended protocol")), nil
	}
	s.state = s.state || len(name) > 0
	s.mu.Lock()
	ok = s.names.prepare(string(name), p)
	s.mu.Unlock()
	if !ok {
		return s.failParse(&p.stmt, &failure{code: stateLimit, reason: "limit_names", message: "too many prepared statements"}), nil
	}
	s.push(item{kind: 'P', name: string(name), prep: p})
	if p.special == setBehalf { // the credential stays here
		b, at := begin(nil, 'P')
		b = appendString(appendString(b, string(name)), neutralBehalf)
		return end(append(b, types...), at), nil
	}
	if p.quote > 0 {
		b, at := begin(nil, 'P')
		b = append(append(appendString(b, string(name)), quoteGrants(sql, []stmt{p.stmt})...), 0)
		return end(append(b, types...), at), nil
	}
	return nil, nil
}

// neutralBehalf goes upstream where the client gave a credential.
const neutralBehalf = "SET paravent.on_behalf_of = ''"

func (s *session) failParse(st *stmt, f *failure) []byte {
	s.push(item{kind: 'P', fail: f, refused: s.refuse(st, f.reason, f.code)})
	return appendFailingParse(nil)
}

// bind deals with a Bind: its record begins here, because planning may already
// bring values to light, in an error or a notice.
func (s *session) bind(body []byte) ([]byte, error) {
	portal, rest, ok := cutString(body)
	name, _, ok2 := cutString(rest)
	if !ok || !ok2 {
		return nil, errLayoutOf("Bind")
	}
	s.unbind()
	s.mu.Lock()
	p := s.names.statement(name)
	if p == nil {
		p = unseen
	}
	ok = s.names.bind(portal, p)
	s.mu.Unlock()
	f := s.may(&p.stmt)
	if !ok {
		f = &failure{code: stateLimit, reason: "limit_names", message: "too many portals"}
	}
	if f != nil {
		s.push(item{kind: 'B', fail: f, refused: s.refuse(&p.stmt, f.reason, f.code)})
		return appendFailingExecute(nil), nil
	}
	it := item{kind: 'B'}
	if p.special == ordinary {
		it.rec = s.record(&p.stmt)
		if it.rec != nil {
			s.bound = boundRec{string(portal), it.rec}
		}
	}
	s.push(it)
	return nil, nil
}

// unbind ends the record of a portal that was bound and never executed.
func (s *session) unbind() {
	if s.bound.rec != nil {
		s.mu.Lock()
		s.bound.rec.end(EndedNotRun, "")
		s.mu.Unlock()
		s.bound = boundRec{}
	}
}

// execute deals with an Execute.
func (s *session) execute(body []byte, flush func() error) ([]byte, error) {
	portal, _, ok := cutString(body)
	if !ok {
		return nil, errLayoutOf("Execute")
	}
	s.mu.Lock()
	p := s.names.running(portal)
	s.mu.Unlock()
	if p.special != ordinary {
		return s.executeSpecial(p, flush)
	}
	s.execs++
	s.state = s.state || p.settings
	it := item{kind: 'E', prep: p}
	if s.bound.rec != nil && s.bound.portal == string(portal) {
		it.rec, s.bound = s.bound.rec, boundRec{}
	} else {
		it.rec = s.record(&p.stmt)
	}
	f := s.may(&p.stmt)
	if f == nil {
		f = s.counted()
	}
	if f == nil && p.writes && it.rec != nil {
		var err error
		if f, err = s.recorded(flush); err != nil {
			return nil, err
		}
	}
	if f != nil {
		return s.failExecute(it, f), nil
	}
	s.push(it)
	return nil, nil
}

// failExecute has PostgreSQL fail in place of an Execute.
func (s *session) failExecute(it item, f *failure) []byte {
	s.notRun(it.rec)
	it.rec, it.fail = nil, f
	if f != errRecord {
		st := &unseen.stmt
		if it.prep != nil {
			st = &it.prep.stmt
		}
		it.refused = s.refuse(st, f.reason, f.code)
	}
	s.push(it)
	return appendFailingExecute(nil)
}

// notRun ends the record of a statement that isn't sent.
func (s *session) notRun(r *rec) {
	if r == nil {
		return
	}
	s.mu.Lock()
	r.end(EndedNotRun, "")
	s.mu.Unlock()
}

// executeSpecial carries out a prepared SET paravent.task and its like. The
// portal stands at the upstream session from before, so it is made anew at the
// one that the task has led to.
func (s *session) executeSpecial(p *prep, flush func() error) ([]byte, error) {
	it := item{kind: 'E', prep: p}
	if s.execs > 0 {
		return s.failExecute(it, errInTransaction), nil
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if err := s.drained(true); err != nil {
		return nil, err
	}
	if s.isSkipping() {
		s.push(it)
		return nil, nil // PostgreSQL passes over it
	}
	if s.status.Load() != 'I' {
		return s.failExecute(it, errInTransaction), nil
	}
	s.execs++
	moved, f, err := s.special(&p.stmt)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return s.failExecute(it, f), nil
	}
	if !moved {
		s.push(it)
		return nil, nil
	}
	b, at := begin(nil, 'P')
	b = end(append(appendString(appendString(b, ""), neutral(&p.stmt)), 0, 0), at)
	b, at = begin(b, 'B')
	b = end(append(b, 0, 0, 0, 0, 0, 0, 0, 0), at)
	b, at = begin(b, 'E')
	b = end(append(b, 0, 0, 0, 0, 0), at)
	s.push(item{kind: 'P', swallow: true})
	s.push(item{kind: 'B', swallow: true})
	s.push(it)
	return b, nil
}

// isSkipping reports whether PostgreSQL passes over everything until Sync.
func (s *session) isSkipping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skipping
}
