package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/access"
)

// client speaks to the running server's API with the caller's own access
// token: on the command line nobody is nobody, and each call is recorded and
// refused like a page.
type client struct {
	server string // https://host:port, without a slash at the end
	token  string
	http   *http.Client
}

// clientFlags are the flags that every client subcommand has.
type clientFlags struct{ server string }

func (f *clientFlags) register(c *cobra.Command) {
	server := os.Getenv("PARAVENT_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8420"
	}
	c.Flags().StringVar(&f.server, "server", server, "address of the running server (or PARAVENT_SERVER)")
}

// client returns a client with the caller's token, from PARAVENT_TOKEN or from
// the file that `paravent token` wrote.
func (f *clientFlags) client() (*client, error) {
	c, err := f.anonymous()
	if err != nil {
		return nil, err
	}
	if c.token = os.Getenv("PARAVENT_TOKEN"); c.token != "" {
		return c, nil
	}
	path, err := tokenPath(c.server)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, access.Errorf(access.Unauthenticated, "no access token for %s", c.server).
			WithHint("Get one with: paravent token --server " + c.server + " --login NAME")
	}
	if err != nil {
		return nil, fmt.Errorf("read access token: %w", err)
	}
	c.token = strings.TrimSpace(string(text))
	return c, nil
}

// anonymous returns a client without a token. It refuses to send credentials
// in the clear to another machine.
func (f *clientFlags) anonymous() (*client, error) {
	u, err := url.Parse(strings.TrimRight(f.server, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usageError{fmt.Errorf("--server %q: expected an address such as https://paravent.example.com", f.server)}
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, usageError{fmt.Errorf("--server %q: a password or token would cross the network in the clear; use https", f.server)}
	}
	return &client{server: u.String(), http: &http.Client{Timeout: 5 * time.Minute}}, nil
}

// tokenPath is where the token for a server is kept, mode 0600.
func tokenPath(server string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the token: %w\nSet PARAVENT_TOKEN instead", err)
	}
	return filepath.Join(dir, "paravent", "token-"+url.PathEscape(server)), nil
}

// call sends body (JSON, unless it is an io.Reader) and decodes the answer
// into answer, where that isn't nil.
func (c *client) call(ctx context.Context, method, path string, body, answer any) error {
	var reader io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader, contentType = io.NopCloser(b), "text/csv" // whoever opened it closes it
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, reader)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't reach %s", c.server).Because(err).
			WithHint("Is the server running? Start one with: paravent serve --config paravent.yaml")
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("read answer of %s: %w", c.server, err)
	}
	return nil
}

// refusal turns the server's error answer into a coded error.
func refusal(resp *http.Response, text []byte) error {
	var body struct {
		Error struct {
			Code      access.Code `json:"code"`
			Message   string      `json:"message"`
			Hint      string      `json:"hint"`
			RequestID string      `json:"request_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &body); err != nil || body.Error.Message == "" {
		return access.Errorf(access.Internal, "the server answered %s", resp.Status)
	}
	e := access.Errorf(body.Error.Code, "%s", body.Error.Message).WithHint(body.Error.Hint)
	if body.Error.Code == access.Internal {
		e.Message += " (request " + body.Error.RequestID + ")"
	}
	return e
}
