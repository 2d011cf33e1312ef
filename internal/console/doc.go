// Package console is the door for people: the pages of Paravent, rendered on
// the server, working without scripts for the main flows and quicker with them.
//
// It decides nothing and discloses nothing by itself. Who may look is decided
// by lookup; the console asks, shows the answer, and says as what it was
// recorded. A page about a customer or a finding is an act of its own (G7): the
// record is durable before the page is written, and without it there is no page.
//
// routes.go lists every page and who may open it; middleware.go says in one
// place what stands before each of them; render.go writes an answer only once
// it is whole; refuse.go turns every error into a page. Scripts, styles and
// pictures are embedded, and no page asks another host for anything.
package console
