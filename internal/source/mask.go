package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode/utf8"

	"paravent/internal/policy"
)

// Redacted stands in place of a value that the mask of this name hides. It is
// the same whether there is a value or not, for none is read.
const Redacted = "[redacted]"

// bullet hides one part of a value.
const bullet = "•••"

// mask returns what is shown in place of a value; an empty mask shows it. A NULL
// stays nil where the mask is made of the value.
func (s *SQLite) mask(m policy.Mask, value any) any {
	switch m {
	case "":
		return value
	case policy.MaskRedacted:
		return Redacted
	case policy.MaskEmail, policy.MaskLast4, policy.MaskYear, policy.MaskPseudonym:
		text, ok := plain(value)
		if !ok {
			return nil
		}
		if !utf8.ValidString(text) && m != policy.MaskPseudonym {
			return Redacted
		}
		switch m {
		case policy.MaskEmail:
			return maskEmail(text)
		case policy.MaskLast4:
			return maskLast4(text)
		case policy.MaskYear:
			return maskYear(value)
		}
		return s.pseudonym(text)
	}
	return nil // MaskNull, and any mask that this program doesn't know
}

// maskEmail keeps the first letter and the domain.
func maskEmail(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at <= 0 {
		return Redacted
	}
	_, size := utf8.DecodeRuneInString(text)
	return text[:size] + bullet + text[at:]
}

// maskLast4 keeps the last four letters and digits of a text that has at least
// eight, so that less than it hides is shown.
func maskLast4(text string) string {
	runes := []rune(strings.TrimSpace(text))
	if len(runes) < 8 {
		return bullet
	}
	return bullet + string(runes[len(runes)-4:])
}

// maskYear keeps the year of a date.
func maskYear(value any) string {
	at, ok := moment(value)
	if !ok {
		return Redacted
	}
	return at.Format("2006")
}

// pseudonym returns the keyed pseudonym of a value: HMAC-SHA-256, of which 80
// bits are shown.
func (s *SQLite) pseudonym(text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("paravent mask pseudonym\x00"))
	mac.Write([]byte(text))
	return "p-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10]))
}
