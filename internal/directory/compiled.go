package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

var errNoTool = errors.New("a compiled map, and there is neither postmap nor makemap here to read it")

// dumpTime is how long a map may take to be written out.
const dumpTime = 2 * time.Minute

// dump has Postfix's postmap, or Sendmail's makemap, write a compiled map out as
// text, a key and its value a line, and gives that to read.
func dump(spec FileSpec, read func(text io.Reader) error) error {
	var said error
	for _, tool := range [...]struct {
		name string
		args []string
	}{
		{"postmap", []string{"-s", spec.Kind + ":" + strings.TrimSuffix(spec.Path, endings[spec.Kind])}},
		{"makemap", []string{"-u", spec.Kind, strings.TrimSuffix(spec.Path, endings[spec.Kind])}},
	} {
		path := toolPath(tool.name)
		if path == "" {
			continue
		}
		err := run(path, tool.args, read)
		if err == nil {
			return nil
		}
		said = errors.Join(said, fmt.Errorf("%s: %w", tool.name, err))
	}
	if said == nil {
		return errNoTool
	}
	return said
}

// toolPath finds a program of a mail server; "" where it is not here. A daemon's PATH
// may lack where administrators' programs are.
func toolPath(name string) string {
	for _, try := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(try); err == nil {
			return path
		}
	}
	return ""
}

// run gives the output of a program to read, and waits for its end.
func run(path string, args []string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), dumpTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &limitedWriter{&complaints, 1 << 10}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = read(out)
	if err != nil {
		cancel()
	}
	if end := cmd.Wait(); end != nil && err == nil {
		err = end
		if text := strings.TrimSpace(complaints.String()); text != "" {
			err = fmt.Errorf("%w: %s", end, strings.Join(strings.Fields(text), " "))
		}
	}
	return err
}

// A limitedWriter keeps the first octets of what a program has to say.
type limitedWriter struct {
	to   *bytes.Buffer
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.to.Write(p[:n])
	w.left -= n
	return len(p), nil
}
