package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/audit"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

// newLedgerCommand returns `paravent ledger`: what an outsider does with it.
func newLedgerCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Verify the ledger, or get evidence from it",
		Args:  knownSubcommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newLedgerVerifyCommand(s), newLedgerReceiptCommand(s), newLedgerEvidenceCommand(s), newLedgerLogsCommand(s), newLedgerRotateCommand(s), newLedgerDropCommand(s))
	return c
}

// verifyFlags are the flags of `paravent ledger verify`.
type verifyFlags struct {
	key, state, data string
	witnesses        []string
	need             int
	within           time.Duration
	quick            bool
}

// newLedgerVerifyCommand verifies a ledger or a bundle of evidence, offline.
func newLedgerVerifyCommand(s streams) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify PATH|URL|BUNDLE.zip",
		Short: "Verify a ledger, or evidence from it",
		Long: `Verifies the whole of a ledger from its folder, what a server publishes of it
from its address, or a bundle of evidence. It needs no server, no lock and no
secret: every record, signed head, position, time and leaf of a key, the sealed
parts, the tiles and the checkpoint are held against each other and against the
public key. What is wrong is named with file, byte and record.

The last checkpoint is kept in --state, so that the next time a ledger that was
rolled back or rewritten is found. With --witness, the witnesses' signatures are
checked too. With --data, the table of keys is held against the leaves that say
which keys were made and destroyed, and the index of look-ups, which the pages
read, against what the journal and the keys make of it.

Exit code 0: sound. 1: it is not, or it could not be verified in time. 2: there
is nothing to verify there, or the command line is wrong.`,
		Example: `  paravent ledger verify ./paravent/data/ledger
  paravent ledger verify --data ./paravent/data
  paravent ledger verify https://paravent.example.com/ledger --key ./public.key --witness "$(cat council.key)"
  paravent ledger verify bundle.zip --key ./public.key`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 0 && f.data == "" {
				return usageError{fmt.Errorf("give one folder, address or bundle to verify, not %d\nTry: %s --help", len(args), c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.within <= 0 {
				return usageError{fmt.Errorf("--within %s: give how long it may take, such as 30m", f.within)}
			}
			what := filepath.Join(f.data, ledgerFolder)
			if len(args) == 1 {
				what = args[0]
			}
			return runLedgerVerify(c.Context(), s, f, what)
		},
	}
	c.Flags().StringVar(&f.key, "key", "", "the ledger's public `key`, or a file that holds it; without it the one beside the ledger is trusted")
	c.Flags().StringVar(&f.state, "state", "", "`folder` in which to keep the checkpoints that you saw (default: paravent/seen in your configuration folder)")
	c.Flags().StringArrayVar(&f.witnesses, "witness", nil, "verifier `key` of a witness, or a file that holds it; may be given more than once")
	c.Flags().IntVar(&f.need, "need", 0, "how many of the witnesses must have cosigned; 0: all")
	c.Flags().StringVar(&f.data, "data", "", "data `folder` whose table of keys and index of look-ups are verified too")
	c.Flags().DurationVar(&f.within, "within", 2*time.Hour, "give up after this `time`")
	c.Flags().BoolVar(&f.quick, "quick", false, "check only the last signature of each segment, which every record is under")
	return c
}

// runLedgerVerify verifies and tells what was found.
func runLedgerVerify(ctx context.Context, s streams, f verifyFlags, what string) error {
	o, err := f.options(what)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	if f.data != "" {
		o.Table = store.ReadKeys(ctx, filepath.Join(f.data, storeFolder, store.KeysFile))
	}
	show := newCountProgress(s)
	o.Told = show.add
	r, proven, err := verifyWhat(ctx, what, o)
	var index *investigate.IndexReport
	if err == nil && f.data != "" && r.Segments > 0 {
		index, err = compareIndex(ctx, f.data, what, o.Table, r)
	}
	show.end()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		fmt.Fprintf(s.err, "paravent: NOT VERIFIED: it was not done within %s, so nothing is known (--within gives it more time)\n", f.within)
		return exit(1)
	case errors.Is(err, audit.ErrUsage):
		return usageError{err}
	case err != nil:
		return err
	}
	tellResult(s.out, r, index, proven)
	if !r.Sound() {
		return exit(1)
	}
	return nil
}

