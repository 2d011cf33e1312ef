package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// newEraseCommand asks for an erasure at a running server.
func newEraseCommand(s streams) *cobra.Command {
	var flags clientFlags
	var employee, reason string
	c := &cobra.Command{
		Use:   "erase CUSTOMER | --employee ID",
		Short: "Ask to make a customer's data unreadable in every record",
		Long: `Asks, as a privacy officer, to make everything that the records say about a customer
unreadable, or about an employee who has left. A second person has to agree, on the page
of requests. It is refused while a legal hold, a request or a young finding needs the data.
The records stay, and so does the proof of each.`,
		Example: `  paravent erase c17 --reason "asked by letter of 3 May"
  paravent erase --employee e101`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (employee != "") {
				return usageError{errors.New("paravent erase needs the id of a customer, or --employee with his")}
			}
			request := map[string]string{"employee": employee, "reason": reason}
			if len(args) == 1 {
				request["customer"] = args[0]
			}
			cl, err := flags.client()
			if err != nil {
				return err
			}
			var answer struct {
				ID    string    `json:"id"`
				Until time.Time `json:"until"`
			}
			if err := cl.call(c.Context(), "POST", "/v1/erasures", request, &answer); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Asked as request %s; nothing is erased before a second person agrees, until %s.\n",
				answer.ID, answer.Until.Local().Format("2006-01-02 15:04"))
			return nil
		},
	}
	flags.register(c)
	c.Flags().StringVar(&employee, "employee", "", "an employee who has left, instead of a customer")
	c.Flags().StringVar(&reason, "reason", "", "why, for the second person to read; it is erased too")
	return c
}
