package audit_test

// A verifier for whoever doesn't trust the program: written from
// docs/ledger-format.md, of the standard library and sumdb/tlog alone. It shares
// no code with the packages under test. It verifies a journal, tiles with their
// checkpoint, and a bundle of evidence, and stops at the first thing that is wrong.

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// indyRecord is one record of the journal.
type indyRecord struct {
	leaf   []byte
	sealed [2][]byte
}

// indyBatch is one group commit.
type indyBatch struct {
	first   uint64
	records []indyRecord
	root    tlog.Hash
	sig     []byte
}

// indySegment is one file of the journal.
type indySegment struct {
	header   []byte
	size     uint64 // of the tree before
	previous int64
	edge     []byte
	batches  []indyBatch
}

var indyTable = crc32.MakeTable(crc32.Castagnoli)

// indyKey reads public.key.
func indyKey(text string) (origin string, pub ed25519.PublicKey, id []byte, err error) {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return "", nil, nil, errors.New("key: three parts")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 1 {
		return "", nil, nil, errors.New("key: algorithm")
	}
	h := sha256.Sum256([]byte(parts[0] + "\n" + string(raw)))
	if fmt.Sprintf("%x", h[:4]) != parts[1] {
		return "", nil, nil, errors.New("key: hash")
	}
	return parts[0], raw[1:], h[:4], nil
}

// indyParse reads a segment of which limit bytes count (below 0: up to its zeros).
func indyParse(b []byte, limit int64) (*indySegment, error) {
	le := binary.LittleEndian
	if len(b) < 100 || string(b[:8]) != "PVLEDGER" || le.Uint32(b[8:]) != 1 {
		return nil, errors.New("segment: magic")
	}
	n := int(le.Uint32(b[12:]))
	if n < 100 || n > len(b) || le.Uint32(b[n-4:]) != crc32.Checksum(b[:n-4], indyTable) {
		return nil, errors.New("segment: checksum of the header")
	}
	s := &indySegment{header: b[:n], size: le.Uint64(b[24:]), previous: int64(le.Uint64(b[32:]))}
	s.edge = b[96 : 96+32*strings.Count(strconv.FormatUint(s.size, 2), "1")]
	last := limit < 0
	if limit >= 0 {
		if limit > int64(len(b)) {
			return nil, errors.New("segment: cut short")
		}
		b = b[:limit]
	}
	for b = b[n:]; len(b) > 0; {
		if last && len(bytes.Trim(b, "\x00")) == 0 {
			break
		}
		if len(b) < 24 || string(b[:4]) != "PVB1" || le.Uint32(b[20:]) != crc32.Checksum(b[:20], indyTable) {
			return nil, errors.New("batch: header")
		}
		n := int(le.Uint32(b[4:]))
		if n > len(b) || n < 128 || n%16 != 0 || string(b[n-4:n]) != "END\xA5" || le.Uint32(b[n-8:]) != crc32.Checksum(b[:n-8], indyTable) {
			return nil, errors.New("batch: checksum")
		}
		batch := indyBatch{first: le.Uint64(b[8:]), root: tlog.Hash(b[n-104:]), sig: b[n-72 : n-8]}
		at := 24
		for range le.Uint32(b[16:]) {
			if at+10 > n-104 {
				return nil, errors.New("batch: records")
			}
			l, c, e := int(le.Uint16(b[at:])), int(le.Uint32(b[at+2:])), int(le.Uint32(b[at+6:]))
			at += 10
			if l < 26 || at+l+c+e > n-104 {
				return nil, errors.New("batch: a record")
			}
			batch.records = append(batch.records, indyRecord{b[at : at+l], [2][]byte{b[at+l : at+l+c], b[at+l+c : at+l+c+e]}})
			at += l + c + e
		}
		s.batches = append(s.batches, batch)
		b = b[n:]
	}
	return s, nil
}

// indyTree grows by leaf hashes.
type indyTree struct{ stored []tlog.Hash }

func (t *indyTree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, a := range at {
		if a >= int64(len(t.stored)) {
			return nil, errors.New("tree: no such hash")
		}
		out[i] = t.stored[a]
	}
	return out, nil
}

func (t *indyTree) add(n int64, h tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(n, h, t)
	t.stored = append(t.stored, hashes...)
	return err
}

