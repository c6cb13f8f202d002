package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mailprofiled/internal/dnstest"
)

// TestMain lets the scripts below call mailprofiled as a command.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mailprofiled": main})
}

// noSleep is GORACE for a child: commands are this test binary, and with the race
// detector in it that would sleep a second before it exits.
const noSleep = "atexit_sleep_ms=10"

// TestScripts runs the command-line sessions in testdata/script. Each has a DNS
// of its own, from its files zone and misbehave, at the address $DNS; its config.toml may use
// that by the word DNS in quotes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			zone, err := os.ReadFile(env.WorkDir + "/zone")
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			server, err := dnstest.Start(string(zone))
			if err != nil {
				return err
			}
			env.Defer(server.Close)
			env.Setenv("GORACE", noSleep)
			misbehaving, err := os.ReadFile(env.WorkDir + "/misbehave")
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			if err := misbehave(server, string(misbehaving)); err != nil {
				return err
			}
			env.Setenv("DNS", server.Addr().String())
			return fillIn(env.WorkDir+"/config.toml", server.Addr().String())
		},
	})
}

// fillIn puts the address of the DNS server into a configuration; a script
// without one has none.
func fillIn(path, dns string) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(text, []byte(`"DNS"`), []byte(`"`+dns+`"`)), 0o600)
}
