package main

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.yaml.in/yaml/v3"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/pggate"
	"paravent/internal/policy"
)

// GateConfig is the door for SQL. Without Listen there is none.
type GateConfig struct {
	// Listen is the door's address, host:port. Anything but loopback requires TLS.
	Listen string
	// Source is the PostgreSQL source behind the door. Default: the only one.
	Source string
	// Database is the name by which clients ask for it. Default: its own name.
	Database string
	// TLSCert and TLSKey are PEM files. Both or neither.
	TLSCert, TLSKey string
	// ClientCA is a PEM file of the authority whose certificates prove employees.
	// Default: none do.
	ClientCA string
	// Certificates says where a certificate names its login. Required with ClientCA.
	Certificates identity.CertificateName
	// RequireTLS refuses whoever doesn't ask for TLS. Default true; false only on
	// loopback.
	RequireTLS bool
	// Limits of a statement by role, and "default" for roles that have none.
	Limits map[string]pggate.Limits
	// KeepIdle is how long a session at PostgreSQL is kept that nobody uses. Default 1 min.
	KeepIdle time.Duration
}

// Limits of a statement where the configuration has none.
var defaultLimits = pggate.Limits{Rows: 100_000, Bytes: 64 << 20, Time: 30 * time.Second, PerMinute: 600}

// gateSettings are the scalars of the section gate.
var gateSettings = []setting{
	{"gate.listen", "host:port, such as 127.0.0.1:5433", func(c *Config, v string) error {
		_, _, err := net.SplitHostPort(v)
		c.Gate.Listen = v
		return err
	}},
	{"gate.source", "the name of a source whose kind is postgres", func(c *Config, v string) error { c.Gate.Source = v; return nil }},
	{"gate.database", "the name of a database, such as shop", func(c *Config, v string) error {
		c.Gate.Database = v
		return matches(v, `^\S+$`)
	}},
	{"gate.tls.cert", "the path of a PEM file", func(c *Config, v string) error { c.Gate.TLSCert = v; return nil }},
	{"gate.tls.key", "the path of a PEM file", func(c *Config, v string) error { c.Gate.TLSKey = v; return nil }},
	{"gate.tls.client_ca", "the path of a PEM file", func(c *Config, v string) error { c.Gate.ClientCA = v; return nil }},
	{"gate.tls.names", "cn, or uri: and what comes before the login, such as uri:spiffe://shop.example/employee/", func(c *Config, v string) error {
		c.Gate.Certificates = identity.CertificateName(v)
		if v == "" || !c.Gate.Certificates.Valid() {
			return fmt.Errorf("%q doesn't fit", v)
		}
		return nil
	}},
	{"gate.require_tls", "true or false", func(c *Config, v string) error {
		c.Gate.RequireTLS = v == "true"
		return matches(v, `^(true|false)$`)
	}},
	{"gate.keep_idle", "a time from 1s to 1h, such as 1m", func(c *Config, v string) error {
		return setDuration(&c.Gate.KeepIdle, v, time.Second, time.Hour)
	}},
}

// limitRoles are the names below gate.limits.
var limitRoles = []string{"default", string(access.RoleAgent), string(access.RoleTeamLead), string(access.RolePrivacyOfficer), string(access.RoleAuditor),
	string(access.RoleAdministrator), string(access.RoleSecurity), string(access.RoleLegal), string(access.RoleTraining), string(access.RoleBot),
	string(access.RoleProgram), string(access.RoleConnector)}

// limits reads gate.limits: role: {rows, bytes, time, per_minute, copy_in}. What
// isn't named is that of default.
func (r *fileReader) limits(n *yaml.Node) {
	const want = "such as {agent: {rows: 1000, bytes: 1MiB, time: 10s, per_minute: 60}}"
	if n.Kind != yaml.MappingNode {
		r.complain(n, "gate.limits: expected roles and their limits", want)
		return
	}
	bodies := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, body := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(limitRoles, key.Value):
			r.complain(key, fmt.Sprintf("gate.limits: %q is not a role", key.Value), policy.DidYouMean(key.Value, limitRoles))
		case bodies[key.Value] != nil:
			r.complain(key, "gate.limits."+key.Value+" is set twice", "keep one of them")
		case body.Kind != yaml.MappingNode:
			r.complain(body, "gate.limits."+key.Value+": expected limits", want)
		default:
			bodies[key.Value] = body
		}
	}
	all := r.config.Gate.Limits
	if body := bodies["default"]; body != nil {
		all["default"] = r.limitsOf("default", body, all["default"])
		delete(bodies, "default")
	}
	for _, role := range slices.Sorted(maps.Keys(bodies)) {
		all[role] = r.limitsOf(role, bodies[role], all["default"])
	}
}

func (r *fileReader) limitsOf(role string, body *yaml.Node, l pggate.Limits) pggate.Limits {
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i], body.Content[i+1]
		var err error
		var want string
		switch key.Value {
		case "rows":
			want = "a whole number from 1"
			l.Rows, err = strconv.ParseInt(value.Value, 10, 64)
		case "bytes":
			want = "a number of bytes from 1, such as 500000, 64KiB or 16MiB"
			l.Bytes, err = parseBytes(value.Value)
		case "time":
			want = "a time from 100ms to 24h"
			err = setDuration(&l.Time, value.Value, 100*time.Millisecond, 24*time.Hour)
		case "per_minute":
			want = "a whole number from 1"
			l.PerMinute, err = strconv.Atoi(value.Value)
		case "copy_in":
			want = "true or false"
			l.CopyIn = value.Value == "true"
			err = matches(value.Value, `^(true|false)$`)
		default:
			r.complain(key, fmt.Sprintf("unknown setting %q", "gate.limits."+role+"."+key.Value), "known are bytes, copy_in, per_minute, rows, time")
			continue
		}
		if err != nil || l.Rows < 1 || l.Bytes < 1 || l.PerMinute < 1 {
			r.complain(value, fmt.Sprintf("gate.limits.%s.%s: %q is not what is expected", role, key.Value, value.Value), "expected "+want)
			l.Rows, l.Bytes, l.PerMinute = max(l.Rows, 1), max(l.Bytes, 1), max(l.PerMinute, 1)
		}
	}
	return l
}

