package policy

import (
	_ "embed" // the taxonomy's keys
	"strings"
	"sync"
)

//go:embed fideslang.txt
var fideslangText string

// fideslang returns the keys of the data categories of the fideslang taxonomy.
var fideslang = sync.OnceValue(func() []string {
	var out []string
	for line := range strings.Lines(fideslangText) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
})
