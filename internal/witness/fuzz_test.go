package witness_test

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/mod/sumdb/note"

	"paravent/internal/witness"
)

// What is read as a request is written back as the same bytes: there's one form
// of each, and nothing in it is passed over.
func FuzzRequestHasOneForm(f *testing.F) {
	a, err := txtar.ParseFile("testdata/golden.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		f.Add(file.Data)
	}
	for _, s := range []string{"old 0\n\n", "old 0\n\n\n", "old 00\n\nx", "old 9223372036854775808\n\nx", "old 1\n\r\n\nx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := witness.ParseRequest(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%q was read as %q", b, again)
		}
	})
}

// Whatever comes, the witness answers, and signs only what the log signed.
func FuzzWitnessAnswersAnything(f *testing.F) {
	a, err := txtar.ParseFile("testdata/golden.txtar")
	if err != nil {
		f.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range a.Files {
		texts[file.Name] = string(file.Data)
		f.Add(string(file.Data))
	}
	f.Add(strings.Replace(texts["request1"], "\n3\n", "\n9223372036854775807\n", 1))
	log, err := witness.ParseLog(strings.TrimSpace(texts["log.key"]))
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := witness.Create(dir, "w1"); err != nil {
		f.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: dir, Logs: []witness.Log{log}, Clock: newClock().now, PerSecond: 1e9})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b string) {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(b)))
		_, msg, _ := strings.Cut(b, "\n\n")
		switch rec.Code {
		case 200:
			if _, _, err := witness.Verify([]byte(msg+rec.Body.String()), log, []witness.Verifier{w.Verifier()}, 1); err != nil {
				t.Errorf("signed what doesn't verify: %v", err)
			}
		case 400, 403, 404, 409, 413, 422:
		default:
			t.Errorf("status %d", rec.Code)
		}
	})
}

// Whatever is brought as a succession, the witness answers, and follows only what
// the log's key signed.
func FuzzWitnessFollowsOnlyWhatTheLogSigned(f *testing.F) {
	const text = "paravent/succession/v1\nparavent/a/01\n3\n"
	f.Add(text)
	f.Add("old 0\n\n" + text)
	f.Add(text + "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n3\nparavent/a/02+00000000+AQ==\n\n— paravent/a/01 AAAA\n\nparavent/a/01\n3\n")
	const origin = "paravent/a/01"
	_, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		f.Fatal(err)
	}
	log, err := witness.ParseLog(vkey)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := witness.Create(dir, "w1"); err != nil {
		f.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: dir, Logs: []witness.Log{log}, Clock: newClock().now, PerSecond: 1e9})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b string) {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest("POST", "/add-log", strings.NewReader(b)))
		switch rec.Code {
		case 400, 403, 404, 413:
		default:
			t.Errorf("status %d: %s", rec.Code, rec.Body)
		}
	})
}
