package review

// parseTime reads an RFC 3339 time and returns microseconds since 1970-01-01
// UTC. It takes what time.Parse(time.RFC3339) takes, minus a comma before the
// fraction, many times faster; finer digits than microseconds are dropped.
func parseTime(b []byte) (int64, bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	day, ok := parseDate(b[:10])
	hour, minute, second := two(b[11:]), two(b[14:]), two(b[17:])
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	us := day + int64(hour*3600+minute*60+second)*1e6
	rest := b[19:]
	if rest[0] == '.' {
		fraction, digits := int64(0), 0
		for rest = rest[1:]; len(rest) > 0 && isDigit(rest[0]); rest = rest[1:] {
			if digits++; digits <= 6 {
				fraction = fraction*10 + int64(rest[0]-'0')
			}
		}
		if digits == 0 {
			return 0, false
		}
		for ; digits < 6; digits++ {
			fraction *= 10
		}
		us += fraction
	}
	if len(rest) == 1 && rest[0] == 'Z' {
		return us, true
	}
	if len(rest) != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' {
		return 0, false
	}
	oh, om := two(rest[1:]), two(rest[4:])
	if oh < 0 || oh > 23 || om < 0 || om > 59 {
		return 0, false
	}
	offset := int64(oh*3600+om*60) * 1e6
	if rest[0] == '-' {
		offset = -offset
	}
	return us - offset, true
}

// parseDate reads a date such as 2006-01-02 and returns its midnight in UTC,
// in microseconds since 1970.
func parseDate(b []byte) (int64, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, year2, month, day := two(b), two(b[2:]), two(b[5:]), two(b[8:])
	if century < 0 || year2 < 0 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	year := century*100 + year2
	if day > daysIn(year, month) {
		return 0, false
	}
	return int64(daysSince1970(year, month, day)) * 86400e6, true
}

// parseDayOrTime reads a date, or a time of which the UTC day counts.
func parseDayOrTime(b []byte) (int64, bool) {
	if us, ok := parseDate(b); ok {
		return us, true
	}
	us, ok := parseTime(b)
	if !ok {
		return 0, false
	}
	day := us / 86400e6
	if us < 0 && us%86400e6 != 0 {
		day--
	}
	return day * 86400e6, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// two returns the number that the first two bytes spell, -1 where they don't.
func two(b []byte) int {
	if !isDigit(b[0]) || !isDigit(b[1]) {
		return -1
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// daysSince1970 counts the days from 1970-01-01 in the Gregorian calendar, by
// Howard Hinnant's "days_from_civil", in which the year begins with March.
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}
