package policy

import "slices"

// Load reads a policy from its two files; the names are for messages. Where
// anything is wrong it returns Problems with every mistake of both files, and no
// policy. Warnings don't keep a policy from running; Check tells them.
func Load(yamlName string, yaml []byte, cedarName string, cedar []byte) (*Policy, error) {
	p, problems := read(yamlName, yaml, cedarName, cedar)
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, errs
	}
	return p, nil
}

// Check returns every mistake of both files and every warning, in order of file
// and line: what `paravent policy check` prints. It also tries the rules on made-
// up facts and names those that never apply, which Load doesn't.
func Check(yamlName string, yaml []byte, cedarName string, cedar []byte) Problems {
	p, problems := read(yamlName, yaml, cedarName, cedar)
	if len(problems.Errors()) == 0 {
		p.warnings(&problems)
		p.sweep(&problems)
	}
	problems.sort()
	return slices.Clone(problems)
}

// read parses both files and collects every mistake.
func read(yamlName string, yaml []byte, cedarName string, cedar []byte) (*Policy, Problems) {
	var problems Problems
	p := &Policy{}
	r := &reader{file: yamlName, problems: &problems}
	whole := false
	if root := r.root(yaml); root != nil {
		p.parse(r, root)
		whole = true
	}
	p.rules = parseRules(cedarName, cedar, &problems)
	// What the rules refer to is only known where the YAML could be read.
	if whole {
		p.checkRules(&problems)
	}
	p.prepare()
	problems.sort()
	return p, problems
}
