package audit

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paravent/internal/ledger"
)

// The files of a bundle.
const (
	bundleReadme  = "README.txt"
	bundleAbout   = "about.txt"
	bundleRecords = "records/"
)

// maxEvidence is how many records one bundle may hold.
const maxEvidence = 10_000

// Opener reads records, opened as far as their keys exist. *ledger.Ledger is one.
type Opener interface {
	Records(ctx context.Context, from uint64) iter.Seq2[ledger.Record, error]
}

// An evidenceRecord is one record of a bundle: what it says, and the proof.
type evidenceRecord struct {
	Position uint64        `json:"position"`
	Leaf     []byte        `json:"leaf"`               // base64
	Path     []ledger.Hash `json:"path"`               // inclusion path from the leaf up, base64
	Customer *evidencePart `json:"customer,omitempty"` // absent where the record has no such part
	Employee *evidencePart `json:"employee,omitempty"`
}

// An evidencePart is one opened part. HMAC-SHA256(salt, plain) is what the leaf
// holds of it. The plaintext is text where it's valid UTF-8.
type evidencePart struct {
	Erased bool   `json:"erased,omitempty"`
	Salt   []byte `json:"salt,omitempty"`
	Text   string `json:"plain,omitempty"`
	Bytes  []byte `json:"plain_base64,omitempty"`
}

func partOf(o ledger.Opened, has bool) *evidencePart {
	switch {
	case !has:
		return nil
	case o.Erased:
		return &evidencePart{Erased: true}
	case utf8.Valid(o.Plain):
		return &evidencePart{Salt: o.Salt, Text: string(o.Plain)}
	}
	return &evidencePart{Salt: o.Salt, Bytes: o.Plain}
}

func (p *evidencePart) plain() []byte {
	if len(p.Bytes) > 0 {
		return p.Bytes
	}
	return []byte(p.Text)
}

// Evidence writes a bundle, a zip file, that proves what the records at these
// positions say: plaintext and salt of each part that can be opened, never a
// key, with inclusion proofs for the published checkpoint. About says what it
// was made for, in a line such as "finding F-12". It waits until the checkpoint
// covers the records, or ctx ends. The caller has recorded who asked for it.
func Evidence(ctx context.Context, w io.Writer, records Opener, p *Publisher, about string, positions []uint64) error {
	positions = slices.Compact(slices.Sorted(slices.Values(positions)))
	if len(positions) == 0 || len(positions) > maxEvidence {
		return fmt.Errorf("evidence: give 1 to %d records, not %d", maxEvidence, len(positions))
	}
	msg, head, err := p.covering(ctx, positions[len(positions)-1])
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	proofs, err := newProofs(head.Size, head.Root, p.tile)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	b := &bundle{key: verifier{p.log.Origin(), p.log.Public()}, checkpoint: msg, size: head.Size, about: oneLine(about)}
	for _, position := range positions {
		record, err := evidenceOf(ctx, records, proofs, position)
		if err != nil {
			return fmt.Errorf("evidence: record %d: %w", position, err)
		}
		b.records = append(b.records, *record)
	}
	return b.write(w)
}

// oneLine makes text one line of at most 200 characters.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > 200 {
		return string(r[:200])
	}
	return text
}

