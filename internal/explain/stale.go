package explain

import "paravent/internal/access"

// Dormant returns for how long a task that employee e named had been asleep when
// he looked at `at` (microseconds): closed, nobody else at it since, and, as
// known at now, not worked on by him afterwards either. 0 when it is awake, not
// customer c's, or not known.
func (f *Facts) Dormant(id access.TaskID, e, c int32, at, now int64) int64 {
	n, ok := f.tasks[id]
	if !ok || f.st.Tasks[n].Customer != c {
		return 0
	}
	t := &f.st.Tasks[n]
	for i := range t.Work {
		if w := &t.Work[i]; w.At > at-ahead/4 && w.At <= now {
			return 0
		}
	}
	return t.stale(e, at)
}