// indyJournal verifies the journal in dir and returns the leaves in their order.
func indyJournal(dir, vkey string) (leaves [][]byte, err error) {
	origin, pub, _, err := indyKey(vkey)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return nil, err
	}
	var files [][]byte
	for i, name := range names {
		if filepath.Base(name) != fmt.Sprintf("%010d.journal", i+1) {
			return nil, errors.New("journal: a segment is missing")
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, b)
	}
	tree := &indyTree{}
	for i, b := range files {
		limit := int64(-1)
		if i+1 < len(files) && len(files[i+1]) > 40 {
			limit = int64(binary.LittleEndian.Uint64(files[i+1][32:]))
		}
		s, err := indyParse(b, limit)
		if err != nil {
			return nil, err
		}
		if key := sha256.Sum256(pub); !bytes.Equal(s.header[48:80], key[:]) || s.size != uint64(len(leaves)) || binary.LittleEndian.Uint64(s.header[16:]) != uint64(i+1) ||
			string(s.header[96+len(s.edge):][:s.header[81]]) != origin {
			return nil, errors.New("segment: of another place")
		}
		for _, batch := range s.batches {
			if leaves, err = indyTake(tree, leaves, batch, origin, pub); err != nil {
				return nil, err
			}
		}
	}
	return leaves, nil
}

// indyDetail returns the kind and the detail of a leaf.
func indyDetail(leaf []byte) (kind, detail string) {
	at := 26 + 1 + int(leaf[26]) // behind the node
	kind = string(leaf[at+1 : at+1+int(leaf[at])])
	at += 1 + len(kind)
	at += 1 + int(leaf[at]) // behind the outcome
	return kind, string(leaf[at+2 : at+2+int(binary.LittleEndian.Uint16(leaf[at:]))])
}

// indyRoot returns the root of the tree of these leaves.
func indyRoot(leaves [][]byte) (tlog.Hash, error) {
	tree := &indyTree{}
	for i, leaf := range leaves {
		if err := tree.add(int64(i), tlog.RecordHash(leaf)); err != nil {
			return tlog.Hash{}, err
		}
	}
	return tlog.TreeHash(int64(len(leaves)), tree)
}

// indyFollows verifies that a log with the key newKey, whose first record has
// that detail, follows the log with the key oldKey, which ended as tree, and
// returns the number of its first record.
func indyFollows(detail, newKey, oldKey string, tree tlog.Tree) (base uint64, err error) {
	parts := strings.SplitN(detail, "\n\n", 3)
	if len(parts) != 3 {
		return 0, errors.New("succession: its form")
	}
	text, lines := parts[0]+"\n", strings.Split(parts[0], "\n")
	origin, pub, id, err := indyKey(oldKey)
	if err != nil {
		return 0, err
	}
	if len(lines) != 6 || lines[0] != "paravent/succession/v1" || lines[1] != origin || lines[5] != strings.TrimSpace(newKey) {
		return 0, errors.New("succession: of another log")
	}
	if lines[2] != strconv.FormatInt(tree.N, 10) || lines[3] != tree.Hash.String() {
		return 0, errors.New("succession: of another tree")
	}
	sig, ok := strings.CutPrefix(parts[1], "— "+origin+" ")
	raw, err := base64.StdEncoding.DecodeString(sig)
	if !ok || err != nil || len(raw) != 68 || !bytes.Equal(raw[:4], id) || !ed25519.Verify(pub, []byte(text), raw[4:]) {
		return 0, errors.New("succession: its signature")
	}
	if last, err := indyCheckpoint([]byte(parts[2]), oldKey); err != nil || last != tree {
		return 0, errors.New("succession: its checkpoint")
	}
	return strconv.ParseUint(lines[4], 10, 63)
}

