package simulate

import (
	"math"
	"math/rand/v2"
)

// dice is a generator with the few draws that the simulation needs.
type dice struct{ *rand.Rand }

// newDice returns the generator of one purpose: seed and stream together name
// it, so that what one part of the simulation draws never moves another part.
func newDice(seed uint64, stream ...uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, hash(stream...)))}
}

// chance reports true with probability p.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// between returns a whole number from lo to hi, both included.
func (d dice) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + d.Int64N(hi-lo+1)
}

// about returns a whole number whose mean is x: its floor, or one more.
func (d dice) about(x float64) int {
	n := math.Floor(x)
	if d.chance(x - n) {
		n++
	}
	return int(n)
}

// wait returns an exponentially distributed number of seconds of this mean,
// cut at six times the mean.
func (d dice) wait(mean float64) int64 {
	return int64(min(d.ExpFloat64(), 6) * mean)
}

// weighted returns an index of w, drawn in proportion to its weights.
func (d dice) weighted(w []float64) int {
	sum := 0.0
	for _, x := range w {
		sum += x
	}
	u := d.Float64() * sum
	for i, x := range w {
		if u -= x; u < 0 {
			return i
		}
	}
	return len(w) - 1
}

// hash mixes numbers into one, each bit of which depends on all of them
// (SplitMix64's finaliser, Steele, Lea and Flood, 2014). It decides what must
// be known about a day or an employee without drawing in order.
func hash(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h += p + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// share turns a hash into a number from 0 up to 1.
func share(h uint64) float64 { return float64(h>>11) / (1 << 53) }
