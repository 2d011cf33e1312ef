package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/qualify"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// G3, and more: what nobody can make again is on disk before it returns. What
// can be made again from the journal needn't be.
func TestG3WhatCantBeMadeAgainIsSynced(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	ctx := t.Context()
	signedIn(t, s, "a", 1)
	var try int64
	k := access.Task{ID: "P-1", Customer: "c1", Purpose: "refund", OpenedAt: at, OpenedBy: "e1", SelfMade: true}
	for _, c := range []struct {
		what string
		file string
		want int
		call func() error
	}{
		{"create keys", store.KeysFile, 2, func() error { return s.Keys().Create(ctx, []ledger.Key{keyOf("customer:c1", 'k')}) }},
		{"add an account", store.StateFile, 2, func() error { return s.AddAccount(ctx, anAccount("b", "e2")) }},
		{"add a session", store.StateFile, 2, func() error {
			return s.AddSession(ctx, identity.Session{Hash: [32]byte{9}, ID: "s", Login: "a", Until: at})
		}},
		{"see a session", store.StateFile, 1, func() error { return s.SeeSession(ctx, [32]byte{9}, at) }},
		{"end a session", store.StateFile, 2, func() error { return s.EndSession(ctx, [32]byte{9}) }},
		{"see a token", store.StateFile, 1, func() error { return s.SeeToken(ctx, "k-a", at) }},
		{"revoke a token", store.StateFile, 2, func() error { return s.RevokeToken(ctx, "a", "k-a", at) }},
		{"change an account", store.StateFile, 2, func() error { return s.ChangeAccount(ctx, identity.Account{Login: "a", Hash: "h", Disabled: true}, at) }},
		{"open a task", store.StateFile, 2, func() error {
			return s.OpenTask(ctx, k, access.Assignment{Task: k.ID, Employee: "e1", Since: at})
		}},
		{"confirm a task", store.StateFile, 2, func() error { return s.ConfirmTask(ctx, k.ID, "e2") }},
		{"save facts", store.StateFile, 2, func() error { return s.SaveFacts(ctx, []access.Event{customerNamed("c1", "x")}) }},
		{"qualify", store.StateFile, 2, func() error {
			return s.SaveQualifications(ctx, []qualify.Row{{Employee: "e1", Kind: qualify.Training, ValidUntil: at}})
		}},
		{"save a request", store.StateFile, 2, func() error { _, err := s.SaveRequest(ctx, aRequest("r1")); return err }},
		{"decide a request", store.StateFile, 2, func() error {
			return s.DecideRequest(ctx, "r1", investigate.Declined, "lead", at, "")
		}},
		{"reserve a try", store.StateFile, 2, func() (err error) { try, err = s.Tries().Reserve(ctx, "e1", at); return err }},
		{"settle a try", store.StateFile, 2, func() error { return s.Tries().Settle(ctx, try, lookup.TryMissed, nil) }},
		{"lock", store.StateFile, 2, func() error { return s.Tries().Lock(ctx, "e1", at) }},
		{"unlock", store.StateFile, 2, func() error { return s.Tries().Unlock(ctx, "e1", at) }},
		{"index", store.StateFile, 1, func() error { return s.SaveIndexed(ctx, []investigate.Indexed{row(1, "l1", 0, "shown")}) }},
		{"save a checkpoint", store.StateFile, 1, func() error { return s.SaveCheckpoint(ctx, investigate.Checkpoint{}, nil, nil) }},
	} {
		before := 3 - c.want // the other one, so that it must be set
		var err error
		if before == 1 {
			err = s.Relax(ctx)
		} else {
			err = s.Tries().Lock(ctx, "e9", at)
		}
		if err == nil {
			err = c.call()
		}
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if got, err := s.Synchronous(ctx, c.file); err != nil || got != c.want {
			t.Errorf("%s: got synchronous %d, %v, want %d", c.what, got, err, c.want)
		}
	}
}

// A full disk refuses what doesn't fit, keeps what was there, and goes on as
// soon as there is room.
func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	save(t, s, customerNamed("c1", "x"))
	var many []access.Event
	for i := range 2000 {
		many = append(many, customerNamed(fmt.Sprint("many", i), strings.Repeat("x", 500)))
	}
	if err := s.Run(t.Context(), "PRAGMA max_page_count = 100"); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveFacts(t.Context(), many); err == nil {
		t.Fatal("more was saved than there is room for")
	}
	if _, err := s.Customer(t.Context(), "c1"); err != nil {
		t.Errorf("what was there: %v", err)
	}
	if _, err := s.Customer(t.Context(), "many0"); access.CodeOf(err) != access.NotFound {
		t.Errorf("half of it is there: %v", err)
	}
	if err := s.Run(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	save(t, s, many...)
}

// While somebody writes at length, others read what was there before, and who
// waits to write gives up with its caller.
func TestReadersDontWaitForAWriter(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	save(t, s, customerNamed("c1", "before"))
	err := s.During(t.Context(), "UPDATE customers SET surname = 'after'", func() {
		c, err := s.Customer(t.Context(), "c1")
		if err != nil || c.Surname != "before" {
			t.Errorf("got %+v, %v, want what was there before", c, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.SaveFacts(ctx, []access.Event{customerNamed("c2", "x")}); err == nil {
			t.Error("two wrote at once")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Customer(t.Context(), "c1")
	if err != nil || c.Surname != "after" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A caller who has gone away gets nothing changed, even where all was written
// but the commit.
func TestAChangeWhoseCallerIsGoneIsNotCommitted(t *testing.T) {
	s := testenv.Store(t, testenv.NewClock(testenv.Start).Now)
	save(t, s, customerNamed("c1", "before"))
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.During(ctx, "UPDATE customers SET surname = 'after'", cancel); err == nil {
		t.Error("no error")
	}
	save(t, s, customerNamed("c2", "x")) // and the next change isn't in its way
	c, err := s.Customer(t.Context(), "c1")
	if err != nil || c.Surname != "before" {
		t.Errorf("got %+v, %v", c, err)
	}
}
