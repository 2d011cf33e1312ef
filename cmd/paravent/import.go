package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// newImportCommand brings facts of the business into a running server.
func newImportCommand(s streams) *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Bring the directory, tasks, contacts and qualifications into a running server",
		Long: `Sends CSV files to the running server. The file's name says what it holds:
employees.csv customers.csv relations.csv tasks.csv assignments.csv work.csv contacts.csv
orders.csv news.csv qualifications.csv. Columns are those of a review's input files;
tasks.csv may have a column "order"; qualifications.csv has employee, kind, valid_until.
It needs a token of the role connector (or administrator, for employees and qualifications).`,
		Example: `  paravent import employees.csv qualifications.csv
  paravent import --server https://paravent.example.com export/*.csv`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			cl, err := flags.client()
			if err != nil {
				return err
			}
			for _, path := range files {
				table := strings.TrimSuffix(filepath.Base(path), ".csv")
				f, err := os.Open(path)
				if err != nil {
					return usageError{fmt.Errorf("open: %w", err)}
				}
				var count struct {
					Rows int `json:"rows"`
				}
				err = cl.call(c.Context(), "POST", "/v1/import/"+url.PathEscape(table), f, &count)
				if closeErr := f.Close(); err == nil {
					err = closeErr
				}
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				fmt.Fprintf(s.out, "%s: %d rows\n", path, count.Rows)
			}
			return nil
		},
	}
	flags.register(c)
	return c
}
