package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones, on machines that have no list of them

	"paravent/internal/pggate"
	"paravent/internal/policy"
	"paravent/internal/witness"
)

// Config is everything that `serve` can be told. Each value comes from the
// file, or from the environment, or from a flag; the later wins. A missing
// value never weakens a check: what has no safe default is required.
type Config struct {
	// Listen is the address of the console and the API, host:port. Default
	// 127.0.0.1:8420. Anything but loopback requires TLS.
	Listen string
	// Hosts are the names under which browsers and programs reach the server,
	// besides Listen's own. A request with any other Host header is refused.
	Hosts []string
	// TLSCert and TLSKey are PEM files. Both or neither.
	TLSCert, TLSKey string
	// Data is the folder of the ledger, the keys and the store. It belongs to
	// one process at a time. Required.
	Data string
	// Policy is the data map and the purposes. Required.
	Policy string
	// Conditions is the Cedar file. Required.
	Conditions string
	// Sources are the protected databases by name. At least one is required.
	Sources map[string]SourceConfig
	// Witnesses remember the ledger's state on machines of other parties. With
	// none, whoever holds disk and key could drop the newest records unseen.
	Witnesses []witness.Peer
	// Witness says how many of them must cosign, what happens when fewer do, and
	// after how long. Default: none must, warn, 10 s.
	Witness witness.Policy
	// LedgerPublic lets everybody read checkpoint, tiles and leaves below
	// /ledger/, which name nobody. Default: auditors with a token only.
	LedgerPublic bool
	// LedgerTurn is the age at which the server freezes the log and opens the next
	// one, with a new key: from 1 day on; 0: only when people ask for it. Default
	// 365 days.
	LedgerTurn time.Duration
	// LedgerKeep is how long a frozen log is kept before people may drop it: from 1
	// day on. Default 10 years.
	LedgerKeep time.Duration
	// SecretsGet and SecretsPut are commands that read and keep a secret in the
	// company's secret manager; {name} in them stands for the secret's name. Default:
	// none, keys are files in Data.
	SecretsGet, SecretsPut string
	// Passed are roles of the protected PostgreSQL under which the shop's own
	// programs read. What anybody else reads past Paravent, as its log tells
	// (paravent ingest), is recorded and a finding. Default: none.
	Passed []string
	// Node names this server in the ledger. Default "n1".
	Node string
	// Budget is how many findings a day people can read: 1 to 1000. Default 5.
	Budget int
	// SessionLasts ends a sign-in after this time, whatever happens: at most
	// 24 h. Default 10 h.
	SessionLasts time.Duration
	// SessionIdle ends a sign-in that nobody uses: at most SessionLasts.
	// Default 30 min.
	SessionIdle time.Duration

	// Zone is the time zone in which pages show times, an IANA name such as
	// Europe/Berlin. Default: the machine's own, UTC where that isn't known.
	Zone *time.Location

	// Gate is the door for SQL. Default: there is none.
	Gate GateConfig

	// Warnings are what runs but had better be otherwise.
	Warnings policy.Problems

	// origin says where each value came from, for messages: a place in the
	// file, or the name of a variable or flag.
	origin map[string]policy.Pos
}

// SourceConfig says where a protected database is.
type SourceConfig struct {
	Kind string // "sqlite" or "postgres"
	// Path is the file of a SQLite database.
	Path string
	// DSN says where a PostgreSQL is, as libpq writes it: a URL or keywords, without
	// a user. Passwords come from PGPASSFILE or Secret.
	DSN string
	// Standby says that it is one: nothing can be written there.
	Standby bool
	// Secret begins the names of two secrets: the passwords of paravent_gate
	// (Secret-gate) and paravent_reader (Secret-reader). Default: none.
	Secret string
}

// setting is one scalar value of the configuration.
type setting struct {
	key  string // as in the file: "tls.cert"
	want string // what is expected, in words
	set  func(c *Config, value string) error
}

