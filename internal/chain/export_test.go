package chain

// At returns options with which fn is called behind each step that a crash may follow.
func (o Options) At(fn func(step string)) Options {
	o.step = fn
	return o
}
