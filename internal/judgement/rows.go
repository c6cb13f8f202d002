package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A visit is one row as the program judged it.
type visit struct {
	part, period string // of the corpus; "" where it is counted nowhere
	ham          bool
	network      string // IPv4 /24, IPv6 /48
	action       string // continue, tempfail, reject
	score        float64
	findings     string // ids in order, by spaces: equal ones of a network count once
	recorded     facts
}

// facts are what was recorded of a visit: a finding that rests on another one
// could not be seen there.
type facts uint8

const (
	ptrFact     facts = 1 << iota // reverse DNS
	forwardFact                   // where the HELO name leads
	spfFact
	allFacts = 1<<iota - 1
)

// A replayer runs the program over files.
type replayer struct {
	program string
	files   []string
	stderr  io.Writer
}

// A reading is how the files are taken.
type reading struct {
	baseline string
	assume   bool // none_or_unconfirmed is missing or unconfirmed, the lesser
	blank    bool // without what is known of PTR: SPF has to do without its excuse
}

// judge runs the program and returns its rows.
func (r replayer) judge(how reading) ([]visit, error) {
	dir, err := os.MkdirTemp("", "judgement")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	files := r.files
	if how.blank {
		if files, err = blanked(dir, files); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "mailprofiled.toml")
	text := fmt.Sprintf("baseline = %q\nmode = \"enforce\"\nus.domains = [\"example.net\"]\n[exempt]\nnetworks = [\"192.0.2.0/24\"]\n", how.baseline)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{"replay", "--config", config, "--rows"}
	if how.assume {
		args = append(args, "--assume-unconfirmed")
	}
	cmd := exec.Command(r.program, append(args, files...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	visits, readErr := readRows(out)
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", r.program, err, complaint.String())
	}
	return visits, readErr
}

// readRows reads what replay --rows prints.
func readRows(in io.Reader) ([]visit, error) {
	r := csv.NewReader(bufio.NewReaderSize(in, 1<<16))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no rows: %w", err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for _, name := range [...]string{"label", "client_ip", "action", "score", "findings"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("the rows have no column %s", name)
		}
	}
	var visits []visit
	names := map[string]string{} // one copy of each list of findings
	for {
		row, err := r.Read()
		if err == io.EOF {
			return visits, nil
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string {
			if i, ok := column[name]; ok {
				return row[i]
			}
			return ""
		}
		v := visit{ham: get("label") == "ham", network: networkOf(get("client_ip")), action: strings.Clone(get("action"))}
		v.part, v.period = partOf(get("label"), get("source"), get("ptr"), get("helo")), periodOf(get("date"))
		v.score, _ = strconv.ParseFloat(get("score"), 64)
		v.recorded = recorded(get("ptr_state"), get("helo_fwd"), get("spf"))
		ids := idsOf(get("findings"))
		if names[ids] == "" {
			names[ids] = ids
		}
		v.findings = names[ids]
		visits = append(visits, v)
	}
}

func recorded(ptrState, forward, spf string) (f facts) {
	if ptrState != "" && ptrState != "unrecorded" {
		f |= ptrFact
	}
	if forward != "" {
		f |= forwardFact
	}
	if spf != "" {
		f |= spfFact
	}
	return f
}

// idsOf cuts the points off: "a:1,b:0" is "a b".
func idsOf(findings string) string {
	if findings == "" {
		return ""
	}
	var ids []string
	for f := range strings.SplitSeq(findings, ",") {
		if i := strings.LastIndexByte(f, ':'); i >= 0 {
			f = f[:i]
		}
		ids = append(ids, f)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func networkOf(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	addr = addr.Unmap()
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return client
	}
	return p.String()
}

// blanked copies files without what they hold of PTR.
func blanked(dir string, files []string) ([]string, error) {
	var copies []string
	for i, name := range files {
		to := filepath.Join(dir, strconv.Itoa(i)+".csv")
		if err := blank(name, to); err != nil {
			return nil, err
		}
		copies = append(copies, to)
	}
	return copies, nil
}

func blank(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(from, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		in = z
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	r, w := csv.NewReader(in), csv.NewWriter(out)
	header, err := r.Read()
	if err != nil {
		return err
	}
	values := map[string]string{"ptr": "", "ptr_state": "unrecorded", "fcrdns": "unknown", "helo_fwd": ""}
	for row := header; err == nil; row, err = r.Read() {
		for i, name := range header {
			if value, ok := values[name]; ok && row[i] != name {
				row[i] = value
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	if err != io.EOF {
		return err
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return out.Close()
}
