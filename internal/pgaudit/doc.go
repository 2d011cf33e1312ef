// Package pgaudit reads what the extension pgaudit (1.7 for PostgreSQL 15, 16.0
// and later for those after) writes into PostgreSQL's log: session and object
// audit, as csvlog, as stderr with a log_line_prefix, and through syslog.
//
// It takes lines apart and keeps no literal of any statement: a statement's
// text is what is left without literals and comments, and parameters are never
// read. It decides nothing; what is a read past Paravent is lookup's to say.
//
// A log is written by the database, but much in it is chosen by whoever speaks
// to the database: statements, and the name that a program gives itself. Nothing
// of that can begin an entry of its own or pass for another field: in csvlog by
// PostgreSQL's quoting, on stderr because the lines of a text begin with a tab
// and a prefix with the program's name in it is refused (ParsePrefix).
package pgaudit
