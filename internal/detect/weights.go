package detect

// The weights of reasons. A finding's score is 1 − e^(−sum), so a sum of 1 is
// 0.63, 1.4 is 0.75, 2 is 0.86, 3 is 0.95. Each weight says how much more
// likely the reason is where somebody looked for himself than where he looked
// for work, roughly as the natural logarithm of that ratio; they are few, round
// and written by people.
const (
	defaultThreshold = 0.75

	// searchHit: a name in a result list was shown, not opened.
	searchHit = 0.25
)
