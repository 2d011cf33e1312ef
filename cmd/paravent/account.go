package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"paravent/internal/access"
)

// newSetupCommand lets the first administrator in without a browser.
func newSetupCommand(s streams) *cobra.Command {
	var flags clientFlags
	var login, name string
	c := &cobra.Command{
		Use:   "setup --login NAME",
		Short: "Come in as the first administrator, with the code that init printed",
		Long: `Makes the first account of a running server, an administrator's: he keeps the system and
its accounts, and sees no customer and no finding. It works once. The code and the
password are asked for; where there is no terminal, they are two lines of standard
input. The page /setup does the same in a browser.`,
		Example: `  paravent setup --login ada --name "Ada Admin"
  paravent setup --server https://paravent.example.com --login ada < secrets`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if login == "" {
				return usageError{errors.New("--login is missing: your name at sign-in, and your id in the records")}
			}
			cl, err := flags.anonymous()
			if err != nil {
				return err
			}
			ask := newAsker(s)
			code, err := ask.secret("Setup code: ")
			if err != nil {
				return err
			}
			password, err := ask.newPassword("Password for " + login)
			if err != nil {
				return err
			}
			request := map[string]string{"code": code, "login": login, "name": name, "password": password}
			if err := cl.call(c.Context(), "POST", "/v1/setup", request, nil); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s is set up; you are its administrator.\nNext: paravent token --server %s --login %s\n", cl.server, cl.server, login)
			return nil
		},
	}
	flags.register(c)
	c.Flags().StringVar(&login, "login", "", "your name at sign-in, and your id in the records")
	c.Flags().StringVar(&name, "name", "", "your name, as pages show it")
	return c
}

// newPasswordCommand changes one's own password without a browser.
func newPasswordCommand(s streams) *cobra.Command {
	var flags clientFlags
	var login string
	c := &cobra.Command{
		Use:   "password --login NAME",
		Short: "Change your own password, such as the first one that you were given",
		Long: `Changes your password. Every session of yours ends and every access token is revoked. The
old and the new password are asked for; where there is no terminal, they are two lines of
standard input. The page "My account" does the same in a browser.`,
		Example: `  paravent password --login e101`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if login == "" {
				return usageError{errors.New("--login is missing: your name at sign-in")}
			}
			cl, err := flags.anonymous()
			if err != nil {
				return err
			}
			ask := newAsker(s)
			old, err := ask.secret("Old password of " + login + ": ")
			if err != nil {
				return err
			}
			password, err := ask.newPassword("New password")
			if err != nil {
				return err
			}
			request := map[string]string{"login": login, "password": old, "new_password": password}
			if err := cl.call(c.Context(), "POST", "/v1/password", request, nil); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "The password of %s is changed; sessions and tokens have ended.\n", login)
			return nil
		},
	}
	flags.register(c)
	c.Flags().StringVar(&login, "login", "", "your name at sign-in")
	return c
}

// newAccountCommand groups what an administrator does with others' accounts.
func newAccountCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "account",
		Short: "Give people accounts, reset their passwords, close and open accounts",
		Long: `What an administrator does with everybody's accounts but his own. Each change is recorded
before it is made. The page Accounts does the same in a browser.`,
		Args: knownSubcommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		newAccountAddCommand(s),
		newAccountChangeCommand(s, accountChange{
			use: "reset LOGIN...", short: "Give out new first passwords", action: "password", done: "",
			long:    "Prints a new first password for each login, once. Sessions end and tokens are revoked.",
			example: "  paravent account reset e101",
		}),
		newAccountChangeCommand(s, accountChange{
			use: "close LOGIN...", short: "Close accounts at once", action: "close", done: "closed",
			long:    "Nobody signs in with a closed account; its sessions end and its tokens are revoked.",
			example: "  paravent account close e101 e102",
		}),
		newAccountChangeCommand(s, accountChange{
			use: "open LOGIN...", short: "Open closed accounts again", action: "open", done: "open again",
			long:    "The password is the one from before the account was closed.",
			example: "  paravent account open e101",
		}),
	)
	return c
}

// firstPassword is the server's answer where it gives out a first password.
type firstPassword struct {
	Login    string `json:"login"`
	Password string `json:"password"`
}

