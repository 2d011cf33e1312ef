//go:build race

package pggate_test

// underRace says that the race detector's own memory is counted, too.
const underRace = true
