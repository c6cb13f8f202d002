package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// metrics are the values of a daemon's metrics by name; those of one name with
// several labels are added up.
type metrics map[string]float64

// scrape asks a daemon for its metrics at a unix socket, on a connection of its own.
func scrape(ctx context.Context, socket string) (metrics, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://daemon/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", resp.Status)
	}
	m := make(metrics)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		m.add(lines.Text())
	}
	return m, lines.Err()
}

// add takes a line of the text format: "name value" or "name{labels} value".
func (m metrics) add(line string) {
	space := strings.LastIndexByte(line, ' ')
	if space < 0 || line[0] == '#' {
		return
	}
	name, _, _ := strings.Cut(line[:space], "{")
	if v, err := strconv.ParseFloat(line[space+1:], 64); err == nil {
		m[name] += v
	}
}
