package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/audit"
	"paravent/internal/ledger"
	"paravent/internal/witness"
)

// newLedgerReceiptCommand verifies a receipt.
func newLedgerReceiptCommand(s streams) *cobra.Command {
	var f verifyFlags
	var at string
	c := &cobra.Command{
		Use:   "receipt FILE|-",
		Short: "Verify the receipt of a look-up, at once or against the ledger of today",
		Long: `Verifies a receipt, as it comes with every look-up (recorded_as in the answer), offline:
that the record is in the ledger's tree at its place, signed by the ledger's key.

With --at, the ledger's folder or address, it tells besides whether the ledger of today
still holds that record, and with --witness whether witnesses have cosigned that.

Exit code 0: it verifies. 1: it does not. 2: it can't be verified, or not yet.`,
		Example: `  paravent ledger receipt receipt.json --key ./public.key
  paravent ledger receipt receipt.json --key ./public.key --at https://paravent.example.com/ledger --witness ./council.key`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runLedgerReceipt(c.Context(), s, f, args[0], at)
		},
	}
	c.Flags().StringVar(&f.key, "key", "", "the public `key` of the log, or a file that holds it; without it the one beside the log is trusted, which needs --at")
	c.Flags().StringArrayVar(&f.witnesses, "witness", nil, "verifier `key` of a witness, or a file that holds it; may be given more than once")
	c.Flags().IntVar(&f.need, "need", 0, "how many of the witnesses must have cosigned; 0: all")
	c.Flags().StringVar(&at, "at", "", "`folder or address` of the ledger of today")
	return c
}

// runLedgerReceipt verifies one receipt and tells what that shows.
func runLedgerReceipt(ctx context.Context, s streams, f verifyFlags, file, at string) error {
	o, err := f.options(".")
	if err != nil {
		return err
	}
	if at == "" && (o.Key == "" || len(o.Witnesses) > 0) {
		return usageError{errors.New("give the ledger's public key with --key, or where the ledger is with --at; witnesses need --at")}
	}
	r, err := readReceipt(file)
	if err != nil {
		return usageError{err}
	}
	var later *audit.Later
	if at != "" {
		if later, err = laterOf(ctx, at, r.Head); err != nil {
			if errors.Is(err, audit.ErrUsage) {
				return usageError{err}
			}
			return notVerified(s, err)
		}
	}
	key := o.Key
	if key == "" {
		key = later.Key
	}
	log, err := witness.ParseLog(key)
	if err != nil {
		return usageError{err}
	}
	_, pub, err := ledger.ParsePublic(key)
	if err != nil {
		return usageError{err}
	}
	if err := r.Verify(pub); err != nil {
		return notVerified(s, err)
	}
	if r.Head.Origin != log.Name() {
		return notVerified(s, fmt.Errorf("the receipt is of %s, the key of %s", r.Head.Origin, log.Name()))
	}
	fmt.Fprintf(s.out, "VERIFIED  record %d (position %d of its log), %s\nledger    %s\nsigned    a tree of %d records, root %s\n",
		r.Number, r.Position, r.Time.Format(time.RFC3339), r.Head.Origin, r.Head.Size, r.Head.Root)
	if later == nil {
		fmt.Fprintln(s.out, "\nThat is the ledger's own word of that moment. Whether it still stands, --at and --witness tell.")
		return nil
	}
	return matchReceipt(s, r, later, log, o)
}

// matchReceipt holds the receipt against the checkpoint of today.
func matchReceipt(s streams, r ledger.Receipt, later *audit.Later, log witness.Log, o audit.Options) error {
	var witnesses []witness.Verifier
	for _, w := range o.Witnesses {
		v, err := witness.ParseVerifier(w)
		if err != nil {
			return usageError{err}
		}
		witnesses = append(witnesses, v)
	}
	need := o.Need
	if need == 0 {
		need = len(witnesses)
	}
	now, by, err := witness.Match(r, later.Checkpoint, later.Proof, log, witnesses, need)
	if err != nil {
		return notVerified(s, err)
	}
	fmt.Fprintf(s.out, "today     a tree of %d records still holds it", now.Size)
	for i, c := range by {
		fmt.Fprintf(s.out, "%s%s (%s)", map[bool]string{true: "; cosigned by ", false: ", "}[i == 0], c.Name, c.Time.Format(time.RFC3339))
	}
	fmt.Fprintln(s.out)
	if o.Key == "" {
		fmt.Fprintln(s.out, "\nThe key beside the ledger was trusted. Get it from somebody who doesn't run the ledger, and give it with --key.")
	}
	if len(witnesses) == 0 {
		fmt.Fprintln(s.out, "\nNo witness was asked for: whoever holds the ledger's key could tell you another story than others.")
	}
	return nil
}

func notVerified(s streams, err error) error {
	fmt.Fprintf(s.err, "paravent: NOT VERIFIED: %v\n", err)
	return exit(1)
}

// laterOf reads what is published of a receipt's log.
func laterOf(ctx context.Context, at string, head ledger.SignedHead) (*audit.Later, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if !isAddress(at) {
		return audit.LaterIn(at, head)
	}
	client := audit.NewClient(20 * time.Second)
	client.Transport = bearer{token: os.Getenv("PARAVENT_TOKEN"), to: at}
	return audit.LaterAt(ctx, at, client, head)
}

// maxReceipt bounds a receipt's file, in bytes.
const maxReceipt = 4 << 20

// readReceipt reads a receipt, or the answer of a look-up that holds one.
func readReceipt(file string) (r ledger.Receipt, err error) {
	f := os.Stdin
	if file != "-" {
		if f, err = os.Open(file); err != nil {
			return r, err
		}
		defer f.Close() // only read
	}
	text, err := io.ReadAll(io.LimitReader(f, maxReceipt))
	if err != nil {
		return r, fmt.Errorf("read the receipt: %w", err)
	}
	var answer struct {
		Recorded *ledger.Receipt `json:"recorded_as"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return r, fmt.Errorf("%s is not a receipt: %w", file, err)
	}
	if answer.Recorded != nil {
		return *answer.Recorded, nil
	}
	err = json.Unmarshal(text, &r)
	if err == nil && (len(r.Leaf) == 0 || r.Head.Origin == "") {
		err = errors.New("it has no leaf or no signed head")
	}
	if err != nil {
		return r, fmt.Errorf("%s is not a receipt: %w", file, err)
	}
	return r, nil
}