func newAccountAddCommand(s streams) *cobra.Command {
	var flags clientFlags
	var login string
	var customer bool
	c := &cobra.Command{
		Use:   "add EMPLOYEE...",
		Short: "Give employees accounts, or customers with --customer",
		Long: `Makes an account for each employee of the directory (or customer, with --customer) and
prints login and first password, separated by a tab, once. The login is the id in lower
case, unless --login names another. Hand the password over in person: it opens nothing
until its owner has changed it.`,
		Example: `  paravent account add e101 e102
  paravent account add --login anna.smith e103
  paravent account add --customer c17`,
		Args: func(_ *cobra.Command, ids []string) error {
			if len(ids) == 0 {
				return usageError{errors.New("account add needs the id of an employee, or of a customer with --customer")}
			}
			if login != "" && len(ids) != 1 {
				return usageError{errors.New("--login names one account's login; add the others without it")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, ids []string) error {
			cl, err := flags.client()
			if err != nil {
				return err
			}
			kind := "employee"
			if customer {
				kind = "customer"
			}
			return each(ids, func(id string) error {
				var answer firstPassword
				if err := cl.call(c.Context(), "POST", "/v1/accounts", map[string]string{kind: id, "login": login}, &answer); err != nil {
					return err
				}
				fmt.Fprintf(s.out, "%s\t%s\n", answer.Login, answer.Password)
				return nil
			})
		},
	}
	flags.register(c)
	c.Flags().BoolVar(&customer, "customer", false, "the ids are customers'")
	c.Flags().StringVar(&login, "login", "", "another name at sign-in than the id")
	return c
}

// accountChange is one of the changes that name logins alone.
type accountChange struct{ use, short, long, example, action, done string }

func newAccountChangeCommand(s streams, ch accountChange) *cobra.Command {
	var flags clientFlags
	c := &cobra.Command{
		Use: ch.use, Short: ch.short, Long: ch.long, Example: ch.example,
		Args: func(c *cobra.Command, logins []string) error {
			if len(logins) == 0 {
				return usageError{fmt.Errorf("%s needs a login\nTry: %s --help", c.CommandPath(), c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, logins []string) error {
			cl, err := flags.client()
			if err != nil {
				return err
			}
			return each(logins, func(login string) error { return ch.call(c.Context(), s, cl, login) })
		},
	}
	flags.register(c)
	return c
}

// call makes the change at one account and tells what came of it.
func (ch accountChange) call(ctx context.Context, s streams, cl *client, login string) error {
	path := "/v1/accounts/" + url.PathEscape(login) + "/" + ch.action
	if ch.done != "" {
		if err := cl.call(ctx, "POST", path, nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s is %s.\n", login, ch.done)
		return nil
	}
	var answer firstPassword
	if err := cl.call(ctx, "POST", path, nil, &answer); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\t%s\n", answer.Login, answer.Password)
	return nil
}

// each does one thing for each name. What was done before a mistake stays done
// and was told; the mistake names whom it was about.
func each(names []string, do func(string) error) error {
	for i, name := range names {
		if err := do(name); err != nil {
			if rest := len(names) - i - 1; rest > 0 {
				return fmt.Errorf("%s (and %d after it not tried): %w", name, rest, err)
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// asker asks for several secrets in turn: without echo on a terminal, a line
// each otherwise.
type asker struct {
	s        streams
	terminal bool
	lines    *bufio.Reader
}

func newAsker(s streams) *asker {
	f, ok := s.in.(*os.File)
	return &asker{s: s, terminal: ok && term.IsTerminal(int(f.Fd())), lines: bufio.NewReader(s.in)}
}

// secret asks for one secret.
func (a *asker) secret(prompt string) (string, error) {
	if a.terminal {
		return readPassword(a.s, prompt)
	}
	return readLine(a.lines)
}

// newPassword asks for a password, twice where it can be mistyped.
func (a *asker) newPassword(prompt string) (string, error) {
	password, err := a.secret(prompt + ": ")
	if err != nil || !a.terminal {
		return password, err
	}
	again, err := a.secret(prompt + ", again: ")
	if err == nil && again != password {
		err = access.Errorf(access.Invalid, "the two passwords differ; nothing was changed")
	}
	return password, err
}
