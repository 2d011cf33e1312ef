package pggate

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// packet is the first thing that a client sends.
type packet struct {
	code uint32 // protocol version, or one of the request codes
	body []byte // what follows
}

// readPacket reads a packet without a type byte, and nothing beyond it: what a
// client sends behind a request for TLS must not be taken for part of the
// session (CVE-2021-23214).
func readPacket(r io.Reader) (packet, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return packet{}, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n < 8 || n > maxStartup {
		return packet{}, &failure{code: stateProtocol, message: "invalid length of startup packet"}
	}
	p := packet{code: binary.BigEndian.Uint32(head[4:]), body: make([]byte, n-8)}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

// startup is what a client asks for.
type startup struct {
	minor    uint32 // of protocol 3
	user     string
	database string
	settings map[string]string // for the upstream session, those of "options" included
	task     string            // paravent.task
	behalf   string            // paravent.on_behalf_of, a credential
	unknown  []string          // _pq_. options; we know none
}

// decodeStartup reads a start-up packet's body. An error is a *failure.
func decodeStartup(p packet) (startup, error) {
	s := startup{minor: p.code & 0xffff, settings: map[string]string{}}
	if p.code>>16 != 3 {
		return s, &failure{code: stateNotSupported,
			message: fmt.Sprintf("unsupported frontend protocol %d.%d: server supports 3.0 to 3.2", p.code>>16, p.code&0xffff)}
	}
	options, body := "", p.body
	for {
		name, rest, ok := cutString(body)
		if !ok {
			return s, errLayout
		}
		if len(name) == 0 {
			if len(rest) != 0 {
				return s, errLayout
			}
			break
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return s, errLayout
		}
		body = rest
		switch name, value := string(name), string(value); {
		case name == "user":
			s.user = value
		case name == "database":
			s.database = value
		case name == "options":
			options = value
		case name == "replication":
			if !slices.Contains([]string{"", "false", "off", "no", "0"}, strings.ToLower(value)) {
				return s, &failure{code: stateNotSupported, message: "replication is not available through Paravent",
					hint: "Ask the people who run the database."}
			}
		case strings.HasPrefix(name, "_pq_."):
			s.unknown = append(s.unknown, name)
		default:
			if err := s.set(name, value); err != nil {
				return s, err
			}
		}
	}
	if s.user == "" {
		return s, &failure{code: stateAuth, message: "no PostgreSQL user name specified in startup packet"}
	}
	if s.database == "" {
		s.database = s.user
	}
	return s, s.options(options)
}

var errLayout = &failure{code: stateProtocol, message: "invalid startup packet layout: expected terminator as last byte"}

// set takes one setting.
func (s *startup) set(name, value string) error {
	name = strings.ToLower(name)
	switch name {
	case "paravent.task":
		s.task = value
		return nil
	case "paravent.on_behalf_of":
		s.behalf = value
		return nil
	}
	if f := refuseSetting(name, func() string { return value }); f != nil {
		return f
	}
	s.settings[name] = value
	return nil
}

// options takes what a client gives as command-line options: -c name=value,
// -cname=value and --name=value, blanks and backslashes escaped by a backslash.
func (s *startup) options(text string) error {
	words := splitOptions(text)
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "-c" && i+1 < len(words):
			i++
			word = words[i]
		case strings.HasPrefix(word, "--"):
			word = word[2:]
		case strings.HasPrefix(word, "-c"):
			word = word[2:]
		default:
			return errOptions
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return errOptions
		}
		if err := s.set(strings.ReplaceAll(name, "-", "_"), value); err != nil {
			return err
		}
	}
	return nil
}

var errOptions = &failure{code: stateInvalid, message: "the start-up options can't be read", hint: "Use -c name=value."}

func splitOptions(text string) (words []string) {
	var word []byte
	in := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case isBlank(c):
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
			continue
		case c == '\\' && i+1 < len(text):
			i++
		}
		word, in = append(word, text[i]), true
	}
	if in {
		words = append(words, string(word))
	}
	return words
}

// key tells sessions apart that began with different settings: only one that
// began alike can be used again.
func (s *startup) key() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		fmt.Fprintf(&b, "%q=%q ", name, s.settings[name])
	}
	return b.String()
}

// appendNegotiate appends NegotiateProtocolVersion.
func appendNegotiate(b []byte, version uint32, unknown []string) []byte {
	b, at := begin(b, 'v')
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(unknown)))
	for _, name := range unknown {
		b = appendString(b, name)
	}
	return end(b, at)
}
