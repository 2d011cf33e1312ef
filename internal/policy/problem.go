package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Pos is a place in one of the policy's files. Lines and columns start at 1;
// 0 is not known.
type Pos struct {
	File         string
	Line, Column int
}

// A Problem is one mistake in a policy file.
type Problem struct {
	Pos
	Message string // what is wrong and what was expected
	Hint    string // what to do about it; may be empty
	Warning bool   // the policy runs all the same
}

// Error returns "file:line: message (hint)".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems are all mistakes of a policy's files, in order of file and line.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that keep a policy from running: all but the
// warnings.
func (ps Problems) Errors() Problems {
	var out Problems
	for _, p := range ps {
		if !p.Warning {
			out = append(out, p)
		}
	}
	return out
}

// add notes a mistake.
func (ps *Problems) add(at Pos, hint, format string, args ...any) {
	*ps = append(*ps, Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// warn notes something that looks like a mistake but runs.
func (ps *Problems) warn(at Pos, hint, format string, args ...any) {
	*ps = append(*ps, Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

// sort puts the problems in order of file, line and column, each only once.
func (ps *Problems) sort() {
	slices.SortStableFunc(*ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	*ps = slices.Compact(*ps)
}

// DidYouMean returns a hint that names the nearest of the known words, or lists
// them where none is near and they are few; "" where they are many.
func DidYouMean(word string, known []string) string {
	best, at := 1+len(word)/3, ""
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d <= best && (at == "" || d < best) {
			best, at = d, k
		}
	}
	switch {
	case at != "":
		return fmt.Sprintf("did you mean %q?", at)
	case len(known) == 0:
		return "there is none yet"
	case len(known) <= 14:
		return "one of: " + strings.Join(known, ", ")
	}
	return ""
}

// distance returns the number of single-letter changes between two words,
// a swap of neighbours counting once (optimal string alignment). Words over 64
// letters are not compared.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return max(len(x), len(y))
	}
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
