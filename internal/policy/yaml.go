package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile is how many bytes a policy file may have; more is a mistake.
const maxFile = 1 << 20

// A reader walks the nodes of one YAML file and notes every mistake with its
// place, going on wherever it can.
type reader struct {
	file     string
	problems *Problems
}

// at returns where a node stands.
func (r *reader) at(n *yaml.Node) Pos { return Pos{File: r.file, Line: n.Line, Column: n.Column} }

// wrong notes a mistake at a node.
func (r *reader) wrong(n *yaml.Node, hint, format string, args ...any) {
	r.problems.add(r.at(n), hint, format, args...)
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// root parses the file into its one document, or notes why it can't.
func (r *reader) root(text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.problems.add(Pos{File: r.file, Line: 1}, "", "the file has more than %d bytes", maxFile)
		return nil
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			r.problems.add(Pos{File: r.file, Line: 1}, "`paravent init` writes one that runs as it is", "the file is empty")
			return nil
		}
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		r.wrong(&second, "take away the line `---` and what follows", "there is a second document; only one is read")
	case !errors.Is(err, io.EOF):
		r.syntax(err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		r.problems.add(Pos{File: r.file, Line: 1}, "", "expected a mapping of sections")
		return nil
	}
	return doc.Content[0]
}

// syntax notes what the YAML parser stumbled over.
func (r *reader) syntax(err error) {
	at := Pos{File: r.file, Line: 1}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.Line = line
		}
		message = strings.TrimPrefix(message, m[0]+": ")
	}
	r.problems.add(at, "check the indentation and the colons around this line", "not YAML: %s", message)
}

// A field is one key of a mapping and what reads its value.
type field struct {
	name     string
	required bool
	read     func(value *yaml.Node)
}

// fields reads a mapping whose keys are all known. what names it in messages,
// such as "purpose refund".
func (r *reader) fields(n *yaml.Node, what string, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	seen := map[string]bool{}
	ok := r.entries(n, what, func(key, value *yaml.Node) {
		i := slices.Index(names, key.Value)
		if i < 0 {
			r.wrong(key, DidYouMean(key.Value, names), "%s: unknown key %q", what, key.Value)
			return
		}
		seen[key.Value] = true
		fields[i].read(value)
	})
	if !ok {
		return
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			r.wrong(n, "add `"+f.name+":`", "%s: %q is missing", what, f.name)
		}
	}
}

// entries calls each for every key of a mapping, in its order, and notes
// doubled keys. It reports whether n is a mapping.
func (r *reader) entries(n *yaml.Node, what string, each func(key, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "", "%s: expected keys and values, found %s", what, kind(n))
		return false
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Value == "" || isNull(key):
			r.wrong(key, "", "%s: expected a name as key, found %s", what, kind(key))
		case key.Anchor != "" || value.Anchor != "" || value.Kind == yaml.AliasNode:
			r.wrong(value, "write it out", "%s: %q uses a YAML anchor or alias", what, key.Value)
		case first[key.Value] > 0:
			r.wrong(key, "keep one of them", "%s: %q stands here twice, first on line %d", what, key.Value, first[key.Value])
		default:
			first[key.Value] = key.Line
			each(key, value)
		}
	}
	return true
}

// items calls each for every element of a list.
func (r *reader) items(n *yaml.Node, what string, each func(item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, "write `["+strings.TrimSpace(n.Value)+"]`", "%s: expected a list, found %s", what, kind(n))
		return
	}
	for _, item := range n.Content {
		each(item)
	}
}

// text returns a scalar's text.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) || strings.TrimSpace(n.Value) == "" {
		r.wrong(n, "", "%s: expected a text, found %s", what, kind(n))
		return "", false
	}
	return n.Value, true
}

// texts returns a list of different texts.
func (r *reader) texts(n *yaml.Node, what string) []*yaml.Node {
	var out []*yaml.Node
	first := map[string]int{}
	r.items(n, what, func(item *yaml.Node) {
		if _, ok := r.text(item, what); !ok {
			return
		}
		if line := first[item.Value]; line > 0 {
			r.wrong(item, "keep one of them", "%s: %q stands here twice", what, item.Value)
			return
		}
		first[item.Value] = item.Line
		out = append(out, item)
	})
	return out
}

// word returns a scalar that is one of the known words.
func (r *reader) word(n *yaml.Node, what string, known []string) (string, bool) {
	s, ok := r.text(n, what)
	if !ok {
		return "", false
	}
	if !slices.Contains(known, s) {
		r.wrong(n, DidYouMean(s, known), "%s: unknown word %q", what, s)
		return "", false
	}
	return s, true
}

// duration returns a length of time in Go's form, between least and most.
func (r *reader) duration(n *yaml.Node, what string, least, most time.Duration) time.Duration {
	s, ok := r.text(n, what)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		r.wrong(n, "such as 15m, 4h or 1h30m", "%s: %q is not a length of time", what, s)
		return 0
	}
	if d < least || d > most {
		r.wrong(n, "", "%s: %s is not between %s and %s", what, s, short(least), short(most))
		return 0
	}
	return d
}

// number returns a whole number between least and most.
func (r *reader) number(n *yaml.Node, what string, least, most int) int {
	s, ok := r.text(n, what)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(s)
	if err != nil || i < least || i > most {
		r.wrong(n, "", "%s: expected a whole number between %d and %d, found %q", what, least, most, s)
		return 0
	}
	return i
}

// short writes a duration without zero parts: 4h instead of 4h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// isNull reports whether a scalar is YAML's null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kind says in words what a node is.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a YAML alias"
	}
	if isNull(n) || n.Value == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}
