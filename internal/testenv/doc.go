// Package testenv gives tests what they stand on: a clock that they set, a
// store in a temporary folder, and people who are proven by the identity
// service itself, through the same doors as in earnest. It is imported by tests
// only.
package testenv
