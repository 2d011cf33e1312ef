package pgaudit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paravent/internal/pgaudit"
)

func TestNoLiteralIsLeft(t *testing.T) {
	for in, want := range map[string]string{
		"select * from customers where name = 'secret'":             "select * from customers where name = ?",
		"select 'it''s secret', 12.5e-3, .5, 0x1F, 1_000, $1":       "select ?, ?, ?, ?, ?, $1",
		`select e'secret\' secret', E'\\', b'01', X'ff', n'secret'`: "select ?, ?, ?, ?, ?",
		"select U&'secret', u&\"secret\" uescape '!'":               "select ?, ? uescape ?",
		"select $$secret$$, $a$ $$ secret $a$, $a from x":           "select ?, ?, $a from x",
		"select 1 -- secret\n from /* secret /* secret */ */ x":     "select ? from x",
		`select "name", "Secret Anna", "1secret", "a""b" from "T"`:  `select "name", ?, ?, ? from "T"`,
		"select 'secret":                 "select ?",
		"select \"secret":                "select ?",
		"select $$secret":                "select ?",
		"select /* secret":               "select",
		"select $tag$secret$tag":         "select ?",
		"  select\n\t1 ;  ":              "select ? ;",
		"":                               "",
		"select 'a' \n 'secret'":         "select ? ?",
		"select a$b, c1, _x, é from t":   "select a$b, c1, _x, é from t",
		"select 1e, 12secret from t":     "select ?, ? from t",
		`select 'a\' , 'secret' from b`:  "select ?",
		`select 'a\', secret ' from b`:   "select ?",
		`select 'a\b', 'secret' from b`:  "select ?, ? from b",
		"select 1--1\n+1":                "select ? +?",
		"select 5-3e+2-x":                "select ?-?-x",
		"select \xff'secret\xff'":        "select \ufffd?",
		"select e\n'secret'":             "select e ?",
		"select xe'secret\\', 'secret' ": "select xe?",
	} {
		got := pgaudit.WithoutLiterals(in)
		if got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
		if again := pgaudit.WithoutLiterals(got); again != got {
			t.Errorf("%q: a second time it is %q", got, again)
		}
	}
}

// entries reads all of a log, in pieces of every size.
func entries(t *testing.T, l pgaudit.Log, text string) []pgaudit.Entry {
	t.Helper()
	var first []pgaudit.Entry
	for _, size := range []int{len(text) + 1, 1, 7, 64} {
		var all []pgaudit.Entry
		have, data := 0, []byte(text)
		for at := 0; ; {
			last := have == len(data)
			e, ok, n := l.Next(data[at:have], last)
			if ok {
				all = append(all, e)
			}
			at += n
			if n == 0 {
				if last {
					break
				}
				have = min(have+size, len(data))
			}
		}
		if first == nil {
			first = all
		} else if len(all) != len(first) {
			t.Errorf("in pieces of %d: %d entries, want %d", size, len(all), len(first))
		}
	}
	return first
}

const csvLines = `2026-11-24 00:11:12.345 UTC,"dba","shop",123,"10.0.0.7:5432",6743a1b0.7b,4,"SELECT",2026-11-24 00:11:00 UTC,3/5,0,LOG,00000,"AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,""select * from customers where name = 'secret, """"x""""'
and 1 = 1"",<not logged>",,,,,,,,,"psql","client backend",,0
2026-11-24 00:11:12.346 UTC,"dba","shop",123,"[local]",6743a1b0.7b,5,"SELECT",2026-11-24 00:11:00 UTC,3/5,0,LOG,00000,"duration: 5 ms",,,,,,,,,"psql","client backend",,0
2026-11-24 00:11:12.347 UTC,"shop_app","shop",124,"[local]",6743a1b0.7c,1,"SELECT",2026-11-24 00:11:00 UTC,3/5,0,LOG,00000,"AUDIT: OBJECT,2,1,WRITE,UPDATE,TABLE,public.orders,<previously logged>,<previously logged>",,,,,,,,,"","client backend",,0
`

