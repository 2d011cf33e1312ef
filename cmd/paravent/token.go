package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newTokenCommand signs in with login and password and gets an access token
// for the command line and the API.
func newTokenCommand(s streams) *cobra.Command {
	var flags clientFlags
	var login, name string
	var lasts time.Duration
	var show bool
	c := &cobra.Command{
		Use:   "token",
		Short: "Get an access token for the command line and the API",
		Long: `Signs you in and gets an access token that acts as you, for as long as --lasts says.
It is kept in your configuration folder, readable by you alone, or printed with --print.
The password is asked for; where there is no terminal, it is read from standard input.`,
		Example: `  paravent token --login e101
  PARAVENT_TOKEN=$(paravent token --login e101 --print) paravent policy explain --employee e101 --task T-1001`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if login == "" {
				return usageError{errors.New("--login is missing: your name at sign-in")}
			}
			cl, err := flags.anonymous()
			if err != nil {
				return err
			}
			password, err := readPassword(s, "Password for "+login+": ")
			if err != nil {
				return err
			}
			var answer struct {
				Token string    `json:"token"`
				Until time.Time `json:"until"`
			}
			request := map[string]any{"login": login, "password": password, "name": name, "lasts": lasts.String()}
			if err := cl.call(c.Context(), "POST", "/v1/tokens", request, &answer); err != nil {
				return err
			}
			if show {
				fmt.Fprintln(s.out, answer.Token)
				return nil
			}
			return keepToken(s, cl.server, answer.Token, answer.Until)
		},
	}
	flags.register(c)
	c.Flags().StringVar(&login, "login", "", "your name at sign-in")
	c.Flags().StringVar(&name, "name", "command line", "what the token is for, shown in your list of tokens")
	c.Flags().DurationVar(&lasts, "lasts", 8*time.Hour, "how long the token is valid")
	c.Flags().BoolVar(&show, "print", false, "print the token instead of keeping it")
	return c
}

func keepToken(s streams, server, token string, until time.Time) error {
	path, err := tokenPath(server)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep token: %w", err)
	}
	fmt.Fprintf(s.out, "Signed in at %s until %s.\n", server, until.Local().Format("2006-01-02 15:04"))
	return nil
}

// readPassword asks without echo on a terminal, and reads one line otherwise.
func readPassword(s streams, prompt string) (string, error) {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.err, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return string(text), nil
	}
	return readLine(bufio.NewReader(s.in))
}

// readLine returns the next line, the last one also without its end.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
