package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// A Peer is a witness as whoever asks it knows it.
type Peer struct {
	Name string // for people: pages and messages
	URL  string // http or https, without the path of a call
	Key  Verifier
}

// NewPeer checks the three things that describe a witness.
func NewPeer(name, address, vkey string) (Peer, error) {
	if name == "" || strings.ContainsAny(name, " \t\r\n") {
		return Peer{}, fmt.Errorf("witness %q: a name without spaces is needed", name)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Peer{}, fmt.Errorf("witness %s: expected an address such as https://witness.example:8421", name)
	}
	key, err := ParseVerifier(vkey)
	if err != nil {
		return Peer{}, fmt.Errorf("witness %s: %w", name, err)
	}
	return Peer{Name: name, URL: strings.TrimSuffix(address, "/"), Key: key}, nil
}

// ParsePeer reads "<name> <url> <verifier key>".
func ParsePeer(line string) (Peer, error) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return Peer{}, errors.New("a witness is described by: name url key")
	}
	return NewPeer(f[0], f[1], f[2])
}

// String returns the peer in the form that ParsePeer reads.
func (p Peer) String() string { return p.Name + " " + p.URL + " " + p.Key.String() }

// A ConflictError is a witness's answer when the proof doesn't start from what
// it knows, or when it knows another tree of that size.
type ConflictError struct {
	Size uint64 // number of records of the last checkpoint that it cosigned
}

// Error says what the witness knows.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("the witness knows a checkpoint of %d records", e.Size)
}

// A RefusedError is any other answer that is no cosignature.
type RefusedError struct {
	Status int    // HTTP
	Said   string // the witness's words, at most 200 bytes, printable
}

// Error tells the answer.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the witness refused: %d %s: %s", e.Status, http.StatusText(e.Status), e.Said)
}

var errNoCosignature = errors.New("its answer is no cosignature of this checkpoint")

// A Client asks one witness for cosignatures (C2SP tlog-witness). Its method may
// be called by many goroutines.
type Client struct {
	peer Peer
	http *http.Client
}

// NewClient returns a client of peer. Calls end with their context.
func NewClient(peer Peer) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 2
	transport.MaxResponseHeaderBytes = 16 << 10
	return &Client{peer: peer, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Cosign asks for a cosignature of checkpoint, a signed note, with a proof that
// it contains the tree of old records. What it returns was verified with the
// witness's key; the time in it is the witness's word. A *ConflictError names
// the size that the proof must start from, a *RefusedError is every other
// answer that isn't a cosignature.
func (c *Client) Cosign(ctx context.Context, old uint64, proof []tlog.Hash, checkpoint []byte) (Cosignature, error) {
	return c.post(ctx, "/add-checkpoint", request{old: old, proof: proof, note: checkpoint}, checkpoint)
}

// Follow tells the witness that a log has ended and which one follows it (our
// addition to the protocol; DESIGN.md). proof shows that the older log's last
// checkpoint contains its tree of old records. What it returns is the witness's
// cosignature of that last checkpoint: from then on it knows the newer log.
// Errors are those of Cosign.
func (c *Client) Follow(ctx context.Context, old uint64, proof []tlog.Hash, s ledger.Succession) (Cosignature, error) {
	req := request{old: old, proof: proof, note: []byte(string(s.Note) + "\n" + string(s.Checkpoint))}
	return c.post(ctx, "/add-log", req, s.Checkpoint)
}

// post sends a request and reads the cosignature of checkpoint from the answer.
func (c *Client) post(ctx context.Context, path string, req request, checkpoint []byte) (Cosignature, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.peer.URL+path, bytes.NewReader(req.encode()))
	if err != nil {
		return Cosignature{}, fmt.Errorf("ask witness: %w", err)
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := c.http.Do(r)
	if err != nil {
		return Cosignature{}, fmt.Errorf("ask witness: %w", err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return Cosignature{}, fmt.Errorf("ask witness: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return Cosignature{}, refusal(answer, said)
	}
	// The lines are signature lines of the note: what is false or foreign in
	// them is found by reading the whole.
	whole := append(bytes.Clone(checkpoint), said...)
	n, err := openNote(whole, c.peer.Key)
	if err != nil {
		return Cosignature{}, worded{fmt.Errorf("%w: %w", errNoCosignature, err)}
	}
	return cosignatureOf(*find(n, c.peer.Key)), nil
}

// refusal reads an answer that is no cosignature.
func refusal(answer *http.Response, said []byte) error {
	if answer.StatusCode == http.StatusConflict && answer.Header.Get("Content-Type") == "text/x.tlog.size" {
		text, ok := strings.CutSuffix(string(said), "\n")
		size, err := parseSize(text)
		if ok && err == nil {
			return &ConflictError{Size: size}
		}
	}
	text := strconv.QuoteToGraphic(string(said[:min(len(said), 200)]))
	return &RefusedError{Status: answer.StatusCode, Said: text}
}
