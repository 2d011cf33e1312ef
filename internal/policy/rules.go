package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// A class says what the asker may hear where a rule refuses (G9). The order of
// the constants is the order in which classes are heard.
type class int

const (
	classUnknown class = iota - 1 // @asker is wrong; such a file isn't loaded
	classOwn
	classNotYours
	classTask
	classCustomer
	classOrder
)

// classNames are the values of @asker, in the order of the constants.
var classNames = []string{"own", "not_yours", "task", "customer", "order"}

// Who may lift a refusal: the values of @lifted_by.
const (
	liftedBySecondPerson = "second_person"
	liftedByColleague    = "colleague"
	liftedByNobody       = "nobody"
)

// A rule is one rule of the Cedar file.
type rule struct {
	id, says    string
	class       class
	liftedBy    string
	hears, hint string
	policy      *cedar.Policy
	code        string // its text with comments blanked, for finding places
	bare        string // the same with what stands between quotes blanked, too
	pos         Pos    // where the rule starts
	start       Pos    // where code starts
}

// effect returns "permit" or "forbid".
func (r rule) effect() string {
	if r.policy.Effect() == cedar.Permit {
		return "permit"
	}
	return "forbid"
}

// The bounds of one rule. They keep the parser's recursion within reason.
const (
	maxRule    = 32 << 10 // bytes
	maxNesting = 100      // brackets
)

// A statement is the text of one rule and where it starts.
type statement struct {
	text string // up to and with the semicolon
	code string // the same with comments blanked, byte for byte
	bare string // the same with what stands between quotes blanked, too
	at   Pos
}

// statements cuts a Cedar file at the semicolons that end its rules, so that a
// mistake in one rule doesn't hide those in the next.
func statements(file string, text []byte, problems *Problems) []statement {
	var out []statement
	code, bare := slices.Clone(text), slices.Clone(text)
	at := Pos{File: file, Line: 1, Column: 1}
	begin, beginAt, nesting, deepest := 0, at, 0, 0
	inString, inComment := false, false
	cut := func(end int) {
		s := statement{text: string(text[begin:end]), code: string(code[begin:end]), bare: string(bare[begin:end]), at: beginAt}
		switch {
		case strings.TrimSpace(s.code) == "":
		case len(s.text) > maxRule || deepest > maxNesting:
			problems.add(s.place(0), "", "this rule is too long or too deeply nested to be read")
		default:
			out = append(out, s)
		}
		nesting, deepest = 0, 0
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inComment:
			if inComment = c != '\n'; inComment {
				code[i], bare[i] = ' ', ' '
			}
		case inString:
			if c == '"' {
				inString = false
				break
			}
			if bare[i] = ' '; c == '\\' && i+1 < len(text) && text[i+1] != '\n' {
				i++
				at.Column++
				bare[i] = ' '
			}
		case c == '"':
			inString = true
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			inComment, code[i], bare[i] = true, ' ', ' '
		case strings.IndexByte("([{", c) >= 0:
			nesting++
			deepest = max(deepest, nesting)
		case strings.IndexByte(")]}", c) >= 0:
			nesting--
		}
		if c == '\n' {
			at.Line, at.Column = at.Line+1, 1
		} else {
			at.Column++
		}
		if c == ';' && !inString && !inComment {
			cut(i + 1)
			begin, beginAt = i+1, at
		}
	}
	cut(len(text))
	return out
}

// place returns where the first word at or after a byte offset of the statement
// stands.
func (s statement) place(offset int) Pos {
	for offset < len(s.code) && strings.IndexByte(" \t\r\n", s.code[offset]) >= 0 {
		offset++
	}
	return placeIn(s.code, s.at, offset)
}

// placeIn returns where a byte offset stands in a text that starts at start.
func placeIn(code string, start Pos, offset int) Pos {
	before := code[:min(offset, len(code))]
	if lines := strings.Count(before, "\n"); lines > 0 {
		return Pos{start.File, start.Line + lines, len(before) - strings.LastIndexByte(before, '\n')}
	}
	return Pos{start.File, start.Line, start.Column + len(before)}
}

// parseRules reads every rule of a Cedar file.
func parseRules(file string, text []byte, problems *Problems) []rule {
	if len(text) > maxFile {
		problems.add(Pos{File: file, Line: 1}, "", "the file has more than %d bytes", maxFile)
		return nil
	}
	var rules []rule
	first := map[string]int{}
	all := statements(file, text, problems)
	if len(all) == 0 {
		problems.add(Pos{File: file, Line: 1}, "`paravent init` writes one that runs as it is", "there is no rule, so nothing is ever allowed")
	}
	for _, s := range all {
		list, err := cedar.NewPolicyListFromBytes(file, []byte(s.text))
		if err != nil {
			s.syntax(err, problems)
			continue
		}
		for _, policy := range list { // one, as it was cut at its semicolon
			r := rule{policy: policy, code: s.code, bare: s.bare, start: s.at, pos: s.place(0)}
			r.annotations(problems)
			if line := first[r.id]; line > 0 && r.id != "" {
				problems.add(r.find("@id"), "give each rule its own id", "rule %q: its @id stands twice, first on line %d", r.id, line)
			}
			first[r.id] = r.pos.Line
			rules = append(rules, r)
		}
	}
	return rules
}

var (
	cedarPlace = regexp.MustCompile(`<input>:(\d+):(\d+)`)
	cedarExact = regexp.MustCompile(`exact got (.*) want (.*)$`)
	cedarLead  = regexp.MustCompile(`^(parser error: )?(parse error at \S+ ".*": )?`)
)