// parseBytes reads a number of bytes.
func parseBytes(v string) (int64, error) {
	m := regexp.MustCompile(`^([0-9]{1,12}) ?(KiB|MiB|GiB)?$`).FindStringSubmatch(v)
	if m == nil {
		return 0, fmt.Errorf("%q isn't", v)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n << map[string]int{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]], err
}

// validateGate checks the door, after the sources.
func (c *Config) validateGate(base string, complain func(key, message, hint string)) {
	g := &c.Gate
	if g.Listen == "" {
		for _, s := range gateSettings {
			if _, set := c.origin[s.key]; set {
				complain(s.key, s.key+" is set, but gate.listen isn't", "name the address of the SQL door, or take the section gate away")
				return
			}
		}
		return
	}
	host, _, err := net.SplitHostPort(g.Listen)
	public := err == nil && !loopback(host)
	if (g.TLSCert == "") != (g.TLSKey == "") {
		complain("gate.tls.cert", "gate.tls has only one of cert and key", "expected both, or neither on a loopback address")
	}
	if _, said := c.origin["gate.require_tls"]; !said {
		g.RequireTLS = public || g.TLSCert != ""
	}
	switch {
	case public && g.TLSCert == "":
		complain("gate.listen", fmt.Sprintf("gate.listen: %s is not a loopback address, and there is no gate.tls", g.Listen), "expected gate.tls.cert and gate.tls.key, or a loopback address")
	case public && !g.RequireTLS:
		complain("gate.require_tls", fmt.Sprintf("gate.require_tls: false, but %s is not a loopback address", g.Listen), "take it away: access tokens would be tried in the clear")
	case g.RequireTLS && g.TLSCert == "":
		complain("gate.require_tls", "gate.require_tls: true, but there is no gate.tls", "expected gate.tls.cert and gate.tls.key")
	}
	if g.ClientCA != "" && g.TLSCert == "" {
		complain("gate.tls.client_ca", "gate.tls has client_ca without cert and key", "expected all three")
	}
	if (g.ClientCA == "") != (g.Certificates == "") {
		complain("gate.tls.client_ca", "gate.tls has only one of client_ca and names", "expected both, or neither: employees then sign on with access tokens alone")
	}
	for _, p := range []*string{&g.TLSCert, &g.TLSKey, &g.ClientCA} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	c.validateBehind(complain)
}

// validateBehind checks which source stands behind the door.
func (c *Config) validateBehind(complain func(key, message, hint string)) {
	g := &c.Gate
	var fit []string
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if c.Sources[name].Kind == kindPostgres {
			fit = append(fit, name)
		}
	}
	if g.Source == "" && len(fit) == 1 {
		g.Source = fit[0]
	}
	if g.Source == "" {
		complain("gate.listen", fmt.Sprintf("gate: %d sources are of the kind postgres", len(fit)), "expected one behind the SQL door, named by gate.source where there are several")
		return
	}
	if !slices.Contains(fit, g.Source) {
		complain("gate.source", fmt.Sprintf("gate.source: %q is not a source whose kind is postgres", g.Source), policy.DidYouMean(g.Source, fit))
		return
	}
	if g.Database == "" {
		if u, err := pgconn.ParseConfig(c.Sources[g.Source].DSN); err == nil {
			g.Database = u.Database
		}
	}
	if g.Database == "" {
		complain("gate.database", "gate.database is missing, and the source's dsn names no database", "expected the name by which clients ask for it, such as shop")
	}
}

const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
)

// validateDSN checks how a PostgreSQL is reached. Its mistakes never quote it:
// it may hold a password.
func (c *Config) validateDSN(name string, s SourceConfig, complain func(key, message, hint string)) {
	key := "sources." + name
	user, password := dsnHas(s.DSN, "user"), dsnHas(s.DSN, "password")
	if u, err := url.Parse(s.DSN); err == nil && u.User != nil {
		_, secret := u.User.Password()
		user, password = user || u.User.Username() != "", password || secret
	}
	switch _, err := pgconn.ParseConfig(s.DSN); {
	case err != nil:
		complain(key, key+".dsn can't be read", "such as postgres://db.example.com:5432/shop?sslmode=verify-full, or host=db.example.com dbname=shop")
	case user:
		complain(key, key+".dsn names a user", "take it away: Paravent connects as paravent_gate and paravent_reader, which paravent protect makes")
	case password && s.Secret != "":
		complain(key, key+" has a password in its dsn and a secret", "keep the secret")
	case password:
		c.warn(key, key+".dsn holds a password in the clear", "use certificates, PGPASSFILE, or secret: with secrets.get")
	}
	if s.Secret != "" && c.SecretsGet == "" {
		complain(key, key+".secret is set, but secrets.get isn't", "name the command that reads a secret")
	}
}

// dsnHas reports whether a DSN has a keyword.
func dsnHas(dsn, word string) bool {
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		return err == nil && u.Query().Has(word)
	}
	return regexp.MustCompile(`(^|\s)` + word + `\s*=`).MatchString(dsn)
}

// warn notes what runs but had better be otherwise.
func (c *Config) warn(key, message, hint string) {
	c.Warnings = append(c.Warnings, policy.Problem{Pos: c.origin[key], Message: message, Hint: hint, Warning: true})
}