// options reads the keys and finds the place where checkpoints are kept.
func (f *verifyFlags) options(what string) (audit.Options, error) {
	o := audit.Options{Need: f.need, Quick: f.quick}
	var err error
	if o.Key, err = keyOrFile(f.key); err != nil {
		return o, err
	}
	for _, w := range f.witnesses {
		key, err := keyOrFile(w)
		if err != nil {
			return o, err
		}
		o.Witnesses = append(o.Witnesses, key)
	}
	if f.need < 0 || f.need > len(f.witnesses) {
		return o, usageError{fmt.Errorf("--need %d: %d witnesses are named", f.need, len(f.witnesses))}
	}
	state := f.state
	if state == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return o, usageError{fmt.Errorf("find a place for the checkpoints that you saw: %w\nGive one with --state", err)}
		}
		state = filepath.Join(dir, "paravent", "seen")
	}
	o.Memory = &audit.Memory{Dir: state, Now: time.Now}
	o.Place = what
	if !isAddress(what) {
		if o.Place, err = filepath.Abs(what); err != nil {
			return o, usageError{err}
		}
	}
	return o, nil
}

// keyOrFile returns a key that was given as it is or as a file's name.
func keyOrFile(given string) (string, error) {
	if given == "" || strings.Contains(given, "+") && !strings.HasPrefix(given, "/") && !strings.HasPrefix(given, ".") {
		return given, nil
	}
	info, err := os.Stat(given)
	if err == nil && info.Size() > 4<<10 {
		err = errors.New("it is too long to be a key")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(given)
	}
	if err != nil {
		return "", usageError{fmt.Errorf("read the key: %w", err)}
	}
	return strings.TrimSpace(string(text)), nil
}

func isAddress(what string) bool {
	return strings.HasPrefix(what, "http://") || strings.HasPrefix(what, "https://")
}

// verifyWhat verifies an address, a folder or a bundle.
func verifyWhat(ctx context.Context, what string, o audit.Options) (*audit.Result, []audit.Proven, error) {
	if isAddress(what) {
		client := audit.NewClient(time.Minute)
		client.Transport = bearer{token: os.Getenv("PARAVENT_TOKEN"), to: what}
		r, err := audit.Remote(ctx, what, client, o)
		return r, nil, err
	}
	info, err := os.Stat(what)
	if err != nil {
		return nil, nil, usageError{err}
	}
	if info.IsDir() {
		r, err := audit.Chain(ctx, what, o)
		if errors.Is(err, ledger.ErrMissing) {
			if _, inside := os.Stat(filepath.Join(what, ledgerFolder)); inside == nil {
				err = fmt.Errorf("%w\nThis is a data folder: give %s", err, filepath.Join(what, ledgerFolder))
			}
		}
		return r, nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would hang
		return nil, nil, usageError{fmt.Errorf("%s is neither a folder nor a file", what)}
	}
	f, err := os.Open(what)
	if err != nil {
		return nil, nil, usageError{err}
	}
	defer f.Close() // only read
	return audit.Bundle(ctx, f, info.Size(), o)
}

