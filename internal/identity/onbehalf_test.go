package identity_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

// desk is a person with a token of his own, and two tools.
type desk struct {
	*testenv.Env
	person, byToken, tool, other identity.Who
	token                        identity.Token
}

func newDesk(t *testing.T) *desk {
	d := &desk{Env: testenv.New(t)}
	d.person = d.Who(t, agent)
	secret, k, err := d.Identity.IssueToken(t.Context(), d.person, "mine", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	d.token = k
	if d.byToken, err = d.Identity.Token(t.Context(), secret, ""); err != nil {
		t.Fatal(err)
	}
	d.tool = d.Who(t, access.Employee{ID: "bi", Role: access.RoleProgram})
	d.other = d.Who(t, access.Employee{ID: "crm", Role: access.RoleProgram})
	return d
}

func (d *desk) issue(t *testing.T, who identity.Who, lasts time.Duration) string {
	t.Helper()
	secret, _, err := d.Identity.IssueOnBehalf(t.Context(), who, d.tool.Login(), lasts, unrecorded)
	if err != nil {
		t.Fatalf("issue: %v", err)
	}
	return secret
}

func TestAToolActsForThePersonWhoLetIt(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	for name, who := range map[string]identity.Who{"signed in": d.person, "by his token": d.byToken} {
		w, err := d.Identity.OnBehalf(ctx, d.tool, d.issue(t, who, 0))
		if err != nil || !w.Proven() || w.Employee() != agent || w.By() != "bi" || !w.Until().Equal(testenv.Start.Add(5*time.Minute)) || w.Session() == who.Session() {
			t.Errorf("%s: got %+v, %v", name, w, err)
		}
		wantCode(t, name+", it lasts", d.Identity.Lasts(ctx, w), "")
		if d.Identity.Service(w) || !d.Identity.Service(d.tool) || d.Identity.Service(d.person) {
			t.Errorf("%s: who is a service account: %v %v %v", name, d.Identity.Service(w), d.Identity.Service(d.tool), d.Identity.Service(d.person))
		}
		// Attack: a tool that acts lets itself act for longer, or another tool.
		_, _, err = d.Identity.IssueOnBehalf(ctx, w, d.other.Login(), 0, unrecorded)
		wantCode(t, name+", an heir", err, access.Denied)
		_, _, err = d.Identity.IssueToken(ctx, w, "heir", 0)
		wantCode(t, name+", a token of its own", err, access.Denied)
		_, err = d.Identity.OnBehalf(ctx, w, d.issue(t, who, 0))
		wantCode(t, name+", on top of another", err, access.Denied)
	}
}

// Attacks: the same token twice, in another tool, after five minutes, made up,
// and an access token in its place.
func TestALeaveToActIsGoodOnceForOneToolAndForMinutes(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	used := d.issue(t, d.person, 0)
	if _, err := d.Identity.OnBehalf(ctx, d.tool, used); err != nil {
		t.Fatal(err)
	}
	late := d.issue(t, d.person, time.Minute)
	_, err := d.Identity.OnBehalf(ctx, d.tool, used)
	wantCode(t, "a second time", err, access.Unauthenticated)
	_, err = d.Identity.OnBehalf(ctx, d.other, d.issue(t, d.person, 0))
	wantCode(t, "another tool", err, access.Unauthenticated)
	for _, secret := range []string{"", "pvb_", "pvb_guess", "pvt_guess"} {
		_, err = d.Identity.OnBehalf(ctx, d.tool, secret)
		wantCode(t, "made up", err, access.Unauthenticated)
	}
	_, err = d.Identity.OnBehalf(ctx, d.person, d.issue(t, d.person, 0))
	wantCode(t, "by the person himself", err, access.Denied)
	_, err = d.Identity.OnBehalf(ctx, identity.Who{}, d.issue(t, d.person, 0))
	wantCode(t, "by nobody", err, access.Denied)
	w, err := d.Identity.OnBehalf(ctx, d.tool, d.issue(t, d.person, time.Minute))
	wantCode(t, "in time", err, "")
	d.Clock.Advance(time.Minute)
	_, err = d.Identity.OnBehalf(ctx, d.tool, late)
	wantCode(t, "too late", err, access.Unauthenticated)
	wantCode(t, "acting on when it is over", d.Identity.Lasts(ctx, w), access.Unauthenticated)
}

// Attack: a hundred connections show the same token at once.
func TestOfManyThatShowALeaveAtOnceOneIsLetIn(t *testing.T) {
	d := newDesk(t)
	secret := d.issue(t, d.person, 0)
	var wg sync.WaitGroup
	var in atomic.Int32
	for range 50 {
		wg.Go(func() {
			if _, err := d.Identity.OnBehalf(context.Background(), d.tool, secret); err == nil {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d were let in", in.Load())
	}
}

// Attack: a thief who has lost the person's session uses what he made with it.
func TestALeaveToActEndsWithWhatItWasGivenWith(t *testing.T) {
	for name, end := range map[string]func(*desk, context.Context) error{
		"his token is revoked": func(d *desk, ctx context.Context) error { return d.Identity.RevokeToken(ctx, d.person, d.token.ID) },
		"his account is closed": func(d *desk, ctx context.Context) error {
			return d.Identity.SetDisabled(ctx, d.Admin(), d.person.Login(), true, unrecorded)
		},
		"the tool's own is closed": func(d *desk, ctx context.Context) error {
			return d.Identity.SetDisabled(ctx, d.Admin(), d.tool.Login(), true, unrecorded)
		},
		"his password is reset": func(d *desk, ctx context.Context) error {
			_, err := d.Identity.ResetPassword(ctx, d.Admin(), d.person.Login(), unrecorded)
			return err
		},
	} {
		d := newDesk(t)
		ctx := t.Context()
		acting, err := d.Identity.OnBehalf(ctx, d.tool, d.issue(t, d.byToken, 0))
		wantCode(t, name, err, "")
		secret := d.issue(t, d.byToken, 0)
		wantCode(t, name, end(d, ctx), "")
		wantCode(t, name+": acting on", d.Identity.Lasts(ctx, acting), access.Unauthenticated)
		if name != "the tool's own is closed" { // its door would no longer let it in
			_, err = d.Identity.OnBehalf(ctx, d.tool, secret)
			wantCode(t, name+": beginning to act", err, access.Unauthenticated)
		}
	}
}

func TestOnlyPeopleLetToolsActAndItIsRecordedFirst(t *testing.T) {
	d := newDesk(t)
	ctx, s := t.Context(), d.Identity
	for name, c := range map[string]struct {
		who   identity.Who
		tool  string
		lasts time.Duration
		want  access.Code
	}{
		"nobody":             {identity.Who{}, d.tool.Login(), 0, access.Unauthenticated},
		"a tool for itself":  {d.tool, d.tool.Login(), 0, access.Denied},
		"a tool for another": {d.tool, d.other.Login(), 0, access.Denied},
		"for too long":       {d.person, d.tool.Login(), 5*time.Minute + 1, access.Invalid},
		"for less than none": {d.person, d.tool.Login(), -1, access.Invalid},
		"no tool":            {d.person, "nobody", 0, access.NotFound},
		"a colleague":        {d.person, "admin", 0, access.NotFound},
	} {
		_, _, err := s.IssueOnBehalf(ctx, c.who, c.tool, c.lasts, unrecorded)
		wantCode(t, name, err, c.want)
	}
	broken := errors.New("the ledger is full")
	secret, _, err := s.IssueOnBehalf(ctx, d.person, d.tool.Login(), 0, func(context.Context, identity.Account) error { return broken })
	if !errors.Is(err, broken) || secret != "" {
		t.Errorf("unrecorded: got %q, %v", secret, err)
	}
}