// indyChain verifies all logs of a ledger and how they follow each other, and
// returns how many records they have. Older logs may have been dropped.
func indyChain(dir string) (records int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var oldKey, named string // key of the log before; key that its last record names
	var old tlog.Tree
	var next uint64 // number of the next record
	number := 0     // of the log before
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue // no log
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name(), "public.key"))
		if err != nil {
			return 0, err
		}
		key := strings.TrimSpace(string(text))
		leaves, err := indyJournal(filepath.Join(dir, e.Name()), key)
		if err != nil {
			return 0, err
		}
		if len(leaves) == 0 {
			return 0, errors.New("log: empty")
		}
		kind, detail := indyDetail(leaves[0])
		switch {
		case oldKey == "" && (kind == "next") != (n > 1):
			return 0, errors.New("log: its first record")
		case oldKey != "":
			base, err := indyFollows(detail, key, oldKey, old)
			if err != nil {
				return 0, err
			}
			if kind != "next" || n != number+1 || named != key || base != next {
				return 0, errors.New("log: it doesn't follow")
			}
		case n > 1: // what was before was dropped
			if next, err = strconv.ParseUint(strings.Split(detail, "\n")[4], 10, 63); err != nil {
				return 0, err
			}
		}
		for i, leaf := range leaves {
			if kind, detail = indyDetail(leaf); kind == "end" && i != len(leaves)-1 || kind == "next" && i > 0 {
				return 0, errors.New("log: something behind its end")
			}
		}
		if named = ""; kind == "end" {
			named = detail
		}
		root, err := indyRoot(leaves)
		if err != nil {
			return 0, err
		}
		oldKey, old, number = key, tlog.Tree{N: int64(len(leaves)), Hash: root}, n
		next, records = next+uint64(len(leaves)), records+len(leaves)
	}
	if oldKey == "" || named != "" {
		return 0, errors.New("ledger: its last log is missing")
	}
	return records, nil
}

// indyTake verifies one batch.
func indyTake(tree *indyTree, leaves [][]byte, batch indyBatch, origin string, pub ed25519.PublicKey) ([][]byte, error) {
	if batch.first != uint64(len(leaves)) {
		return nil, errors.New("batch: its place")
	}
	for _, r := range batch.records {
		n := int64(len(leaves))
		if r.leaf[0] != 1 || binary.LittleEndian.Uint64(r.leaf[1:]) != uint64(n) {
			return nil, errors.New("leaf: its place")
		}
		if flags := r.leaf[25]; flags&3 != 0 {
			hashes := 1 + int(flags&1) + int(flags>>1&1)
			h := sha256.New()
			for _, part := range r.sealed {
				binary.Write(h, binary.LittleEndian, uint32(len(part)))
				h.Write(part)
			}
			if at := len(r.leaf) - 32*hashes; at < 26 || !bytes.Equal(r.leaf[at:at+32], h.Sum(nil)) {
				return nil, errors.New("leaf: its sealed parts")
			}
		}
		if err := tree.add(n, tlog.RecordHash(r.leaf)); err != nil {
			return nil, err
		}
		leaves = append(leaves, bytes.Clone(r.leaf))
	}
	root, err := tlog.TreeHash(int64(len(leaves)), tree)
	if err != nil || root != batch.root {
		return nil, errors.New("batch: its root")
	}
	if !ed25519.Verify(pub, fmt.Appendf(nil, "%s\n%d\n%s\n", origin, len(leaves), root), batch.sig) {
		return nil, errors.New("batch: its signature")
	}
	return leaves, nil
}