func TestCSVLogIsRead(t *testing.T) {
	all := entries(t, pgaudit.CSV{}, csvLines)
	if len(all) != 2 {
		t.Fatalf("%d entries", len(all))
	}
	e := all[0]
	if e.Reader != "dba" || e.Database != "shop" || e.Host != "10.0.0.7" || e.Program != "psql" || e.Session != "6743a1b0.7b" || !e.Reads() || !e.Named ||
		e.Command != "SELECT" || !slices.Equal(e.Relations, []string{"public.customers"}) || e.Statement != "select * from customers where name = ? and ? = ?" ||
		!e.At.Equal(time.Date(2026, 11, 24, 0, 11, 12, 345e6, time.UTC)) || len(e.ID) != 64 {
		t.Errorf("first: %+v", e)
	}
	if e := all[1]; e.Reader != "shop_app" || e.Host != "[local]" || !e.Object || !e.Reads() || e.Class != "WRITE" || e.Statement != "" || e.ID == all[0].ID {
		t.Errorf("second: %+v", e)
	}
	// The server died in a line; what it wrote afterwards is read all the same.
	torn := csvLines[:150] + csvLines
	if all := entries(t, pgaudit.CSV{}, torn); len(all) < 1 || all[len(all)-1].Reader != "shop_app" {
		t.Errorf("behind a torn line: %+v", all)
	}
	// The end of a file that is still being written is no entry yet; that of one that isn't is.
	if _, ok, n := (pgaudit.CSV{}).Next([]byte(csvLines[:250]), false); ok || n != 0 {
		t.Errorf("half an entry: %v, %d", ok, n)
	}
}

// Attack: a statement whose text holds a line of the log, to bring in an entry
// of somebody else's, or to have its own swallowed.
func TestAStatementCannotForgeALine(t *testing.T) {
	forged := strings.ReplaceAll(csvLines[:strings.Index(csvLines, "\n2026-11-24 00:11:12.346")], `"`, `""`)
	text := strings.Replace(csvLines, "secret, ", "x\n"+strings.ReplaceAll(forged, `"`, `""`)+"\n", 1)
	all := entries(t, pgaudit.CSV{}, text)
	if len(all) != 2 || all[0].Reader != "dba" || all[1].Reader != "shop_app" {
		t.Errorf("csvlog: %+v", all)
	}
	p := prefix(t, "%m [%p] %q%u@%d ")
	real := "2026-11-24 00:11:12.345 UTC [77] dba@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,"
	text = real + "\"select 1;\n\t2026-11-24 00:11:12.345 UTC [78] nobody@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.x,select,<none>\n\tfrom customers\",<none>\n" +
		real + "select 2,<none>\n"
	all = entries(t, p, text)
	if len(all) != 2 || all[0].Reader != "dba" || !slices.Equal(all[0].Relations, []string{"public.customers"}) || all[1].Statement != "select ?" {
		t.Errorf("stderr: %+v", all)
	}
}

func prefix(t *testing.T, text string) *pgaudit.Prefix {
	t.Helper()
	p, err := pgaudit.ParsePrefix(text, time.UTC)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

func TestPrefixes(t *testing.T) {
	const message = "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select name from Shop.Customers c where id = 5,<none>\n"
	for p, line := range map[string]string{
		"%m [%p] %q%u@%d ":         "2026-11-24 00:11:12.345 UTC [77] dba@shop ",
		"%t %c %h %u %d: ":         "2026-11-24 00:11:12 UTC 6743a1b0.7b 10.0.0.7 dba shop: ",
		"%n %r|%u|%p|%e|%x|%v%% ":  "1795479072.345 10.0.0.7(4711)|dba|77|00000|0|3/7% ",
		"%u (%b, %l, %Q) %m %p > ": "dba (client backend, 3, -55) 2026-11-24 00:11:12.345 UTC 77 > ",
	} {
		all := entries(t, prefix(t, p), line+message)
		if len(all) != 1 || all[0].Reader != "dba" || all[0].Session == "" || all[0].At.Truncate(time.Second) != time.Date(2026, 11, 24, 0, 11, 12, 0, time.UTC) ||
			all[0].Named || all[0].Statement != "select name from Shop.Customers c where id = ?" {
			t.Errorf("%q: %+v", p, all)
			continue
		}
		if got := all[0].Touches([]string{"public.orders", "shop.customers", "public.customers"}); !slices.Equal(got, []string{"shop.customers"}) {
			t.Errorf("%q: touches %v", p, got)
		}
	}
	// Attack: %a lets a client write "paravent_reader@shop LOG:  nothing" before its own name.
	for _, p := range []string{"%m %p %a %u ", "%m %p %u %i ", "%m %p ", "%m %u ", "%u %p ", "%m %p %u %", "%m %p %u %y ", "%m %p %-10u ", ""} {
		if _, err := pgaudit.ParsePrefix(p, nil); err == nil {
			t.Errorf("%q is taken", p)
		}
	}
}

func TestASessionEntryNamesWhatItsStatementNames(t *testing.T) {
	p := prefix(t, "%m [%p] %u@%d ")
	for statement, want := range map[string]bool{
		"select 1": false, "select * from customers": true, "select * from public.customers": true, "SELECT * FROM shop.public.CUSTOMERS": true,
		`select * from "customers"`: true, "select customers.name from x customers": true, "select 'customers'": false, "select * from other.customers": false,
		"copy customers (id) to stdout": true, "insert into stash select * from customers": true, `"select 'a\' from customers, 'b'"`: true,
	} {
		all := entries(t, p, "2026-11-24 00:11:12.345 UTC [77] dba@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,"+statement+",<none>\n")
		if len(all) != 1 {
			t.Errorf("%q: %d entries", statement, len(all))
			continue
		}
		if got := len(all[0].Touches([]string{"public.customers"})) > 0; got != want {
			t.Errorf("%q: touches %v, of %v", statement, got, all[0].Relations)
		}
	}
}

func TestTimesOfAnotherZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(csvLines, " UTC,", " CET,")
	if all := entries(t, pgaudit.CSV{Zone: berlin}, text); len(all) != 2 || !all[0].At.Equal(time.Date(2026, 11, 23, 23, 11, 12, 345e6, time.UTC)) {
		t.Errorf("in its zone: %+v", all)
	}
	if all := entries(t, pgaudit.CSV{}, text); len(all) != 2 || !all[0].At.IsZero() {
		t.Errorf("in a zone that isn't known: %+v", all)
	}
}

