package records

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// A block is written, checked and lost as one. Its bytes, numbers with the least byte
// first:
//
//	4  magic, the version of the format in its last byte
//	4  number of records
//	4  length of the index
//	4  length of the body
//	4  length of the body unpacked
//	8  when, of its newest record: milliseconds of Unix time
//	4  CRC-32C of the index
//	4  CRC-32C of those 32
//	n  index: of each record the id, filled up with zeros (12), the number of its keys (1), their hashes (4 each)
//	n  body: the records, by DEFLATE (RFC 1951) with a dictionary
//	4  CRC-32C of the body
//
// The head has a sum of its own so that a damaged length is not believed. Nothing that a
// client says can be taken for a block after damage: bodies are compressed JSON, in which
// no zero byte stands as it is.
const (
	magic    = "mpr1"
	headSize = 36
	sumSize  = crc32.Size

	// blockRaw is how much is packed together, in bytes before compression.
	blockRaw = 64 << 10

	maxRaw   = blockRaw + maxBody + maxKeys*(maxValue+3) + 64 // one record may come on top
	maxIndex = 4 << 20
	maxPack  = maxRaw + maxRaw/8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A head is the fixed part of a block.
type head struct {
	count, index, body, raw int
	newest                  int64
	indexSum                uint32
}

// size is of the whole block.
func (h *head) size() int { return headSize + h.index + h.body + sumSize }

func (h *head) put(b []byte) {
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[4:], uint32(h.count))
	binary.LittleEndian.PutUint32(b[8:], uint32(h.index))
	binary.LittleEndian.PutUint32(b[12:], uint32(h.body))
	binary.LittleEndian.PutUint32(b[16:], uint32(h.raw))
	binary.LittleEndian.PutUint64(b[20:], uint64(h.newest))
	binary.LittleEndian.PutUint32(b[28:], h.indexSum)
	binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
}

// parseHead is false for what is no head of this version.
func parseHead(b []byte) (h head, ok bool) {
	if len(b) < headSize || string(b[:4]) != magic || crc32.Checksum(b[:32], castagnoli) != binary.LittleEndian.Uint32(b[32:]) {
		return h, false
	}
	count, index := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	body, raw := binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:])
	if count == 0 || index > maxIndex || body > maxPack || raw > maxRaw || count > index {
		return h, false
	}
	return head{
		count: int(count), index: int(index), body: int(body), raw: int(raw),
		newest: int64(binary.LittleEndian.Uint64(b[20:])), indexSum: binary.LittleEndian.Uint32(b[28:]),
	}, true
}

// isLater reports whether b begins a block of a version that we do not know.
func isLater(b []byte) bool {
	return len(b) >= headSize && string(b[:3]) == magic[:3] && b[3] != magic[3] &&
		crc32.Checksum(b[:32], castagnoli) == binary.LittleEndian.Uint32(b[32:])
}

// A packer makes blocks. It belongs to one goroutine.
type packer struct {
	index, raw []byte
	count      int
	newest     int64
	out        bytes.Buffer
	deflate    *flate.Writer
}

// add takes a record in that fits.
func (p *packer) add(r *Record) {
	p.raw = r.append(p.raw)
	var id [IDSize]byte
	copy(id[:], r.ID)
	p.index = append(append(p.index, id[:]...), byte(len(r.Keys)))
	for _, k := range r.Keys {
		p.index = binary.LittleEndian.AppendUint32(p.index, k.hash())
	}
	p.newest = max(p.newest, r.When.UnixMilli())
	p.count++
}

// full reports whether a block is to be made now.
func (p *packer) full() bool { return len(p.raw) >= blockRaw }

// seal makes a block of what was taken in; the bytes are the caller's own. It is nil if there is nothing.
func (p *packer) seal() ([]byte, error) {
	if p.count == 0 {
		return nil, nil
	}
	if p.deflate == nil {
		w, err := flate.NewWriterDict(io.Discard, level, []byte(dictionary))
		if err != nil {
			return nil, err
		}
		p.deflate = w
	}
	p.out.Reset()
	p.out.Write(make([]byte, headSize))
	p.out.Write(p.index)
	p.deflate.Reset(&p.out)
	p.deflate.Write(p.raw) // into a buffer: it never fails
	p.deflate.Close()
	b := append(bytes.Clone(p.out.Bytes()), 0, 0, 0, 0)
	end := len(b) - sumSize
	body := b[headSize+len(p.index) : end]
	h := head{count: p.count, index: len(p.index), body: len(body), raw: len(p.raw), newest: p.newest, indexSum: crc32.Checksum(p.index, castagnoli)}
	h.put(b)
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(body, castagnoli))
	p.index, p.raw, p.count, p.newest = p.index[:0], p.raw[:0], 0, 0
	if p.out.Cap() > 4*blockRaw {
		p.out = bytes.Buffer{}
	}
	return b, nil
}

// level is that of DEFLATE: see BenchmarkSeal.
const level = 5

var errBadBlock = errors.New("a block that is none")

// unpack gives the records of a whole block, oldest first.
func unpack(b []byte) ([]Record, error) {
	h, ok := parseHead(b)
	if !ok || len(b) < h.size() {
		return nil, errBadBlock
	}
	body, sum := b[headSize+h.index:headSize+h.index+h.body], b[h.size()-sumSize:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, errBadBlock
	}
	raw := make([]byte, h.raw)
	inflate := flate.NewReaderDict(bytes.NewReader(body), []byte(dictionary))
	defer inflate.Close()
	if _, err := io.ReadFull(inflate, raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadBlock, err)
	}
	var all []Record
	for len(raw) > 0 {
		r, rest, err := nextRecord(raw)
		if err != nil {
			return nil, err
		}
		all, raw = append(all, r), rest
	}
	return all, nil
}

