package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/simulate"
)

// account makes the accounts that a visitor can try, the administrator's first.
func (d *demonstration) account(ctx context.Context, cast simulate.Cast, setupCode string) error {
	people := map[access.EmployeeID]access.Employee{}
	for _, e := range d.shop.Employees {
		people[e.ID] = e
	}
	admin := demoAccount{"administrator", string(cast.Administrator), password(), "runs the system, sees no customer and no finding"}
	if err := d.system.signOn.Setup(ctx, setupCode, admin.login, people[cast.Administrator].Name, admin.password); err != nil {
		return fmt.Errorf("set up administrator: %w", err)
	}
	_, in, err := d.system.signOn.SignIn(ctx, admin.login, admin.password, "demo")
	if err != nil {
		return fmt.Errorf("sign in administrator: %w", err)
	}
	d.admin = in.Who
	// Accounts need their employees, which come with the facts; these few come first.
	var first []access.Event
	for _, e := range d.shop.Employees {
		first = append(first, &access.EmployeeKnown{Employee: e})
	}
	if err := d.system.store.SaveFacts(ctx, first); err != nil {
		return fmt.Errorf("save directory: %w", err)
	}
	for _, a := range []struct {
		title, does string
		account     identity.Account
	}{
		{"agent", "works tasks: looks up what a task needs, and nothing else", employeeAccount(cast.Agent)},
		{"team lead", "is the second person for what an agent may not see alone", employeeAccount(cast.TeamLead)},
		{"privacy officer", "reads findings, asks who looked at a customer", employeeAccount(cast.PrivacyOfficer)},
		{"customer", "sees who looked at her data, and for what", identity.Account{Login: string(cast.Customer), Kind: identity.KindCustomer, Customer: cast.Customer}},
	} {
		secret := password()
		if err := d.system.signOn.AddAccount(ctx, d.admin, a.account, secret); err != nil {
			return fmt.Errorf("add account of the %s: %w", a.title, err)
		}
		d.phone = append(d.phone, demoAccount{a.title, a.account.Login, secret, a.does})
	}
	d.phone = append(d.phone[:3], admin, d.phone[3])
	return nil
}

func employeeAccount(e access.EmployeeID) identity.Account {
	return identity.Account{Login: string(e), Kind: identity.KindEmployee, Employee: e}
}

// observed is the record of a look-up from before Paravent. The task that was
// named gives its purpose only where it is about this customer.
func (d *demonstration) observed(l access.Lookup, tasks map[access.TaskID]access.Task) (ledger.Entry, error) {
	if d.roles == nil {
		d.roles = map[access.EmployeeID]access.Employee{}
		for _, e := range d.shop.Employees {
			d.roles[e.ID] = e
		}
	}
	var purpose access.Purpose
	if k := tasks[l.Task]; k.Customer == l.Customer {
		purpose = k.Purpose
	}
	e, err := lookup.Observed(l, d.roles[l.Employee], purpose, d.system.lookups.Pseudonym(l.Employee))
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("record look-up %s: %w", l.ID, err)
	}
	return e, nil
}

// exampleTask returns an open task of the agent's, for the next command to try.
func (d *demonstration) exampleTask() access.TaskID {
	agent := d.roles[access.EmployeeID(d.phone[0].login)]
	tasks, err := d.system.store.TasksOf(context.Background(), agent.ID, agent.Team, realClock())
	if err != nil || len(tasks) == 0 {
		return "T-1"
	}
	return tasks[0].ID
}

// live plays the shop's day on: facts as they come, look-ups as employees ask
// for them, some of which are refused. What fails is logged and tried again.
func (d *demonstration) live(ctx context.Context) {
	staff := newCrew(d)
	traffic := d.shop.Live(realClock(), 1)
	for {
		step := traffic.Next()
		select {
		case <-ctx.Done():
			return
		case <-time.After(step.At.Sub(realClock())):
		}
		if !d.tell(ctx, step.Facts) {
			return
		}
		if step.Ask == nil {
			continue
		}
		if err := staff.ask(ctx, *step.Ask); err != nil && ctx.Err() == nil {
			d.system.log.ErrorContext(ctx, "live traffic: a look-up failed", "error", err)
		}
	}
}

// tell saves facts of the shop, trying until it works or ctx ends: a disk that is
// full is no reason to end what still answers, and shows, that it is. It returns
// false when ctx has ended.
func (d *demonstration) tell(ctx context.Context, facts []access.Event) bool {
	for {
		err := d.system.store.SaveFacts(ctx, facts)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.system.log.ErrorContext(ctx, "live traffic waits: facts can't be saved", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(tellAgain):
		}
	}
}

// tellAgain is how long live traffic waits where facts can't be saved.
const tellAgain = 2 * time.Second

// crew signs simulated employees in as they begin to work.
type crew struct {
	d      *demonstration
	in     map[access.EmployeeID]identity.Who
	secret map[access.EmployeeID]string // of accounts that were made
}

func newCrew(d *demonstration) crew {
	return crew{d: d, in: map[access.EmployeeID]identity.Who{}, secret: map[access.EmployeeID]string{}}
}

// ask looks, as the employee would. A refusal is an answer, not an error.
func (c crew) ask(ctx context.Context, a simulate.Ask) error {
	who, err := c.who(ctx, a.Employee)
	if err != nil {
		return err
	}
	err = c.d.system.turnstile.pass(func() error {
		_, err := c.d.system.lookups.Look(ctx, who, lookup.Request{
			Task: a.Task, Customer: a.Customer, Categories: a.Categories, Order: a.Order, Action: a.Action,
			Reason: a.Reason, Door: lookup.DoorConsole,
		})
		return err
	})
	var refused *access.Error
	if errors.As(err, &refused) && refused.Code != access.Internal {
		return nil
	}
	return err
}

// who returns the employee, signed in through the same door as everybody.
func (c crew) who(ctx context.Context, e access.EmployeeID) (identity.Who, error) {
	if who, ok := c.in[e]; ok {
		return who, nil
	}
	who, err := c.signIn(ctx, e)
	if err == nil {
		c.in[e] = who
	}
	return who, err
}

// signIn gives the employee an account and signs him in.
func (c crew) signIn(ctx context.Context, e access.EmployeeID) (identity.Who, error) {
	secret, made := c.secret[e]
	if !made {
		secret = password()
		if err := c.d.system.signOn.AddAccount(ctx, c.d.admin, employeeAccount(e), secret); err != nil {
			return identity.Who{}, fmt.Errorf("add account of %s: %w", e, err)
		}
		c.secret[e] = secret
	}
	_, in, err := c.d.system.signOn.SignIn(ctx, string(e), secret, "demo-"+string(e))
	if err != nil {
		return identity.Who{}, fmt.Errorf("sign in %s: %w", e, err)
	}
	return in.Who, nil
}
