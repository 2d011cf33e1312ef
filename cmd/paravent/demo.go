package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/policy"
	"paravent/internal/qualify"
	"paravent/internal/simulate"
	"paravent/internal/source"
)

// newDemoCommand shows the whole product on a simulated shop.
func newDemoCommand(s streams) *cobra.Command {
	var listen, dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "A simulated shop, ready in seconds: honest days, snoopers, live traffic",
		Long: `Makes up a shop of 5,000 customers and 80 employees with thirty days of tickets, calls,
orders and look-ups, some of them snooping, and goes on with live traffic. Everything lies
in a temporary folder that is removed at the end, unless --dir names one to keep.`,
		Example: `  paravent demo
  paravent demo --listen 127.0.0.1:9000 --dir ./demo`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), s, listen, dir) },
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8420", "loopback address to listen on")
	c.Flags().StringVar(&dir, "dir", "", "new or empty folder in which to keep everything")
	return c
}

func demo(ctx context.Context, s streams, listen, dir string) (err error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || !loopback(host) {
		return usageError{fmt.Errorf("--listen %q: a demo's passwords are printed, so it listens on a loopback address only, such as 127.0.0.1:8420", listen)}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't listen on %s", listen).Because(err).
			WithHint("Is another demo running? Choose another address: paravent demo --listen 127.0.0.1:0")
	}
	defer func() { err = errors.Join(err, ignoreClosed(l.Close())) }()
	dir, remove, err := demoFolder(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	fmt.Fprintf(s.err, "Making up a shop in %s …\n", dir)
	now := realClock()
	d := &demonstration{streams: s, dir: dir, shop: simulate.New(simulate.Options{
		Seed: 1, Start: now.AddDate(0, 0, -demoDays), Until: now, Days: demoDays + 1,
	})}
	if err := d.open(ctx, l.Addr().String()); err != nil {
		return tellProblems(s, err)
	}
	defer func() { err = errors.Join(err, d.system.close()) }()
	return d.run(ctx, l)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// demoFolder returns the folder to work in and what removes it at the end.
func demoFolder(dir string) (path string, remove func() error, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "paravent-demo-"); err != nil {
			return "", nil, fmt.Errorf("make temporary folder: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", nil, access.Errorf(access.Invalid, "%s is not empty", dir).WithHint("Name a new or empty folder; nothing was changed.")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, usageError{fmt.Errorf("make %s: %w", dir, err)}
	}
	return dir, func() error { return nil }, nil
}

// demonstration is one run of the demo.
type demonstration struct {
	streams
	dir    string
	shop   *simulate.Shop
	system *system
	admin  identity.Who
	phone  []demoAccount                         // what the visitor is told
	roles  map[access.EmployeeID]access.Employee // the directory
}

// demoAccount is one account that a visitor can try.
type demoAccount struct {
	title, login, password, does string
}

// demoDays is how long the simulated past is.
const demoDays = 30

// open makes the shop's folder and its past, and opens the system on it.
func (d *demonstration) open(ctx context.Context, listen string) error {
	config := &Config{
		Listen: listen, Data: filepath.Join(d.dir, "data"), Node: "demo", Budget: 5,
		SessionLasts: 10 * time.Hour, SessionIdle: 2 * time.Hour, Zone: localZone(), LedgerKeep: 24 * time.Hour,
		Sources: map[string]SourceConfig{"shop": {Kind: "sqlite", Path: filepath.Join(d.dir, "shop.db")}},
	}
	p, err := policy.Load("policy.yaml", policy.DefaultYAML(), "default.cedar", policy.DefaultCedar())
	if err != nil {
		return err
	}
	// The shop's database and the past are made side by side: two cores, half the wait.
	var g errgroup.Group
	g.Go(func() error { return source.Load(ctx, config.Sources["shop"].Path, tables(d.shop)) })
	var history []access.Event
	g.Go(func() error { history = d.shop.History(); return nil })
	code, err := makeFolder(ctx, config, realClock)
	if err := errors.Join(err, g.Wait()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(config.Data, demoFile), []byte("made by paravent demo\n"), 0o600); err != nil {
		return fmt.Errorf("mark demo folder: %w", err)
	}
	log := slog.New(slog.NewTextHandler(d.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if d.system, err = openSystem(ctx, config, p, realClock, log); err != nil {
		return err
	}
	if err := d.fill(ctx, history, code); err != nil {
		return errors.Join(err, d.system.close())
	}
	return nil
}

// tables hands the simulated shop's tables to source.
func tables(shop *simulate.Shop) []source.Content {
	var all []source.Content
	for _, t := range shop.Tables() {
		all = append(all, source.Content(t))
	}
	return all
}

// fill brings in the directory, the facts, the qualifications, the look-ups of
// the past and the accounts.
func (d *demonstration) fill(ctx context.Context, history []access.Event, setupCode string) error {
	cast := d.shop.Cast()
	if err := d.account(ctx, cast, setupCode); err != nil {
		return err
	}
	facts := d.shop.Standing()
	tasks := map[access.TaskID]access.Task{}
	for _, ev := range history {
		if opened, ok := ev.(*access.TaskOpened); ok {
			tasks[opened.Task.ID] = opened.Task
		}
	}
	var past []ledger.Entry
	for _, ev := range history {
		l, ok := ev.(*access.Lookup)
		if !ok {
			facts = append(facts, ev)
			continue
		}
		e, err := d.observed(*l, tasks)
		if err != nil {
			return err
		}
		past = append(past, e)
	}
	if err := d.system.store.SaveFacts(ctx, facts); err != nil {
		return fmt.Errorf("save the past's facts: %w", err)
	}
	if err := d.qualifyAll(ctx); err != nil {
		return err
	}
	if _, err := d.system.ledger.AppendAll(ctx, past); err != nil {
		return fmt.Errorf("record the past's look-ups: %w", err)
	}
	return nil
}

// qualifyAll gives every employee a current guideline, training and attestation.
func (d *demonstration) qualifyAll(ctx context.Context) error {
	until := realClock().AddDate(1, 0, 0).Truncate(24 * time.Hour)
	var rows []qualify.Row
	for _, e := range d.shop.Employees {
		for _, kind := range []qualify.Kind{qualify.Guideline, qualify.Training, qualify.Attestation} {
			rows = append(rows, qualify.Row{Employee: e.ID, Kind: kind, ValidUntil: until})
		}
	}
	if err := d.system.store.SaveQualifications(ctx, rows); err != nil {
		return fmt.Errorf("save qualifications: %w", err)
	}
	return nil
}

// password returns a password for one run: 60 random bits, easy to copy.
func password() string {
	text := strings.ToLower(rand.Text())
	return text[:4] + "-" + text[4:8] + "-" + text[8:12]
}

// run serves, waits until the past is explained, tells the visitor where to go,
// and goes on with live traffic until ctx ends.
func (d *demonstration) run(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.system.serve(ctx, l) })
	g.Go(func() error {
		if err := d.caughtUp(ctx); err != nil {
			return nil // ctx has ended; serve says how
		}
		d.welcome()
		d.live(ctx)
		return nil
	})
	err := g.Wait()
	fmt.Fprintln(d.err, "\nThe demo has ended.")
	return err
}

// caughtUp waits until the follower has read all of the past.
func (d *demonstration) caughtUp(ctx context.Context) error {
	for {
		var records uint64
		if err := d.system.turnstile.pass(func() error { records, _ = d.system.follower.Lag(); return nil }); err != nil || records == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// welcome tells the visitor where to go and as whom.
func (d *demonstration) welcome() {
	fmt.Fprintf(d.out, "\nParavent is ready at %s\n\n", d.system.url())
	for _, a := range d.phone {
		fmt.Fprintf(d.out, "  %-16s %-8s %s   %s\n", a.title, a.login, a.password, a.does)
	}
	said := d.shop.Says(d.shop.Cast().Customer, realClock())
	fmt.Fprintf(d.out, `
The agent has a call in progress. The caller says: order %s, postcode %s.

Everything lies in %s.
Next, in another terminal:

  go run ./cmd/paravent token --server %s --login %s
  go run ./cmd/paravent policy explain --server %s --employee %s --task %s

Ctrl-C ends the demo.
`, said["order"], said["postcode"], d.dir, d.system.url(), d.phone[0].login, d.system.url(), d.phone[0].login, d.exampleTask())
}
