package pggate

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Request codes and versions that can stand where a start-up packet's protocol
// version does (PostgreSQL documentation, "Message Formats").
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSSENC = 80877104

	protocol30     = 3 << 16
	protocolNewest = 3<<16 | 2 // 3.2: cancel keys of any length
)

// Limits of packets. PostgreSQL's own limit of a start-up packet is 10,000
// bytes, that of any message 1 GiB.
const (
	maxStartup = 10_000
	maxMessage = 1<<30 - 1
)

// SQLSTATEs that the gateway itself answers with.
const (
	stateNotSupported = "0A000"
	stateProtocol     = "08P01"
	stateUnknown      = "08007" // transaction resolution unknown
	stateInvalid      = "22023"
	stateActiveTx     = "25001"
	stateAuth         = "28000"
	statePassword     = "28P01"
	stateNoDatabase   = "3D000"
	stateDenied       = "42501"
	stateTooMany      = "53300"
	stateLimit        = "53400"
	stateTooLarge     = "54000"
	stateCancelled    = "57014"
	stateShutdown     = "57P01"
	stateUnavailable  = "57P03"
	stateRecord       = "58030"
	stateInternal     = "XX000"
)

// failure is an error that the gateway itself gives to a client. Neither text
// may carry a value, a literal or a fact about a customer (G9).
type failure struct {
	code    string
	message string
	hint    string
	reason  string // fixed word for the record and the log; may be empty
}

// Error makes a failure an error for the operator's log.
func (f *failure) Error() string { return f.code + " " + f.message }

// appendError appends an ErrorResponse of that severity.
func (f *failure) appendError(b []byte, severity string) []byte {
	b, at := begin(b, 'E')
	b = appendField(b, 'S', severity)
	b = appendField(b, 'V', severity)
	b = appendField(b, 'C', f.code)
	b = appendField(b, 'M', f.message)
	if f.hint != "" {
		b = appendField(b, 'H', f.hint)
	}
	return end(append(b, 0), at)
}

func appendField(b []byte, kind byte, text string) []byte {
	return appendString(append(b, kind), text)
}

// appendString appends a string of the wire; what follows a zero byte would be
// read as the next field, so zero bytes are left out.
func appendString(b []byte, s string) []byte {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return append(append(b, s...), 0)
}

// begin appends the head of a message; end, given the position that it returns,
// writes the message's length.
func begin(b []byte, kind byte) ([]byte, int) {
	b = append(b, kind, 0, 0, 0, 0)
	return b, len(b) - 4
}

func end(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// appendParameter appends a ParameterStatus.
func appendParameter(b []byte, name, value string) []byte {
	b, at := begin(b, 'S')
	return end(appendString(appendString(b, name), value), at)
}

// appendReady appends a ReadyForQuery.
func appendReady(b []byte, status byte) []byte { return append(b, 'Z', 0, 0, 0, 5, status) }

// appendQuery appends a simple Query.
func appendQuery(b []byte, sql string) []byte {
	b, at := begin(b, 'Q')
	return end(appendString(b, sql), at)
}

// The messages by which the gateway has PostgreSQL itself raise an error in
// place of a statement, so that the transaction and the skipping until Sync are
// PostgreSQL's own. The text isn't SQL in any version.
const notSQL = "!"

// noSuch names a statement and portal that no client has.
const noSuch = "\x01paravent"

func appendFailingParse(b []byte) []byte {
	b, at := begin(b, 'P')
	b = appendString(appendString(b, noSuch), notSQL)
	return end(append(b, 0, 0), at)
}

func appendFailingExecute(b []byte) []byte {
	b, at := begin(b, 'E')
	return end(append(appendString(b, noSuch), 0, 0, 0, 0), at)
}

// cutString returns the string that b begins with and what follows its zero
// byte.
func cutString(b []byte) (s, rest []byte, ok bool) {
	return bytes.Cut(b, []byte{0})
}

// stateOf returns the SQLSTATE of the body of an ErrorResponse; "" where it has
// none.
func stateOf(body []byte) string {
	for len(body) > 1 {
		kind := body[0]
		value, rest, ok := cutString(body[1:])
		if !ok {
			return ""
		}
		if kind == 'C' && len(value) == 5 {
			return string(value)
		}
		body = rest
	}
	return ""
}

// severityOf returns the unlocalised severity of an ErrorResponse's body.
func severityOf(body []byte) string {
	for len(body) > 1 {
		kind := body[0]
		value, rest, ok := cutString(body[1:])
		if !ok {
			return ""
		}
		if kind == 'V' {
			return string(value)
		}
		body = rest
	}
	return ""
}
