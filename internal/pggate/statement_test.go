package pggate

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var shop = newProtected([]Relation{{"public", "customers"}, {"public", "orders"}, {"sales", "Odd \"name"}})

func texts(all []stmt) (out []string) {
	for _, s := range all {
		out = append(out, s.text)
	}
	return out
}

func TestLiteralsAndCommentsAreLeftOutOfARecordedText(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT  *\nFROM Customers WHERE name='Meier'", "select * from customers where name = ?"},
		{"select 'it''s' , E'a\\'b', U&'\\0041' UESCAPE '!', b'01', X'ff', N'x'", "select ? uescape ?"},
		{"select $$a ' b$$, $t$ $$ $t$ , $1, $23", "select ?, $1, $23"},
		{"select /* Meier /* nested */ still */ 1 -- Meier\n, 2", "select ?"},
		{"select 1.5e-3+.5, 0x1F, 1_000, 12abc, 1e5", "select ? + ?"},
		{"select 'a'\n  'b' \n -- c\n 'd'", "select ?"},
		{"select E'a'\n'b\\'c', x", "select ?, x"},
		{"select 'a' 'b'", "select ? ?"},
		{"select a$b$c, \"Mixed \"\" Name\"", "select a$b$c, \"Mixed \"\" Name\""},
		{"select 'open", "select ?"},
		{"select $tag$ open", "select ?"},
		{"select /* open", "select"},
		{"select x::int >= 3 and a->>'b' = any('{1,2}')", "select x :: int >= ? and a ->> ? = any (?)"},
		{"insert into t values (1,2,'c'),(3,4,'d')", "insert into t values (?), (?)"},
		{"  ;; -- nothing\n", ""},
		{"begin; select 1;", "begin|select ?"},
	} {
		if got := strings.Join(texts(analyse([]byte(c.sql), false, shop, rules{})), "|"); got != c.want {
			t.Errorf("%q:\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
	if got := texts(analyse([]byte(`select 'a\' Meier', 'b'`), true, shop, rules{})); got[0] != "select ?" {
		t.Errorf("with escapes in plain strings: %q", got)
	}
}

func TestTheSameStatementHasTheSameFingerprint(t *testing.T) {
	one := func(sql string) [8]byte { return analyse([]byte(sql), false, shop, rules{})[0].print }
	if one("select * from orders where id=1 /* a */") != one("SELECT *  FROM orders\nWHERE id = 99") {
		t.Error("spacing, case, comments or values change it")
	}
	if one("select a from orders") == one("select b from orders") {
		t.Error("two statements share one")
	}
}

func TestProtectedRelationsAreNamed(t *testing.T) {
	for _, c := range []struct {
		sql   string
		names string
		reads bool
	}{
		{"select * from customers", "public.customers", true},
		{"select * from public.customers c, x, orders", "public.customers public.orders", true},
		{"select * from x join only orders on true", "public.orders", true},
		{"select * from (select 1 from (x join Customers using (id))) q", "public.customers", true},
		{"select * from other.customers", "", false},
		{"select 1 as customers", "public.customers", false},
		{"select * from x where exists (select from orders)", "public.orders", true},
		{"table orders", "public.orders", true},
		{"copy customers to stdout", "public.customers", true},
		{"copy (select 1 from customers) to stdout", "public.customers", true},
		{"update orders set a=1", "public.orders", true},
		{`select * from sales."Odd ""name"`, `sales.Odd "name`, true},
		{`select * from "CUSTOMERS"`, "", false},
		{"select * from a left join lateral (select 1) s on true, customers", "public.customers", true},
		{"select 'customers'", "", false},
	} {
		s := analyse([]byte(c.sql), false, shop, rules{})[0]
		if got := strings.Join(s.relations, " "); got != c.names || s.reads != c.reads {
			t.Errorf("%s: names %q reads %t, want %q %t", c.sql, got, s.reads, c.names, c.reads)
		}
	}
}

func TestWhatTheGatewayAnswersItself(t *testing.T) {
	for _, c := range []struct {
		sql     string
		special special
		value   string
		code    string
	}{
		{"set paravent.task = 'T-123'", setTask, "T-123", ""},
		{"SET SESSION Paravent.Task TO 'it''s'", setTask, "it's", ""},
		{"set paravent.task = T1", setTask, "T1", ""},
		{"set paravent.task = T-1", 0, "", stateInvalid},
		{"set paravent.task = 123", 0, "", stateInvalid},
		{"set paravent.task = ''", resetTask, "", ""},
		{"set paravent.task to default", resetTask, "", ""},
		{"reset paravent.task", resetTask, "", ""},
		{"set local paravent.task = 'x'", 0, "", stateInvalid},
		{"set paravent.on_behalf_of = 'pvb_x'", setBehalf, "pvb_x", ""},
		{"reset paravent.on_behalf_of", resetBehalf, "", ""},
		{"set paravent.token = 'x'", 0, "", stateDenied},
		{"set \"paravent\".grant = 'x'", 0, "", stateDenied},
		{"select set_config('paravent.token','x',false)", 0, "", stateDenied},
		{"reset all", resetAll, "", ""},
		{"discard all", resetAll, "", ""},
		{"discard plans", 0, "", ""},
		{"discard sequences", 0, "", stateNotSupported},
		{"show paravent.task", 0, "", ""},
		{"set role x", 0, "", stateNotSupported},
		{"set local role x", 0, "", stateNotSupported},
		{"set session authorization x", 0, "", stateNotSupported},
		{"set session characteristics as transaction read only", 0, "", ""},
		{"set transaction read only", 0, "", ""},
		{"set standard_conforming_strings = off", 0, "", stateDenied},
		{"set standard_conforming_strings = on", 0, "", ""},
		{"set client_encoding to 'SJIS'", 0, "", stateNotSupported},
		{"set names 'gb18030'", 0, "", stateNotSupported},
		{"set client_encoding = utf8", 0, "", ""},
		{"alter role x set y = 1", 0, "", stateNotSupported},
		{"ALTER USER x PASSWORD 'y'", 0, "", stateNotSupported},
		{"alter table x add y int", 0, "", ""},
		{"listen x", 0, "", stateNotSupported},
		{"unlisten *", 0, "", ""},
		{"notify x, 'secret'", 0, "", stateNotSupported},
		{"copy t from stdin", 0, "", stateNotSupported},
		{"copy t (a,b) from stdin", 0, "", stateNotSupported},
		{"copy t to '/tmp/x'", 0, "", stateNotSupported},
		{"copy (select 1 from t) to program 'x'", 0, "", stateNotSupported},
		{"copy t to stdout", 0, "", ""},
		{"prepare transaction 'x'", 0, "", stateNotSupported},
		{"load 'x'", 0, "", stateNotSupported},
	} {
		s := analyse([]byte(c.sql), false, shop, rules{})[0]
		code := ""
		if s.refusal != nil {
			code = s.refusal.code
		}
		if s.special != c.special || s.value != c.value || code != c.code {
			t.Errorf("%s: got %d %q %q", c.sql, s.special, s.value, code)
		}
	}
}

func TestWhatMayWriteIsToldFromWhatOnlyReads(t *testing.T) {
	for sql, want := range map[string]bool{
		"select 1": false, "with x as (select 1) select * from x": false, "show all": false, "begin": false,
		"with x as (delete from t returning 1) select * from x": true, "explain analyze update t set a=1": true,
		"commit": true, "call f()": true, "select 1 into t": true, "do $$x$$": true, "execute p": true, "vacuum": true,
	} {
		if got := analyse([]byte(sql), false, shop, rules{})[0].writes; got != want {
			t.Errorf("%s: writes %t", sql, got)
		}
	}
}

// Whatever a text holds, nothing of a string in it is recorded, and nothing
// breaks.
func FuzzAnalyse(f *testing.F) {
	for _, s := range []string{"select 1", "set paravent.task = 'a'", "copy x from y", "set session", "$$", "$a$b$a$", "E'\\", "U&\"", "/*/*", "reset", "a.b.c", "copy x to", "prepare", "deallocate prepare all"} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, sql string, escapes bool) {
		all := analyse([]byte(sql), escapes, shop, rules{})
		for _, s := range all {
			if len(s.text) > maxText+8 || !utf8.ValidString(s.text) {
				t.Errorf("recorded text: %d bytes", len(s.text))
			}
			if !slices.IsSorted(s.relations) {
				t.Error("relations aren't sorted")
			}
		}
		if strings.ContainsAny(sql, "\\\x00$") || strings.Contains(sql, "--") {
			return
		}
		quoted := "select 'ZQX" + strings.ReplaceAll(sql, "'", "''") + "ZQX'"
		for _, s := range analyse([]byte(quoted), escapes, shop, rules{}) {
			if strings.Contains(s.text, "zqx") || strings.Contains(s.text, "ZQX") {
				t.Errorf("a literal is recorded: %q", s.text)
			}
		}
	})
}
