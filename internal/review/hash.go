package review

import (
	"encoding/binary"
	"math/bits"
)

// hash returns 64 bits of b that are the same in every run and on every
// machine (unlike hash/maphash). It is made to spread, not to withstand an
// attacker: a row that is taken for a duplicate by mistake is shown as one.
// The mixing step is wyhash's (github.com/wangyi-fudan/wyhash, public domain).
func hash(b []byte) uint64 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	h := uint64(len(b)) ^ k0
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h^binary.LittleEndian.Uint64(b), k1)
	}
	var last [8]byte
	copy(last[:], b)
	return mix(mix(h^binary.LittleEndian.Uint64(last[:]), k1), k0)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// idSet remembers which ids it has seen, in 8 bytes each (11 to 22 with the
// free places). It keeps a 64-bit hash of each id: among 50 million ids the
// chance that any two share one is 1 in 15,000.
type idSet struct {
	slots []uint64 // 0 is free
	used  int
}

// add remembers id and reports whether it is new.
func (s *idSet) add(id []byte) bool {
	if s.used*4 >= len(s.slots)*3 {
		s.grow()
	}
	h := hash(id)
	if h == 0 {
		h = 1
	}
	i := s.place(h)
	if s.slots[i] == h {
		return false
	}
	s.slots[i] = h
	s.used++
	return true
}

// place returns where h stands or is to stand.
func (s *idSet) place(h uint64) uint64 {
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for s.slots[i] != 0 && s.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}

func (s *idSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1<<12, 2*len(old)))
	for _, h := range old {
		if h != 0 {
			s.slots[s.place(h)] = h
		}
	}
}
