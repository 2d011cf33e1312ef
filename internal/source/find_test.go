package source_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"paravent/internal/access"
	"paravent/internal/source"
)

// said pairs names with what was said.
func said(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

var finds = []struct {
	name    string
	said    map[string]string
	want    access.CustomerID
	partial string
	code    access.Code
}{
	{"order and postcode", said("order", "o1", "postcode", "AB1 2CD"), "c1", "[c2]", ""},
	{"written another way", said("order", " o1 ", "postcode", "ab12-cd"), "c1", "[c2]", ""},
	{"order and the wrong postcode", said("order", "o1", "postcode", "ZZ9 9ZZ"), "", "[c1]", ""},
	{"order and another one's postcode", said("order", "o1", "postcode", "XY9 8ZW"), "", "[c1 c3' OR '1'='1]", ""},
	{"an order that doesn't exist: the postcode points to two", said("order", "o99", "postcode", "AB12CD"), "", "[c1 c2]", ""},
	{"a postcode that many have points to nobody", said("order", "o99", "postcode", "10115"), "", "[]", ""},
	{"an order in another case is another order", said("order", "O1", "postcode", "AB1 2CD"), "", "[c1 c2]", ""},
	{"email and date of birth", said("email", "ANN@Example.org", "date_of_birth", "1980-05-06"), "c1", "[]", ""},
	{"a date as it is said", said("email", annMail, "date_of_birth", "6.5.1980"), "c1", "[]", ""},
	{"email and the wrong date", said("email", annMail, "date_of_birth", "1980-05-07"), "", "[c1]", ""},
	{"phone and postcode", said("phone", "0170 111 2223", "postcode", "ab12cd"), "c1", "[c2]", ""},
	{"two who share both are nobody", said("phone", "030 55566677", "postcode", "10115"), "", "[c7 c8]", ""},
	{"two who share both, and one order", said("phone", "0170/4445556", "postcode", "AB1 2CD", "order", "o4"), "c2", "[c1]", ""},
	{"more was said than is needed, and it's wrong", said("order", "o1", "postcode", "AB1 2CD", "email", "bob@example.org"), "", "[c1 c2]", ""},
	{"empty fields don't count", said("order", "o1", "postcode", "AB1 2CD", "email", " ", "phone", ""), "c1", "[c2]", ""},
	{"a number where nothing is known", said("phone", "9999999999", "postcode", "XY9 8ZW"), "", "[c3' OR '1'='1]", ""},
	{"too little", said("order", "o1"), "", "[]", access.Invalid},
	{"nothing", nil, "", "[]", access.Invalid},
	{"two that aren't enough together", said("order", "o1", "email", annMail), "", "[]", access.Invalid},
	{"a name", said("name", "Ann Archer", "postcode", "AB1 2CD"), "", "[]", access.Invalid},
	{"a telephone number of three digits", said("phone", "170", "postcode", "AB1 2CD"), "", "[]", access.Invalid},
	{"a date that could be another", said("email", annMail, "date_of_birth", "05/06/1980"), "", "[]", access.Invalid},
	{"attack: a condition", said("order", "o1' OR '1'='1", "postcode", "' OR ''='"), "", "[]", ""},
	{"attack: a pattern", said("order", "%", "postcode", "%"), "", "[]", ""},
	{"attack: a NUL", said("order", "o1\x00", "postcode", "AB1 2CD\x00"), "", "[]", ""},
	{"attack: signs that are taken away until nothing is left", said("order", "o1", "postcode", "--"), "", "[c1]", ""},
}

func TestFind(t *testing.T) {
	contents := shop()
	contents[0].Rows = append(contents[0].Rows,
		// Two who live together and share telephone and postcode.
		[]any{"c7", "Di Dune", "2000-01-01", "di@example.org", "0049 30 555 666 77", nil, "10115", "Berlin", nil},
		[]any{"c8", "Ed Dune", "2001-01-01", "ed@example.org", "+49 (30) 55566677", nil, "10115", "Berlin", nil},
		[]any{"c9", "Flo Fir", "2002-02-02", nil, "030-55500099", nil, "10115", "Berlin", nil},
		[]any{"c10", "Gil Fir", "2003-02-02", nil, nil, nil, "10115", "Berlin", nil},
	)
	path := filepath.Join(t.TempDir(), "shop.db")
	if err := source.Load(context.Background(), path, contents); err != nil {
		t.Fatal(err)
	}
	s, err := source.Open(context.Background(), "shop", path, defaultPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range finds {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.Find(context.Background(), c.said)
			if access.CodeOf(err) != c.code {
				t.Fatalf("got %v", err)
			}
			if got.Customer != c.want || fmt.Sprint(got.Partial) != c.partial {
				t.Errorf("got %+v, want %q, partly %s", got, c.want, c.partial)
			}
		})
	}
}

// Not a test of speed: a find must go by indexes where it can. The whole shop of
// the demo is read in milliseconds all the same.
func BenchmarkFind(b *testing.B) {
	s := openBig(b)
	for b.Loop() {
		found, err := s.Find(context.Background(), map[string]string{"order": "o77", "postcode": "P077"})
		if err != nil || found.Customer == "" {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s := openBig(b)
	g := grant("c77", access.ReachAll)
	b.ReportAllocs()
	for b.Loop() {
		if r := read(b, s, g); r.Rows < 5 {
			b.Fatal(r)
		}
	}
}
