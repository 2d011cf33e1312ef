package store

// stateMigrations make the tables of paravent.db, oldest first. A line that
// was released is never changed: a change is a new line at the end.
var stateMigrations = []string{`
CREATE TABLE accounts (
	login    TEXT PRIMARY KEY,
	kind     TEXT NOT NULL,
	person   TEXT NOT NULL, -- an employee or a customer, as kind says
	hash     TEXT NOT NULL, -- Argon2id, PHC
	disabled INTEGER NOT NULL,
	UNIQUE (kind, person)
) STRICT;
CREATE TABLE sessions (
	hash   BLOB PRIMARY KEY, -- SHA-256 of the secret
	id     TEXT NOT NULL,
	login  TEXT NOT NULL REFERENCES accounts (login),
	device TEXT NOT NULL,
	since  INTEGER NOT NULL,
	seen   INTEGER NOT NULL,
	until  INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_login ON sessions (login);
CREATE INDEX sessions_until ON sessions (until);
CREATE TABLE tokens (
	id         TEXT PRIMARY KEY,
	hash       BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
	login      TEXT NOT NULL REFERENCES accounts (login),
	name       TEXT NOT NULL,
	since      INTEGER NOT NULL,
	seen       INTEGER NOT NULL,
	until      INTEGER NOT NULL,
	revoked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_login ON tokens (login);

CREATE TABLE employees (
	id        TEXT PRIMARY KEY,
	name      TEXT NOT NULL,
	surname   TEXT NOT NULL,
	household TEXT NOT NULL,
	team      TEXT NOT NULL,
	role      TEXT NOT NULL,
	manager   TEXT NOT NULL,
	joined_on INTEGER NOT NULL,
	leaves_on INTEGER NOT NULL
) STRICT;
CREATE TABLE customers (
	id        TEXT PRIMARY KEY,
	surname   TEXT NOT NULL,
	household TEXT NOT NULL,
	notable   INTEGER NOT NULL,
	employee  TEXT NOT NULL
) STRICT;
CREATE TABLE relations (
	employee TEXT NOT NULL,
	customer TEXT NOT NULL,
	kind     TEXT NOT NULL,
	PRIMARY KEY (employee, customer, kind)
) STRICT;
CREATE TABLE qualifications (
	employee    TEXT NOT NULL,
	kind        TEXT NOT NULL,
	valid_until INTEGER NOT NULL,
	PRIMARY KEY (employee, kind)
) STRICT;

CREATE TABLE tasks (
	id           TEXT PRIMARY KEY,
	customer     TEXT NOT NULL, -- '': its closing is known, its opening isn't yet
	purpose      TEXT NOT NULL,
	channel      TEXT NOT NULL,
	order_id     TEXT NOT NULL,
	opened_at    INTEGER NOT NULL,
	opened_by    TEXT NOT NULL,
	closed_at    INTEGER NOT NULL,
	closed_by    TEXT NOT NULL,
	self_made    INTEGER NOT NULL,
	confirmed_by TEXT NOT NULL
) STRICT;
CREATE TABLE assignments (
	task     TEXT NOT NULL,
	employee TEXT NOT NULL, -- one of employee and team is ''
	team     TEXT NOT NULL,
	since    INTEGER NOT NULL,
	until    INTEGER NOT NULL,
	by       TEXT NOT NULL,
	PRIMARY KEY (task, employee, team, since)
) STRICT;
CREATE INDEX assignments_employee ON assignments (employee, since) WHERE employee <> '';
CREATE INDEX assignments_team ON assignments (team, since) WHERE team <> '';
CREATE TABLE contacts (
	id        TEXT PRIMARY KEY,
	customer  TEXT NOT NULL,
	at        INTEGER NOT NULL,
	until     INTEGER NOT NULL,
	channel   TEXT NOT NULL,
	direction TEXT NOT NULL,
	employee  TEXT NOT NULL
) STRICT;
CREATE INDEX contacts_employee ON contacts (employee, at) WHERE employee <> '';
CREATE TABLE facts (
	seq    INTEGER PRIMARY KEY,
	kind   TEXT NOT NULL,
	body   TEXT NOT NULL,    -- the event as JSON
	digest BLOB UNIQUE       -- of kind and body; NULL: may be told again
) STRICT;

CREATE TABLE requests (
	id         TEXT PRIMARY KEY,
	kind       TEXT NOT NULL,
	asker      TEXT NOT NULL,
	task       TEXT NOT NULL,
	customer   TEXT NOT NULL,
	purpose    TEXT NOT NULL,
	why        TEXT NOT NULL, -- the reasons as JSON
	said       TEXT NOT NULL,
	final      INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	until      INTEGER NOT NULL,
	state      TEXT NOT NULL,
	by         TEXT NOT NULL,
	decided_at INTEGER NOT NULL,
	note       TEXT NOT NULL
) STRICT;
CREATE INDEX requests_state ON requests (state, at);
CREATE INDEX requests_asker ON requests (asker, task, customer);

CREATE TABLE tries (
	id       INTEGER PRIMARY KEY,
	employee TEXT NOT NULL,
	at       INTEGER NOT NULL,
	hit      INTEGER NOT NULL
) STRICT;
CREATE INDEX tries_employee ON tries (employee, at);
CREATE INDEX tries_at ON tries (at);
CREATE TABLE near_misses (
	try      INTEGER NOT NULL REFERENCES tries (id) ON DELETE CASCADE,
	customer TEXT NOT NULL,
	at       INTEGER NOT NULL,
	PRIMARY KEY (try, customer)
) STRICT;
CREATE INDEX near_misses_customer ON near_misses (customer, at);
CREATE TABLE locks (
	employee  TEXT PRIMARY KEY,
	until     INTEGER NOT NULL,
	lifted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE lookups (
	position INTEGER PRIMARY KEY, -- in the journal
	id       TEXT NOT NULL,
	at       INTEGER NOT NULL,
	employee TEXT NOT NULL,
	customer TEXT NOT NULL,
	outcome  TEXT NOT NULL,
	act      TEXT NOT NULL, -- '': a look-up
	body     TEXT NOT NULL  -- all of it as JSON
) STRICT;
CREATE INDEX lookups_id ON lookups (id) WHERE id <> '';
CREATE INDEX lookups_customer ON lookups (customer, at) WHERE customer <> '';
CREATE INDEX lookups_employee ON lookups (employee, at);
CREATE INDEX lookups_at ON lookups (at, outcome) WHERE act = '';
CREATE TABLE findings (
	id        TEXT PRIMARY KEY,
	sample    INTEGER NOT NULL,
	score     REAL NOT NULL,
	raised_at INTEGER NOT NULL,
	body      TEXT NOT NULL -- all of it as JSON
) STRICT;
CREATE INDEX findings_raised ON findings (sample, raised_at);
CREATE TABLE follower (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	position INTEGER NOT NULL, -- the next record to be read
	seq      INTEGER NOT NULL, -- the last fact that was read
	state    BLOB NOT NULL
) STRICT;
`, `
ALTER TABLE accounts ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0; -- the password was given out by somebody else
`, `
ALTER TABLE requests ADD COLUMN employee TEXT NOT NULL DEFAULT ''; -- whom an erasure is about
ALTER TABLE requests ADD COLUMN done_at INTEGER NOT NULL DEFAULT 0; -- when it was carried out
CREATE INDEX lookups_acts ON lookups (position) WHERE act <> '';
`, `
ALTER TABLE requests ADD COLUMN about TEXT NOT NULL DEFAULT ''; -- the log that a change of the ledger is about
ALTER TABLE requests ADD COLUMN failure TEXT NOT NULL DEFAULT ''; -- why it couldn't be carried out
`, scramMigration + observedMigration, `
-- The ledger has several logs: a record is known by its number in all of them.
ALTER TABLE lookups RENAME COLUMN position TO number;
ALTER TABLE follower RENAME COLUMN position TO number;
`}

// keyMigrations make the table of keys.db, oldest first; released lines are
// never changed.
var keyMigrations = []string{`
CREATE TABLE keys (
	person TEXT PRIMARY KEY,
	id     BLOB NOT NULL UNIQUE,
	secret BLOB NOT NULL
) STRICT;
`}
