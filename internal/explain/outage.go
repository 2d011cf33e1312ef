package explain

// tenDays is how many hours of contacts are remembered.
const tenDays = 240

// countContact counts a contact in its hour.
func (f *Facts) countContact(at int64) {
	h := at / hour
	list := f.st.Hours
	i := len(list)
	for i > 0 && list[i-1].Hour > h {
		i--
	}
	if i > 0 && list[i-1].Hour == h {
		list[i-1].N++
		return
	}
	list = append(list, contactHour{})
	copy(list[i+1:], list[i:])
	list[i] = contactHour{Hour: h, N: 1}
	for len(list) > 0 && list[0].Hour < list[len(list)-1].Hour-tenDays {
		list = list[1:]
	}
	f.st.Hours = list
}

// ContactsExpected says how far contacts were being recorded around `at`, as
// known at `now`: 1 as on other days at that time, 0 not at all. When the
// telephone system is down, a missing contact says nothing.
func (f *Facts) ContactsExpected(at, now int64) float64 {
	h := at / hour
	var here, before float64
	for i := range f.st.Hours {
		k := &f.st.Hours[i]
		switch d := h - k.Hour; {
		case d >= -1 && d <= 1:
			here += float64(k.N)
		case d > 12 && (d%24 <= 1 || d%24 == 23):
			before += float64(k.N) / 9
		}
	}
	if before < 3 {
		return 0.5 // too little is known to say
	}
	return min(1, 2*here/before)
}
