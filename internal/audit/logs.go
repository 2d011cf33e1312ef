package audit

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// logsFile is the list of a ledger's logs, as it's served.
const logsFile = "logs"

// A Served is one log of a ledger, as ChainHandler serves it.
type Served struct {
	Name      string     // as that of its folder, such as "0001"
	Base      uint64     // number, in the whole ledger, of its first record
	Publisher *Publisher // of a frozen log from OpenFrozen
}

// ChainHandler serves what is published of a ledger of several logs, given in
// their order, the last one being that which is written to: GET /logs lists them,
// /0001/checkpoint and so on serve each as Handler does, and the same paths
// without a name serve the last.
func ChainHandler(logs []Served, public bool) http.Handler {
	mux := http.NewServeMux()
	last := &handler{scope: scopeOf(public)}
	for _, l := range logs {
		last.p = l.Publisher
		mux.Handle("/"+l.Name+"/", http.StripPrefix("/"+l.Name, Handler(l.Publisher, public)))
	}
	mux.HandleFunc("GET /"+logsFile, func(w http.ResponseWriter, _ *http.Request) {
		text, err := listLogs(logs)
		if err != nil {
			http.Error(w, "no checkpoint is published yet", http.StatusServiceUnavailable)
			return
		}
		last.serve(w, "text/plain; charset=utf-8", "max-age=1", text)
	})
	if last.p != nil {
		mux.Handle("/", Handler(last.p, public))
	}
	return mux
}

// listLogs writes the list of logs, one line each: name, verifier key, number of
// the first record, records in the published checkpoint, and whether it's frozen.
func listLogs(logs []Served) ([]byte, error) {
	var b []byte
	for i, l := range logs {
		msg, err := l.Publisher.Published()
		if err != nil || msg == nil {
			return nil, errors.Join(errors.New("no checkpoint"), err)
		}
		head, err := parseCheckpoint(msg, l.Publisher.log.Origin(), l.Publisher.log.Public())
		if err != nil {
			return nil, err
		}
		state := "frozen"
		if i == len(logs)-1 {
			state = "open"
		}
		b = fmt.Appendf(b, "%s %s %d %d %s\n", l.Name, verifier{l.Publisher.log.Origin(), l.Publisher.log.Public()}, l.Base, head.Size, state)
	}
	return b, nil
}

// A listedLog is one line of the list of logs. Nothing of it is trusted: it says
// what to fetch.
type listedLog struct {
	name, key string
	size      uint64
}

// parseLogs reads a list of logs.
func parseLogs(text []byte) ([]listedLog, error) {
	var logs []listedLog
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) != 5 || !isLogName(f[0]) || f[4] != "frozen" && f[4] != "open" {
			return nil, fmt.Errorf("line %d is malformed", len(logs)+1)
		}
		if n := len(logs); n > 0 && number(f[0]) <= number(logs[n-1].name) {
			return nil, fmt.Errorf("line %d is out of order", n+1)
		}
		_, baseErr := strconv.ParseUint(f[2], 10, 62)
		size, err := strconv.ParseUint(f[3], 10, 62)
		if err = errors.Join(err, baseErr); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(logs)+1, err)
		}
		logs = append(logs, listedLog{name: f[0], key: f[1], size: size})
	}
	if len(logs) == 0 {
		return nil, errors.New("it is empty")
	}
	return logs, nil
}
