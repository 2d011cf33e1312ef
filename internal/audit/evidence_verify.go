package audit

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"paravent/internal/ledger"
)

// Bounds of a bundle, in bytes.
const (
	maxBundle     = 256 << 20
	maxBundleFile = 4 << 20
)

// A Proven is one record that a bundle proves.
type Proven struct {
	Position uint64
	Time     time.Time // as the record says
	Given    bool      // the time was said with the record, not read from the ledger's clock
	Kind     ledger.Kind
	Outcome  string
	Customer []byte // plaintext; nil where absent or erased
	Employee []byte
	Erased   bool // a part of it was erased
}

// Bundle verifies a bundle of evidence offline and returns what it proves. It
// compares with what the reader kept, but keeps nothing: a bundle shows a
// checkpoint, not the ledger. The error is ErrUsage when the file is no bundle.
func Bundle(ctx context.Context, file io.ReaderAt, size int64, o Options) (*Result, []Proven, error) {
	if size > maxBundle {
		return nil, nil, fmt.Errorf("%w: it has more than %d bytes", ErrUsage, maxBundle)
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: it is not a zip file, or damaged: %w", ErrUsage, err)
	}
	r := &Result{}
	files := r.unpack(ctx, z)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if files[publicFile] == nil || files[checkpointFile] == nil {
		if r.Sound() {
			return nil, nil, fmt.Errorf("%w: it is no bundle of evidence: %s or %s is missing", ErrUsage, publicFile, checkpointFile)
		}
		return r, nil, nil
	}
	t, err := newTrust(r, o, func() ([]byte, error) { return files[publicFile], nil })
	if err != nil {
		return nil, nil, err
	}
	b := &bundle{key: verifier{t.origin, t.pub}, checkpoint: files[checkpointFile], about: strings.TrimSuffix(string(files[bundleAbout]), "\n")}
	if strings.TrimSpace(string(files[publicFile])) != t.vkey {
		r.problem(publicFile, unknown, unknown, "the key in the bundle is not the ledger's")
	}
	head, err := parseCheckpoint(files[checkpointFile], t.origin, t.pub)
	if err != nil {
		r.problem(checkpointFile, unknown, unknown, "the checkpoint does not verify: %v", err)
		return r, nil, nil
	}
	r.Size, r.Root, r.Heads, b.size = head.Size, head.Root, 1, head.Size
	var witnessed uint64
	if t.cosigned(&r.Report, checkpointFile, b.checkpoint) {
		witnessed = head.Size
	}
	proven := r.proveAll(z, files, head, b)
	if r.Sound() {
		r.exact(file, size, b)
	}
	return r, proven, r.concludeBundle(o, t, head, witnessed)
}

// unpack reads all files of a bundle.
func (r *Result) unpack(ctx context.Context, z *zip.Reader) map[string][]byte {
	files := map[string][]byte{}
	if len(z.File) > maxEvidence+4 {
		r.problem("", unknown, unknown, "the bundle has %d files", len(z.File))
		return files
	}
	total := 0
	for _, f := range z.File {
		if ctx.Err() != nil || total > maxBundle {
			return files
		}
		var b []byte
		in, err := f.Open()
		if err == nil && f.Method != zip.Store {
			err = errors.New("it is compressed, which no bundle is")
		}
		if err == nil {
			b, err = io.ReadAll(io.LimitReader(in, maxBundleFile+1))
			err = errors.Join(err, in.Close())
		}
		total += len(b)
		switch {
		case err != nil:
			r.problem(f.Name, unknown, unknown, "it can't be read: %v", err)
		case len(b) > maxBundleFile:
			r.problem(f.Name, unknown, unknown, "it has more than %d bytes", maxBundleFile)
		case files[f.Name] != nil:
			r.problem(f.Name, unknown, unknown, "it stands in the bundle twice")
		default:
			files[f.Name] = append([]byte{}, b...)
		}
	}
	return files
}

