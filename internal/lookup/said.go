package lookup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// sayable reports whether what was said is one of the policy's combinations,
// exactly.
func sayable(callers policy.Callers, said map[string]string) bool {
	if len(said) == 0 || len(said) > maxSaid {
		return false
	}
	for name, value := range said {
		if _, ok := callers.Identifiers[name]; !ok || strings.TrimSpace(value) == "" || !readable(value, maxID) {
			return false
		}
	}
	names := slices.Sorted(maps.Keys(said))
	return slices.ContainsFunc(callers.Combinations, func(c []string) bool { return slices.Equal(c, names) })
}

// errSaid tells which combinations are enough.
func errSaid(callers policy.Callers) *access.Error {
	ways := make([]string, len(callers.Combinations))
	for i, c := range callers.Combinations {
		ways[i] = strings.Join(c, " + ")
	}
	return access.Errorf(access.Invalid, "That is not enough to find a caller, or too much.").
		WithHint("Ask for one of: " + strings.ReplaceAll(strings.Join(ways, "; "), "_", " ") + ".")
}

// errLocked tells an employee until when his finding is locked.
func errLocked(until time.Time) *access.Error {
	return access.Errorf(access.Denied, "Finding callers is locked for you until %s UTC, after too many misses.", until.UTC().Format("15:04")).
		WithHint("Wait, or ask your team lead to lift the lock.")
}

// orderSaid returns the order that the caller named, if one of the identifiers
// is an order's id.
func (s *Service) orderSaid(said map[string]string) access.OrderID {
	for name, i := range s.Policy.Callers().Identifiers {
		value, ok := said[name]
		source, mapped := s.Policy.Source(i.Source)
		if !ok || !mapped {
			continue
		}
		for _, t := range source.Tables {
			if t.Name == i.Table && t.Order == i.Column {
				return access.OrderID(strings.TrimSpace(value))
			}
		}
	}
	return ""
}

// minutes is a duration in whole minutes, for a sentence.
func minutes(d time.Duration) string {
	if n := int(d.Round(time.Minute) / time.Minute); n != 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "a minute"
}