// syntax notes what the Cedar parser stumbled over.
func (s statement) syntax(err error, problems *Problems) {
	message := err.Error()
	at := s.place(0)
	if m := cedarPlace.FindStringSubmatch(message); m != nil {
		line, lineErr := strconv.Atoi(m[1])
		column, columnErr := strconv.Atoi(m[2])
		if lineErr == nil && columnErr == nil {
			at = Pos{s.at.File, s.at.Line + line - 1, column}
			if line == 1 {
				at.Column += s.at.Column - 1
			}
		}
	}
	message = cedarLead.ReplaceAllString(message, "")
	hint := "each rule is: @id(...) @says(...) permit or forbid (principal, action, resource) when { ... };"
	if m := cedarExact.FindStringSubmatch(message); m != nil {
		message = "expected " + strconv.Quote(m[2])
		if m[1] != "" {
			message += ", found " + strconv.Quote(m[1])
		}
		if m[2] == ";" {
			hint = "end each rule with a semicolon"
		}
	}
	problems.add(at, hint, "not Cedar: %s", message)
}

// find returns where a word of the rule stands, or where the rule starts. A word
// between quotes is only found with its quotes.
func (r rule) find(word string) Pos {
	text := r.bare
	if strings.HasPrefix(word, `"`) {
		text = r.code
	}
	for from := 0; word != "" && from < len(text); {
		i := strings.Index(text[from:], word)
		if i < 0 {
			break
		}
		i += from
		end := i + len(word)
		if (i == 0 || !isName(text[i-1]) || !isName(word[0])) && (end == len(text) || !isName(text[end]) || !isName(word[len(word)-1])) {
			return placeIn(text, r.start, i)
		}
		from = end
	}
	return r.pos
}

func isName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// annotations reads what the rule carries, and notes what is missing or odd.
func (r *rule) annotations(problems *Problems) {
	known := []string{"id", "says", "asker", "lifted_by", "hears", "hint"}
	given := map[string]string{}
	for key, value := range r.policy.Annotations() {
		given[string(key)] = strings.TrimSpace(string(value))
		if !slices.Contains(known, string(key)) {
			problems.add(r.find("@"+string(key)), DidYouMean(string(key), known), "unknown annotation @%s", key)
		}
	}
	get := func(key string) string { return given[key] }
	r.id, r.says, r.hears, r.hint, r.liftedBy = get("id"), get("says"), get("hears"), get("hint"), get("lifted_by")
	if r.id == "" {
		problems.add(r.pos, `such as @id("task-closed")`, "this rule has no @id, so no record could name it")
	}
	if r.says == "" {
		problems.add(r.pos, `such as @says("the task is not open")`, "rule %q has no @says, so no record could say its reason", r.id)
	}
	if r.effect() == "permit" {
		for _, key := range []string{"asker", "lifted_by", "hears", "hint"} {
			if get(key) != "" {
				problems.add(r.find("@"+key), "take it away", "rule %q: @%s goes with forbid only", r.id, key)
			}
		}
		r.class = classTask // where it can't be evaluated
		return
	}
	asker := get("asker")
	i := slices.Index(classNames, asker)
	r.class = class(i)
	if r.class == classUnknown {
		hint := DidYouMean(asker, classNames)
		if asker == "" {
			hint = `such as @asker("task")`
		}
		problems.add(r.find("@asker"), hint, "rule %q: @asker must say what the asker may hear, found %q", r.id, asker)
		return
	}
	r.checkAnswer(problems)
}

// checkAnswer notes what doesn't fit the class of a forbid.
func (r *rule) checkAnswer(problems *Problems) {
	speaks := r.class == classOwn || r.class == classTask
	if speaks && r.hears == "" {
		problems.add(r.pos, `such as @hears("This task is not open.")`, "rule %q: with @asker(%q) it needs @hears", r.id, classNames[r.class])
	}
	if !speaks {
		for key, value := range map[string]string{"hears": r.hears, "hint": r.hint} {
			if value != "" {
				problems.add(r.find("@"+key), "take it away", "rule %q: with @asker(%q) the answer is fixed (G9), so @%s is never heard", r.id, classNames[r.class], key)
			}
		}
	}
	for _, text := range []string{r.hears, r.hint} {
		for _, m := range placeholder.FindAllString(text, -1) {
			if !slices.Contains(placeholders, m) || r.class == classOwn && m != "{missing}" {
				problems.add(r.find("@hears"), "one of: "+strings.Join(placeholders, ", ")+"; with @asker(\"own\") only {missing}", "rule %q: %s can't be filled in", r.id, m)
			}
		}
	}
	allowed := map[class][]string{classTask: {liftedByColleague, liftedByNobody}, classCustomer: {liftedBySecondPerson, liftedByNobody}}[r.class]
	switch {
	case r.liftedBy == "" && r.class == classCustomer:
		problems.add(r.pos, "@lifted_by(\"second_person\") or @lifted_by(\"nobody\")", "rule %q: with @asker(\"customer\") it needs @lifted_by", r.id)
	case r.liftedBy != "" && !slices.Contains(allowed, r.liftedBy):
		hint := "take it away"
		if len(allowed) > 0 {
			hint = DidYouMean(r.liftedBy, allowed)
		}
		problems.add(r.find("@lifted_by"), hint, "rule %q: @lifted_by(%q) doesn't go with @asker(%q)", r.id, r.liftedBy, classNames[r.class])
	}
}

var (
	placeholder  = regexp.MustCompile(`\{[^}]*\}?`)
	placeholders = []string{"{missing}", "{purpose}", "{categories}"}
)
