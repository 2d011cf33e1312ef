package simulate

// What the tests in package simulate_test see of the inner parts.
var (
	IBAN  = iban
	Card  = card
	Phone = phone
)

// Purposes returns what a task of each purpose needs, in the review's words.
func Purposes() map[string]string {
	m := map[string]string{}
	for _, p := range purposes {
		m[string(p.name)] = categoryWords[p.needs]
	}
	return m
}
