// Package identity proves who is asking: sign-on with a password, sessions,
// access tokens, and the directory's word on whether that person still works
// here.
//
// It is the only place where a Who or a Customer comes into being. Both have no
// exported fields and a zero value that proves nothing, so a look-up can't
// start from a name that somebody merely gave. What an employee may do isn't
// decided here; that is policy's.
//
// Secrets never rest: passwords are kept as Argon2id hashes, session secrets
// and access tokens as SHA-256 of 32 random bytes, with a SCRAM verifier beside
// each token, so that the SQL door never sees one. A tool acts for a person by a
// leave that is good once and for minutes (OnBehalf). Whoever left the company or
// whose account is disabled proves nothing from that moment on, for each use of
// a session or token asks the directory again.
package identity
