package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"paravent/internal/access"
)

// Cost is what checking one password costs, for us and for a thief of the
// hashes (Argon2id, RFC 9106).
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// Default is the first of the settings that the OWASP Password Storage Cheat
// Sheet recommends for Argon2id with one lane: 19 MiB and two passes.
var Default = Cost{Memory: 19 * 1024, Passes: 2, Lanes: 1}

// The sizes of a hash, in bytes (RFC 9106, section 4), and the most memory that
// a stored hash may ask for, in KiB.
const (
	saltSize  = 16
	sumSize   = 32
	maxMemory = 1 << 20
	maxPasses = 64
)

// hasher hashes passwords, a few at a time: a storm of sign-ins waits instead
// of taking all memory.
type hasher struct {
	cost  Cost
	slots chan struct{}
	dummy string // matches no password; as dear to check as a real one
}

func newHasher(c Cost) *hasher {
	h := &hasher{cost: c, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	var salt [saltSize]byte
	var sum [sumSize]byte
	rand.Read(salt[:])
	rand.Read(sum[:])
	h.dummy = formatPHC(c, salt[:], sum[:])
	return h
}

// hash returns password's hash as a PHC string with a fresh salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	var salt [saltSize]byte
	rand.Read(salt[:])
	sum, err := h.sum(ctx, h.cost, []byte(password), salt[:], sumSize)
	if err != nil {
		return "", err
	}
	return formatPHC(h.cost, salt[:], sum), nil
}

// matches reports whether password is the one behind the PHC string.
func (h *hasher) matches(ctx context.Context, phc, password string) (bool, error) {
	c, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	got, err := h.sum(ctx, c, []byte(password), salt, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// sum waits for a free slot and hashes. It gives up when ctx does.
func (h *hasher) sum(ctx context.Context, c Cost, password, salt []byte, size uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to check a password: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	return argon2.IDKey(password, salt, c.Passes, c.Memory, c.Lanes, size), nil
}

// formatPHC writes a hash in the PHC string format
// (github.com/P-H-C/phc-string-format).
func formatPHC(c Cost, salt, sum []byte) string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, c.Memory, c.Passes, c.Lanes, enc.EncodeToString(salt), enc.EncodeToString(sum))
}

// parsePHC is the inverse of formatPHC. Its error never holds the hash.
func parsePHC(phc string) (c Cost, salt, sum []byte, err error) {
	bad := func(what string) (Cost, []byte, []byte, error) {
		return Cost{}, nil, nil, fmt.Errorf("read a stored password hash: %s", what)
	}
	part := strings.Split(phc, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return bad("not argon2id in the PHC format")
	}
	if part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("another version of argon2")
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Lanes); err != nil {
		return bad("its parameters can't be read")
	}
	if c.Memory == 0 || c.Memory > maxMemory || c.Passes == 0 || c.Passes > maxPasses || c.Lanes == 0 {
		return bad("its parameters are out of range")
	}
	enc := base64.RawStdEncoding.Strict()
	if salt, err = enc.DecodeString(part[4]); err != nil || len(salt) < 8 || len(salt) > 64 {
		return bad("its salt can't be read")
	}
	if sum, err = enc.DecodeString(part[5]); err != nil || len(sum) < 16 || len(sum) > 64 {
		return bad("its sum can't be read")
	}
	return c, salt, sum, nil
}

// The bounds of a password (NIST SP 800-63B asks for length, not for kinds of
// characters).
const (
	minPassword = 12  // characters
	maxPassword = 256 // bytes
	minDistinct = 5   // different characters
)

// common are passwords of twelve characters and more that stand near the top
// of lists of stolen ones.
var common = []string{
	"password1234", "password12345", "passwordpassword", "123456789012", "1234567890123", "qwertyuiop12",
	"qwertyuiop123", "qwertyuiopas", "1q2w3e4r5t6y", "iloveyou1234", "administrator", "administrator1",
	"changeme1234", "letmein12345", "welcome12345", "abcdefghijkl", "abc123456789", "q1w2e3r4t5y6",
}

// CheckPassword says what is wrong with a password that somebody wants to use
// for this login, as access.Invalid; nil when it is fine.
func CheckPassword(login, password string) error {
	hint := fmt.Sprintf("Use at least %d characters; four words that you alone would put together are good.", minPassword)
	bad := func(message string) error { return access.Errorf(access.Invalid, "%s", message).WithHint(hint) }
	distinct := map[rune]bool{}
	for _, r := range password {
		distinct[r] = true
	}
	lower := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return bad("The password holds characters that can't be typed.")
	case utf8.RuneCountInString(password) < minPassword:
		return bad("The password is too short.")
	case len(password) > maxPassword:
		return bad(fmt.Sprintf("The password is too long: %d bytes are the most.", maxPassword))
	case len(distinct) < minDistinct:
		return bad("The password repeats a few characters.")
	case len(login) >= 4 && strings.Contains(lower, fold(login)):
		return bad("The password holds the login.")
	}
	for _, c := range common {
		if lower == c {
			return bad("The password is one of those that everybody tries first.")
		}
	}
	return nil
}

// checkLogin says what is wrong with a login, as access.Invalid; nil when it is
// fine. A login is 1 to 64 of a-z, 0-9 and . _ @ + -, the first a letter or
// digit, so that two that look alike are the same and each can stand in a path.
func checkLogin(login string) error {
	ok := len(login) >= 1 && len(login) <= 64 && !strings.ContainsAny(login[:1], "._@+-")
	for _, r := range login {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@+-", r))
	}
	if !ok {
		return access.Errorf(access.Invalid, "The login can't be used.").
			WithHint("Use 1 to 64 of the letters a to z, digits and . _ @ + -, a letter or digit first.")
	}
	return nil
}
