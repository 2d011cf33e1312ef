package store

import (
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
)

// lookupColumns are a row of the index: what it is found by, and the rest.
const lookupColumns = `number, id, at, employee, customer, outcome, act, body`

// lookupBody is what no column of a row holds, as JSON. Its names are short
// because there are as many rows as look-ups, and its values stand there as they
// are because an erasure must be able to find them.
type lookupBody struct {
	Kind           ledger.Kind       `json:"k,omitempty"`
	Action         access.Action     `json:"v,omitempty"`
	Categories     []access.Category `json:"c,omitempty"`
	Record         access.OrderID    `json:"o,omitempty"`
	Task           access.TaskID     `json:"t,omitempty"`
	Reason         string            `json:"r,omitempty"`
	Session        access.SessionID  `json:"s,omitempty"`
	Device         string            `json:"d,omitempty"`
	Site           string            `json:"i,omitempty"`
	Purpose        string            `json:"p,omitempty"`
	Role           string            `json:"l,omitempty"`
	Pseudonym      string            `json:"n,omitempty"`
	Door           string            `json:"g,omitempty"`
	Reasons        []string          `json:"w,omitempty"`
	Rows           int               `json:"q,omitempty"`
	About          string            `json:"a,omitempty"`
	Employee       string            `json:"e,omitempty"`
	Statement      string            `json:"m,omitempty"`
	Relations      []string          `json:"b,omitempty"`
	Reader         string            `json:"f,omitempty"`
	CustomerErased time.Time         `json:"x,omitzero"`
	EmployeeErased time.Time         `json:"y,omitzero"`
}

// rowOf returns the values of a row, in the order of lookupColumns.
func rowOf(r investigate.Indexed) ([]any, error) {
	l := r.Lookup
	body, err := encode(lookupBody{
		Kind: r.Kind, Action: l.Action, Categories: l.Categories, Record: l.Record, Task: l.Task, Reason: l.Reason,
		Session: l.Session, Device: l.Device, Site: l.Site, Purpose: r.Purpose, Role: r.Role, Pseudonym: r.Pseudonym,
		Door: r.Door, Reasons: r.Reasons, Rows: r.Rows, About: r.About, Employee: r.Employee,
		Statement: r.Statement, Relations: r.Relations, Reader: r.Reader,
		CustomerErased: r.CustomerErased, EmployeeErased: r.EmployeeErased,
	})
	if err != nil {
		return nil, err
	}
	return []any{int64(r.Number), string(l.ID), access.Micros(l.At), string(l.Employee), string(l.Customer), string(l.Outcome), r.Act, body}, nil
}

// indexedRow reads one row of lookupColumns. Its number is returned also where
// the body can't be read.
func indexedRow(s scanner) (number int64, r investigate.Indexed, err error) {
	var at int64
	var body string
	l := &r.Lookup
	if err := s.Scan(&number, &l.ID, &at, &l.Employee, &l.Customer, &l.Outcome, &r.Act, &body); err != nil {
		return number, r, err
	}
	var b lookupBody
	if err := decode(body, &b); err != nil {
		return number, r, errBody{err}
	}
	r.Number, r.Kind, l.At = uint64(number), b.Kind, access.FromMicros(at)
	l.Action, l.Categories, l.Record, l.Task, l.Reason = b.Action, b.Categories, b.Record, b.Task, b.Reason
	l.Session, l.Device, l.Site = b.Session, b.Device, b.Site
	r.Purpose, r.Role, r.Pseudonym, r.Door, r.Reasons, r.Rows = b.Purpose, b.Role, b.Pseudonym, b.Door, b.Reasons, b.Rows
	r.About, r.Employee, r.CustomerErased, r.EmployeeErased = b.About, b.Employee, b.CustomerErased, b.EmployeeErased
	r.Statement, r.Relations, r.Reader = b.Statement, b.Relations, b.Reader
	return number, r, nil
}

// errBody says that the body of a row can't be read, though the row could.
type errBody struct{ error }
