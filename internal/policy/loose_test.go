package policy_test

import (
	"strings"
	"testing"

	"paravent/internal/policy"
)

// The attack: an administrator shortens the rules to one permit. G1 and G2
// still hold, and the check says what else is open now rather than "sound".
func TestCheckTellsWhatAShortenedFileLeavesOpen(t *testing.T) {
	short := []byte("@id(\"all\")\n@says(\"all\")\npermit (principal, action, resource);\n")
	got := policy.Check("yaml", policy.DefaultYAML(), "cedar", short).Error()
	for _, want := range []string{"his qualification isn't current", "the employee himself", "a tie to the customer", "in the public eye"} {
		if !strings.Contains(got, "a look-up is allowed though") || !strings.Contains(got, want) {
			t.Errorf("no warning of %q in:\n%s", want, got)
		}
	}
	if problems := policy.Check("yaml", policy.DefaultYAML(), "cedar", policy.DefaultCedar()); len(problems) > 0 {
		t.Errorf("the default files: %v", problems)
	}
}
