package store

import (
	"bytes"
	"hash/crc32"
	"io"
)

// A reader takes frames off a file and goes on behind what is damaged.
type reader struct {
	src  io.Reader
	size int64 // of the file: what a head says of a length is held against it

	mark  mark
	known bool   // the mark
	name  string // of the last frame: it mostly is the next one's

	array []byte // what buf is a part of
	buf   []byte // read, and not taken yet
	at    int64  // where buf begins in the file

	// What was found, complete once next has given false.
	damaged int   // places with damage, before a good frame
	lost    int64 // bytes there
	tail    int64 // bytes at the end that are no frame
	version bool  // it is of a version we do not know
	err     error // of reading: what is behind it is in tail
}

func newReader(src io.Reader, size int64) *reader { return &reader{src: src, size: size} }

// next gives the next good frame; the record is valid until the following call.
func (r *reader) next() (name string, record []byte, ok bool) {
	damage := int64(-1) // where it begins
	for r.fill(headSize) {
		if name, record, n := r.frame(); n > 0 {
			if damage >= 0 {
				r.damaged++
				r.lost += r.at - damage
			}
			r.skip(n)
			return name, record, true
		}
		if r.at == 0 && newerVersion(r.buf) {
			r.version = true
		}
		if damage < 0 {
			damage = r.at
		}
		r.skip(1)
		r.seek()
	}
	if damage < 0 {
		damage = r.at
	}
	r.tail = max(r.size, r.at+int64(len(r.buf))) - damage
	return "", nil, false
}

// frame parses the frame at the beginning of buf and gives its length, 0 if
// there is none.
func (r *reader) frame() (name string, record []byte, n int) {
	size, ok := parseHead(r.buf)
	if !ok || r.known && !bytes.HasPrefix(r.buf, r.mark[:]) {
		return "", nil, 0
	}
	n = headSize + size + crc32.Size
	if int64(n) > r.size-r.at || !r.fill(n) {
		return "", nil, 0
	}
	space, record, ok := parseBody(r.buf[:n])
	if !ok {
		return "", nil, 0
	}
	if r.name != string(space) {
		r.name = string(space)
	}
	if !r.known {
		r.mark, r.known = mark(r.buf), true
	}
	return r.name, record, n
}

// seek skips to what may begin a frame.
func (r *reader) seek() {
	begin := r.mark[:]
	if !r.known {
		begin = []byte(magic)
	}
	for {
		if i := bytes.Index(r.buf, begin); i >= 0 {
			r.skip(i)
			return
		}
		r.skip(max(0, len(r.buf)-len(begin)+1))
		if !r.fill(len(r.buf) + 1) {
			return
		}
	}
}

func (r *reader) skip(n int) {
	r.buf = r.buf[n:]
	r.at += int64(n)
}

// readAhead is how much is read at once, at least.
const readAhead = 256 << 10

// fill reads until buf holds n bytes, and reports whether it does.
func (r *reader) fill(n int) bool {
	if len(r.buf) >= n {
		return true
	}
	if r.err != nil {
		return false
	}
	if cap(r.buf) < n {
		if cap(r.array) < n {
			// One byte more than there is, so that the end of the file is seen.
			most := max(int64(n), r.size-r.at+1)
			r.array = make([]byte, 0, min(int64(max(readAhead, n+n/4)), most))
		}
		r.buf = append(r.array[:0], r.buf...) // to its front
	}
	for len(r.buf) < n {
		got, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+got]
		if err == io.EOF {
			break
		}
		if err != nil {
			r.err = err
			break
		}
	}
	return len(r.buf) >= n
}
