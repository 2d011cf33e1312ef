package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// askedRequest is the server's answer to who asked for something that a second
// person must agree to.
type askedRequest struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// newLedgerRotateCommand asks for a new log with a new signing key.
func newLedgerRotateCommand(s streams) *cobra.Command {
	var flags clientFlags
	var reason string
	c := &cobra.Command{
		Use:   "rotate --reason TEXT",
		Short: "Ask to freeze the log and open the next one, with a new signing key",
		Long: `Asks, as an administrator, to freeze the log that is written now and to open the next
one: with a new signing key, which the old one signs, and with the old log's last
checkpoint in its first record. A second person has to agree. Look-ups wait for about a
second. Records, numbers and proofs stay as they are; the frozen log can be dropped as
a whole when its time is over.`,
		Example: `  paravent ledger rotate --reason "the old server was given away"`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if reason == "" {
				return usageError{errors.New("--reason is missing: the second person reads it")}
			}
			return askLedger(c.Context(), s, flags, "/v1/ledger/rotations", map[string]string{"reason": reason}, "nothing is frozen")
		},
	}
	flags.register(c)
	c.Flags().StringVar(&reason, "reason", "", "why, for the second person to read")
	return c
}

// newLedgerDropCommand asks for the end of a frozen log.
func newLedgerDropCommand(s streams) *cobra.Command {
	var flags clientFlags
	var reason string
	c := &cobra.Command{
		Use:   "drop LOG --reason TEXT",
		Short: "Ask to drop the oldest frozen log as a whole",
		Long: `Asks, as an administrator, to remove the oldest frozen log with everything that the
pages know of its records, and the keys that nothing else needs. A second person has to
agree. It is refused before ledger.keep is over, and while a hold, a request or a
finding needs a record of it. What the next log says of it stays: its last checkpoint.`,
		Example: `  paravent ledger drop 0001 --reason "kept for ten years, as the rules say"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return usageError{errors.New("--reason is missing: the second person reads it")}
			}
			return askLedger(c.Context(), s, flags, "/v1/ledger/drops", map[string]string{"log": args[0], "reason": reason}, "nothing is dropped")
		},
	}
	flags.register(c)
	c.Flags().StringVar(&reason, "reason", "", "why, for the second person to read")
	return c
}

// askLedger sends a request and tells what happens next.
func askLedger(ctx context.Context, s streams, flags clientFlags, path string, request map[string]string, before string) error {
	cl, err := flags.client()
	if err != nil {
		return err
	}
	var answer askedRequest
	if err := cl.call(ctx, "POST", path, request, &answer); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Asked as request %s; %s before a second person agrees, until %s.\n",
		answer.ID, before, answer.Until.Local().Format("2006-01-02 15:04"))
	return nil
}

// newLedgerLogsCommand lists the logs of the ledger.
func newLedgerLogsCommand(s streams) *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:     "logs",
		Short:   "List the ledger's logs: which are frozen, which is written",
		Example: `  paravent ledger logs --server http://127.0.0.1:8420`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := flags.client()
			if err != nil {
				return err
			}
			var answer struct {
				Logs []struct {
					Name   string    `json:"name"`
					Base   uint64    `json:"base"`
					Size   uint64    `json:"records"`
					Frozen bool      `json:"frozen"`
					First  time.Time `json:"first"`
					Last   time.Time `json:"last"`
				} `json:"logs"`
			}
			if err := cl.call(c.Context(), "GET", "/v1/ledger/logs", nil, &answer); err != nil {
				return err
			}
			table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "LOG\tRECORDS\tFROM NUMBER\tSINCE\tLAST\t")
			for _, l := range answer.Logs {
				state := "written now"
				if l.Frozen {
					state = "frozen"
				}
				fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\n", l.Name, l.Size, l.Base, day(l.First), day(l.Last), state)
			}
			return table.Flush()
		},
	}
	flags.register(c)
	return c
}

// day writes a day, "-" where it isn't known.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateOnly)
}
