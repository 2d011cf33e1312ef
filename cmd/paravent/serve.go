package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// realClock is the one place where the product reads the time.
func realClock() time.Time { return time.Now().UTC() }

// newServeCommand runs the server on the user's own data.
func newServeCommand(s streams) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: console, API and follower in one process",
		Long: `Runs the server until Ctrl-C or SIGTERM. Every mistake in the configuration and the
policy is listed with its line before anything is opened (exit code 2).`,
		Example: `  paravent serve --config paravent.yaml
  PARAVENT_LISTEN=127.0.0.1:9000 paravent serve --config paravent.yaml
  paravent serve --config paravent.yaml --listen 127.0.0.1:9000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, p, err := loadAll(path, setFlags(c, "listen", "data"))
			if err != nil {
				return tellProblems(s, err)
			}
			return serve(c.Context(), s, config, p)
		},
	}
	c.Flags().StringVar(&path, "config", "paravent.yaml", "the configuration")
	c.Flags().String("listen", "", "address to listen on instead of the configuration's")
	c.Flags().String("data", "", "data folder instead of the configuration's")
	return c
}

// setFlags returns the named flags that the user set, by the setting's key.
func setFlags(c *cobra.Command, names ...string) map[string]string {
	set := map[string]string{}
	for _, name := range names {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			set[name] = f.Value.String()
		}
	}
	return set
}

// loadAll reads configuration and policy and returns every mistake of both.
func loadAll(path string, flags map[string]string) (*Config, *policy.Policy, error) {
	config, err := loadConfig(path, os.Environ(), flags)
	if err != nil {
		return nil, nil, err
	}
	p, err := loadPolicy(config.Policy, config.Conditions)
	return config, p, err
}

// loadPolicy reads the two files of a policy.
func loadPolicy(policyPath, conditionsPath string) (*policy.Policy, error) {
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return nil, usageError{fmt.Errorf("read policy: %w", err)}
	}
	conditions, err := os.ReadFile(conditionsPath)
	if err != nil {
		return nil, usageError{fmt.Errorf("read conditions: %w", err)}
	}
	return policy.Load(policyPath, text, conditionsPath, conditions)
}

// tellProblems lists the mistakes of a configuration or policy, one a line, and
// ends with exit code 2. Any other error is passed on.
func tellProblems(s streams, err error) error {
	var problems policy.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(s.err, p.Error())
	}
	n := len(problems.Errors())
	fmt.Fprintf(s.err, "paravent: %d mistake%s; nothing was opened, nothing was changed\n", n, plural(n))
	return exit(2)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func serve(ctx context.Context, s streams, config *Config, p *policy.Policy) (err error) {
	if isDemo(config.Data) {
		return access.Errorf(access.Invalid, "%s is a demo's folder: its people and passwords are made up", config.Data).
			WithHint("Make your own with: paravent init DIR")
	}
	log := slog.New(slog.NewJSONHandler(s.err, nil))
	l, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't listen on %s", config.Listen).Because(err).
			WithHint("Is another server running there? Choose another address with --listen.")
	}
	config.Listen = chosenPort(config.Listen, l)
	sys, err := openSystem(ctx, config, p, realClock, log)
	if err != nil {
		return tellProblems(s, errors.Join(err, l.Close()))
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	done, err := sys.signOn.IsSetUp(ctx)
	if err != nil {
		return err
	}
	for _, w := range config.Warnings {
		fmt.Fprintln(s.err, w.Error())
	}
	fmt.Fprintf(s.out, "Paravent is ready at %s\n", sys.url())
	if sys.sql != nil {
		fmt.Fprintf(s.out, "The SQL door is open at %s, database %s.\n", config.Gate.Listen, config.Gate.Database)
	}
	if !done {
		fmt.Fprintf(s.out, "Nobody has an account yet: open %s/setup with the code that paravent init printed.\n", sys.url())
	}
	fmt.Fprintln(s.out, "Ctrl-C ends it.")
	return sys.serve(ctx, l)
}

// chosenPort returns listen with the port that the system chose where it was 0,
// and as it is otherwise.
func chosenPort(listen string, l net.Listener) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port != "0" {
		return listen
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		return listen
	}
	return net.JoinHostPort(host, port)
}

// url is the console's address.
func (s *system) url() string {
	if s.config.TLSCert != "" {
		return "https://" + s.config.Listen
	}
	return "http://" + s.config.Listen
}
