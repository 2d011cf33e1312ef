package audit

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// oneLine makes text one line of at most 200 characters.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > 200 {
		return string(r[:200])
	}
	return text
}

// A bundle is the content of a zip file of evidence. The same content makes the
// same bytes.
type bundle struct {
	about string
	logs  []bundleLog
}

// A bundleLog is what a bundle has of one log.
type bundleLog struct {
	name       string
	key        verifier
	checkpoint []byte
	size       uint64          // of the checkpoint's tree
	next       *evidenceRecord // its first record, when that says which log it follows
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
	files := []bundleFile{{bundleReadme, b.readme()}, {bundleAbout, []byte(b.about + "\n")}}
	for i := range b.logs {
		of, err := b.logs[i].files()
		if err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		files = append(files, of...)
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

// files returns what a bundle has of one log.
func (l *bundleLog) files() ([]bundleFile, error) {
	files := []bundleFile{{l.name + "/" + publicFile, []byte(l.key.String() + "\n")}, {l.name + "/" + checkpointFile, l.checkpoint}}
	add := func(name string, r *evidenceRecord) error {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err := e.Encode(r)
		files = append(files, bundleFile{l.name + "/" + name, text.Bytes()})
		return err
	}
	if l.next != nil {
		if err := add(bundleNext, l.next); err != nil {
			return nil, err
		}
	}
	for i := range l.records {
		if err := add(recordFile(l.records[i].Position), &l.records[i]); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// recordFile returns the name of a record's file in its log's folder, which
// sorts by position.
func recordFile(position uint64) string { return fmt.Sprintf("%s%012d.json", bundleRecords, position) }

// readme returns the page that says in plain words what the bundle proves. It
// is made of the rest of the bundle alone.
func (b *bundle) readme() []byte {
	var logs, signed strings.Builder
	records, erased := 0, 0
	for _, l := range b.logs {
		fmt.Fprintf(&logs, "  %s  %s, %d records here, checkpoint of %d\n", l.name, l.key.origin, len(l.records), l.size)
		for line := range strings.Lines(string(l.checkpoint)) {
			if rest, ok := strings.CutPrefix(line, "— "); ok {
				name, _, _ := strings.Cut(rest, " ")
				fmt.Fprintf(&signed, "  %s  %s\n", l.name, name)
			}
		}
		records += len(l.records)
		for _, r := range l.records {
			for _, p := range []*evidencePart{r.Customer, r.Employee} {
				if p != nil && p.Erased {
					erased++
				}
			}
		}
	}
	var w bytes.Buffer
	fmt.Fprintf(&w, `EVIDENCE

Made for: %s
Records:  %d, one file each in the folders named records
Logs:     the ledger is made of these, one behind the other
%s
WHAT THIS PROVES
Each record in this file was written into the log in whose folder it is, at the
position that it states, exactly as it stands here, and nothing of it has been
changed since. Each log had as many records as its checkpoint in this file says
when that was signed, and each record here is one of them. Each log but the
first begins with a record, here in next.json, that holds the last checkpoint of
the log before it and what that one's key signed of it: so they are one ledger.

The order of records is certain. The time in a record is what the ledger's
clock said (in a few records: what was said with them; they are marked). Times
are as good as that clock, and as the witnesses' times in the checkpoints.

The checkpoints carry signatures in these names:
%s`, b.about, records, logs.String(), signed.String())
	fmt.Fprintf(&w, `The first of each log is its own. Any other is a witness: somebody outside who
states that there was only one story of this log up to this checkpoint. A log's
checkpoint vouches for the logs before it too. Without a witness, whoever holds
the ledger's key could have made up another story; a checkpoint that you kept
yourself shows that too.

WHAT THIS DOES NOT PROVE
That there are no other records about the same people. That what a person
stated in a record is true. What is in a part marked "erased": that person's
key was destroyed; the place and the time of the record stay proven.
Parts that are erased here: %d.

HOW TO CHECK IT
With the program, without any network:
  paravent ledger verify BUNDLE.zip --key KEY
Get KEY, the public key of any of the logs, from somewhere else than this file
if you can; the last one's public.key is used otherwise, and proves only that
this file fits itself. Without the program: docs/ledger-format.md, "Evidence", describes
the files well enough to check them with any tool that knows SHA-256 and
Ed25519.

There is no key of any person in this file. It contains personal data in plain
text: keep it as you keep such data.
`, erased)
	return w.Bytes()
}
