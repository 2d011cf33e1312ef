package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// successionFormat is the first line of a succession's text.
const successionFormat = "paravent/succession/v1"

// A Succession says that one log follows another: signed by the old log's key,
// it hands over to the new one's. It is the Detail of a KindNext record: Note, an
// empty line, Checkpoint.
type Succession struct {
	Origin string // of the old log
	Size   uint64 // of the old log's final tree, in records
	Root   Hash   // of that tree
	Base   uint64 // Number of the new log's first record: the old log's Base + Size
	Next   string // verifier key of the new log
	// Note is a C2SP signed note by the old log's key alone. Its text is six lines:
	// "paravent/succession/v1", Origin, Size, Root in base64, Base, Next.
	Note []byte
	// Checkpoint is the old log's last checkpoint, a C2SP tlog-checkpoint of Size
	// and Root signed by its key, with the cosignatures that it had.
	Checkpoint []byte
}

// text returns what Note signs.
func (s Succession) text() string {
	return fmt.Sprintf("%s\n%s\n%d\n%s\n%d\n%s\n", successionFormat, s.Origin, s.Size, s.Root, s.Base, s.Next)
}

// detail returns the Detail of the KindNext record.
func (s Succession) detail() []byte {
	return append(append(append(make([]byte, 0, len(s.Note)+1+len(s.Checkpoint)), s.Note...), '\n'), s.Checkpoint...)
}

// ParseSuccession reads the Detail of a KindNext record; only its one form is
// accepted. It verifies nothing: Verify does.
func ParseSuccession(detail []byte) (Succession, error) {
	malformed := func(what string) (Succession, error) {
		return Succession{}, fmt.Errorf("%w: malformed: %s", ErrSuccession, what)
	}
	text, rest, ok := strings.Cut(string(detail), "\n\n")
	if !ok {
		return malformed("no signature")
	}
	signature, checkpoint, ok := strings.Cut(rest, "\n\n")
	if !ok || strings.Contains(signature, "\n") || checkpoint == "" {
		return malformed("not one signature and a checkpoint")
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[0] != successionFormat {
		return malformed("its lines")
	}
	s := Succession{Origin: lines[1], Next: lines[5], Note: []byte(text + "\n\n" + signature + "\n"), Checkpoint: []byte(checkpoint)}
	var err error
	if s.Size, err = strconv.ParseUint(lines[2], 10, 63); err != nil {
		return malformed("the size")
	}
	if s.Root, err = tlog.ParseHash(lines[3]); err != nil {
		return malformed("the root")
	}
	if s.Base, err = strconv.ParseUint(lines[4], 10, 63); err != nil || s.Base < s.Size || s.Size == 0 {
		return malformed("the base")
	}
	origin, err := canonicalKey(s.Next)
	if err != nil || origin == s.Origin {
		return malformed("the new key")
	}
	_, signatures, _ := strings.Cut(checkpoint, "\n\n")
	if s.text() != text+"\n" || !bytes.Equal(s.detail(), detail) || !canonicalSignatures(signature+"\n"+signatures) {
		return malformed("it is not in its one form")
	}
	return s, nil
}

// canonicalSignatures says whether the base64 at the end of each line is in its
// one form: unused bits are zero.
func canonicalSignatures(lines string) bool {
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n")
		if _, err := base64.StdEncoding.Strict().DecodeString(line[strings.LastIndexByte(line, ' ')+1:]); err != nil {
			return false
		}
	}
	return true
}

// canonicalKey returns the origin of a verifier key in its one form.
func canonicalKey(line string) (origin string, err error) {
	origin, pub, err := ParsePublic(line)
	if err != nil {
		return "", err
	}
	one, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil || one != line {
		return "", errors.New("the key is not in its one form")
	}
	return origin, nil
}

// Verify returns nil where the old log, whose verifier key oldKey is, signed
// this succession, and Checkpoint is its checkpoint of the same size and root;
// else an error that is ErrSuccession. Cosignatures aren't looked at.
func (s Succession) Verify(oldKey string) error {
	v, err := note.NewVerifier(oldKey)
	if err != nil {
		return fmt.Errorf("%w: the old log's key: %w", ErrSuccession, err)
	}
	if v.Name() != s.Origin {
		return fmt.Errorf("%w: it is signed for %s, not for %s", ErrSuccession, s.Origin, v.Name())
	}
	n, err := note.Open(s.Note, note.VerifierList(v))
	if err != nil || n.Text != s.text() {
		return fmt.Errorf("%w: %s did not sign that %s follows it", ErrSuccession, s.Origin, s.Next)
	}
	return checkCheckpoint(s.Checkpoint, v, SignedHead{Origin: s.Origin, Size: s.Size, Root: s.Root})
}

// checkCheckpoint returns nil where it's the checkpoint of that head, signed by v.
func checkCheckpoint(checkpoint []byte, v note.Verifier, h SignedHead) error {
	n, err := note.Open(checkpoint, note.VerifierList(v))
	if err != nil {
		return fmt.Errorf("%w: the last checkpoint is not signed by %s: %w", ErrSuccession, h.Origin, err)
	}
	if n.Text != string(h.Body()) {
		return fmt.Errorf("%w: the checkpoint is not the last one of %s", ErrSuccession, h.Origin)
	}
	return nil
}

// A signer signs notes with a log's key.
type signer struct {
	*self
	hash uint32
}

// signNote returns the text as a note signed with the log's key, which is loaded.
func (s *self) signNote(text string) ([]byte, error) {
	v, err := note.NewVerifier(s.verifier)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: text}, signer{s, v.KeyHash()})
}

func (s signer) Name() string                    { return s.origin }
func (s signer) KeyHash() uint32                 { return s.hash }
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// checkpoint returns the head as a C2SP checkpoint without cosignatures.
func (s *self) checkpoint(h SignedHead) ([]byte, error) {
	v, err := note.NewVerifier(s.verifier)
	if err != nil {
		return nil, err
	}
	sig := append(binary.BigEndian.AppendUint32(nil, v.KeyHash()), h.Signature...)
	return note.Sign(&note.Note{Text: string(h.Body()), Sigs: []note.Signature{
		{Name: s.origin, Hash: v.KeyHash(), Base64: base64.StdEncoding.EncodeToString(sig)}}})
}
