package witness

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Limits of an add-checkpoint request (C2SP tlog-witness: at most 63 hashes;
// signed-note: at least 16 signatures, which may have 5 kB each).
const (
	maxProof   = 63
	maxRequest = 128 << 10
)

// A request is the body of POST /add-checkpoint.
type request struct {
	old   uint64 // size that the proof starts from
	proof tlog.TreeProof
	note  []byte // the checkpoint
}

// encode returns the body.
func (r request) encode() []byte {
	b := strconv.AppendUint([]byte("old "), r.old, 10)
	b = append(b, '\n')
	for _, h := range r.proof {
		b = append(append(b, h.String()...), '\n')
	}
	return append(append(b, '\n'), r.note...)
}

// parseRequest reads the body. It doesn't look into the note.
func parseRequest(body []byte) (request, error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return request{}, errors.New("expected an old size line, proof lines, an empty line and a checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return request{}, errors.New("expected the first line to be: old <size>")
	}
	old, err := parseSize(size)
	if err != nil {
		return request{}, err
	}
	if len(lines)-1 > maxProof {
		return request{}, errors.New("a proof has at most 63 hashes")
	}
	r := request{old: old, note: signed}
	for _, l := range lines[1:] {
		h, err := parseHash(l)
		if err != nil {
			return request{}, err
		}
		r.proof = append(r.proof, h)
	}
	return r, nil
}
