package investigate

import "context"

// Load begins at the last checkpoint.
func (f *Follower) Load(ctx context.Context) error { return f.load(ctx) }

// Step takes in what there is.
func (f *Follower) Step(ctx context.Context) (more bool, err error) { return f.step(ctx) }

// Save saves a checkpoint.
func (f *Follower) Save(ctx context.Context) error { return f.save(ctx) }

// Unlike names the kinds of fields in which two rows differ.
func (row *Indexed) Unlike(o Indexed) []string { return row.unlike(o) }
