package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
)

// errTwice is the error of an object that says something twice.
var errTwice = errors.New("a name stands twice in an object")

// unambiguous reads body and returns it, unless an object in it holds two names
// that are the same or differ in upper and lower case alone. Go takes the last
// of them, other programs the first or neither: what a proxy or a program
// checked would not be what is decided.
func unambiguous(body io.Reader) ([]byte, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	type level struct {
		names map[string]bool // nil in an array
		value bool            // a value comes next, not a name
	}
	var in []level
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
		inObject := len(in) > 0 && in[len(in)-1].names != nil
		switch token {
		case json.Delim('}'), json.Delim(']'):
			in = in[:len(in)-1]
			continue
		}
		if inObject && !in[len(in)-1].value {
			name, top := strings.Map(folded, token.(string)), &in[len(in)-1] // Token makes sure that it is one
			if top.names[name] {
				return nil, errTwice
			}
			top.names[name], top.value = true, true
			continue
		}
		if inObject {
			in[len(in)-1].value = false
		}
		switch token {
		case json.Delim('{'):
			in = append(in, level{names: map[string]bool{}})
		case json.Delim('['):
			in = append(in, level{})
		}
	}
}

// folded returns one rune for all that encoding/json takes for the same in a
// name.
func folded(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
