// Package protect makes the policy true inside PostgreSQL: it writes the SQL
// that a DBA reviews, applies it, checks a live database against the policy,
// and takes everything away again. The gateway records; PostgreSQL enforces
// (G1, G2).
//
// What an employee's session may read:
//
//   - one view for each mapped table, in the schema paravent_<source>, over a
//     SECURITY DEFINER function that finds this session's grant and returns the
//     grant's rows, masked. A function rather than a bare view is the fence: no
//     condition, plan setting or EXPLAIN of the employee reaches what it reads;
//     the base table is found by equality with the grant's customer, path step by
//     path step (LATERAL … OFFSET 0), so that no plan reads a neighbour's row.
//   - the tables that the policy calls open.
//
// A session's grant stands in paravent.bound, which only paravent.bind, called
// by the gateway's own role, fills. A session knows its row by the number that
// paravent.hello drew for it from a sequence: currval is kept by the backend
// itself, nobody but the sequence's owner can set it, and no number is ever
// drawn twice, so that neither a reused process id nor a replay finds a grant.
// paravent.hello holds process id and start of the backend against the row. On
// a standby, where nothing can be written, the functions take a token instead
// (HMAC-SHA-256 over pid, backend start, system and grant, for 60 s at most).
//
// What PostgreSQL gives to PUBLIC and an employee must not have is taken from
// PUBLIC and given by name to every role there is, so that the shop's own roles
// lose nothing; what stood before is kept in paravent.saved_acl.
package protect
