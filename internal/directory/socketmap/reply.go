package socketmap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mailprofiled/internal/directory"
)

// maxReply is the longest reply that is read, in octets: Postfix's own limit,
// socketmap_max_reply_size.
const maxReply = 100_000

var errRubbish = errors.New("not an answer of the socketmap protocol")

// appendString appends text as a netstring: its length in octets, ':', it, ','.
func appendString(dst []byte, parts ...string) []byte {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, ':')
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return append(dst, ',')
}

// readString reads one netstring of at most maxReply octets.
func readString(r *bufio.Reader) (string, error) {
	n, digits := 0, 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", broken(err, digits)
		}
		if c == ':' && digits > 0 {
			break
		}
		if c < '0' || c > '9' || digits > 0 && n == 0 { // no leading zeros
			return "", errRubbish
		}
		digits++
		if n = 10*n + int(c-'0'); n > maxReply {
			return "", fmt.Errorf("%w: longer than %d octets", errRubbish, maxReply)
		}
	}
	body := make([]byte, n+1)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", broken(err, digits)
	}
	if body[n] != ',' {
		return "", errRubbish
	}
	return string(body[:n]), nil
}

// broken words the end of the stream within an answer; before it, it stays io.EOF.
func broken(err error, have int) error {
	if have > 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fmt.Errorf("%w: cut off", errRubbish)
	}
	return err
}

// judge says what a reply means (socketmap_table(5)): OK with the value, NOTFOUND, or
// one of three ways not to know.
func judge(reply string) (directory.Entry, error) {
	status, data, _ := strings.Cut(reply, " ")
	switch status {
	case "OK":
		return found(data), nil
	case "NOTFOUND":
		return directory.Entry{Result: directory.No}, nil
	case "PERM": // for good, and so about what was asked: others are asked about as before
		return directory.Entry{}, directory.OnlyThis(fmt.Errorf("the server says %s", reply))
	case "TEMP", "TIMEOUT":
		return directory.Entry{}, fmt.Errorf("the server says %s", reply)
	}
	return directory.Entry{}, errRubbish
}

// found takes from a value the words that speak of the recipient, as they stand in a
// file of accounts: "created=2026-01-31 plan=pro". Other values are the table's own
// business.
func found(data string) directory.Entry {
	e := directory.Entry{Result: directory.Yes}
	for _, word := range strings.Fields(data) {
		if name, value, ok := strings.Cut(word, "="); ok && (name == "created" || name == "plan") {
			e.Note(name, value)
		}
	}
	return e
}
