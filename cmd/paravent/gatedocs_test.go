package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"paravent/internal/testenv"
)

// docs/postgres.md is run as a company would, from its first command to its last,
// on a folder that has people and tasks.
func TestThePostgresPageOfTheDocsWorks(t *testing.T) {
	text, err := os.ReadFile("../../docs/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	f := &sqlFolder{stormFolder: newStormFolder(t), pg: testenv.Postgres(t, "15"), door: freeAddress(t)}
	f.pg.Exec(t, "CREATE DATABASE shop")
	f.pg.Database = "shop"
	f.fill(t)
	server := f.start(t) // with SQLite, to find somebody who may look
	p := f.choose(t, 1)[0]
	f.stop(t, server)
	d := newDocs(t, f, p)
	for _, block := range regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		if block[1] == "yaml" {
			d.configure(t, block[2], block[3])
			continue
		}
		for line := range strings.Lines(block[3]) {
			d.run(t, strings.TrimSpace(line))
		}
	}
	f.stop(t, d.server)
	for what, want := range map[string]string{
		"--apply": "Applied.", "--check": "No gap", "SELECT id": "(1 row)", "SHOW paravent.task": string(p.task), "--remove": "what stood before is back",
	} {
		if !strings.Contains(d.output(what), want) {
			t.Errorf("%s answers\n%s\nwithout %q", what, d.output(what), want)
		}
	}
	if sql, err := os.ReadFile(filepath.Join(f.dir, "review-me.sql")); err != nil || !strings.Contains(string(sql), "CREATE VIEW") {
		t.Errorf("review-me.sql: %v", err)
	}
}

// docs runs a page.
type docs struct {
	f       *sqlFolder
	person  stormer
	server  *exec.Cmd
	env     []string
	outputs map[string]string
	swap    *strings.Replacer
}

func newDocs(t *testing.T, f *sqlFolder, p stormer) *docs {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, to := range map[string]string{filepath.Join(bin, "paravent"): exe, filepath.Join(f.dir, "mine"): "."} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	_, port, _ := strings.Cut(f.door, ":")
	return &docs{f: f, person: p, outputs: map[string]string{},
		env: append(os.Environ(), "PATH="+bin+":"+testenv.Tools(t)+":"+os.Getenv("PATH"), "HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir, "PGSSLMODE=disable", "PAGER="),
		swap: strings.NewReplacer("db.example.com:5432/shop?sslmode=verify-full", fmt.Sprintf("127.0.0.1:%d/shop?sslmode=disable", f.pg.Port),
			"127.0.0.1:5433", f.door, "port=5433", "port="+port, "e101", p.login, "T-1001", string(p.task))}
}

// configure puts a part of the configuration into its place.
func (d *docs) configure(t *testing.T, part, text string) {
	t.Helper()
	config, err := os.ReadFile(d.f.config)
	if err != nil {
		t.Fatal(err)
	}
	if part == "sources" {
		config = regexp.MustCompile(`(?m)^sources: .*\n`).ReplaceAll(config, nil)
	}
	if err := os.WriteFile(d.f.config, append(config, d.swap.Replace(text)...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs one line in a shell that knows what earlier lines have exported.
func (d *docs) run(t *testing.T, line string) {
	t.Helper()
	switch {
	case strings.HasPrefix(line, "paravent serve"):
		d.server = d.f.start(t)
		t.Cleanup(func() { _ = d.server.Process.Kill() })
		return
	case strings.HasPrefix(line, "export ANN="): // the password would be asked for
		line = "export ANN=" + d.person.token
	}
	line = d.swap.Replace(line)
	shell := exec.CommandContext(t.Context(), "sh", "-c", "touch exported; . ./exported; "+line+"\ncode=$?; export -p >exported; exit $code")
	shell.Dir, shell.Env = d.f.dir, d.env
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Run(); err != nil {
		t.Fatalf("%s\n%v\n%s", line, err, out.String())
	}
	d.outputs[line] = out.String()
}

// output returns what the line with these words printed.
func (d *docs) output(words string) string {
	for line, out := range d.outputs {
		if strings.Contains(line, words) {
			return out
		}
	}
	return ""
}
