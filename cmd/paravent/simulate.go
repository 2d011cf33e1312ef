package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/simulate"
)

// newSimulateCommand returns `paravent simulate`: a bed to try a review on.
func newSimulateCommand(s streams) *cobra.Command {
	var o simulate.Options
	var start string
	c := &cobra.Command{
		Use:   "simulate DIR",
		Short: "Make up a company's look-ups, honest ones and snoopers, as files for a review",
		Long: `Writes the input files of a review into DIR: tasks, contacts, orders and look-ups of a
made-up company, and labels.csv, which says of each look-up by a snooper which episode it
belongs to. A review never reads labels.csv. The same flags make the same bytes.
Everybody in it is made up. A file that exists is never overwritten.`,
		Example: `  paravent simulate ./bed && paravent review ./bed
  paravent simulate ./bed --seed 2 --employees 400 --customers 25000 --everyone 0.4`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("give one folder to write to, not %d\nTry: %s --help", len(args), c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Start, err = moment("--start", start); err != nil {
				return err
			}
			if err := checkSimulation(o); err != nil {
				return usageError{err}
			}
			if o.Snooping == 0 {
				o.Snooping = -1 // nobody; the options' 0 means the default
			}
			return runSimulation(c.Context(), s, o, args[0])
		},
	}
	f := c.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "another `number` makes another company")
	f.IntVar(&o.Days, "days", 30, "length of the history")
	f.IntVar(&o.Customers, "customers", 5000, fmt.Sprintf("their number, %d or more; about 60 for each employee", simulate.MinCustomers))
	f.IntVar(&o.Employees, "employees", 80, fmt.Sprintf("their number, %d or more", simulate.MinEmployees))
	f.StringVar(&start, "start", "", "first `day`, such as 2026-03-02 (default 2026-01-05)")
	f.Float64Var(&o.Snooping, "snooping", 1, "multiplies the number of snooping episodes; 0: nobody snoops")
	f.Float64Var(&o.Everyone, "everyone", 0, "share of the staff, 0 to 1, that snoops besides")
	return c
}

// checkSimulation names every flag that is out of range.
func checkSimulation(o simulate.Options) error {
	var wrong []error
	for _, x := range []struct {
		ok   bool
		says string
	}{
		{o.Days >= 1, fmt.Sprintf("--days %d: give 1 or more", o.Days)},
		{o.Customers >= simulate.MinCustomers, fmt.Sprintf("--customers %d: give %d or more", o.Customers, simulate.MinCustomers)},
		{o.Employees >= simulate.MinEmployees, fmt.Sprintf("--employees %d: give %d or more", o.Employees, simulate.MinEmployees)},
		{o.Snooping >= 0, fmt.Sprintf("--snooping %g: give 0 or more", o.Snooping)},
		{o.Everyone >= 0 && o.Everyone <= 1, fmt.Sprintf("--everyone %g: give a share from 0 to 1", o.Everyone)},
	} {
		if !x.ok {
			wrong = append(wrong, errors.New(x.says))
		}
	}
	return errors.Join(wrong...)
}

// runSimulation writes the files and tells the next command.
func runSimulation(ctx context.Context, s streams, o simulate.Options, dir string) error {
	told := func(w simulate.Written) {
		if s.terminal {
			fmt.Fprintf(s.err, "\rday %d of %d, %d look-ups", w.Days, o.Days, w.Lookups)
		}
	}
	shop := simulate.New(o)
	w, err := simulate.WriteFiles(ctx, dir, shop, told)
	if s.terminal {
		fmt.Fprint(s.err, "\r\033[K")
	}
	if errors.Is(err, os.ErrExist) {
		return access.Errorf(access.Invalid, "%s holds such files already", dir).Because(err).
			WithHint("Name a new or empty folder; nothing that was there is changed.")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d look-ups and %d tasks of %d days in %s\nNext: paravent review %s\n", w.Lookups, w.Tasks, o.Days, dir, dir)
	return nil
}
