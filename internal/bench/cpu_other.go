//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

func cpuTime(int) (time.Duration, error) {
	return 0, errors.New("the CPU of another process can be read on Linux only")
}

func dieWithUs(*exec.Cmd) {}
