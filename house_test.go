// Package house_test holds the rules of the house: who may import whom, where
// time and databases are seen, what each package owes its reader. Each rule
// says its reason, because a rule without one is the first to be broken.
package house_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "paravent"

// house is the order of the packages, from the ground up: a package imports
// only what stands before it, so that there is no circle and a reader can begin
// at the top.
var house = []string{
	"access", "ledger", "chain", "witness", "audit", "policy", "explain", "detect", "task", "qualify", "identity", "source", "protect",
	"pgaudit", "lookup", "investigate", "store", "pggate", "api", "console", "review", "simulate", "testenv",
}

// doors let people and programs in. They don't import each other, and nothing
// but cmd imports them: what two doors need belongs behind them.
var doors = []string{"pggate", "api", "console"}

// forbidden names imports that a package must do without, and why.
var forbidden = []struct {
	imports, reason string
	only            []string // allowed in these packages; empty: allowed in none of "in"
	in              []string // looked at in these packages; empty: in all
}{
	{imports: "database/sql", only: []string{"store", "source"}, reason: "one place for the product's data and one for the shop's"},
	{imports: "modernc.org/sqlite", only: []string{"store", "source"}, reason: "one place for the product's data and one for the shop's"},
	{imports: "os", in: []string{"access", "policy", "explain", "detect"}, reason: "deciding and detecting are pure, so that files and live traffic give the same answer"},
	{imports: "net", in: []string{"access", "policy", "explain", "detect"}, reason: "deciding and detecting are pure"},
	{imports: "net/http", in: []string{"access", "policy", "explain", "detect", "ledger", "store", "source"}, reason: "protocols are the doors' business"},
	{imports: "sync", in: []string{"access", "explain", "detect"}, reason: "the engine is fed by one goroutine; its order is its meaning"},
	{imports: "math/rand", reason: "use crypto/rand for secrets and a seeded math/rand/v2 for the rest"},
	{imports: "log", reason: "log/slog, handed in"},
}

// source is one parsed Go file of the product.
type source struct {
	path    string // slash-separated, from the module's root
	pkg     string // "policy", "cmd/paravent", or "" at the root
	test    bool
	syntax  *ast.File
	imports []string
	lines   int
}

func TestPackagesImportDownwardsOnly(t *testing.T) {
	for _, f := range sources(t) {
		for _, imp := range f.imports {
			name, ours := strings.CutPrefix(imp, module+"/internal/")
			if !ours || f.pkg == "cmd/paravent" || f.pkg == "" || name == f.pkg {
				continue
			}
			from, to := slices.Index(house, f.pkg), slices.Index(house, name)
			if from < 0 || to < 0 {
				t.Errorf("%s: package %q or %q has no place in the house's order", f.path, f.pkg, name)
			} else if to > from && !f.test {
				t.Errorf("%s: %s imports %s, which stands below it", f.path, f.pkg, name)
			}
			if slices.Contains(doors, name) && !f.test {
				t.Errorf("%s: imports the door %s; only cmd does", f.path, name)
			}
			if name == "testenv" && !f.test {
				t.Errorf("%s: imports testenv, which is for tests only", f.path)
			}
			if f.pkg == "ledger" && !f.test || (f.pkg == "chain" || f.pkg == "witness") && !f.test && name != "ledger" ||
				f.pkg == "audit" && !f.test && name != "ledger" && name != "chain" && name != "witness" {
				t.Errorf("%s: imports %s; the ledger imports nothing of ours, so that a verifier can be read by itself", f.path, name)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, rule := range forbidden {
			watched := len(rule.in) == 0 || slices.Contains(rule.in, f.pkg)
			if watched && !slices.Contains(rule.only, f.pkg) && slices.Contains(f.imports, rule.imports) {
				t.Errorf("%s: imports %q: %s", f.path, rule.imports, rule.reason)
			}
		}
	}
}

// A clock is passed everywhere, so that tests can set it and an expiry can be
// tried to the second.
func TestOnlyCmdReadsTheClock(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.pkg == "cmd/paravent" || f.pkg == "testenv" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since" || sel.Sel.Name == "Until") {
				t.Errorf("%s: reads the clock with time.%s; take an access.Clock", f.path, sel.Sel.Name)
			}
			return true
		})
	}
}