// indyCheckpoint verifies a signed note by the log.
func indyCheckpoint(msg []byte, vkey string) (tlog.Tree, error) {
	origin, pub, id, err := indyKey(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	text, sigs, ok := strings.Cut(string(msg), "\n\n")
	text += "\n"
	lines := strings.Split(text, "\n")
	if !ok || len(lines) != 4 || lines[0] != origin {
		return tlog.Tree{}, errors.New("checkpoint: its form")
	}
	for line := range strings.Lines(sigs) {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— "+origin+" ")
		raw, err := base64.StdEncoding.DecodeString(rest)
		if !ok || err != nil || len(raw) != 68 || !bytes.Equal(raw[:4], id) || !ed25519.Verify(pub, []byte(text), raw[4:]) {
			continue
		}
		size, err := strconv.ParseInt(lines[1], 10, 64)
		if err != nil {
			return tlog.Tree{}, err
		}
		root, err := tlog.ParseHash(lines[2])
		return tlog.Tree{N: size, Hash: root}, err
	}
	return tlog.Tree{}, errors.New("checkpoint: its signature")
}

// indyTiles gives tlog the tiles of a folder.
type indyTiles string

func (indyTiles) Height() int { return 8 }

func (d indyTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		b, err := os.ReadFile(filepath.Join(string(d), strings.Replace(t.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			t.W = 256
			if b, err = os.ReadFile(filepath.Join(string(d), strings.Replace(t.Path(), "tile/8/", "tile/", 1))); err != nil {
				return nil, err
			}
		}
		data[i] = b[:min(len(b), tiles[i].W*32)]
	}
	return data, nil
}

func (indyTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// indyPublished verifies that the tiles and the checkpoint in a folder hold
// exactly these leaves, as far as they go.
func indyPublished(dir, vkey string, leaves [][]byte) error {
	msg, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := indyCheckpoint(msg, vkey)
	if err != nil {
		return err
	}
	if tree.N > int64(len(leaves)) {
		return errors.New("checkpoint: ahead of the journal")
	}
	reader := tlog.TileHashReader(tree, indyTiles(dir))
	for n := range tree.N {
		got, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err != nil {
			return err
		}
		if got[0] != tlog.RecordHash(leaves[n]) {
			return fmt.Errorf("tiles: record %d", n)
		}
	}
	return nil
}

// indyBundle verifies a bundle of evidence with the key of any of its logs, and
// returns the numbers of the records that it proves.
func indyBundle(b []byte, vkey string) ([]uint64, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var logs []string
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			return nil, err
		}
		if name, ok := strings.CutSuffix(f.Name, "/public.key"); ok {
			logs = append(logs, name)
		}
	}
	var proven []uint64
	var oldKey string
	var old tlog.Tree
	base, known, number := uint64(0), false, 0
	for i, log := range logs {
		key := strings.TrimSpace(string(files[log+"/public.key"]))
		known = known || key == strings.TrimSpace(vkey)
		tree, err := indyCheckpoint(files[log+"/checkpoint"], key)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(log)
		if err != nil || i > 0 && n != number+1 {
			return nil, errors.New("bundle: a log is missing")
		}
		number = n
		if next := files[log+"/next.json"]; next != nil {
			if _, err := indyProven(next, tree, base); err != nil && i > 0 {
				return nil, err
			}
			var r struct{ Leaf []byte }
			if err := json.Unmarshal(next, &r); err != nil {
				return nil, err
			}
			_, detail := indyDetail(r.Leaf)
			if i == 0 {
				if base, err = strconv.ParseUint(strings.Split(detail, "\n")[4], 10, 63); err != nil {
					return nil, err
				}
			} else if at, err := indyFollows(detail, key, oldKey, old); err != nil || at != base {
				return nil, errors.Join(err, errors.New("bundle: a log doesn't follow"))
			}
		} else if i > 0 {
			return nil, errors.New("bundle: what ties two logs is missing")
		}
		for name, text := range files {
			if strings.HasPrefix(name, log+"/records/") {
				n, err := indyProven(text, tree, base)
				if err != nil {
					return nil, err
				}
				proven = append(proven, n)
			}
		}
		oldKey, old, base = key, tree, base+uint64(tree.N)
	}
	if !known {
		return nil, errors.New("bundle: no log has this key")
	}
	return proven, nil
}

// indyProven verifies one record's file for a log's tree and returns the
// record's number.
func indyProven(text []byte, tree tlog.Tree, base uint64) (uint64, error) {
	type part struct {
		Erased bool
		Salt   []byte
		Plain  string
		Base64 []byte `json:"plain_base64"`
	}
	var r struct {
		Number, Position   uint64
		Leaf               []byte
		Path               []tlog.Hash
		Customer, Employee *part
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return 0, err
	}
	if len(r.Leaf) < 26 || binary.LittleEndian.Uint64(r.Leaf[1:]) != r.Position || r.Number != base+r.Position {
		return 0, errors.New("bundle: the leaf's position")
	}
	if err := tlog.CheckRecord(r.Path, tree.N, tree.Hash, int64(r.Position), tlog.RecordHash(r.Leaf)); err != nil {
		return 0, err
	}
	end := len(r.Leaf)
	for i, p := range []*part{r.Employee, r.Customer} { // from the leaf's end
		if r.Leaf[25]>>(1-i)&1 == 0 {
			continue
		}
		if p == nil {
			return 0, errors.New("bundle: a part is missing")
		}
		mac := hmac.New(sha256.New, p.Salt)
		mac.Write(append([]byte(p.Plain), p.Base64...))
		if !p.Erased && !hmac.Equal(mac.Sum(nil), r.Leaf[end-32:end]) {
			return 0, errors.New("bundle: a part's plaintext")
		}
		end -= 32
	}
	return r.Number, nil
}
