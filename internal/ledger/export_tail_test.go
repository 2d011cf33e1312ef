package ledger

// ReadAtStart sets how much of the journal Open reads before it returns.
func (o Options) ReadAtStart(bytes int64) Options {
	o.readAtStart = bytes
	return o
}

// Checked waits until the rest of the journal is checked.
func (l *Ledger) Checked() { l.background.Wait() }

// Skipped says how many segments Open has left to be checked behind it.
func (l *Ledger) Skipped() int {
	if l.rest == nil {
		return 0
	}
	return int(l.rest.until) - 1
}
