package policy

import "regexp"

// fideslangKey is the form of a data category's key in the fideslang taxonomy
// (https://ethyca.github.io/fideslang/): words with dots between, below user
// or system. The taxonomy grows, so which keys exist is not checked here.
var fideslangKey = regexp.MustCompile(`^(user|system)(\.[a-z][a-z0-9_]*)*$`)
