package policy

import (
	"time"

	"paravent/internal/access"
)

// A Mask says what stands in a column's place where its category isn't granted.
type Mask string

// The masks. Null and Redacted need no value: it isn't even read.
const (
	MaskNull      Mask = "null"      // nothing
	MaskRedacted  Mask = "redacted"  // a fixed word
	MaskEmail     Mask = "email"     // first letter and domain: j•••@example.org
	MaskLast4     Mask = "last4"     // the last four characters
	MaskYear      Mask = "year"      // of a date, the year
	MaskPseudonym Mask = "pseudonym" // the same value gives the same keyed pseudonym
)

// masks lists every mask, in the order in which hints name them.
var masks = []string{string(MaskNull), string(MaskRedacted), string(MaskEmail), string(MaskLast4), string(MaskYear), string(MaskPseudonym)}

// A Category is one kind of data, as the company names it.
type Category struct {
	Name      access.Category
	Title     string   // for pages
	Fideslang []string // data category keys of the fideslang taxonomy, such as user.contact.email
	Pos       Pos
}

// A Source is one protected database.
type Source struct {
	Name   string
	Tables []Table  // in the order of the file
	Open   []string // tables without customers' data, which every employee may read whole over SQL
	Pos    Pos
}

// A Table maps one table: whose a row is, and what its columns hold. Columns
// that are not mapped are never read.
type Table struct {
	Name      string
	Customer  Owner
	Order     string // column with the order's id; "" where rows don't belong to an order
	Time      string // column with the row's time; "" where it has none of its own
	Columns   []Column
	Sensitive Sensitive
	Pos       Pos
}

// Column returns the mapped column of this name.
func (t Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// An Owner says whose a row is: Column holds the customer's id, or, where Table
// is set, Column equals Table.Key and the row belongs to that row's customer
// (order_id -> orders.id). Paths have an end: the loader refuses a circle.
type Owner struct {
	Column string
	Table  string // "" where Column holds the customer's id itself
	Key    string // column of Table; unique there, or the source refuses to open
	Pos    Pos
}

// A Column maps one column.
type Column struct {
	Name     string
	Category access.Category
	Mask     Mask // where the category isn't granted
	Always   Mask // where it is granted; "" shows the value
	Pos      Pos
}

// Sensitive says which rows of a table are sensitive goods: those whose Column
// holds one of Goods, compared without case and surrounding blanks. A row whose
// Column is empty can't be told from them and stays hidden, too.
type Sensitive struct {
	Column string // "" where the table has none
	Goods  []string
	Pos    Pos
}

// A Purpose is a kind of task: what it needs, how far back, who may.
type Purpose struct {
	Name       access.Purpose
	Title      string
	Categories []access.Category // sorted
	Reach      access.Reach
	Recent     time.Duration // how far back reach "recent" goes
	Grant      time.Duration // how long a grant lasts
	Who        []access.Role // sorted
	Sensitive  []string      // sensitive goods whose rows it shows; sorted
	Changes    []ColumnRef   // columns that may be changed over SQL; none unless named
	Pos        Pos
}

// A ColumnRef names one mapped column.
type ColumnRef struct {
	Source, Table, Column string
}

// SecondPerson says who may agree where one person isn't enough.
type SecondPerson struct {
	Who   []access.Role // sorted
	Waits time.Duration // a request that nobody answered lapses after this
	Holds time.Duration // a yes holds this long
	Pos   Pos
}

// An IdentifierKind says how two ways of saying the same thing are told to be
// the same.
type IdentifierKind string

// The kinds of identifiers.
const (
	KindExact    IdentifierKind = "exact"    // byte by byte, after surrounding blanks are cut
	KindPostcode IdentifierKind = "postcode" // without case, blanks and hyphens
	KindEmail    IdentifierKind = "email"    // without case
	KindPhone    IdentifierKind = "phone"    // the last nine digits
	KindDate     IdentifierKind = "date"     // 2006-01-02 or 02.01.2006
)

// identifierKinds lists every kind.
var identifierKinds = []string{string(KindExact), string(KindPostcode), string(KindEmail), string(KindPhone), string(KindDate)}

// An Identifier is something a caller can say of himself, and the column that
// knows whether it's true.
type Identifier struct {
	Name                  string
	Source, Table, Column string
	Kind                  IdentifierKind
	Pos                   Pos
}

// Callers says how the caller of a call in progress is found: by what he says,
// never by browsing names.
type Callers struct {
	Identifiers  map[string]Identifier
	Combinations [][]string    // each is enough; sorted within
	Misses       int           // so many tries without a hit ...
	Within       time.Duration // ... within this time ...
	LockedFor    time.Duration // ... lock the finding for this long
	Pos          Pos
}
