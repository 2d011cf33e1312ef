package identity

import (
	"crypto/sha256"
	"sync"
	"time"

	"paravent/internal/access"
)

// How many misses in a row, and what then. A login is watched everywhere but
// on the devices from which it has been signed in before (each of those is
// watched by itself), so that a stranger who guesses can't lock its owner out.
const (
	missesPerLogin  = 5
	missesPerDevice = 20 // over all logins: one device trying many of them
	firstWait       = time.Minute
	longestWait     = 16 * time.Minute
	forgetAfter     = time.Hour // misses older than this no longer count
	throttleSize    = 20_000    // how many logins and devices are remembered
	trustedSize     = 20_000    // how many pairs of login and device
)

// throttle slows down guessing. It lives in memory: a restart forgives, which
// costs an attacker more than it gives him.
type throttle struct {
	mu      sync.Mutex
	tries   map[[32]byte]*misses
	trusted map[[32]byte]bool
}

// misses are the tries at one login or from one device since the last success.
// A try counts as a miss from its beginning, so that many at once can't slip
// through together.
type misses struct {
	count int
	last  time.Time
	until time.Time // refused until then
}

func newThrottle() *throttle {
	return &throttle{tries: map[[32]byte]*misses{}, trusted: map[[32]byte]bool{}}
}

// begin counts a try and returns access.Unavailable where it may not be made
// yet. It answers alike for logins that exist and those that don't.
func (t *throttle) begin(login, device string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	byLogin, byDevice := t.of(t.loginKey(login, device), now), &misses{}
	if device != "" {
		byDevice = t.of(throttleKey("device", device, ""), now)
	}
	if now.Before(byLogin.until) || now.Before(byDevice.until) {
		return access.Errorf(access.Unavailable, "Too many tries.").WithHint("Wait a few minutes, then try again.")
	}
	byLogin.miss(missesPerLogin, now)
	byDevice.miss(missesPerDevice, now)
	return nil
}

// succeeded forgets the misses of this login here and remembers the device.
// The device's other misses stay: knowing one password is no leave to guess
// at others.
func (t *throttle) succeeded(login, device string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tries, t.loginKey(login, device))
	if device == "" {
		return
	}
	if m := t.tries[throttleKey("device", device, "")]; m != nil && m.count > 0 {
		m.count--
		m.until = time.Time{}
	}
	if len(t.trusted) >= trustedSize {
		clear(t.trusted)
	}
	t.trusted[throttleKey("pair", login, device)] = true
}

// loginKey returns what a try at login from device is counted under.
func (t *throttle) loginKey(login, device string) [32]byte {
	if pair := throttleKey("pair", login, device); device != "" && t.trusted[pair] {
		return pair
	}
	return throttleKey("login", login, "")
}

// of returns the misses under key, making room where needed.
func (t *throttle) of(key [32]byte, now time.Time) *misses {
	m := t.tries[key]
	if m != nil && now.Sub(m.last) < forgetAfter {
		return m
	}
	if len(t.tries) >= throttleSize {
		t.makeRoom(now)
	}
	m = &misses{last: now}
	t.tries[key] = m
	return m
}

// makeRoom forgets what no longer counts, and, where that isn't enough, those
// with few misses: whoever floods the table can't wash out what is refused.
func (t *throttle) makeRoom(now time.Time) {
	for key, m := range t.tries {
		if now.Sub(m.last) >= forgetAfter || !now.Before(m.until) {
			delete(t.tries, key)
		}
	}
}

// miss counts one; from the limit on each one doubles the wait.
func (m *misses) miss(limit int, now time.Time) {
	m.count++
	m.last = now
	if m.count < limit {
		return
	}
	wait := firstWait << min(m.count-limit, 10)
	m.until = now.Add(min(wait, longestWait))
}

// throttleKey is of one size however long the login is.
func throttleKey(kind, a, b string) [32]byte {
	sum := sha256.New()
	for _, part := range []string{kind, a, b} {
		h := sha256.Sum256([]byte(part))
		sum.Write(h[:])
	}
	return [32]byte(sum.Sum(nil))
}
