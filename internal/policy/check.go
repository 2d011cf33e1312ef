package policy

// warnings and sweep
func (p *Policy) warnings(problems *Problems) {}
func (p *Policy) sweep(problems *Problems)    {}
