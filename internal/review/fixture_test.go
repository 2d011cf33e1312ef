package review_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/review"
)

// files is a folder to review: the text of each file by its name.
type files map[string]string

// write puts the files into a fresh folder; a name that ends in .gz is packed.
func (f files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		b := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			b = packed(t, b)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// with returns the files with some replaced; an empty text takes a file away.
func (f files) with(other files) files {
	all := files{}
	for name, text := range f {
		all[name] = text
	}
	for name, text := range other {
		all[name] = text
		if text == "" {
			delete(all, name)
		}
	}
	return all
}

// change returns the files with each text changed.
func (f files) change(how func(name, text string) (string, string)) files {
	all := files{}
	for name, text := range f {
		name, text = how(name, text)
		all[name] = text
	}
	return all
}

// shop returns a small shop: 20 days on which agents serve callers under
// tasks, and one, e1, who looks at his own account and at his former partner's.
func shop() files {
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	at := func(t time.Time) string { return t.Format(time.RFC3339) }
	lines := map[string][]string{
		"accesses":    {"id,at,employee,customer,action,categories,record,task,reason,session,device,site,outcome"},
		"tasks":       {"id,customer,purpose,channel,opened_at,opened_by,closed_at,closed_by"},
		"assignments": {"task,employee,team,since,until,by"},
		"work":        {"task,employee,at,kind"},
		"contacts":    {"id,customer,at,until,channel,direction,employee"},
		"customers":   {"id,surname,household,notable,employee"},
		"employees":   {"id,surname,household,team,role,manager,joined_on,leaves_on"},
		"relations":   {"employee,customer,kind", "e1,c1,self", "e1,c2,former_partner"},
		"orders":      {"id,customer,at"},
		"purposes":    {"purpose,categories", "refund,identity contact orders order_items payment"},
		"news":        {"customer,at", "c3,2026-03-05T12:00:00Z"},
	}
	add := func(table, format string, args ...any) {
		lines[table] = append(lines[table], fmt.Sprintf(format, args...))
	}
	for i := 1; i <= 60; i++ {
		add("customers", "c%d,Surname%d,h%d,,", i, i, i)
		add("orders", "o%d,c%d,%s", i, i, at(start.Add(time.Duration(i)*-time.Hour)))
	}
	for i := 1; i <= 8; i++ {
		add("employees", "e%d,Staff%d,hh%d,t%d,agent,,2020-01-01,", i, i, i, i%2)
	}
	n := 0
	look := func(t time.Time, e, c int, task string) {
		n++
		add("accesses", "a%d,%s,e%d,c%d,view,identity contact orders,,%s,\"asked, by phone\",s%d,d%d,site1,", n, at(t), e, c, task, e, e)
	}
	for day := range 20 {
		for k := range 30 {
			t := start.Add(time.Duration(day)*24*time.Hour + time.Duration(k)*15*time.Minute)
			e, c, id := 1+r.IntN(8), 1+r.IntN(60), fmt.Sprintf("T%d", day*30+k)
			add("contacts", "k%s,c%d,%s,%s,call,in,e%d", id, c, at(t), at(t.Add(5*time.Minute)), e)
			add("tasks", "%s,c%d,refund,call,%s,e%d,%s,e%d", id, c, at(t.Add(time.Minute)), e, at(t.Add(time.Hour)), e)
			add("assignments", "%s,e%d,,%s,%s,system", id, e, at(t.Add(time.Minute)), at(t.Add(time.Hour)))
			add("work", "%s,e%d,%s,note", id, e, at(t.Add(4*time.Minute)))
			look(t.Add(2*time.Minute), e, c, id)
			look(t.Add(2*time.Minute), e, c, id)
		}
		look(start.Add(time.Duration(day)*24*time.Hour+11*time.Hour), 1, 1+day%2, "")
	}
	all := files{}
	for name, list := range lines {
		all[name+".csv"] = strings.Join(list, "\n") + "\n"
	}
	return all
}

// shuffled puts the rows and the columns of a file in another order.
func shuffled(t testing.TB, text string, seed uint64) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	columns := r.Perm(len(rows[0]))
	body := rows[1:]
	r.Shuffle(len(body), func(i, j int) { body[i], body[j] = body[j], body[i] })
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, row := range rows {
		var out []string
		for _, c := range columns {
			out = append(out, row[c])
		}
		if err := w.Write(out); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.String()
}

// ran is what a review left in OUT.
type ran struct {
	review.Summary
	out     string
	notices string
	err     error
}

func (r ran) file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.out, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (r ran) names(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(r.out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// run reviews the files; change may set options.
func run(t testing.TB, f files, change func(*review.Options)) ran {
	t.Helper()
	return runIn(t, t.Context(), f.write(t), filepath.Join(t.TempDir(), "out"), change)
}

func runIn(t testing.TB, ctx context.Context, dir, out string, change func(*review.Options)) ran {
	t.Helper()
	var notices bytes.Buffer
	o := review.Options{Dir: dir, Out: out, Notices: &notices}
	if change != nil {
		change(&o)
	}
	s, err := review.Run(ctx, o)
	return ran{s, o.Out, notices.String(), err}
}

func must(t testing.TB, r ran) ran {
	t.Helper()
	if r.err != nil {
		t.Fatalf("review: %v\n%s", r.err, r.notices)
	}
	return r
}

func goOn(o *review.Options) { o.GoOnDespiteBadRows = true }