// Pure packages start no goroutine: order is their meaning.
func TestPurePackagesStartNoGoroutine(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || !slices.Contains([]string{"access", "policy", "explain", "detect"}, f.pkg) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: starts a goroutine", f.path)
			}
			return true
		})
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init function; wiring is done in cmd, in sight", f.path)
			}
		}
	}
}

func TestEveryPackageHasItsDoc(t *testing.T) {
	docs := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		docs[f.pkg] = docs[f.pkg] || len(strings.TrimSpace(f.syntax.Doc.Text())) > 60
	}
	for pkg, has := range docs {
		if !has {
			t.Errorf("package %s: no doc comment that says what it is, what not, and how it fits", pkg)
		}
	}
}

func TestEveryExportedNameHasItsComment(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", f.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no comment", f.path, ts.Name.Name)
					}
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return !ok || id.IsExported()
}

func TestNoFileIsLongerThanOneSitting(t *testing.T) {
	const limit = 700
	for _, f := range sources(t) {
		if f.lines > limit {
			t.Errorf("%s: %d lines; split it before %d", f.path, f.lines, limit)
		}
	}
	for _, ext := range []string{".html", ".css", ".md", ".yaml", ".cedar"} {
		for _, path := range files(t, ext) {
			if n := countLines(t, path); n > limit {
				t.Errorf("%s: %d lines; split it before %d", path, n, limit)
			}
		}
	}
}

// ARCHITECTURE.md is read first: its table shows every room, in the order in
// which they may import each other, and every file that it names is there.
func TestTheArchitectureShowsTheHouseAsItIs(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var rooms []string
	for _, m := range regexp.MustCompile(`(?m)^\| \[[a-z]+\]\(internal/([a-z]+)\)`).FindAllStringSubmatch(string(text), -1) {
		rooms = append(rooms, m[1])
	}
	if !slices.Equal(rooms, house) {
		t.Errorf("ARCHITECTURE.md lists the rooms %v, the house's order is %v", rooms, house)
	}
	folders, err := os.ReadDir("internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !slices.Contains(house, f.Name()) {
			t.Errorf("internal/%s has no place in the house's order", f.Name())
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([a-z_A-Z/.]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.FromSlash(m[1])); err != nil {
			t.Errorf("ARCHITECTURE.md names %s: %v", m[1], err)
		}
	}
}

// Every test that a guarantee names must exist: a promise without its test is
// only a wish.
func TestGuaranteesNameTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range sources(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test {
				have[fn.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 9 {
		t.Errorf("docs/guarantees.md names %d tests, fewer than there are guarantees", len(named))
	}
	for _, m := range named {
		if !have[m[1]] {
			t.Errorf("docs/guarantees.md names %s, which no test file has", m[1])
		}
	}
	for i := 1; i <= 9; i++ {
		if !strings.Contains(string(text), "G"+strconv.Itoa(i)) {
			t.Errorf("docs/guarantees.md doesn't speak of G%d", i)
		}
	}
}

// Each direct dependency is a decision with a reason.
func TestEveryDirectDependencyIsJustified(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := os.ReadFile("docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.Contains(fields[0], ".") || strings.Contains(line, "// indirect") {
			continue
		}
		direct++
		if !strings.Contains(string(decisions), fields[0]) {
			t.Errorf("docs/decisions.md has no line for %s", fields[0])
		}
	}
	if direct == 0 || direct > 20 {
		t.Errorf("%d direct dependencies; the aim is under 20", direct)
	}
}

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	for _, path := range files(t, ".go") {
		syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		f := source{path: path, pkg: packageOf(path), test: strings.HasSuffix(path, "_test.go"), syntax: syntax, lines: countLines(t, path)}
		for _, imp := range syntax.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			f.imports = append(f.imports, name)
		}
		all = append(all, f)
	}
	return all
}

func packageOf(path string) string {
	dir := filepath.ToSlash(filepath.Dir(path))
	if dir == "." {
		return ""
	}
	return strings.TrimPrefix(dir, "internal/")
}

// files lists the module's files with this ending; what was written elsewhere
// (vendored assets), test data and other modules are left out.
func files(t *testing.T, ext string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "vendored" || name == "bench" || name == "review" && filepath.Dir(path) == ".") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) == ext {
			found = append(found, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<22)
	for s.Scan() {
		n++
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
