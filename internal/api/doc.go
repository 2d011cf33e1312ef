// Package api is the door for programs: JSON over HTTP with access tokens, and
// the OpenID AuthZEN evaluation for programs that hold the data themselves.
//
// It proves who asks, reads what is asked, calls lookup or investigate, and
// writes the answer; it decides and discloses nothing itself. Every route is in
// routes.go, every error is written in one place (answer.go), and what an
// employee sends that can't be understood is recorded, too.
package api
