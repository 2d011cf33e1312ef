package simulate

// iban returns an IBAN of the country ZZ, which ISO 3166-1 leaves to its users,
// so that no bank can have it; its check digits are right (ISO 13616, mod 97-10).
func iban(n uint64) string {
	var b [22]byte
	b[0], b[1] = 'Z', 'Z'
	n %= 1e18
	for i := 21; i >= 4; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	// The check is taken over the account, "ZZ" as 35 35, and 00.
	rest := 0
	for _, c := range b[4:] {
		rest = (rest*10 + int(c-'0')) % 97
	}
	rest = (rest*1_000_000 + 353500) % 97
	check := 98 - rest
	b[2], b[3] = byte('0'+check/10), byte('0'+check%10)
	return string(b[:])
}

// card returns a card number of sixteen digits that begins with 9999: of
// national use (9) in a country that doesn't exist (999; ISO/IEC 7812), so that
// no card can bear it. Its last digit is right (Luhn).
func card(n uint64) string {
	b := [16]byte{'9', '9', '9', '9'}
	n %= 1e11
	for i := 14; i >= 4; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	sum := 0
	for i := range 15 {
		x := int(b[i] - '0')
		if i%2 == 0 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	b[15] = byte('0' + (10-sum%10)%10)
	return string(b[:])
}

// phonePrefixes are followed by three digits: the numbers that the German
// Bundesnetzagentur keeps for film and television ("Drama numbers").
var phonePrefixes = [...]string{"+493023125", "+496990009", "+494066969", "+492214710", "+498999998"}

// phone returns a telephone number that rings nowhere.
func phone(n uint64) string {
	b := []byte(phonePrefixes[n%uint64(len(phonePrefixes))])
	n /= uint64(len(phonePrefixes))
	return string(append(b, byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10)))
}
