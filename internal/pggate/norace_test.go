//go:build !race

package pggate_test

const underRace = false
