package pggate

// release passes on what walk went over, up to end, doing what the marks say.
func (s *session) release(end int) error {
	b := s.out.buf
	from := 0 // where what isn't passed on yet begins
	for i := range s.marks {
		m := &s.marks[i]
		switch m.do {
		case needIntent:
			ok, err := s.await(&from, m.at, m.rec, false)
			if err != nil {
				return err
			}
			if !ok {
				from = s.breakOff(from, m.at, errRecord)
				m.rec.told.Store(true)
			}
		case needOutcome:
			ok, err := s.await(&from, m.at, m.rec, true)
			if err != nil {
				return err
			}
			if s.failing {
				s.uncertain = s.uncertain || m.rec.stmt.writes
			} else if !ok {
				from = s.breakOff(from, m.at, errRecord)
			}
		case leaveOut:
			from = s.skip(from, m.at, m.n)
		case erred:
			s.refused = true
		case replace:
			fail := m.fail
			if m.rec != nil {
				ok, err := s.await(&from, m.at, m.rec, true)
				if err != nil {
					return err
				}
				if !ok {
					fail = errRecord
				}
			}
			from = s.skip(from, m.at, m.n)
			if !s.failing {
				s.aside = fail.appendError(s.aside, "ERROR")
			}
		case breakOff:
			from = s.breakOff(from, m.at, m.fail)
		case ready:
			var err error
			if from, err = s.ready(from, m); err != nil {
				return err
			}
		}
	}
	if s.failing {
		from = end
	}
	return s.pass(b[from:end])
}

// pass writes to the client: what was put aside and then b. It is the one place
// at which anything of PostgreSQL's reaches him.
func (s *session) pass(b []byte) error {
	if len(s.aside) > 0 {
		s.aside = append(s.aside, b...)
		b = s.aside
		defer func() { s.aside = shrunk(s.aside) }()
	}
	if len(b) == 0 {
		return nil
	}
	if s.killed() {
		return errEnded
	}
	s.writing.Store(s.gate.coarse.Load())
	s.whole = false
	_, err := s.client.Write(b)
	s.whole = err == nil
	s.writing.Store(0)
	return err
}

// shrunk empties a buffer, and lets go of a large one.
func shrunk(b []byte) []byte {
	if cap(b) > smallBuffer {
		return nil
	}
	return b[:0]
}

// skip leaves out n bytes at a place; what stands before is put aside.
func (s *session) skip(from, at, n int) int {
	if at > from && !s.failing {
		s.aside = append(s.aside, s.out.buf[from:at]...)
	}
	return max(from, at+n)
}

// breakOff ends an answer at a place with an error of the gateway's own.
func (s *session) breakOff(from, at int, f *failure) int {
	if s.failing {
		return from
	}
	from = s.skip(from, at, 0)
	s.failing, s.refused, s.uncertain = true, false, false
	s.poison.Store(true)
	s.aside = f.appendError(s.aside, "ERROR")
	return from
}

// ready passes on a ReadyForQuery. Where the gateway broke off what PostgreSQL
// had carried out, the client reads that its transaction has failed, and it
// fails before his next statement.
func (s *session) ready(from int, m *mark) (int, error) {
	for s.cancels.Load() > 0 {
		select {
		case <-s.wakeDown:
		case <-s.done:
			return from, errEnded
		}
	}
	if !s.failing {
		s.refused = false
		return from, nil
	}
	if s.uncertain {
		return from, &failure{code: stateUnknown, message: "the statement could not be recorded; whether what followed it took effect is not known"}
	}
	tx := m.tx
	if tx == 'T' && !s.refused {
		tx = 'E'
		s.abort.Store(true)
	}
	s.aside = appendReady(s.aside, tx)
	s.failing, s.refused = false, false
	s.poison.Store(false)
	return m.at + m.n, nil
}

// await waits until a record is made, and reports whether it could be. What
// stands before it is passed on where it would wait for nothing of its own.
func (s *session) await(from *int, at int, r *rec, outcome bool) (bool, error) {
	state := &r.intent
	if outcome {
		state = &r.outcome
	}
	if state.Load() == waits && !s.failing && (!outcome || at-*from >= 4*smallBuffer) {
		if err := s.pass(s.out.buf[*from:at]); err != nil {
			return false, err
		}
		*from = at
	}
	for state.Load() == waits {
		select {
		case <-s.wakeDown:
		case <-s.done:
			return false, errEnded
		}
	}
	return state.Load() == durable, nil
}
