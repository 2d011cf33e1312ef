// Package store keeps what Paravent knows: accounts, sessions and tokens, the
// directory, tasks and other facts of the business, qualifications, requests,
// the index of look-ups, findings, and the ledger's table of keys. One *Store
// implements the small interfaces that the other packages declare.
//
// It has two SQLite files in one folder. keys.db holds the keys under which
// people's records are sealed and nothing else, so that it can be backed up,
// and forgotten, apart; every change of it is synced before it returns.
// paravent.db holds all the rest. What can't be made again (accounts,
// revocations, tasks, requests) is synced too; the index of look-ups and the
// findings aren't, for they are rebuilt from the journal.
//
// The SQL stands beside the Go that runs it, one statement one name, with ?
// placeholders, and keeps to what PostgreSQL understands as well. Times are
// integers, microseconds since 1970 UTC, 0 for "not known"; text is compared
// byte by byte and holds neither NUL nor broken UTF-8.
package store
