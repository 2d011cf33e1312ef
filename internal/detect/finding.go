package detect

import (
	"time"

	"paravent/internal/access"
	"paravent/internal/explain"
)

// Kind says what a finding is about.
type Kind string

// The kinds of findings, and the sample, which is none.
const (
	KindPair    Kind = "pair"     // one employee at one customer
	KindCrowd   Kind = "crowd"    // many employees at one customer
	KindRun     Kind = "run"      // one employee running through many customers
	KindHelpers Kind = "helpers"  // two employees for each other
	KindOffPath Kind = "off_path" // one employee, or a role of the database, read past Paravent
	KindSample  Kind = "sample"   // a random pick, beside the queue
)

// Finding is an episode that deserves a person's time, with the reasons in the
// form of sentences. Its JSON is a line of findings.jsonl.
type Finding struct {
	ID        string              `json:"id"`   // hex; the same for the same events
	Rank      int                 `json:"rank"` // 1 is the most serious of its day; 0 in samples
	Score     float64             `json:"score"`
	Kind      Kind                `json:"kind"`
	Customers []access.CustomerID `json:"customers"` // sorted
	Employees []access.EmployeeID `json:"employees"` // sorted
	Accesses  []access.LookupID   `json:"accesses"`  // in order of time
	FirstAt   time.Time           `json:"first_at"`
	LastAt    time.Time           `json:"last_at"`
	RaisedAt  time.Time           `json:"raised_at"`
	Reasons   []Reason            `json:"reasons"` // heaviest first
	Best      *Best               `json:"best_explanation,omitempty"`
}

// fill makes empty lists of missing ones, so that a finding reads the same in
// JSON whether it went through a snapshot or not.
func (f *Finding) fill() {
	if f.Reasons == nil {
		f.Reasons = []Reason{}
	}
	if f.Customers == nil { // off the path nobody knows whom he saw
		f.Customers = []access.CustomerID{}
	}
	if f.Best != nil && f.Best.Path == nil {
		f.Best.Path = []explain.Step{}
	}
}

// Reason is one weighed reason. A finding's score is 1 − e^(−sum of weights),
// so reasons add up and none can be hidden by another.
type Reason struct {
	Code   string  `json:"code"`
	Weight float64 `json:"weight"`
	Text   string  `json:"text"` // a full sentence for the reader of findings
}

// Best is the best explanation that the facts offer for the episode's most
// telling look-up: too weak, or it would not be a finding.
type Best struct {
	Template string         `json:"template"` // "" when nothing explains it
	Strength float64        `json:"strength"` // 0..1, after independence and freshness
	Path     []explain.Step `json:"path"`
	Missing  string         `json:"missing,omitempty"` // the link that would have been needed, as a sentence
}

// Tally counts what went through the engine, for a report.
type Tally struct {
	Lookups     int          `json:"lookups"`     // all, refused and missed ones too
	NotShown    int          `json:"not_shown"`   // refused, missed or failed: nothing was exposed
	Explained   []TallyItem  `json:"explained"`   // by template, in the order of the templates
	Unexplained int          `json:"unexplained"` // nothing at all explains them
	Weak        int          `json:"weak"`        // explained, but by less than half
	Waiting     int          `json:"waiting"`     // not judged yet
	Days        []TallyDay   `json:"days"`        // in order of time
	Findings    map[Kind]int `json:"findings"`    // raised, by kind
}

// TallyItem is the count of one template.
type TallyItem struct {
	Template string  `json:"template"`
	Title    string  `json:"title"`
	Strength float64 `json:"strength"`
	Lookups  int     `json:"lookups"`
}

// TallyDay is the count of one day (UTC).
type TallyDay struct {
	Day         time.Time `json:"day"`
	Lookups     int       `json:"lookups"`
	Unexplained int       `json:"unexplained"`
	Findings    int       `json:"findings"`
}
