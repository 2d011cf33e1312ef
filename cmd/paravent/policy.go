package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// newPolicyCommand groups what concerns the policy.
func newPolicyCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Check the policy, or explain what it lets somebody see",
		Args:  knownSubcommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPolicyCheckCommand(s), newPolicyExplainCommand(s))
	return c
}

// newPolicyCheckCommand lists every mistake of a policy, offline.
func newPolicyCheckCommand(s streams) *cobra.Command {
	var config string
	c := &cobra.Command{
		Use:   "check [POLICY.yaml CONDITIONS.cedar]",
		Short: "List every mistake of a policy with file, line and hint",
		Long: `Reads the two files and lists unknown categories, columns, purposes and roles, rules that
can never apply, and what else is wrong or looks forgotten. It opens no database and needs
no server. Exit code 2 where something is wrong.`,
		Example: `  paravent policy check --config paravent.yaml
  paravent policy check policy.yaml default.cedar`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return usageError{errors.New("policy check takes both files or none: policy check policy.yaml default.cedar")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				cfg, err := loadConfig(config, os.Environ(), nil)
				if err != nil {
					return tellProblems(s, err)
				}
				args = []string{cfg.Policy, cfg.Conditions}
			}
			return checkPolicy(s, args[0], args[1])
		},
	}
	c.Flags().StringVar(&config, "config", "paravent.yaml", "the configuration that names the two files")
	return c
}

func checkPolicy(s streams, policyPath, conditionsPath string) error {
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return usageError{fmt.Errorf("read policy: %w", err)}
	}
	conditions, err := os.ReadFile(conditionsPath)
	if err != nil {
		return usageError{fmt.Errorf("read conditions: %w", err)}
	}
	problems := policy.Check(policyPath, text, conditionsPath, conditions)
	if len(problems.Errors()) > 0 {
		return tellProblems(s, problems)
	}
	for _, warning := range problems {
		fmt.Fprintln(s.out, warning.Error())
	}
	fmt.Fprintf(s.out, "%s and %s are sound.\n", policyPath, conditionsPath)
	return nil
}

// explained is the server's answer to an explain.
type explained struct {
	Effect  string `json:"effect"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Grant   *struct {
		Customer   access.CustomerID `json:"customer"`
		Purpose    access.Purpose    `json:"purpose"`
		Categories []access.Category `json:"categories"`
		Reach      access.Reach      `json:"reach"`
		Order      access.OrderID    `json:"order"`
		Until      time.Time         `json:"until"`
	} `json:"grant"`
	Reasons []struct {
		ID     string `json:"id"`
		Effect string `json:"effect"`
		Text   string `json:"text"`
	} `json:"reasons"`
	Columns []struct {
		Table    string          `json:"table"`
		Name     string          `json:"name"`
		Category access.Category `json:"category"`
		Masked   bool            `json:"masked"`
	} `json:"columns"`
}

// newPolicyExplainCommand asks the server what an employee would see.
func newPolicyExplainCommand(s streams) *cobra.Command {
	var flags clientFlags
	var employee, task string
	c := &cobra.Command{
		Use:   "explain --employee E --task T",
		Short: "What would this employee see for this task, and why",
		Long: `Asks the running server, which records the question. You may ask about yourself, a team
lead about his team, a privacy officer about anybody. No value of a customer's is shown.`,
		Example: `  paravent policy explain --employee e101 --task T-1001`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if employee == "" || task == "" {
				return usageError{errors.New("policy explain needs --employee and --task")}
			}
			cl, err := flags.client()
			if err != nil {
				return err
			}
			var answer explained
			query := url.Values{"employee": {employee}, "task": {task}}
			if err := cl.call(c.Context(), "GET", "/v1/explain?"+query.Encode(), nil, &answer); err != nil {
				return err
			}
			printExplanation(s, answer)
			return nil
		},
	}
	flags.register(c)
	c.Flags().StringVar(&employee, "employee", "", "the employee's id")
	c.Flags().StringVar(&task, "task", "", "the task's id")
	return c
}

func printExplanation(s streams, a explained) {
	fmt.Fprintf(s.out, "%s\n", strings.ReplaceAll(a.Effect, "_", " "))
	if a.Message != "" {
		fmt.Fprintf(s.out, "  he would be told: %s %s\n", a.Message, a.Hint)
	}
	if g := a.Grant; g != nil {
		fmt.Fprintf(s.out, "  for %s: customer %s, reach %s", g.Purpose, g.Customer, g.Reach)
		if g.Order != "" {
			fmt.Fprintf(s.out, " (order %s)", g.Order)
		}
		fmt.Fprintf(s.out, ", until %s\n", g.Until.Local().Format("15:04"))
	}
	for _, r := range a.Reasons {
		fmt.Fprintf(s.out, "  %-7s %-28s %s\n", r.Effect, r.ID, r.Text)
	}
	table := ""
	for _, col := range a.Columns {
		if col.Table != table {
			table = col.Table
			fmt.Fprintf(s.out, "  %s\n", table)
		}
		shown := "shown"
		if col.Masked {
			shown = "masked"
		}
		fmt.Fprintf(s.out, "    %-6s  %-16s %s\n", shown, col.Name, col.Category)
	}
}
