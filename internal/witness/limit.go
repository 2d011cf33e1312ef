package witness

import (
	"sync"
	"time"
)

// A limiter bounds how often one address may ask: a bucket of tokens for each,
// that fills with the time.
type limiter struct {
	perSecond, most float64

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the addresses that are remembered.
const maxBuckets = 4096

func newLimiter(perSecond float64) *limiter {
	if perSecond <= 0 {
		perSecond = 20
	}
	return &limiter{perSecond: perSecond, most: 10 * perSecond, buckets: map[string]bucket{}}
}

// allow reports whether the address may ask now.
func (l *limiter) allow(address string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[address]
	if !ok {
		l.makeRoom(now)
		b = bucket{tokens: l.most, at: now}
	}
	b.tokens = min(l.most, b.tokens+max(0, now.Sub(b.at).Seconds())*l.perSecond)
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[address] = b
	return allowed
}

// makeRoom forgets addresses whose bucket is full again, and when that's not
// enough, any. l.mu is held.
func (l *limiter) makeRoom(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	for address, b := range l.buckets {
		if b.tokens+now.Sub(b.at).Seconds()*l.perSecond >= l.most {
			delete(l.buckets, address)
		}
	}
	for address := range l.buckets {
		if len(l.buckets) < maxBuckets {
			return
		}
		delete(l.buckets, address)
	}
}
