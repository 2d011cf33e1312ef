package detect

// keep adds a visit that leaves a question to the history of its pair, and
// looks whether the pair, the run through many customers or the helpers
// deserve a finding now.
func (e *Engine) keep(en, cn int32, j judged, now int64) {
	key := pairOf(en, cn)
	k, ok := e.pairs[key]
	if !ok {
		if n := len(e.st.FreePair); n > 0 {
			k, e.st.FreePair = e.st.FreePair[n-1], e.st.FreePair[:n-1]
			e.st.Pairs[k] = history{E: en, C: cn}
		} else {
			k = int32(len(e.st.Pairs))
			e.st.Pairs = append(e.st.Pairs, history{E: en, C: cn})
		}
		e.pairs[key] = k
	}
	h := &e.st.Pairs[k]
	h.Visits = append(h.Visits, j)
	e.pair(h, now)
}

// pair scores one employee at one customer.
//
// What belongs to a run or a crowd that a person has just been shown isn't
// shown again pair by pair, unless the two know each other.
func (e *Engine) pair(h *history, now int64) {
	if !e.facts.Ties(h.E, h.C).Any() && e.partOfMore(h, now) {
		return
	}
	rs := e.pairReasons(h)
	e.propose(candidate{kind: KindPair, employees: []int32{h.E}, customers: []int32{h.C}, looks: looksOf(h.Visits), reasons: rs, telling: h.telling()}, now)
}

// telling returns the visit that is least explained, the latest of such.
func (h *history) telling() *judged {
	t := &h.Visits[0]
	for i := range h.Visits {
		if h.Visits[i].Open >= t.Open {
			t = &h.Visits[i]
		}
	}
	return t
}

func looksOf(visits []judged) []look {
	var out []look
	for i := range visits {
		out = append(out, visits[i].Looks...)
	}
	return out
}

// partOfMore reports whether the latest visit of a pair is part of a crowd or a
// run that was raised within a fortnight, or of a bulk export.
func (e *Engine) partOfMore(h *history, now int64) bool {
	since := now - 14*day
	if r := e.lastRaised(string(KindCrowd) + "\x01" + string(e.facts.CustomerID(h.C))); r != nil && r.At >= since {
		return true
	}
	j := &h.Visits[len(h.Visits)-1]
	p := e.person(h.E)
	if r := e.lastRaised(string(KindRun) + "\x00" + string(e.facts.EmployeeID(h.E))); r != nil && r.At >= since && len(h.Visits) == 1 {
		return true
	}
	if !j.Exported {
		return false
	}
	exports := 0
	for i := len(p.Open) - 1; i >= 0 && p.Open[i].At >= j.First-day; i-- {
		if p.Open[i].Export {
			exports++
		}
	}
	return exports >= bulk
}

// bulk is how many customers exported within a day are a list and not people.
const bulk = 5
