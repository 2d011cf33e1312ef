package review

import (
	"strconv"
	"strings"

	"paravent/internal/detect"
	"paravent/internal/explain"
)

// pathView is the drawing of an explanation: boxes from the customer to the
// employee, joined by what is known and, dashed, by what is missing.
type pathView struct {
	Width, Height float64
	Nodes         []pathNode
	Edges         []pathEdge
	Notes         []pathNote // what is said of one box alone
	Missing       string     // as a sentence
	Title         string     // of the explanation; empty: nothing explains it
	Strength      string
	Text          string // the drawing in words, for those who can't see it
}

type pathNode struct {
	X, Y, W    float64
	Kind, Name string
	Class      string
}

type pathEdge struct {
	X1, X2, Y, Mid float64
	Label, Detail  string
	Tip            string // the link in full
	Missing        bool
	Broken         bool // it was there, but no longer held
}

type pathNote struct {
	X, Y    float64
	Text    string
	Missing bool
}

// The size of the drawing, in units of its view box.
const (
	nodeWidth  = 165.0
	nodeHeight = 54.0
	nodeGap    = 215.0
	nodeTop    = 6.0
	edgeStep   = 46.0
)

// newPathView draws the best explanation; nil where there is none to draw.
// titles are those of the templates.
func newPathView(best *detect.Best, titles map[string]string) *pathView {
	if best == nil || len(best.Path) == 0 {
		return nil
	}
	title := titles[best.Template]
	if title == "" {
		title = best.Template
	}
	v := &pathView{Title: title, Strength: strconv.FormatFloat(best.Strength, 'f', 2, 64), Missing: best.Missing}
	order := nodeOrder(best.Path)
	if len(order) == 0 {
		return nil
	}
	place := map[string]float64{}
	for i, name := range order {
		x := 4 + float64(i)*(nodeWidth+nodeGap)
		place[name] = x
		kind, id, _ := strings.Cut(name, " ")
		v.Nodes = append(v.Nodes, pathNode{X: x, Y: nodeTop, W: nodeWidth, Kind: kind, Name: shortened(id, 18), Class: nodeClass(kind)})
	}
	rows := map[[2]string]int{}
	notes := map[string]int{}
	broken := map[string]bool{} // boxes that no longer lead on, such as a closed task
	lowest := nodeTop + nodeHeight
	var words []string
	for _, s := range best.Path {
		words = append(words, stepText(s))
		if s.From == s.To {
			y := nodeTop + nodeHeight + 20 + 18*float64(notes[s.From])
			notes[s.From]++
			broken[s.From] = broken[s.From] || s.Missing
			v.Notes = append(v.Notes, pathNote{place[s.From] + nodeWidth/2, y, s.Relation + detailOf(s), s.Missing})
			lowest = max(lowest, y+6)
			continue
		}
		pair := [2]string{s.From, s.To}
		from, to := place[s.From], place[s.To]
		if from > to {
			pair, from, to = [2]string{s.To, s.From}, to, from
		}
		y := nodeTop + nodeHeight/2 + edgeStep*float64(rows[pair])
		rows[pair]++
		e := pathEdge{X1: from + nodeWidth, X2: to, Y: y, Mid: (from + nodeWidth + to) / 2, Label: shortened(s.Relation, 31), Detail: shortened(strings.TrimPrefix(detailOf(s), ", "), 34), Tip: stepText(s), Missing: s.Missing, Broken: broken[s.From]}
		if s.Missing {
			e.Label = "missing: " + shortened(s.Relation, 21)
		}
		if rows[pair] > 1 { // from box to box below the first, along their lower edges
			e.X1, e.X2 = from+nodeWidth/2, to+nodeWidth/2
			e.Y = nodeTop + nodeHeight + edgeStep*float64(rows[pair]-1)
			e.Mid = (e.X1 + e.X2) / 2
		}
		lowest = max(lowest, e.Y+22)
		v.Edges = append(v.Edges, e)
	}
	v.Width = 8 + float64(len(order))*nodeWidth + float64(len(order)-1)*nodeGap
	v.Height = lowest + 6
	v.Text = strings.Join(words, "; ")
	return v
}

// nodeOrder returns the boxes from left to right: as they come in the path, the
// employee last.
func nodeOrder(path []explain.Step) []string {
	var order, employees []string
	seen := map[string]bool{}
	for _, s := range path {
		for _, name := range []string{s.From, s.To} {
			if name == "" || seen[name] {
				continue
			}
			seen[name] = true
			if strings.HasPrefix(name, "employee ") {
				employees = append(employees, name)
			} else {
				order = append(order, name)
			}
		}
	}
	return append(order, employees...)
}

func nodeClass(kind string) string {
	switch kind {
	case "customer", "employee", "task", "contact", "team":
		return kind
	default:
		return "other"
	}
}

// detailOf says when a link came about and who stands behind it.
func detailOf(s explain.Step) string {
	var text string
	if !s.At.IsZero() {
		text += ", " + s.At.UTC().Format("2 Jan 15:04")
	}
	switch s.By {
	case "":
	case "customer", "system":
		text += ", by the " + s.By
	default:
		text += ", by " + s.By
	}
	return text
}

func stepText(s explain.Step) string {
	text := s.From + " " + s.Relation
	if s.To != s.From {
		text += " " + s.To
	}
	if s.Missing {
		return "missing: " + text
	}
	return text + detailOf(s)
}

// shortened cuts text to most characters.
func shortened(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