func TestSyslogIsPutTogether(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 11, 13, 0, time.UTC)
	s := pgaudit.NewSyslog(prefix(t, "%m [%p] %u@%d "))
	take := func(lines ...string) (all []pgaudit.Entry) {
		for _, l := range lines {
			all = append(all, s.Take([]byte(l), now)...)
		}
		return all
	}
	const head = "<134>Nov 24 00:11:12 db1 postgres[77]: "
	const begin = "2026-11-24 00:11:12.345 UTC [77] dba@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,"
	got := take(
		head+"[5-1] "+begin+"\"select 'sec",
		strings.Replace(head, "77", "78", 1)+"[5-1] "+strings.ReplaceAll(begin, "77", "78")+"select 1,<none>",
		head+"[5-2] ret'",
		head+"[5-3] #011from customers\",<none>\n",
		"<134>1 2026-11-24T00:11:12Z db1 postgres 79 - - [9-1] "+strings.ReplaceAll(begin, "77", "79")+"select 2,<none>",
		"garbage", "", "<134>Nov 24 00:11:12 db1 postgres[80]: [1-2] the end of something",
	)
	if len(got) != 0 {
		t.Errorf("before they are whole: %+v", got)
	}
	got = s.Ripe(now.Add(3*time.Second), false)
	if len(got) != 3 {
		t.Fatalf("%d entries", len(got))
	}
	texts := []string{}
	for _, e := range got {
		if e.Reader != "dba" || !slices.Equal(e.Relations, []string{"public.customers"}) {
			t.Errorf("got %+v", e)
		}
		texts = append(texts, e.Statement)
	}
	slices.Sort(texts)
	if !slices.Equal(texts, []string{"select ?", "select ?", "select ? from customers"}) {
		t.Errorf("got %q", texts)
	}
	// A piece that is lost costs no more than its own message.
	got = take(head+"[6-1] "+begin+"\"select 1", head+"[6-3] lost", head+"[7-1] "+begin+"select 3,<none>", head+"[8-1] next")
	got = append(got, s.Ripe(now, true)...)
	if len(got) < 1 || got[len(got)-1].Statement != "select ?" {
		t.Errorf("after a lost piece: %+v", got)
	}
}

func FuzzNoLiteralIsLeft(f *testing.F) {
	f.Add("select 1, x", 3, "from y")
	f.Fuzz(func(t *testing.T, before string, _ int, after string) {
		once := pgaudit.WithoutLiterals(before + after)
		if again := pgaudit.WithoutLiterals(once); again != once {
			t.Errorf("%q: once %q, twice %q", before+after, once, again)
		}
		if strings.ContainsRune(once, '\'') {
			t.Errorf("%q: %q holds a quote", before+after, once)
		}
	})
}

func FuzzLogs(f *testing.F) {
	f.Add([]byte(csvLines))
	f.Add([]byte("<134>Nov 24 00:11:12 db1 postgres[77]: [5-1] 2026-11-24 00:11:12.345 UTC [77] dba@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n"))
	p, err := pgaudit.ParsePrefix("%m [%p] %q%u@%d ", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range []pgaudit.Log{pgaudit.CSV{}, p} {
			for rest := data; len(rest) > 0; {
				_, _, n := l.Next(rest, true)
				if n < 0 || n > len(rest) || n == 0 && strings.Contains(string(rest), "\n") {
					t.Fatalf("took %d of %d", n, len(rest))
				}
				if n == 0 {
					break
				}
				rest = rest[n:]
			}
		}
		pgaudit.NewSyslog(p).Take(data, time.Unix(0, 0))
	})
}