// settings lists every scalar of the file. The environment's names are made of
// the keys: tls.cert is PARAVENT_TLS_CERT.
var settings = append([]setting{
	{"listen", "host:port, such as 127.0.0.1:8420", func(c *Config, v string) error {
		_, _, err := net.SplitHostPort(v)
		c.Listen = v
		return err
	}},
	{"tls.cert", "the path of a PEM file", func(c *Config, v string) error { c.TLSCert = v; return nil }},
	{"tls.key", "the path of a PEM file", func(c *Config, v string) error { c.TLSKey = v; return nil }},
	{"data", "the path of a folder made by paravent init", func(c *Config, v string) error { c.Data = v; return nil }},
	{"policy", "the path of policy.yaml", func(c *Config, v string) error { c.Policy = v; return nil }},
	{"conditions", "the path of a Cedar file", func(c *Config, v string) error { c.Conditions = v; return nil }},
	{"node", "a short name of letters, digits and dashes", func(c *Config, v string) error {
		c.Node = v
		return matches(v, `^[a-z0-9][a-z0-9-]{0,31}$`)
	}},
	{"witness.need", "a whole number of witnesses, 0 to all of them", func(c *Config, v string) error {
		return setInt(&c.Witness.Need, v, 0, 100)
	}},
	{"witness.if_missing", "warn or refuse", func(c *Config, v string) error {
		c.Witness.IfMissing = witness.Missing(v)
		return matches(v, `^(warn|refuse)$`)
	}},
	{"witness.grace", "a time from 1s, such as 10s", func(c *Config, v string) error {
		return setDuration(&c.Witness.Grace, v, time.Second, 24*time.Hour)
	}},
	{"ledger.public", "true or false", func(c *Config, v string) error {
		c.LedgerPublic = v == "true"
		return matches(v, `^(true|false)$`)
	}},
	{"ledger.turn", "a number of days or years such as 365d or 1y, or never", func(c *Config, v string) error {
		if v == "never" {
			c.LedgerTurn = 0
			return nil
		}
		return setDays(&c.LedgerTurn, v)
	}},
	{"ledger.keep", "a number of days or years, such as 3650d or 10y", func(c *Config, v string) error { return setDays(&c.LedgerKeep, v) }},
	{"secrets.get", "a command with {name} in it that prints the secret of that name", func(c *Config, v string) error {
		c.SecretsGet = v
		_, err := newCommandSecrets(v, "")
		return err
	}},
	{"secrets.put", "a command with {name} in it that keeps its standard input as the secret of that name", func(c *Config, v string) error {
		c.SecretsPut = v
		_, err := newCommandSecrets(v, v)
		return err
	}},
	{"observe.passed", "roles of the database, with commas between them, such as shop_app, shop_bi", func(c *Config, v string) error {
		c.Passed = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		return matches(v, `^[^,\s]+( *, *[^,\s]+)*$`)
	}},
	{"zone", "a time zone's IANA name, such as Europe/Berlin", func(c *Config, v string) error {
		zone, err := time.LoadLocation(v)
		if err == nil && v == "Local" {
			err = errors.New("not a name that a browser knows")
		}
		c.Zone = zone
		return err
	}},
	{"review.budget", "a whole number of findings a day from 1 to 1000", func(c *Config, v string) error {
		return setInt(&c.Budget, v, 1, 1000)
	}},
	{"sessions.lasts", "a time of at most 24h, such as 10h", func(c *Config, v string) error {
		return setDuration(&c.SessionLasts, v, time.Minute, 24*time.Hour)
	}},
	{"sessions.idle", "a time from 1m, such as 30m", func(c *Config, v string) error {
		return setDuration(&c.SessionIdle, v, time.Minute, 24*time.Hour)
	}},
}, gateSettings...)

func matches(v, pattern string) error {
	if !regexp.MustCompile(pattern).MatchString(v) {
		return fmt.Errorf("%q doesn't fit", v)
	}
	return nil
}

func setInt(dst *int, v string, low, high int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q isn't", v)
	}
	*dst = n
	return nil
}

func setDuration(dst *time.Duration, v string, low, high time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < low || d > high {
		return fmt.Errorf("%q isn't", v)
	}
	*dst = d
	return nil
}

// setDays reads a number of days or years: "365d", "10y".
func setDays(dst *time.Duration, v string) error {
	const day = 24 * time.Hour
	var n int
	var unit string
	if _, err := fmt.Sscanf(v, "%d%1s", &n, &unit); err != nil || v != fmt.Sprint(n, unit) {
		return fmt.Errorf("%q isn't", v)
	}
	each := map[string]time.Duration{"d": day, "y": 365 * day}[unit]
	if each == 0 || n < 1 || n > 100*365 || time.Duration(n)*each > 100*365*day {
		return fmt.Errorf("%q isn't", v)
	}
	*dst = time.Duration(n) * each
	return nil
}

// loadConfig reads the file, then the environment, then the flags that were
// set, and returns every mistake at once as policy.Problems. Relative paths of
// the file start at the file's folder.
func loadConfig(path string, environ []string, flags map[string]string) (*Config, error) {
	c := &Config{
		Listen: "127.0.0.1:8420", Node: "n1", Budget: 5,
		SessionLasts: 10 * time.Hour, SessionIdle: 30 * time.Minute, Zone: localZone(),
		LedgerTurn: 365 * 24 * time.Hour, LedgerKeep: 10 * 365 * 24 * time.Hour,
		Sources: map[string]SourceConfig{}, origin: map[string]policy.Pos{},
		Gate: GateConfig{KeepIdle: time.Minute, Limits: map[string]pggate.Limits{"default": defaultLimits}},
	}
	text, err := os.ReadFile(path)
	if err != nil {
		err = fmt.Errorf("read configuration: %w", err)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w\nName it with --config, or make one with: paravent init DIR", err)
		}
		return nil, usageError{err}
	}
	problems, legible := c.readFile(path, text)
	if !legible {
		return nil, problems
	}
	problems = append(problems, c.readEnvironment(environ)...)
	problems = append(problems, c.readFlags(flags)...)
	problems = append(problems, c.validate(path)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

func (c *Config) readEnvironment(environ []string) (problems policy.Problems) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "PARAVENT_") || name == "PARAVENT_TOKEN" || name == "PARAVENT_SERVER" {
			continue // the last two are the clients'
		}
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "PARAVENT_")), "_", ".")
		for _, s := range settings { // gate.require_tls is PARAVENT_GATE_REQUIRE_TLS
			if strings.ReplaceAll(s.key, "_", ".") == key {
				key = s.key
			}
		}
		problems = append(problems, c.apply(key, value, name, 0)...)
	}
	return problems
}