// proveAll verifies every record of a bundle, in the order of the files.
func (r *Result) proveAll(z *zip.Reader, files map[string][]byte, head *ledger.SignedHead, b *bundle) []Proven {
	var proven []Proven
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, bundleRecords) {
			switch f.Name {
			case bundleReadme, bundleAbout, publicFile, checkpointFile:
			default:
				r.problem(f.Name, unknown, unknown, "a bundle of evidence has no such file")
			}
			continue
		}
		var e evidenceRecord
		d := json.NewDecoder(bytes.NewReader(files[f.Name]))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			r.problem(f.Name, unknown, unknown, "the record can't be read: %v", err)
			continue
		}
		p, err := e.prove(head)
		if err != nil {
			r.problem(f.Name, unknown, int64(min(e.Position, 1<<62)), "%v", err)
			continue
		}
		proven = append(proven, *p)
		b.records = append(b.records, e)
	}
	return proven
}

// prove verifies one record for the tree of head.
func (e *evidenceRecord) prove(head *ledger.SignedHead) (*Proven, error) {
	l, err := ledger.ParseLeaf(e.Leaf)
	if err != nil {
		return nil, err
	}
	if l.Position != e.Position || e.Position >= head.Size {
		return nil, fmt.Errorf("its leaf is that of record %d of %d", l.Position, head.Size)
	}
	if err := tlog.CheckRecord(e.Path, int64(head.Size), head.Root, int64(e.Position), leafHash(e.Leaf)); err != nil {
		return nil, errors.New("its leaf is not in the tree of the checkpoint")
	}
	p := &Proven{Position: e.Position, Time: l.Time, Given: l.Given, Kind: l.Kind, Outcome: l.Outcome}
	for i, part := range []*evidencePart{e.Customer, e.Employee} {
		who := [...]string{"customer", "employee"}[i]
		if (part != nil) != l.Has[i] {
			return nil, fmt.Errorf("its %s's part is not there, or shouldn't be", who)
		}
		if part == nil {
			continue
		}
		if part.Erased {
			if len(part.Salt)+len(part.plain()) > 0 {
				return nil, fmt.Errorf("its %s's part is said to be erased and is there", who)
			}
			p.Erased = true
			continue
		}
		plain := part.plain()
		if len(part.Salt) != 32 || ledger.Commitment([32]byte(part.Salt), plain) != l.Commitments[i] {
			return nil, fmt.Errorf("its %s's part is not what was recorded", who)
		}
		if i == 0 {
			p.Customer = plain
		} else {
			p.Employee = plain
		}
	}
	return p, nil
}

// exact says whether the file is, byte for byte, what its content makes: so a
// change of the page that explains it, or between the files, is found too.
func (r *Result) exact(file io.ReaderAt, size int64, b *bundle) {
	var again bytes.Buffer
	if err := b.write(&again); err != nil {
		r.problem("", unknown, unknown, "the bundle can't be made again: %v", err)
		return
	}
	have := make([]byte, size)
	if n, err := file.ReadAt(have, 0); err != nil && int64(n) < size {
		r.problem("", unknown, unknown, "the bundle can't be read: %v", err)
		return
	}
	want := again.Bytes()
	for i := range have {
		if i >= len(want) || have[i] != want[i] {
			r.problem(bundleReadme, int64(i), unknown, "the records verify, but the bundle is not byte for byte as it was made: its explanation or its packing was changed")
			return
		}
	}
	if len(have) != len(want) {
		r.problem("", int64(len(have)), unknown, "the bundle was cut short")
	}
}

// concludeBundle compares with what the reader kept of this ledger.
func (r *Result) concludeBundle(o Options, t *trust, head *ledger.SignedHead, witnessed uint64) error {
	var was *ledger.SignedHead
	if o.Memory != nil {
		k, err := o.Memory.recall(t.origin)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if k != nil {
			if was, err = parseCheckpoint([]byte(k.Checkpoint), t.origin, t.pub); err != nil {
				r.problem(keptFile, unknown, unknown, "the checkpoint that you kept does not belong to this ledger and key: %v", err)
			}
			r.seen = k.Seen
		}
	}
	switch {
	case was != nil && was.Size == head.Size && was.Root != head.Root:
		r.problem(keptFile, unknown, unknown, "REWRITTEN: the checkpoint of %d records is not the one that you verified; both are signed by the ledger's key", head.Size)
	case was != nil && was.Size == head.Size:
		r.note("its checkpoint is the one that you verified yourself")
	case witnessed == 0:
		r.unknown("whether this is the only story of the ledger: no witness was named (--witness); a checkpoint that you kept is compared when you verify the ledger itself")
	}
	return nil
}
