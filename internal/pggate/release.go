package pggate

// release passes on what walk went over, up to end, doing what the marks say.
// In a loop it doesn't wait: through is false where a record isn't made yet,
// and it goes on there when it is called again.
func (s *session) release(end int) (through bool, err error) {
	for ; s.markAt < len(s.marks); s.markAt++ {
		if through, err := s.carryOut(&s.marks[s.markAt]); err != nil || !through {
			return false, err
		}
	}
	from := s.from
	s.from, s.markAt = 0, 0
	if s.failing {
		from = end
	}
	return true, s.pass(s.out.buf[from:end])
}

// carryOut does what one mark says.
func (s *session) carryOut(m *mark) (through bool, err error) {
	known, ok := true, true
	if m.rec != nil {
		known, ok, err = s.await(m.at, m.rec, m.do != needIntent)
		if err != nil || !known {
			return false, err
		}
	}
	switch m.do {
	case needIntent:
		if !ok {
			s.breakOff(m.at, errRecord)
			m.rec.told.Store(true)
		}
	case needOutcome:
		if s.failing {
			s.uncertain = s.uncertain || m.rec.stmt.writes
		} else if !ok {
			s.breakOff(m.at, errRecord)
		}
	case leaveOut:
		s.skip(m.at, m.n)
	case erred:
		s.refused = true
	case replace:
		s.skip(m.at, m.n)
		if fail := m.fail; !s.failing {
			if !ok {
				fail = errRecord
			}
			s.aside = fail.appendError(s.aside, "ERROR")
		}
	case breakOff:
		s.breakOff(m.at, m.fail)
	case ready:
		return s.ready(m)
	}
	return true, nil
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
	s.whole = false
	if s.looped.loop != nil {
		if err := s.passNow(b); err != nil {
			return err
		}
		s.whole = true
		return nil
	}
	s.writing.Store(s.gate.coarse.Load())
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
func (s *session) skip(at, n int) {
	if at > s.from && !s.failing {
		s.aside = append(s.aside, s.out.buf[s.from:at]...)
	}
	s.from = max(s.from, at+n)
}

// breakOff ends an answer at a place with an error of the gateway's own.
func (s *session) breakOff(at int, f *failure) {
	if s.failing {
		return
	}
	s.skip(at, 0)
	s.failing, s.refused, s.uncertain = true, false, false
	s.poison.Store(true)
	s.aside = f.appendError(s.aside, "ERROR")
}

// ready passes on a ReadyForQuery. Where the gateway broke off what PostgreSQL
// had carried out, the client reads that its transaction has failed, and it
// fails before his next statement.
func (s *session) ready(m *mark) (through bool, err error) {
	if known, err := s.until(func() bool { return s.cancels.Load() == 0 }); err != nil || !known {
		return false, err
	}
	if !s.failing {
		s.refused = false
		return true, nil
	}
	if s.uncertain {
		return false, &failure{code: stateUnknown, message: "the statement could not be recorded; whether what followed it took effect is not known"}
	}
	tx := m.tx
	if tx == 'T' && !s.refused {
		tx = 'E'
		s.abort.Store(true)
	}
	s.aside = appendReady(s.aside, tx)
	s.failing, s.refused = false, false
	s.poison.Store(false)
	s.from = m.at + m.n
	return true, nil
}

// await waits until a record is made, and reports whether it could be; known
// is false where a loop must come back later. What stands before it is passed
// on where it would wait for nothing of its own.
func (s *session) await(at int, r *rec, outcome bool) (known, ok bool, err error) {
	state := &r.intent
	if outcome {
		state = &r.outcome
	}
	if state.Load() == waits && !s.failing && at > s.from && (!outcome || at-s.from >= 4*smallBuffer) {
		if err := s.pass(s.out.buf[s.from:at]); err != nil {
			return false, false, err
		}
		s.from = at
	}
	known, err = s.until(func() bool { return state.Load() != waits })
	return known, state.Load() == durable, err
}

// until waits for something that wakes the downward side; in a loop it only
// looks, and is woken later.
func (s *session) until(so func() bool) (bool, error) {
	if so() {
		return true, nil
	}
	if s.looped.loop != nil {
		s.looped.waiting.Store(true)
		return so(), nil
	}
	for !so() {
		select {
		case <-s.wakeDown:
		case <-s.done:
			return false, errEnded
		}
	}
	return true, nil
}