// bearer adds the caller's token to requests to the ledger's server, never to
// another one and never in the clear to another machine.
type bearer struct{ token, to string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(b.to)
	if err == nil && b.token != "" && to.Host == r.URL.Host && (r.URL.Scheme == "https" || loopback(r.URL.Hostname())) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// tellResult writes a verification's result for people.
func tellResult(w io.Writer, r *audit.Result, index *investigate.IndexReport, proven []audit.Proven) {
	fmt.Fprintf(w, "ledger   %s\n", r.Origin)
	fmt.Fprintf(w, "records  %d\nroot     %s\n", r.Size, r.Root)
	if len(r.Logs) > 1 || r.First > 0 {
		for _, l := range r.Logs {
			state := "written"
			if l.Frozen {
				state = "frozen"
			}
			fmt.Fprintf(w, "log %s  %d records from number %d, %s, %s\n", l.Name, l.Size, l.Base, state, l.Origin)
		}
	}
	if r.Segments > 0 {
		fmt.Fprintf(w, "checked  %d segments, %d signed heads, %d keys made, %d destroyed\n", r.Segments, r.Heads, r.Keys, r.Erased)
	}
	if index != nil {
		fmt.Fprintf(w, "index    %d rows compared\n", index.Rows)
	}
	for _, p := range proven {
		given := ""
		if p.Given {
			given = " (a time that was said with it)"
		}
		fmt.Fprintf(w, "proven   record %d, %s%s: %s %s\n", p.Number, p.Time.Format(time.RFC3339), given, p.Kind, p.Outcome)
	}
	if r.Sound() {
		fmt.Fprintln(w, "\nSOUND")
	} else {
		fmt.Fprintf(w, "\nNOT SOUND: %d problems\n", r.Count)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  %s\n", p)
	}
	if more := r.Count - len(r.Problems); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	tellList(w, "Noted", r.Notes)
	tellList(w, "What this can't tell", r.Unknown)
}

func tellList(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, l := range lines {
		fmt.Fprintf(w, "  - %s\n", l)
	}
}

// countProgress tells on a terminal how many records are done.
type countProgress struct {
	w       io.Writer
	records atomic.Int64
	stop    chan struct{}
	stopped chan struct{}
}

func newCountProgress(s streams) *countProgress {
	p := &countProgress{w: s.err, stop: make(chan struct{}), stopped: make(chan struct{})}
	if !s.terminal {
		close(p.stopped)
		return p
	}
	begun := time.Now()
	go func() {
		defer close(p.stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				n := p.records.Load()
				fmt.Fprintf(p.w, "\r%d records, %.0f a second\x1b[K", n, float64(n)/time.Since(begun).Seconds())
			case <-p.stop:
				fmt.Fprint(p.w, "\r\x1b[K")
				return
			}
		}
	}()
	return p
}

func (p *countProgress) add(records int) { p.records.Add(int64(records)) }

func (p *countProgress) end() {
	close(p.stop)
	<-p.stopped
}

// newLedgerEvidenceCommand gets a bundle of evidence from the running server.
func newLedgerEvidenceCommand(s streams) *cobra.Command {
	var flags clientFlags
	var out string
	c := &cobra.Command{
		Use:   "evidence FINDING|LOOK-UP",
		Short: "Get evidence that others can verify offline",
		Long: `Gets a bundle: the opened records behind a finding or a look-up, with the proof
that they are in the ledger and a page that says in plain words what that proves. Asks the running server, which decides whether you may have it
and records that you got it. The bundle holds personal data and no key.`,
		Example: `  paravent ledger evidence f-8c21 -o bundle.zip
  paravent ledger verify bundle.zip --key ./public.key`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError{fmt.Errorf("name one finding or look-up\nTry: %s --help", c.CommandPath())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return usageError{errors.New("-o is missing: the file for the bundle, such as bundle.zip")}
			}
			cl, err := flags.client()
			if err != nil {
				return err
			}
			return cl.evidence(c.Context(), s, args[0], out)
		},
	}
	flags.register(c)
	c.Flags().StringVarP(&out, "out", "o", "", "`file` for the bundle; must not exist")
	return c
}

// maxBundle bounds a bundle, in bytes.
const maxBundle = 256 << 20

// evidence fetches a bundle and writes it, readable by the caller alone.
func (c *client) evidence(ctx context.Context, s streams, id, out string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+"/v1/evidence/"+url.PathEscape(id), nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't reach %s", c.server).Because(err).
			WithHint("Is the server running? Start one with: paravent serve --config paravent.yaml")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		return refusal(resp, text)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usageError{fmt.Errorf("write the bundle: %w", err)}
	}
	n, err := io.Copy(f, io.LimitReader(resp.Body, maxBundle+1))
	if err == nil && n > maxBundle {
		err = fmt.Errorf("the bundle has more than %d bytes", maxBundle)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the bundle: %w", err), os.Remove(out))
	}
	fmt.Fprintf(s.out, "%s is written. It holds personal data.\nVerify it with: paravent ledger verify %s --key KEY\n", out, out)
	return nil
}
