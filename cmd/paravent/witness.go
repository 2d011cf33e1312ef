package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/access"
	"paravent/internal/witness"
)

// witnessFlags are the settings of a witness.
type witnessFlags struct {
	listen, dir, name string
	cert, key         string
	logs              []string
	noFollow          bool
}

// newWitnessCommand runs a witness: another party's memory of the ledger.
func newWitnessCommand(s streams) *cobra.Command {
	var f witnessFlags
	c := &cobra.Command{
		Use:   "witness",
		Short: "Run a witness that lets no one rewrite the ledger unseen",
		Long: `Runs a witness (C2SP tlog-witness) until Ctrl-C or SIGTERM. It remembers the last state of
each ledger that it signed, signs only what contains it, and keeps the evidence when it's shown
anything else. Run it on a machine that the ledger's administrators don't administer: the works
council's, or an auditor's. It never sees a record.

When the ledger's key is rotated, a new log follows the old one. The old log's key signs that, the
server tells the witness, and it follows: it says so loudly, cosigns the new log and nothing more of
the old one. With --no-follow it doesn't: its operator adds the new key with --log.

The first start makes the witness's key in --dir and prints what the server is configured with.
Later starts need all that is in --dir. Never restore it from a copy: a witness that has lost
its memory must be given up, and a new one made with a new name.`,
		Example: `  paravent witness --log ./public.key --dir ./witness
  paravent witness --listen 0.0.0.0:8421 --tls-cert cert.pem --tls-key key.pem --log ./public.key --dir ./witness
  curl http://127.0.0.1:8421/state`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runWitness(c.Context(), s, f) },
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8421", "address to listen on")
	c.Flags().StringVar(&f.dir, "dir", "witness", "folder of the witness's key, memory and alarms")
	c.Flags().StringVar(&f.name, "name", "", "name of a new witness, such as works-council.example/w1; made up if left out")
	c.Flags().StringArrayVar(&f.logs, "log", nil, "verifier key of a ledger, or a file that holds it (the ledger's public.key); may be repeated")
	c.Flags().BoolVar(&f.noFollow, "no-follow", false, "cosign only the logs of --log, and none that they name as their successors")
	c.Flags().StringVar(&f.cert, "tls-cert", "", "PEM file; with --tls-key the witness speaks https")
	c.Flags().StringVar(&f.key, "tls-key", "", "PEM file")
	return c
}

func runWitness(ctx context.Context, s streams, f witnessFlags) (err error) {
	logs, err := f.check()
	if err != nil {
		return usageError{err}
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return access.Errorf(access.Unavailable, "can't listen on %s", f.listen).Because(err).
			WithHint("Is another witness running there? Choose another address with --listen.")
	}
	log := slog.New(slog.NewJSONHandler(s.err, nil))
	w, err := openWitness(f, logs, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	f.greet(s, w, l.Addr().String())
	return serveWitness(ctx, l, w, f, log)
}

// check reads what the flags name, before anything is opened.
func (f witnessFlags) check() ([]witness.Log, error) {
	if len(f.logs) == 0 {
		return nil, errors.New("--log is missing: the verifier key of the ledger to witness, or the file public.key beside it")
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("only one of --tls-cert and --tls-key is given")
	}
	if f.cert != "" {
		if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return nil, fmt.Errorf("--tls-cert: %w", err)
		}
	}
	var logs []witness.Log
	for _, text := range f.logs {
		if content, err := os.ReadFile(text); err == nil {
			text = strings.TrimSpace(string(content))
		} else if !strings.Contains(text, "+") {
			return nil, fmt.Errorf("--log %s: neither a verifier key nor a file: %w", text, err)
		}
		l, err := witness.ParseLog(text)
		if err != nil {
			return nil, fmt.Errorf("--log: %w", err)
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// openWitness opens the witness, and makes it at the first start.
func openWitness(f witnessFlags, logs []witness.Log, log *slog.Logger) (*witness.Witness, error) {
	name := f.name
	if name == "" {
		name = "paravent-witness/" + strings.ToLower(rand.Text()[:16])
	}
	if err := witness.Create(f.dir, name); err != nil && !errors.Is(err, witness.ErrExists) {
		return nil, witnessHint(err)
	}
	w, err := witness.Open(witness.Options{Dir: f.dir, Logs: logs, Clock: realClock, Log: log, NoFollow: f.noFollow})
	if err != nil {
		return nil, witnessHint(err)
	}
	if f.name != "" && w.Verifier().Name() != f.name {
		return nil, errors.Join(usageError{fmt.Errorf("--name %s: the witness in %s is called %s, for good", f.name, f.dir, w.Verifier().Name())}, w.Close())
	}
	return w, nil
}

func witnessHint(err error) error {
	if !errors.Is(err, witness.ErrState) {
		return err
	}
	return access.Errorf(access.Unavailable, "the witness can't start").Because(err).
		WithHint("A witness without its whole memory could sign two stories. Keep the folder as evidence, and make a new witness, with a new name, in another one.")
}

// greet prints where the witness is and what to do with its key.
func (f witnessFlags) greet(s streams, w *witness.Witness, address string) {
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(address)
	open := err == nil && !loopback(host)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		address = net.JoinHostPort("<this machine>", port)
	}
	fmt.Fprintf(s.out, "The witness is ready at %s://%s/\n\n", scheme, address)
	fmt.Fprintf(s.out, "For the configuration of the ledger's server:\n\nwitnesses:\n  - name: witness\n    url: %s://%s\n    key: %s\n\n", scheme, address, w.Verifier())
	if open && f.cert == "" {
		fmt.Fprintln(s.out, "Without TLS others on the network can read along. What they see is signed and names nobody;\nthey can't change it, but they can hold it up.")
	}
	fmt.Fprintln(s.out, "Ctrl-C ends it.")
}

// serveWitness answers on l until ctx ends.
func serveWitness(ctx context.Context, l net.Listener, w *witness.Witness, f witnessFlags, log *slog.Logger) error {
	server := &http.Server{
		Handler: w, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return answer(ctx, server, l, f.cert, f.key, 5*time.Second)
}
