package audit_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"paravent/internal/audit"
)

// A council is a witness's key, made and used as C2SP tlog-cosignature says.
type council struct {
	name string
	pub  ed25519.PublicKey
	key  ed25519.PrivateKey
}

func newCouncil(t testing.TB, name string) *council {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &council{name, pub, key}
}

func (c *council) id() []byte {
	h := sha256.Sum256(append([]byte(c.name+"\n\x04"), c.pub...))
	return h[:4]
}

func (c *council) vkey() string {
	return fmt.Sprintf("%s+%x+%s", c.name, c.id(), base64.StdEncoding.EncodeToString(append([]byte{4}, c.pub...)))
}

// cosign adds a cosignature to a checkpoint.
func (c *council) cosign(msg []byte, seconds uint64) []byte {
	text, _, _ := strings.Cut(string(msg), "\n\n")
	sig := ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", seconds, text))
	raw := append(binary.BigEndian.AppendUint64(c.id(), seconds), sig...)
	return fmt.Appendf(msg, "— %s %s\n", c.name, base64.StdEncoding.EncodeToString(raw))
}

func TestCosignaturesAreCheckedWhenWitnessesAreNamed(t *testing.T) {
	w, p := published(t, 30)
	works, stranger := newCouncil(t, "council.example"), newCouncil(t, "stranger.example")
	plain, err := p.Published()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), works.cosign(plain, 1_777_000_000)); err != nil {
		t.Fatal(err)
	}
	at := serve(t, audit.Handler(p, false))
	for name, look := range map[string]func(audit.Options) *audit.Result{
		"folder":  func(o audit.Options) *audit.Result { return verify(t, w.dir, o) },
		"address": func(o audit.Options) *audit.Result { return remote(t, at, o) },
		"bundle": func(o audit.Options) *audit.Result {
			q := audit.NewPublisher(w.log, audit.PublisherOptions{Dir: w.dir, Witnessed: true})
			r, _ := check(t, evidence(t, w, q, 3), o)
			return r
		},
	} {
		r := look(audit.Options{Witnesses: []string{works.vkey()}})
		sound(t, r)
		if !strings.Contains(strings.Join(r.Notes, " "), "witness council.example saw") || strings.Contains(strings.Join(r.Unknown, " "), "only story") {
			t.Errorf("%s: %v, %v", name, r.Notes, r.Unknown)
		}
		named(t, look(audit.Options{Witnesses: []string{works.vkey(), stranger.vkey()}}), "cosigned by 1 of the witnesses")
		sound(t, look(audit.Options{Witnesses: []string{works.vkey(), stranger.vkey()}, Need: 1}))
		named(t, look(audit.Options{Witnesses: []string{stranger.vkey()}}), "cosigned by 0")
	}
	// Attack: the cosignature is of another text.
	other := newCouncil(t, works.name)
	other.pub, other.key = works.pub, stranger.key
	if err := p.Publish(t.Context(), other.cosign(plain, 1_777_000_001)); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, w.dir, audit.Options{Witnesses: []string{works.vkey()}}); r.Sound() {
		t.Error("a false cosignature was taken")
	}
	if _, err := audit.Folder(t.Context(), w.dir, audit.Options{Witnesses: []string{"nonsense"}}); err == nil {
		t.Error("a nonsense key was taken")
	}
}
