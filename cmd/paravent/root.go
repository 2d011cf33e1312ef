package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paravent/internal/access"
)

// version is set at link time: -ldflags "-X main.version=1.2.3".
var version = "dev"

// newRootCommand returns the command line: every subcommand in one list.
func newRootCommand(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "paravent",
		Short: "Each look-up of a customer's record: tied to a task, recorded, explained",
		Long: `Paravent stands between a company's employees and its customers' records.
Each look-up needs a task, shows only what that task needs, is recorded before
the first byte is released, and is explained afterwards by the facts of the business.`,
		Example: `  paravent demo                          # a simulated shop, ready in seconds
  paravent init ./paravent               # your own: configuration and policy to start from
  paravent serve --config ./paravent/paravent.yaml
  paravent review ./export --out ./review # look-ups of the past, from files`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,

		Args: knownSubcommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nTry: %s --help", err, c.CommandPath())}
	})
	root.AddCommand(subcommands(s)...)
	usageOfArgs(root)
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, topic []string) error {
			found, rest, err := root.Find(topic)
			if err != nil {
				return usageError{err}
			}
			return knownSubcommand(found, rest)
		}
	}
	return root
}

// usageOfArgs makes a wrong number of arguments a wrong command line in every
// subcommand, and shows how it is written instead.
func usageOfArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		usageOfArgs(sub)
		if check := sub.Args; check != nil {
			sub.Args = func(c *cobra.Command, args []string) error {
				err := check(c, args)
				var usage usageError
				if err == nil || errors.As(err, &usage) {
					return err
				}
				return usageError{fmt.Errorf("wrong arguments; write: %s\nTry: %s --help", c.UseLine(), c.CommandPath())}
			}
		}
	}
}

// knownSubcommand refuses a word that is no subcommand and names the nearest.
func knownSubcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // cobra hands it down to no subcommand
	err := fmt.Errorf("unknown command %q", args[0])
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, near[0])
	}
	return usageError{fmt.Errorf("%w\nTry: %s --help", err, c.CommandPath())}
}

// usageError is a command line that can't be understood: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// report tells the user what went wrong, and the way out where there is one.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "paravent: %v\n", err)
	var coded *access.Error
	if errors.As(err, &coded) && coded.Hint != "" {
		fmt.Fprintf(w, "  %s\n", coded.Hint)
	}
}

// codeFor returns 2 for what the user wrote wrongly and 1 for everything else.
func codeFor(err error) int {
	var usage usageError
	if errors.As(err, &usage) || access.CodeOf(err) == access.Invalid {
		return 2
	}
	return 1
}
