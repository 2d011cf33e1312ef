package pggate

import (
	"encoding/binary"
	"io"
	"sync"
)

// Sizes of the buffers of one direction. A session that is idle holds only the
// small ones.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

var largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}

// chunk is what was read of one direction and isn't dealt with yet.
type chunk struct {
	buf  []byte
	end  int // buf[:end] is filled
	rest int // bytes of a message that is passed through still to come
	drop bool

	small []byte
	large *[]byte
	need  int // the message that begins at 0 needs so many bytes

	filled bool // the last read filled the buffer: there may be more
}

// fill reads once, behind what is there. It takes a larger buffer when the
// small one was too small, and gives it back when nothing is under way.
func (c *chunk) fill(r io.Reader, idle bool) error {
	switch {
	case c.small == nil:
		c.small = make([]byte, smallBuffer)
		c.buf = c.small
	case idle && c.idle():
		c.shrink()
	case c.need > len(c.buf):
		c.grow(c.need)
	case c.end == len(c.buf):
		c.grow(2 * len(c.buf))
	}
	n, err := r.Read(c.buf[c.end:])
	c.end += n
	c.filled = c.end == len(c.buf)
	if n > 0 {
		if c.large == nil && c.end == len(c.buf) && len(c.buf) < largeBuffer {
			c.grow(largeBuffer)
		}
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// grow takes a buffer of at least n bytes.
func (c *chunk) grow(n int) {
	var bigger []byte
	if n <= largeBuffer && c.large == nil {
		c.large = largeBuffers.Get().(*[]byte)
		bigger = *c.large
	} else {
		bigger = make([]byte, max(n, largeBuffer))
	}
	copy(bigger, c.buf[:c.end])
	c.buf = bigger
}

// idle reports whether a large buffer is held for nothing.
func (c *chunk) idle() bool {
	return c.end == 0 && c.need == 0 && c.rest == 0 && len(c.buf) > smallBuffer
}

func (c *chunk) shrink() {
	c.buf = c.small
	if c.large != nil {
		largeBuffers.Put(c.large)
		c.large = nil
	}
}

// keepFrom moves what begins at p to the front: it isn't whole yet. need is how
// many bytes it needs; 0: not known.
func (c *chunk) keepFrom(p, need int) {
	c.end = copy(c.buf, c.buf[p:c.end])
	c.need = need
}

// message is the head of a message in a chunk.
type message struct {
	kind  byte
	total int // with its type byte
}

// peek returns the message that begins at p; ok is false where its head isn't
// there yet.
func (c *chunk) peek(p int) (m message, ok bool, err error) {
	if c.end-p < 5 {
		return message{}, false, nil
	}
	n := binary.BigEndian.Uint32(c.buf[p+1:])
	if n < 4 || n > maxMessage {
		return message{}, false, &failure{code: stateProtocol, message: "invalid message length"}
	}
	return message{c.buf[p], int(n) + 1}, true, nil
}
