package audit

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	Log      string    // name of its log
	Number   uint64    // in the whole ledger
	Position uint64    // in its log
	Time     time.Time // as the record says
	Given    bool      // the time was said with the record, not read from the ledger's clock
	Kind     ledger.Kind
	Outcome  string
	Customer []byte // plaintext; nil where absent or erased
	Employee []byte
	Erased   bool // a part of it was erased
}

// Bundle verifies a bundle of evidence offline and returns what it proves. It
// compares with what the reader kept, but keeps nothing: a bundle shows
// checkpoints, not the ledger. The error is ErrUsage when the file is no bundle,
// or ctx's when it ended first.
func Bundle(ctx context.Context, file io.ReaderAt, size int64, o Options) (*Result, []Proven, error) {
	var proven []Proven
	r, err := within(ctx, func() (*Result, error) {
		b, err := openBundle(file, size, o)
		if err != nil {
			return nil, err
		}
		r, err := b.verify(ctx)
		proven = b.proven
		return r, err
	})
	if err != nil {
		return nil, nil, err
	}
	return r, proven, nil
}

// A bundleCheck is the verification of a bundle.
type bundleCheck struct {
	*verification
	file   io.ReaderAt
	size   int64
	zip    *zip.Reader
	files  map[string][]byte
	names  []string // of logs, in the order of the files
	proven []Proven
	again  bundle // what the bundle should be made of, byte for byte
}

func openBundle(file io.ReaderAt, size int64, o Options) (*bundleCheck, error) {
	if size > maxBundle {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrUsage, maxBundle)
	}
	v, err := newVerification(o)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a zip file, or damaged: %w", ErrUsage, err)
	}
	return &bundleCheck{verification: v, file: file, size: size, zip: z}, nil
}

// verify verifies all logs of a bundle and how they are tied together.
func (b *bundleCheck) verify(ctx context.Context) (*Result, error) {
	b.files = b.whole.unpack(ctx, b.zip)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.sort()
	if len(b.names) == 0 && b.whole.Sound() {
		return nil, fmt.Errorf("%w: it is no bundle of evidence: there is no log in it", ErrUsage)
	}
	b.again.about = strings.TrimSuffix(string(b.files[bundleAbout]), "\n")
	for _, name := range b.names {
		if err := b.log(name); err != nil {
			return nil, err
		}
	}
	if len(b.logs) == 0 {
		return &Result{Report: b.whole}, nil
	}
	b.link()
	b.anchor()
	b.numbers()
	witnessed := b.witnessed()
	b.compareKept()
	if n := b.logs[0].next; n != nil {
		b.whole.note("records 0 to %d of the ledger were in logs that aren't in this file", n.Base-1)
	}
	r := b.merge()
	if r.Sound() {
		r.exact(b.file, b.size, &b.again)
	}
	if witnessed == 0 {
		r.unknown("whether this is the only story of the ledger: no witness was named (--witness); a checkpoint that you kept is compared when you verify the ledger itself")
	}
	return r, ctx.Err()
}

// sort finds the logs in a bundle, and what has no place in it.
func (b *bundleCheck) sort() {
	for _, f := range b.zip.File {
		name, rest, inside := strings.Cut(f.Name, "/")
		switch {
		case f.Name == bundleReadme || f.Name == bundleAbout:
		case !inside || !isLogName(name) || rest != publicFile && rest != checkpointFile && rest != bundleNext && !strings.HasPrefix(rest, bundleRecords):
			b.whole.problem(f.Name, unknown, unknown, "a bundle of evidence has no such file")
		case !slices.Contains(b.names, name):
			if n := len(b.names); n > 0 && number(b.names[n-1]) > number(name) {
				b.whole.problem(f.Name, unknown, unknown, "it is out of order")
			}
			b.names = append(b.names, name)
		}
	}
}

