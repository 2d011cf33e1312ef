// Package pggate is the door for SQL: employees, their tools and their BI
// programs speak PostgreSQL's wire protocol to it, and it speaks it to the
// shop's PostgreSQL.
//
// It proves who asks (SCRAM-SHA-256 with an access token, or a client
// certificate), has the task decided by lookup, takes an upstream session that
// is bound to that one grant, and holds back every byte that a statement brings
// until the record of it is durable (G3). It is not the wall: what a statement
// can read is decided by the database itself (protect). Nothing here parses SQL
// for safety; texts are taken apart for the record, and to answer clearly.
//
// DESIGN.md tells the life of one statement and the invariants.
package pggate