// covering returns the published checkpoint once it covers a record.
func (p *Publisher) covering(ctx context.Context, position uint64) ([]byte, *ledger.SignedHead, error) {
	if position >= p.log.Head().Size {
		return nil, nil, errors.New("there is no such record")
	}
	for {
		if !p.o.Witnessed {
			if err := p.Step(ctx); err != nil {
				return nil, nil, err
			}
		}
		msg, err := p.Published()
		if err != nil {
			return nil, nil, err
		}
		if msg != nil {
			head, err := parseCheckpoint(msg, p.log.Origin(), p.log.Public())
			if err != nil {
				return nil, nil, err
			}
			if head.Size > position {
				_, err := p.upTo(ctx, head.Size)
				return msg, head, err
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("no published checkpoint covers it yet: %w", ctx.Err())
		}
	}
}

// evidenceOf opens and proves one record.
func evidenceOf(ctx context.Context, records Opener, proofs *Proofs, position uint64) (*evidenceRecord, error) {
	for r, err := range records.Records(ctx, position) {
		if err != nil {
			return nil, err
		}
		l, err := ledger.ParseLeaf(r.Leaf)
		if err != nil {
			return nil, err
		}
		path, leaf, err := proofs.Inclusion(position)
		if err != nil {
			return nil, err
		}
		if leaf != leafHash(r.Leaf) || l.Position != position {
			return nil, errors.New("the tiles hold another record there")
		}
		return &evidenceRecord{Position: position, Leaf: r.Leaf, Path: path,
			Customer: partOf(r.Customer, l.Has[0]), Employee: partOf(r.Employee, l.Has[1])}, nil
	}
	return nil, errors.New("there is no such record")
}

// A bundle is the content of a zip file of evidence. The same content makes the
// same bytes.
type bundle struct {
	key        verifier
	checkpoint []byte
	size       uint64
	about      string
	records    []evidenceRecord
}

// A bundleFile is one file of a bundle.
type bundleFile struct {
	name string
	data []byte
}

// write writes the zip file: nothing is compressed and no time is in it, so
// that a verifier can tell whether any byte of it was changed.
func (b *bundle) write(w io.Writer) error {
	files := []bundleFile{
		{bundleReadme, b.readme()}, {bundleAbout, []byte(b.about + "\n")},
		{publicFile, []byte(b.key.String() + "\n")}, {checkpointFile, b.checkpoint},
	}
	for i := range b.records {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(&b.records[i]); err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		files = append(files, bundleFile{recordFile(b.records[i].Position), text.Bytes()})
	}
	z := zip.NewWriter(w)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(f.data),
			CompressedSize64: uint64(len(f.data)), UncompressedSize64: uint64(len(f.data))}
		to, err := z.CreateRaw(h)
		if err == nil {
			_, err = to.Write(f.data)
		}
		if err != nil {
			return fmt.Errorf("evidence: write %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}

// recordFile returns the name of a record's file, which sorts by position.
func recordFile(position uint64) string { return fmt.Sprintf("%s%012d.json", bundleRecords, position) }

// readme returns the page that says in plain words what the bundle proves. It
// is made of the rest of the bundle alone.
func (b *bundle) readme() []byte {
	var signed []string
	for line := range strings.Lines(string(b.checkpoint)) {
		if rest, ok := strings.CutPrefix(line, "— "); ok {
			name, _, _ := strings.Cut(rest, " ")
			signed = append(signed, name)
		}
	}
	erased := 0
	for _, r := range b.records {
		for _, p := range []*evidencePart{r.Customer, r.Employee} {
			if p != nil && p.Erased {
				erased++
			}
		}
	}
	var w bytes.Buffer
	fmt.Fprintf(&w, `EVIDENCE

Made for: %s
Ledger:   %s
Records:  %d, one file each in the folder records

WHAT THIS PROVES
Each record in this file was written into the ledger named above, at the
position that it states, exactly as it stands here, and nothing of it has been
changed since. The ledger had %d records when the checkpoint in this file was
signed, and each record here is one of them.

The order of records is certain. The time in a record is what the ledger's
clock said (in a few records: what was said with them; they are marked). Times
are as good as that clock, and as the witnesses' times in the checkpoint.

The checkpoint carries signatures in these names:
`, b.about, b.key.origin, len(b.records), b.size)
	for _, s := range signed {
		fmt.Fprintf(&w, "  %s\n", s)
	}
	fmt.Fprintf(&w, `The first is the ledger's own. Any other is a witness: somebody outside who
states that there was only one story of this ledger up to this checkpoint.
Without a witness, whoever holds the ledger's key could have made up another
story; a checkpoint that you kept yourself shows that too.

WHAT THIS DOES NOT PROVE
That there are no other records about the same people. That what a person
stated in a record is true. What is in a part marked "erased": that person's
key was destroyed; the place and the time of the record stay proven.
Parts that are erased here: %d.

HOW TO CHECK IT
With the program, without any network:
  paravent ledger verify BUNDLE.zip --key KEY
Get KEY, the ledger's public key, from somewhere else than this file if you
can; the one in public.key is used otherwise, and proves only that this file
fits itself. Without the program: docs/ledger-format.md, "Evidence", describes
the files well enough to check them with any tool that knows SHA-256 and
Ed25519.

There is no key of any person in this file. It contains personal data in plain
text: keep it as you keep such data.
`, erased)
	return w.Bytes()
}