// log verifies the records of one log in a bundle.
func (b *bundleCheck) log(name string) error {
	r := b.begin(name)
	in := func(file string) []byte { return b.files[name+"/"+file] }
	r.file, r.published = checkpointFile, in(checkpointFile)
	err := b.readKey(r, func() ([]byte, error) {
		if text := in(publicFile); text != nil {
			return text, nil
		}
		return nil, errors.New("it is missing")
	})
	if err != nil || r.key == nil {
		return err
	}
	if r.head, err = parseCheckpoint(r.published, r.key.origin, r.key.pub); err != nil {
		r.problem(checkpointFile, unknown, unknown, "the checkpoint does not verify: %v", err)
		return nil
	}
	if err := b.recall(r); err != nil {
		return err
	}
	r.Size, r.Root, r.Heads = r.head.Size, r.head.Root, 1
	r.checkpoint = formatCheckpoint(*r.head, r.key.pub)
	part := bundleLog{name: name, key: verifier{r.key.origin, r.key.pub}, checkpoint: r.published, size: r.head.Size}
	if in(bundleNext) != nil {
		if e, _ := r.prove(bundleNext, in(bundleNext)); e != nil {
			r.next, part.next = r.follows(e), e
		}
	}
	for _, f := range b.zip.File {
		if file, ok := strings.CutPrefix(f.Name, name+"/"); ok && strings.HasPrefix(file, bundleRecords) {
			if e, p := r.prove(file, b.files[f.Name]); e != nil {
				b.proven, part.records = append(b.proven, *p), append(part.records, *e)
			}
		}
	}
	b.again.logs = append(b.again.logs, part)
	return nil
}

// prove verifies one record's file; nil when it doesn't hold.
func (r *logRun) prove(file string, text []byte) (*evidenceRecord, *Proven) {
	var e evidenceRecord
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		r.problem(file, unknown, unknown, "the record can't be read: %v", err)
		return nil, nil
	}
	p, err := e.prove(r.head)
	if err != nil {
		r.problem(file, unknown, int64(min(e.Position, 1<<62)), "%v", err)
		return nil, nil
	}
	p.Log = r.name
	return &e, p
}

// follows reads what a log's first record says of the log before.
func (r *logRun) follows(e *evidenceRecord) *ledger.Succession {
	leaf, err := ledger.ParseLeaf(e.Leaf)
	if err != nil || leaf.Kind != ledger.KindNext || e.Position != 0 {
		r.problem(bundleNext, unknown, int64(e.Position), "it is not the record that says which log this one follows")
		return nil
	}
	next, err := ledger.ParseSuccession(leaf.Detail)
	if err == nil && next.Next != r.key.vkey {
		err = fmt.Errorf("the log that it begins is another one than this: %s", next.Next)
	}
	if err != nil {
		r.problem(bundleNext, unknown, 0, "%v", err)
		return nil
	}
	return &next
}

// numbers checks the records' numbers in the whole ledger.
func (b *bundleCheck) numbers() {
	at := map[string]*logRun{}
	for _, r := range b.logs {
		at[r.name] = r
	}
	for _, p := range b.proven {
		if r := at[p.Log]; p.Number != r.base+p.Position {
			r.problem(recordFile(p.Position), unknown, int64(p.Position), "it says that it is number %d of the ledger, and it is number %d", p.Number, r.base+p.Position)
		}
	}
}

// unpack reads all files of a bundle.
func (r *Report) unpack(ctx context.Context, z *zip.Reader) map[string][]byte {
	files := map[string][]byte{}
	if len(z.File) > maxEvidence+4096 {
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
	p := &Proven{Number: e.Number, Position: e.Position, Time: l.Time, Given: l.Given, Kind: l.Kind, Outcome: l.Outcome}
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

// compareKept compares the checkpoints with those that the reader kept.
func (b *bundleCheck) compareKept() {
	for _, r := range b.logs {
		switch {
		case r.was == nil || r.head == nil || r.was.Size != r.head.Size:
		case r.was.Root != r.head.Root:
			r.problem(keptFile, unknown, unknown, "REWRITTEN: the checkpoint of %d records is not the one that you verified; both are signed by the ledger's key", r.head.Size)
		default:
			r.note("its checkpoint is the one that you verified yourself")
		}
	}
}
