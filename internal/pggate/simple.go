package pggate

// The simple protocol, upward.

// query deals with a Query, which may hold several statements.
func (s *session) query(body []byte, flush func() error) ([]byte, error) {
	sql, _, ok := cutString(body)
	if !ok {
		return nil, errLayoutOf("Query")
	}
	s.unbind()
	all := s.parsed
	if !s.isParsed {
		all = analyse(sql, s.escapes.Load(), s.gate.protected, s.rules)
	}
	s.parsed, s.isParsed = nil, false
	own := 0
	for own < len(all) && all[own].special != ordinary {
		own++
	}
	for i := range all {
		if f := s.mayInText(all, i, own); f != nil {
			return s.failQuery(&all[i], f), nil
		}
	}
	if own > 0 {
		return s.querySpecial(sql, all, own, flush)
	}
	return s.queryOrdinary(sql, all, flush)
}

// mayInText returns why the i-th statement of a text isn't passed on. A task
// that the text itself sets first is taken as set.
func (s *session) mayInText(all []stmt, i, own int) *failure {
	st := &all[i]
	switch {
	case st.special != ordinary && i >= own:
		return errInTransaction
	case st.refusal != nil:
		return st.refusal
	case own > 0 && i >= own:
		return nil // asked again once the task is set
	}
	if f := s.may(st); f != nil {
		return f
	}
	return s.counted()
}

// queryOrdinary passes on a text of PostgreSQL's own statements.
func (s *session) queryOrdinary(sql []byte, all []stmt, flush func() error) ([]byte, error) {
	it := item{kind: 'Q', stmts: all}
	writes, grants := false, false
	for i := range all {
		grants = grants || all[i].quote > 0
		writes = writes || all[i].writes
		s.state = s.state || all[i].settings
	}
	if s.grant != nil {
		s.recordAll(&it, all)
		if writes {
			f, err := s.recorded(flush)
			if err != nil {
				return nil, err
			}
			if f != nil {
				it.each(s.notRun)
				s.push(item{kind: 'Q', fail: f})
				return appendQuery(nil, notSQL), nil
			}
		}
	}
	s.push(it)
	if grants {
		b, at := begin(nil, 'Q')
		return end(append(append(b, quoteGrants(sql, all)...), 0), at), nil
	}
	return nil, nil
}

func (s *session) recordAll(it *item, all []stmt) {
	switch len(all) {
	case 0: // PostgreSQL answers EmptyQueryResponse
	case 1:
		it.rec = s.record(&all[0])
	default:
		it.recs = make([]*rec, len(all))
		for i := range all {
			it.recs[i] = s.record(&all[i])
		}
	}
}

func (s *session) failQuery(st *stmt, f *failure) []byte {
	s.push(item{kind: 'Q', fail: f, refused: s.refuse(st, f.reason, f.code)})
	return appendQuery(nil, notSQL)
}

// errInTransaction is the answer to a change of the task where it can't be
// made.
var errInTransaction = &failure{code: stateActiveTx, reason: "in_transaction",
	message: "paravent.task and paravent.on_behalf_of can't be changed inside a transaction or behind other statements",
	hint:    "End the transaction first, and change them in a statement of its own."}

// querySpecial carries out the gateway's own statements that a text begins
// with, then passes on the rest.
func (s *session) querySpecial(sql []byte, all []stmt, own int, flush func() error) ([]byte, error) {
	if err := flush(); err != nil {
		return nil, err
	}
	if err := s.drained(false); err != nil {
		return nil, err
	}
	if s.isSkipping() {
		s.push(item{kind: 'Q'})
		return appendQuery(nil, notSQL), nil // PostgreSQL passes over it
	}
	if s.status.Load() != 'I' {
		return s.failQuery(&all[0], errInTransaction), nil
	}
	for i := range all[:own] {
		_, f, err := s.special(&all[i])
		if err != nil {
			return nil, err
		}
		if f != nil {
			return s.failQuery(&all[i], f), nil
		}
		last := i == len(all)-1
		s.push(item{kind: 'Q', more: !last})
		text := appendQuery(nil, neutral(&all[i]))
		if last {
			return text, nil
		}
		if err := s.send(text); err != nil {
			return nil, err
		}
		if err := s.drained(false); err != nil {
			return nil, err
		}
	}
	for i := range all[own:] {
		f := s.may(&all[own+i])
		if f == nil {
			f = s.counted()
		}
		if f != nil {
			return s.failQuery(&all[own+i], f), nil
		}
	}
	from := all[own].from
	for i := range all[own:] {
		all[own+i].from -= from
		if all[own+i].quote > 0 {
			all[own+i].quote -= from
		}
	}
	instead, err := s.queryOrdinary(sql[from:], all[own:], func() error { return nil })
	if err != nil || instead != nil {
		return instead, err
	}
	b, at := begin(nil, 'Q')
	return end(append(append(b, sql[from:]...), 0), at), nil
}

// neutral returns what goes upstream in place of one of the gateway's own
// statements: PostgreSQL's answer is the client's, and SHOW tells the truth.
func neutral(st *stmt) string {
	switch st.special {
	case setBehalf:
		return neutralBehalf
	case resetBehalf:
		return "RESET paravent.on_behalf_of"
	case setTask:
		return "SET paravent.task = '" + quoted(st.value) + "'"
	case resetTask:
		return "RESET paravent.task"
	}
	if st.text == "reset all" {
		return "RESET ALL"
	}
	return "DISCARD ALL"
}
