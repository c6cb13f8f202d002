package local

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// The bounds of what Append writes.
const (
	maxAppended = 4 << 20 // bytes of a file that lines are added to
	maxRemark   = 500     // bytes of a remark
)

// Append adds a line to a plain file: a client's address that is held until the end
// of a day, and a remark. The file must be there. A line is there whole or not at
// all, where the disk lets us take back what it took half; callers see to it that one
// at a time appends.
func Append(path string, client netip.Addr, last time.Time, remark string) error {
	if !client.IsValid() || client.Zone() != "" {
		return errors.New("no address")
	}
	remark = strings.Join(strings.Fields(remark), " ")
	switch {
	case len(remark) > maxRemark || strings.ContainsFunc(remark, unicode.IsControl):
		return fmt.Errorf("a remark is one line of %d bytes at most", maxRemark)
	case strings.Contains(remark, "expires="):
		return errors.New(`"expires=" cannot stand in a remark`)
	}
	line := "client:" + client.Unmap().String() + " expires=" + last.UTC().Format(time.DateOnly)
	if remark != "" {
		line += " # " + remark
	}
	// A pipe of that name must not hold us up, nor a link lead elsewhere.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(appendLine(f, line), f.Close())
}

func appendLine(f *os.File, line string) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", f.Name())
	case info.Size() > maxAppended:
		return fmt.Errorf("%s has more than %d bytes: take out what has expired", f.Name(), maxAppended)
	}
	if info.Size() > 0 {
		var end [1]byte
		if _, err := f.ReadAt(end[:], info.Size()-1); err != nil {
			return err
		}
		if end[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := io.WriteString(f, line+"\n"); err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return f.Sync()
}