// A Query says what is looked for: records that have the id, and one key of each of Keys.
type Query struct {
	ID   string  // whole, or how it begins; "" for any
	Keys [][]Key // of each group one at least
	Most int     // how many, newest first; 0 for one
}

// wanted is a query as it is put to indexes.
type wanted struct {
	id     string
	groups [][]uint32
}

func (q *Query) wanted() wanted {
	w := wanted{id: q.ID}
	for _, group := range q.Keys {
		hashes := make([]uint32, len(group))
		for i, k := range group {
			hashes[i] = k.hash()
		}
		w.groups = append(w.groups, hashes)
	}
	return w
}

// in reports whether an index may have what is wanted.
func (w *wanted) in(index []byte) bool {
	for len(index) > IDSize {
		id, n := index[:IDSize], int(index[IDSize])
		index = index[IDSize+1:]
		if 4*n > len(index) {
			return false
		}
		if hasPrefix(id, w.id) && w.hashesIn(index[:4*n]) {
			return true
		}
		index = index[4*n:]
	}
	return false
}

func hasPrefix(id []byte, prefix string) bool {
	return len(prefix) <= len(id) && string(id[:len(prefix)]) == prefix
}

func (w *wanted) hashesIn(hashes []byte) bool {
	for _, group := range w.groups {
		found := false
		for at := 0; at < len(hashes) && !found; at += 4 {
			has := binary.LittleEndian.Uint32(hashes[at:])
			for _, h := range group {
				found = found || h == has
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// matches reports whether a record is what is looked for, and not older than since.
func (q *Query) matches(r *Record, since time.Time) bool {
	if r.When.Before(since) || !strings.HasPrefix(r.ID, q.ID) {
		return false
	}
	for _, group := range q.Keys {
		found := false
		for _, want := range group {
			for i := range r.Keys {
				found = found || r.Keys[i].Kind == want.Kind && r.Keys[i].Value == clip(want.Value)
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// dictionary is what records are full of: it makes the first one of a block small too.
// It belongs to the version of the format.
const dictionary = `` +
	`"helo-many","helo-bot","helo-is-us","helo-localhost","helo-literal-mismatch","helo-address","helo-syntax","helo-missing","from-null-mx","from-bogus-mx","from-no-domain","from-unresolvable","from-syntax","spf-permerror","spf-none","spf-pass","spf-fail","spf-softfail","history-bad","history-good","first-seen","rcpt-unknown","rcpt-error","rcpt-harvest","local-deny","local-allow","retry-passed","relation","limit:","dnswl:","rhsbl:","dnsbl:spamhaus-zen-dqs","points":10,` +
	`"points":-4,"detail":"says file:","tempfail","450","4.7.25","550","5.7.1","5.1.1","554","5.7.23",The reverse DNS name of  is that of an access line; send through your provider's mail server, or have your server's own name set` +
	`has no reverse DNS name; have one set that leads back to itMail from  is not taken by the policy of this site; ask its postmaster","unknown: timeout","unknown: servfail","unknown: budget"` +
	`{"id":"","client":"192.0.2.","ptr":"mail.","helo":"mail.","from":"<","account":"","listener":"","role":"mx","stage":"rcpt","mode":"enforce","score":11.5,"findings":[{"id":"rdns-dynamic","points":7,"detail":" (dsl)"},{"id":"rdns-generic","points":3,"detail":""},{"id":"rdns-missing","points":6,"detail":""},{"id":"rdns-unconfirmed","points":2,"detail":""},{"id":"helo-generic","points":3,"detail":""},{"id":"helo-unresolvable","points":2,"detail":""},{"id":"helo-not-client","points":0.5,"detail":""},{"id":"helo-unrelated","points":0.5,"detail":"HELO , sender "},{"id":"generic-elsewhere","points":2,"detail":""},{"id":"unnamed-elsewhere","points":2,"detail":""},{"id":"helo-holds-address","points":1,"detail":""},{"id":"spf-softfail","points":0.5,"detail":": ~all"},{"id":"from-unrelated","points":0,"detail":""}],` +
	`"recipients":[{"rcpt":"<","action":"reject","code":550,"status":"5.7.25","text":"","score":11.5,"findings":[],"reply":"550 5.7.25  ["},{"rcpt":"<","action":"continue","code":0,"status":"","text":"","score":0,"findings":[]}],` +
	`"lookups":[{"question":".in-addr.arpa","type":"PTR","answer":[""],"source":"dns","ms":21.8},{"question":"","type":"A","answer":["none"],"source":"dns","ms":0.1},{"question":"","type":"AAAA","answer":["none"],"source":"cache","ms":0,"age_s":12},{"question":"","type":"MX","answer":["10 mail."],"source":"cache","ms":0,"age_s":12},{"question":"","type":"TXT","answer":["v=spf1 include:_spf. mx a -all ~all"],"source":"dns","ms":12.5}],` +
	`"identity":{"answer":"no","by":""},"policy":"standard@1-","took_ms":0.05,"when":"2026-11-30T21:00:00Z","queue":"","taken":false}`
