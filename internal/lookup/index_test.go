package lookup_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// All the way on a real ledger: a statement is a look-up in the index of its
// customer, with its outcome; a read past Paravent is a row of whoever read, and
// a finding.
func TestStatementsAndReadsPastParaventComeIntoTheIndex(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	o := ledger.Options{Node: "n1", Keys: s.Store.Keys(), Clock: s.Clock.Now}
	dir := t.TempDir() + "/ledger"
	if err := ledger.Create(dir, o); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.service.Journal = l
	d, a := s.door(t, l), make(answers, 9)
	follower, err := investigate.NewFollower(investigate.FollowerConfig{
		Journal: l, Facts: s.Store, Index: s.Store, Detect: detect.Options{Budget: 5}, Needs: s.policy.Needs(), Clock: s.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- follower.Run(run) }()
	defer func() { stop(); <-done }()

	g := s.open(t, d, s.agent, "mine")
	h := d.Statement(statement(g), a.done)
	d.Ended(h, lookup.Ended{Rows: 3, Bytes: 50, How: "whole"}, a.done)
	for range 2 {
		wantCode(t, "statement", a.wait(t), "")
	}
	observer, err := lookup.NewObserver(lookup.ObserverConfig{Lookups: s.service, Journal: l, Sightings: s.Store, Logins: s.Store, Gate: []string{"paravent_reader"}})
	if err != nil {
		t.Fatal(err)
	}
	connector := s.Who(t, access.Employee{ID: "k1", Role: access.RoleConnector})
	if n, err := observer.Observe(ctx, connector, []lookup.Sighting{sighting(1, "dba")}); err != nil || n.Recorded != 1 {
		t.Fatalf("observe: %+v, %v", n, err)
	}
	var hers, his []investigate.Indexed
	for range 400 {
		s.Clock.Advance(time.Second)
		if hers, err = s.Store.LookupsAt(ctx, "c1", 10); err != nil {
			t.Fatal(err)
		}
		if his, err = s.Store.LookupsBy(ctx, "db:dba", 10); err != nil {
			t.Fatal(err)
		}
		findings, err := s.Store.Findings(ctx, false, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(hers) == 2 && len(his) == 1 && len(findings) == 1 {
			if f := findings[0]; f.Kind != detect.KindOffPath || !slices.Equal(f.Employees, []access.EmployeeID{"db:dba"}) {
				t.Errorf("finding: %+v", f)
			}
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	at := slices.IndexFunc(hers, func(r investigate.Indexed) bool { return r.Act == "" })
	if len(hers) != 2 || at < 0 || len(his) != 1 {
		t.Fatalf("hers %+v\nhis %+v", hers, his)
	}
	if r := hers[at]; r.Lookup.Action != access.ActionStatement || r.Lookup.Outcome != access.OutcomeShown || r.Rows != 3 || r.Statement != text || r.Door != "sql" ||
		!slices.Equal(r.Lookup.Categories, g.Categories) || len(r.Relations) != 2 || r.Lookup.Employee != "e1" {
		t.Errorf("her row: %+v", r)
	}
	if r := his[0]; r.Lookup.Outcome != access.OutcomeOffPath || r.Reader != "dba" || r.Statement == "" || r.Lookup.Customer != "" {
		t.Errorf("his row: %+v", r)
	}
}
