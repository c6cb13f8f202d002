package records

import (
	"bufio"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

// A scanner walks the heads of a file's blocks. What is no block is skipped byte by
// byte until the next one begins; a byte is in a block, or lost, or in the torn tail.
type scanner struct {
	r    *bufio.Reader
	at   int64 // of the next byte
	size int64 // of the file as it was when the scan began: what is appended meanwhile is not looked at

	lost  int64 // bytes that are in no block, but for a tail that was not written whole
	tail  int64
	later bool // a block of a version of the format that we do not know
	err   error
	buf   []byte
}

// scanRoom is how much is read at a time.
const scanRoom = 256 << 10

func newScanner(r io.Reader, size int64) *scanner {
	return &scanner{r: bufio.NewReaderSize(io.LimitReader(r, size), scanRoom), size: size}
}

// next gives the head, the index and the place of the next block. The index is
// valid until the next call.
func (s *scanner) next() (h head, index []byte, at int64, ok bool) {
	for {
		b, err := s.r.Peek(headSize)
		if err != nil {
			s.end(err)
			return h, nil, 0, false
		}
		h, ok = parseHead(b)
		if !ok {
			s.later = s.later || isLater(b)
			s.skip()
			continue
		}
		at = s.at
		if at+int64(h.size()) > s.size { // it was not written whole, or this is no head
			if !s.hidden(at) {
				s.tail = s.size - at
				s.at = s.size
				return h, nil, 0, false
			}
			s.skip()
			continue
		}
		s.discard(headSize)
		if index, ok = s.index(&h); !ok {
			return h, nil, 0, false
		}
		if index == nil { // damage: the block is lost, its length is right
			s.lost += int64(h.size())
			s.discard(h.body + sumSize)
			continue
		}
		s.discard(h.body + sumSize)
		return h, index, at, s.err == nil
	}
}

// index reads the index behind a head. It is nil where that has damage, and not ok where
// the disk fails.
func (s *scanner) index(h *head) ([]byte, bool) {
	if cap(s.buf) < h.index {
		s.buf = make([]byte, h.index)
	}
	index := s.buf[:h.index]
	if _, err := io.ReadFull(s.r, index); err != nil {
		s.end(err)
		return nil, false
	}
	s.at += int64(h.index)
	if crc32.Checksum(index, castagnoli) != h.indexSum {
		return nil, true
	}
	return index, true
}

// hidden reports whether a whole block begins behind at, as far as is read ahead: then a
// head that leads beyond the end is damage and not the torn end.
func (s *scanner) hidden(at int64) bool {
	b, _ := s.r.Peek(min(scanRoom, int(s.size-at)))
	for i := 1; i < len(b); i++ {
		j := bytes.Index(b[i:], []byte(magic))
		if j < 0 {
			return false
		}
		i += j
		if h, ok := parseHead(b[i:]); ok && at+int64(i+h.size()) <= s.size {
			return true
		}
	}
	return false
}

// skip goes on to where the next block may begin.
func (s *scanner) skip() {
	n, _ := s.r.Peek(min(s.r.Buffered(), scanRoom))
	step := bytes.Index(n[1:], []byte(magic[:3])) + 1
	if step == 0 {
		step = max(1, len(n)-2) // the magic may begin in the last two
	}
	s.lost += int64(step)
	s.discard(step)
}

func (s *scanner) discard(n int) {
	done, err := s.r.Discard(n)
	s.at += int64(done)
	if err != nil {
		s.end(err)
	}
}

// end notes how the file ended: too early for a head is a torn tail.
func (s *scanner) end(err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
	if s.tail == 0 {
		s.tail = s.size - s.at
	}
	s.at = s.size
}
