// Package detect reads events in order of time, joins look-ups that nothing
// independent explains into episodes, scores each as a sum of readable reasons
// and raises, within a daily budget, those that deserve a person's time.
//
// One Engine serves live traffic and files alike: the same events give the same
// findings, byte for byte, whether they come at once, in pieces, or with a
// Snapshot and Restore between them. It is pure: no I/O, no clock, no
// goroutines; time is what the events and Advance say. See DESIGN.md for the
// life of one event, the invariants and what was rejected.
package detect