func (c *Config) readFlags(flags map[string]string) (problems policy.Problems) {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		problems = append(problems, c.apply(key, flags[key], "--"+key, 0)...)
	}
	return problems
}

// apply sets one scalar.
func (c *Config) apply(key, value, from string, line int) policy.Problems {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
	if i < 0 {
		return policy.Problems{{Pos: policy.Pos{File: from, Line: line}, Message: fmt.Sprintf("unknown setting %q", key), Hint: "known are " + knownSettings()}}
	}
	if err := settings[i].set(c, value); err != nil {
		return policy.Problems{{Pos: policy.Pos{File: from, Line: line}, Message: fmt.Sprintf("%s: %q is not what is expected", key, value), Hint: "expected " + settings[i].want}}
	}
	c.origin[key] = policy.Pos{File: from, Line: line}
	return nil
}

func knownSettings() string {
	names := []string{"gate.limits", "hosts", "sources", "witnesses"}
	for _, s := range settings {
		names = append(names, s.key)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// validate checks what no single value shows: what is required, what belongs
// together, what exists.
func (c *Config) validate(path string) (problems policy.Problems) {
	complain := func(key, message, hint string) {
		at := policy.Pos{File: path}
		if known, ok := c.origin[key]; ok {
			at = known
		}
		problems = append(problems, policy.Problem{Pos: at, Message: message, Hint: hint})
	}
	for _, r := range []struct{ key, value string }{{"data", c.Data}, {"policy", c.Policy}, {"conditions", c.Conditions}} {
		if r.value == "" {
			complain(r.key, r.key+" is missing", "expected a path; paravent init writes a configuration that has it")
		}
	}
	if len(c.Sources) == 0 {
		complain("sources", "sources names no database", "expected at least one, such as: sources: {shop: {kind: sqlite, path: shop.db}}")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		complain("tls.cert", "tls has only one of cert and key", "expected both, or neither on a loopback address")
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && !loopback(host) && c.TLSCert == "" {
		complain("listen", fmt.Sprintf("listen: %s is not a loopback address, and there is no tls", c.Listen), "expected tls.cert and tls.key, or a loopback address behind your own proxy")
	}
	if c.SessionIdle > c.SessionLasts {
		complain("sessions.idle", "sessions.idle is longer than sessions.lasts", "expected at most "+c.SessionLasts.String())
	}
	if c.SecretsPut != "" && c.SecretsGet == "" {
		complain("secrets.put", "secrets has put without get", "expected both, or neither: keys are then files in the data folder")
	}
	c.Witness.Witnesses = c.Witnesses
	if err := c.Witness.Check(witness.Log{}); err != nil {
		complain("witness.need", "witness: "+err.Error(), "see witnesses and witness in the configuration that paravent init writes")
	}
	base := filepath.Dir(path)
	for _, p := range []*string{&c.TLSCert, &c.TLSKey, &c.Data, &c.Policy, &c.Conditions} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	c.validateGate(base, complain)
	for _, need := range []struct{ key, path string }{
		{"data", c.Data}, {"policy", c.Policy}, {"conditions", c.Conditions}, {"tls.cert", c.TLSCert}, {"tls.key", c.TLSKey},
		{"gate.tls.cert", c.Gate.TLSCert}, {"gate.tls.key", c.Gate.TLSKey}, {"gate.tls.client_ca", c.Gate.ClientCA},
	} {
		if need.path == "" {
			continue
		}
		if _, err := os.Stat(need.path); err != nil {
			complain(need.key, fmt.Sprintf("%s: can't be opened: %v", need.key, pathReason(err)), "expected an existing "+map[bool]string{true: "folder", false: "file"}[need.key == "data"]+"; paravent init makes one")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		s := c.Sources[name]
		if s.Kind == kindPostgres && s.DSN != "" {
			c.validateDSN(name, s, complain)
		}
		if s.Path != "" && !filepath.IsAbs(s.Path) {
			s.Path = filepath.Join(base, s.Path)
			c.Sources[name] = s
		}
		if _, err := os.Stat(s.Path); s.Path != "" && err != nil {
			complain("sources."+name, fmt.Sprintf("sources.%s.path: can't be opened: %v", name, pathReason(err)), "expected an existing SQLite file")
		}
	}
	return problems
}

// pathReason shortens an error of the file system: path and reason.
func pathReason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Path + ": " + pe.Err.Error()
	}
	return err.Error()
}

// localZone is the machine's time zone under the name that a browser knows it
// by; UTC where it has none.
func localZone() *time.Location {
	name := os.Getenv("TZ")
	if link, err := os.Readlink("/etc/localtime"); name == "" && err == nil {
		_, name, _ = strings.Cut(link, "zoneinfo/")
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return time.UTC
	}
	return zone
}

// loopback reports whether host is this machine alone.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
