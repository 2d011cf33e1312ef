package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/protect"
)

// protectOptions are the flags of paravent protect.
type protectOptions struct {
	config, source, dsn  string
	apply, check, remove bool
}

// newProtectCommand makes the policy true inside a PostgreSQL.
func newProtectCommand(s streams) *cobra.Command {
	var o protectOptions
	c := &cobra.Command{
		Use:   "protect --source NAME [--apply | --check | --remove]",
		Short: "Make the policy true inside a PostgreSQL database",
		Long: `Prints the SQL that makes the policy true inside the database, for its administrator to
review: one transaction that may be run again. It reads the database to write it and changes
nothing. Employees then see views in place of the mapped tables; every role that there is
keeps by name what it had through PUBLIC.

  --apply   runs what would be printed
  --check   lists every difference between the live database and the policy: columns that
            nobody has mapped, rights that came back through PUBLIC, and whatever one of the
            shop's own roles has lost. Exit code 1 where there is one
  --remove  takes everything away and gives back what stood before

All of them need a superuser of the database, and its primary where it has standbys. The
password is read where psql reads it: PGPASSWORD or PGPASSFILE.`,
		Example: `  paravent protect --source shop > review-me.sql
  PGUSER=postgres paravent protect --source shop --apply
  paravent protect --source shop --check --dsn postgres://dba@db.example.com/shop
  paravent protect --source shop --remove --dsn "host=/run/postgresql dbname=shop user=postgres"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runProtect(c.Context(), s, o) },
	}
	c.Flags().StringVar(&o.config, "config", "paravent.yaml", "the configuration that names the policy and the source")
	c.Flags().StringVar(&o.source, "source", "", "the source's name in the policy")
	c.Flags().StringVar(&o.dsn, "dsn", "", "the database, as a URL or keywords (default: the source's dsn in the configuration)")
	c.Flags().BoolVar(&o.apply, "apply", false, "run the SQL")
	c.Flags().BoolVar(&o.check, "check", false, "list every difference between the database and the policy")
	c.Flags().BoolVar(&o.remove, "remove", false, "take everything away again")
	c.MarkFlagsMutuallyExclusive("apply", "check", "remove")
	return c
}

func runProtect(ctx context.Context, s streams, o protectOptions) (err error) {
	if o.source == "" {
		return usageError{errors.New("protect needs --source, such as --source shop")}
	}
	p, dsn, err := o.read()
	if err != nil {
		return tellProblems(s, err)
	}
	if _, ok := p.Source(o.source); !ok && !o.remove {
		return usageError{fmt.Errorf("the policy has no source %q", o.source)}
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return connectError(err)
	}
	defer func() {
		if closing := conn.Close(context.WithoutCancel(ctx)); err == nil {
			err = closing
		}
	}()
	switch {
	case o.check:
		return checkProtection(ctx, s, conn, p, o.source)
	case o.remove:
		if err := protect.Remove(ctx, conn); err != nil {
			return databaseError(err)
		}
		fmt.Fprintln(s.out, "Everything is taken away; what stood before is back.")
		return nil
	}
	plan, err := protect.New(ctx, conn, p, o.source)
	if err != nil {
		return tellProblems(s, databaseError(err))
	}
	if !o.apply {
		fmt.Fprint(s.out, plan.SQL())
		return nil
	}
	if err := protect.Apply(ctx, conn, plan); err != nil {
		return databaseError(err)
	}
	for _, line := range plan.Summary() {
		fmt.Fprintln(s.out, line)
	}
	fmt.Fprintf(s.out, "Applied. Next: paravent protect --source %s --check\n", o.source)
	return nil
}

// read reads the policy, and where the database is.
func (o protectOptions) read() (*policy.Policy, string, error) {
	cfg, err := loadConfig(o.config, os.Environ(), nil)
	if err != nil {
		return nil, "", err
	}
	p, err := loadPolicy(cfg.Policy, cfg.Conditions)
	if err != nil || o.dsn != "" {
		return p, o.dsn, err
	}
	there, ok := cfg.Sources[o.source]
	switch {
	case !ok || there.Kind != "postgres":
		return nil, "", usageError{fmt.Errorf("source %s isn't a PostgreSQL in %s; name the database with --dsn", o.source, o.config)}
	case there.Standby:
		return nil, "", usageError{fmt.Errorf("source %s is a standby; name its primary with --dsn", o.source)}
	}
	return p, there.DSN, nil
}

// checkProtection prints every gap.
func checkProtection(ctx context.Context, s streams, conn *pgx.Conn, p *policy.Policy, source string) error {
	gaps, err := protect.Check(ctx, conn, p, source)
	if err != nil {
		return databaseError(err)
	}
	if len(gaps) == 0 {
		fmt.Fprintln(s.out, "No gap: the database does what the policy says, and no role has lost a right.")
		return nil
	}
	for _, g := range gaps {
		fmt.Fprintf(s.out, "%-8s %s: %s\n", g.Kind, g.Object, g.Text)
		if g.Hint != "" {
			fmt.Fprintf(s.out, "         %s\n", g.Hint)
		}
	}
	fmt.Fprintf(s.out, "%d gaps\n", len(gaps))
	return exit(1)
}

// connectError tells the user why the database can't be reached, without the
// password that its address may hold.
func connectError(err error) error {
	text := err.Error()
	var failed *pgconn.ConnectError
	if errors.As(err, &failed) {
		text = strings.TrimSpace(failed.Unwrap().Error())
	}
	return access.Errorf(access.Unavailable, "The database can't be reached: %s", text).WithHint("Name it with --dsn; PGUSER, PGPASSWORD and PGPASSFILE are read as psql reads them.")
}

// databaseError adds the way out where there is one.
func databaseError(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "42501":
		return access.Errorf(access.Denied, "%s", pg.Message).WithHint("Connect as a superuser of the database.").Because(err)
	case "55P03":
		return access.Errorf(access.Unavailable, "Somebody holds a lock on what has to change; nothing was changed.").WithHint("Try again when less is going on.").Because(err)
	}
	return err
}
