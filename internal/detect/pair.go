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
func (e *Engine) pair(h *history, now int64) {
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
