package witness

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNote says that a checkpoint is malformed, or not signed as it should be.
	ErrNote = errors.New("the checkpoint does not verify")
	// ErrTooFew says that a checkpoint is the log's, but too few witnesses cosigned it.
	ErrTooFew = errors.New("too few witnesses have cosigned the checkpoint")
)

// maxSize bounds tree sizes: tlog counts with int64.
const maxSize = 1 << 62

// A Checkpoint is what a log states of itself (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string    `json:"origin"` // the log's name, unique to it
	Size   uint64    `json:"size"`   // number of records
	Root   tlog.Hash `json:"root"`   // RFC 6962; base64 in JSON
}

// A Cosignature is a witness's statement that, as of a time, a checkpoint's tree
// was the largest that it had seen of that log and contained all before.
type Cosignature struct {
	Name string    `json:"name"` // of the witness
	Time time.Time `json:"time"` // UTC, whole seconds, by the witness's clock
	Line string    `json:"line"` // signature line of the note, with its newline
}

// Verify reads a checkpoint that is a signed note. It returns what the log
// stated and which of witnesses cosigned it, in the order of witnesses. The
// error is ErrNote when the note isn't this log's or a signature in it by the
// log or by one of witnesses is false, and ErrTooFew when fewer than need of
// witnesses cosigned it; checkpoint and cosignatures are then returned too.
// Signatures by anyone else are ignored.
func Verify(msg []byte, log Log, witnesses []Verifier, need int) (Checkpoint, []Cosignature, error) {
	if err := distinct(log, witnesses); err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrNote, err)
	}
	known := []note.Verifier{log}
	for _, w := range witnesses {
		known = append(known, w)
	}
	n, err := openNote(msg, known...)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrNote, err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrNote, err)
	}
	if c.Origin != log.origin {
		return Checkpoint{}, nil, fmt.Errorf("%w: it is of %q, not of %q", ErrNote, c.Origin, log.origin)
	}
	if find(n, log) == nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: the log's own signature is missing", ErrNote)
	}
	var by []Cosignature
	for _, w := range witnesses {
		if s := find(n, w); s != nil {
			by = append(by, cosignatureOf(*s))
		}
	}
	if len(by) < need {
		return c, by, fmt.Errorf("%w: %d of %d needed", ErrTooFew, len(by), need)
	}
	return c, by, nil
}

// openNote opens a note signed by at least one of known. Unlike note.Open it
// takes a signature in its one base64 form only: so no byte of what was
// verified can be changed unseen.
func openNote(msg []byte, known ...note.Verifier) (*note.Note, error) {
	n, err := note.Open(msg, note.VerifierList(known...))
	if err != nil {
		return nil, err
	}
	for _, s := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return nil, fmt.Errorf("the signature of %s is malformed", s.Name)
		}
	}
	return n, nil
}

// find returns v's signature among those that were verified, or nil.
func find(n *note.Note, v note.Verifier) *note.Signature {
	for i, s := range n.Sigs {
		if s.Name == v.Name() && s.Hash == v.KeyHash() {
			return &n.Sigs[i]
		}
	}
	return nil
}

// cosignatureOf makes a Cosignature of a verified one.
func cosignatureOf(s note.Signature) Cosignature {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 12 {
		panic("witness: a verified cosignature is malformed")
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()
	return Cosignature{Name: s.Name, Time: at, Line: "— " + s.Name + " " + s.Base64 + "\n"}
}

// parseCheckpoint reads the text of a checkpoint. Extension lines are allowed
// and ignored; they're part of what is signed.
func parseCheckpoint(text string) (Checkpoint, error) {
	body, ok := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ok || len(lines) < 3 {
		return Checkpoint{}, errors.New("a checkpoint has at least three lines")
	}
	for _, l := range lines {
		if l == "" {
			return Checkpoint{}, errors.New("a checkpoint has no empty line")
		}
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// parseSize reads a tree size: decimal without leading zeros.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s || n > maxSize {
		return 0, errors.New("malformed tree size")
	}
	return n, nil
}

// parseHash reads a hash in its one base64 form.
func parseHash(s string) (tlog.Hash, error) {
	h, err := tlog.ParseHash(s)
	if err != nil || h.String() != s {
		return tlog.Hash{}, errors.New("malformed hash")
	}
	return h, nil
}
