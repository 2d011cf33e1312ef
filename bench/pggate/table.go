package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// table holds what was measured.
type table struct {
	cells  map[key]map[int]result // by round
	rounds int
}

type key struct {
	name    string
	clients int
}

func newTable() *table { return &table{cells: map[key]map[int]result{}} }

func (t *table) add(name string, clients, round int, r result) {
	k := key{name, clients}
	if t.cells[k] == nil {
		t.cells[k] = map[int]result{}
	}
	t.cells[k][round] = r
	t.rounds = max(t.rounds, round+1)
}

// judged are the ratios of issue 4, their targets by number of clients.
var judged = []struct {
	what, of, by string
	target       map[int]float64
}{
	{"relay / PgBouncer", "select/relay", "select/pgbouncer", map[int]float64{8: 0.95, 32: 0.95}},
	{"relay / PgBouncer, join", "join/relay", "join/pgbouncer", nil},
	{"durable / (PgBouncer + pgaudit)", "select/durable", "select/pgbouncer+pgaudit", map[int]float64{1: 0.6, 8: 0.6, 32: 0.8}},
	{"durable / (PgBouncer + pgaudit), join", "join/durable", "join/pgbouncer+pgaudit", nil},
	{"durable / relay", "select/durable", "select/relay", nil},
	{"durable / relay, join", "join/durable", "join/relay", nil},
	{"protected join / bare", "join/protected", "join/bare", map[int]float64{8: 0.5}},
	{"end to end: durable protected join / bare", "join/durable", "join/bare", map[int]float64{8: 0.28}},
}

func (t *table) print(w io.Writer, clients []int) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tab, "\nmedian statements a second (µs of the proxy's processor each)\n")
	var names []string
	for k := range t.cells {
		if !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprint(tab, name)
		for _, n := range clients {
			var tps, cpu []float64
			for _, r := range t.cells[key{name, n}] {
				tps, cpu = append(tps, r.tps), append(cpu, float64(r.cpu)/float64(time.Microsecond))
			}
			if len(tps) == 0 {
				continue
			}
			fmt.Fprintf(tab, "\t%d: %.0f", n, quantile(tps, 0.5))
			if c := quantile(cpu, 0.5); c > 0 {
				fmt.Fprintf(tab, " (%.0f)", c)
			}
		}
		fmt.Fprintln(tab)
	}
	fmt.Fprintf(tab, "\nratio within a round: median of %d (quartiles; lowest–highest), target\n", t.rounds)
	for _, j := range judged {
		fmt.Fprint(tab, j.what)
		for _, n := range clients {
			var all []float64
			for round, of := range t.cells[key{j.of, n}] {
				if by, ok := t.cells[key{j.by, n}][round]; ok && by.tps > 0 {
					all = append(all, of.tps/by.tps)
				}
			}
			if len(all) == 0 {
				continue
			}
			fmt.Fprintf(tab, "\t%d: %.2f (%.2f–%.2f; %.2f–%.2f)", n, quantile(all, 0.5), quantile(all, 0.25), quantile(all, 0.75), slices.Min(all), slices.Max(all))
			if target, ok := j.target[n]; ok {
				word := "met"
				if quantile(all, 0.5) < target {
					word = "missed"
				}
				fmt.Fprintf(tab, " ≥ %.2f %s", target, word)
			}
		}
		fmt.Fprintln(tab)
	}
	_ = tab.Flush()
}

// quantile returns the value at q of the sorted values, between two of them in
// proportion.
func quantile(values []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(values))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}
