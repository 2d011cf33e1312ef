package main

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"paravent/internal/policy"
	"paravent/internal/witness"
)

// readFile fills c from the text of paravent.yaml and returns every mistake
// with its line. Where legible is false, nothing could be read, and what is
// missing can't be told.
func (c *Config) readFile(path string, text []byte) (problems policy.Problems, legible bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return policy.Problems{{Pos: policy.Pos{File: path, Line: yamlLine(err)}, Message: "not YAML: " + yamlMessage(err), Hint: "check the indentation, the brackets and the colons around this line"}}, false
	}
	if len(doc.Content) == 0 {
		return policy.Problems{{Pos: policy.Pos{File: path, Line: 1}, Message: "the file is empty", Hint: "paravent init writes one that runs as it is"}}, false
	}
	r := fileReader{config: c, path: path}
	r.mapping(doc.Content[0], "")
	return r.problems, true
}

// fileReader walks the nodes of paravent.yaml.
type fileReader struct {
	config   *Config
	path     string
	problems policy.Problems
}

func (r *fileReader) complain(n *yaml.Node, message, hint string) {
	r.problems = append(r.problems, policy.Problem{Pos: policy.Pos{File: r.path, Line: n.Line, Column: n.Column}, Message: message, Hint: hint})
}

// mapping reads one mapping whose keys begin with prefix ("" or "tls.").
func (r *fileReader) mapping(n *yaml.Node, prefix string) {
	if n.Kind != yaml.MappingNode {
		r.complain(n, "expected settings, one `key: value` a line", "known are "+knownSettings())
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := prefix + key.Value
		if seen[name] {
			r.complain(key, name+" is set twice", "keep one of them")
			continue
		}
		seen[name] = true
		switch {
		case name == "hosts":
			r.hosts(value)
		case name == "sources":
			r.sources(value)
		case name == "witnesses":
			r.witnesses(value)
		case name == "gate.limits":
			r.limits(value)
		case section(name) && (prefix == "" || value.Kind == yaml.MappingNode):
			r.mapping(value, name+".")
		case value.Kind != yaml.ScalarNode:
			r.complain(value, name+": expected one value", "")
		default:
			problems := r.config.apply(name, value.Value, r.path, key.Line)
			r.problems = append(r.problems, problems...)
		}
	}
}

// section reports whether some setting is called name.something.
func section(name string) bool {
	for _, s := range settings {
		if strings.HasPrefix(s.key, name+".") {
			return true
		}
	}
	return false
}

func (r *fileReader) hosts(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.complain(n, "hosts: expected a list of names", "such as hosts: [paravent.example.com]")
		return
	}
	for _, item := range n.Content {
		if matches(item.Value, `^[A-Za-z0-9.-]+(:[0-9]+)?$`) != nil {
			r.complain(item, fmt.Sprintf("hosts: %q is not a host name", item.Value), "expected a name such as paravent.example.com")
			continue
		}
		r.config.Hosts = append(r.config.Hosts, item.Value)
	}
}

func (r *fileReader) sources(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.complain(n, "sources: expected a mapping of names to databases", "such as sources: {shop: {kind: sqlite, path: shop.db}}")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, body := n.Content[i], n.Content[i+1]
		if body.Kind != yaml.MappingNode {
			r.complain(body, "sources."+name.Value+": expected kind and path", "such as {kind: sqlite, path: shop.db} or {kind: postgres, dsn: \"postgres://db.example.com/shop\"}")
			continue
		}
		r.source(name, body)
	}
}

func (r *fileReader) source(name, body *yaml.Node) {
	var s SourceConfig
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i], body.Content[i+1]
		switch key.Value {
		case "kind":
			s.Kind = value.Value
		case "path":
			s.Path = value.Value
		case "dsn":
			s.DSN = value.Value
		case "secret":
			s.Secret = value.Value
			if matches(value.Value, `^[A-Za-z0-9][A-Za-z0-9._-]*$`) != nil {
				r.complain(value, "sources."+name.Value+".secret is not what is expected", "expected the beginning of a secret's name: letters, digits, dots and dashes")
			}
		case "standby":
			s.Standby = value.Value == "true"
			if matches(value.Value, `^(true|false)$`) != nil {
				r.complain(value, "sources."+name.Value+".standby: "+strconv.Quote(value.Value)+" is not what is expected", "expected true or false")
			}
		default:
			r.complain(key, fmt.Sprintf("unknown setting %q", "sources."+name.Value+"."+key.Value), "known are dsn, kind, path, secret, standby")
		}
	}
	r.config.Sources[name.Value] = s
	r.config.origin["sources."+name.Value] = policy.Pos{File: r.path, Line: name.Line}
	r.kind(name, body, s)
}

// kind checks that a source has what its kind needs, and nothing else.
func (r *fileReader) kind(name, body *yaml.Node, s SourceConfig) {
	switch {
	case s.Kind == kindSQLite && s.Path == "":
		r.complain(body, "sources."+name.Value+".path is missing", "expected the path of the database file")
	case s.Kind == kindSQLite && (s.DSN != "" || s.Standby || s.Secret != ""):
		r.complain(body, "sources."+name.Value+": dsn, standby and secret belong to kind: postgres", "take them away, or change the kind")
	case s.Kind == kindPostgres && s.DSN == "":
		r.complain(body, "sources."+name.Value+".dsn is missing", "such as postgres://db.example.com:5432/shop?sslmode=verify-full")
	case s.Kind == kindPostgres && s.Path != "":
		r.complain(body, "sources."+name.Value+".path belongs to kind: sqlite", "take it away, or change the kind")
	case s.Kind != kindSQLite && s.Kind != kindPostgres:
		r.complain(body, fmt.Sprintf("sources.%s.kind: %q is not a kind of database", name.Value, s.Kind), "expected sqlite or postgres")
	}
}

// witnesses reads a list of {name, url, key}.
func (r *fileReader) witnesses(n *yaml.Node) {
	const want = "such as - {name: works-council, url: https://witness.example.com:8421, key: the line that paravent witness prints}"
	if n.Kind != yaml.SequenceNode {
		r.complain(n, "witnesses: expected a list", want)
		return
	}
	for _, item := range n.Content {
		var w struct{ Name, URL, Key string }
		if item.Kind != yaml.MappingNode || len(item.Content) != 6 || item.Decode(&w) != nil {
			r.complain(item, "witnesses: expected name, url and key", want)
			continue
		}
		peer, err := witness.NewPeer(w.Name, w.URL, w.Key)
		if err != nil {
			r.complain(item, "witnesses: "+err.Error(), want)
			continue
		}
		r.config.Witnesses = append(r.config.Witnesses, peer)
	}
}

// yamlLine takes the line out of a YAML syntax error ("yaml: line 3: ...").
func yamlLine(err error) int {
	var line int
	if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d:", &line); scanErr != nil {
		return 1
	}
	return line
}

// yamlMessage is a YAML syntax error without its prefix and its line.
func yamlMessage(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, rest, found := strings.Cut(text, ": "); found && strings.HasPrefix(text, "line ") {
		return rest
	}
	return text
}
