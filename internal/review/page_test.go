package review_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/explain"
	"paravent/internal/review"
)

// The attack: whoever can put an id into the export (a device's name, a task's
// number, a record) tries to run a script on the privacy officer's desk.
func TestIdsThatAreScriptsAreInertOnThePage(t *testing.T) {
	evil := `<script>alert(1)</script>`
	breakout := `\" onload=alert(2) x='</style></svg><img src=x onerror=alert(3)>{{.}}`
	quoted := `"` + strings.ReplaceAll(breakout, `"`, `""`) + `"`
	f := shop()
	for name, text := range f {
		text = strings.ReplaceAll(text, ",e1,", ","+evil+",")
		text = strings.ReplaceAll(text, "\ne1,", "\n"+evil+",")
		text = strings.ReplaceAll(text, ",c2,", ","+quoted+",")
		text = strings.ReplaceAll(text, "\nc2,", "\n"+quoted+",")
		f[name] = strings.ReplaceAll(text, ",refund,", ","+evil+",")
	}
	f["orders.csv"] += evil + ",x\n"
	f[`news.csv`] = "customer,at," + evil + "\n"
	r := must(t, run(t, f, goOn))
	page := r.file(t, "report.html")
	if !strings.Contains(page, "alert(1)") || !strings.Contains(page, "alert(3)") {
		t.Fatal("the ids aren't on the page: this test shows nothing")
	}
	for _, bad := range []string{"<script", "<img", "onload=alert(2) x='</", `src="`, "<iframe", "<link"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	// Each attribute stays within its quotes: no tag bears a handler.
	if m := regexp.MustCompile(`<[a-z]+(\s+[a-zA-Z0-9-]+="[^"<>]*")*\s+on[a-z]+\s*=`).FindString(page); m != "" {
		t.Errorf("a tag bears a handler: %s", m)
	}
	if strings.Contains(r.file(t, "findings.jsonl"), "<script") {
		t.Error("findings.jsonl holds a bare tag")
	}
}

func TestThePageReachesForNothingOutsideItself(t *testing.T) {
	page := must(t, run(t, shop(), nil)).file(t, "report.html")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := `content="default-src &#39;none&#39;; style-src &#39;sha256-` + strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;") + `&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`
	if !strings.Contains(page, want) {
		t.Errorf("the policy doesn't allow the page's own style: want %s in %.600s", want, page)
	}
	for _, bad := range []string{"http://", "https://", "url(", "@import", "<script", " style=", " src=", "javascript:", "xmlns"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("a link leads away: %s", m[1])
		}
	}
	if !strings.Contains(page[:512], review.ReportMark) {
		t.Error("the mark by which a later review knows its own page isn't at its head")
	}
}

func TestThePageShowsIdsAndNoNamesOrReasonsGiven(t *testing.T) {
	page := must(t, run(t, shop(), nil)).file(t, "report.html")
	for _, bad := range []string{"Surname", "Staff1", "asked, by phone"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestTheMissingLinkIsDrawn(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f := detect.Finding{
		ID: "1", Rank: 1, Score: 0.9, Kind: detect.KindPair, Customers: []access.CustomerID{"c1"}, Employees: []access.EmployeeID{"e1"}, Accesses: []access.LookupID{"a1"},
		FirstAt: at, LastAt: at, RaisedAt: at.Add(time.Hour), Reasons: []detect.Reason{{Code: "x", Weight: 1, Text: "Because."}},
		Best: &detect.Best{Path: []explain.Step{
			{From: "customer c1", Relation: "is the customer of", To: "task T1", At: at, By: "system"},
			{From: "task T1", Relation: "is assigned to", To: "employee e1", Missing: true},
		}, Missing: "Nobody gave it to him."},
	}
	var b bytes.Buffer
	if err := review.WriteReport(&b, review.ReportOf([]detect.Finding{f}, detect.Tally{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`class="missing"><title>missing: task T1 is assigned to employee e1</title><line class="edge"`, "missing: is assigned to", "Nobody gave it to him.", "Nothing explains it", "2 Mar 09:00, by the system", "e1 at c1"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestTheChartOfDaysHasRoomForGapsAndYears(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC) }
	c := review.NewDayChart(detect.Tally{Days: []detect.TallyDay{{Day: day(0), Lookups: 10, Unexplained: 5}, {Day: day(3), Lookups: 20, Findings: 2}}})
	if len(c.Bars) != 4 || c.Bars[1].StrongH != 0 || c.Bars[3].MarkR == 0 {
		t.Errorf("bars %+v", c.Bars)
	}
	if got := c.Lines[len(c.Lines)-1].Text; got != "20" {
		t.Errorf("the chart reaches to %s, want 20", got)
	}
	var years []detect.TallyDay
	for n := range 1000 {
		years = append(years, detect.TallyDay{Day: day(n), Lookups: 1})
	}
	if c = review.NewDayChart(detect.Tally{Days: years}); len(c.Bars) != 143 {
		t.Errorf("%d bars, want weeks", len(c.Bars))
	}
}
