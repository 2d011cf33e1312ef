package ledger

// The only door from the external tests to inner parts.

type Edge struct{ edge }

func (e *Edge) Extend(leaves []Hash) Span { return Span{e.extend(leaves)} }
func (e *Edge) Root() Hash                { return e.root() }

type Span struct{ *span }

func (s Span) Root() Hash                  { return s.root() }
func (s Span) Path(position uint64) []Hash { return s.path(position) }
