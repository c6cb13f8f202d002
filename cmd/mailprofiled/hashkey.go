package main

import (
	"cmp"
	"errors"
	"io/fs"

	"mailprofiled/internal/config"
	"mailprofiled/internal/logging"
)

// addressHash gives what stands in for mail addresses in the log, nil for
// nothing, by the key in the state directory dir. Without a key that can be kept
// there is no hash that stays the same, and the configuration is refused: no
// address goes out in clear that was to be hidden.
func addressHash(cfg *config.Config, dir string) (*logging.Hasher, *config.Problem) {
	if !cfg.Log.Hashed {
		return nil, nil // and nothing is read or made
	}
	h, err := logging.KeepKey(dir)
	if err != nil {
		return nil, keyProblem(cfg, err)
	}
	return h, nil
}

// checkKey looks at the key for check, which makes none: it may not run as the
// daemon's user.
func checkKey(cfg *config.Config) *config.Problem {
	if !cfg.Log.Hashed {
		return nil
	}
	if _, err := logging.ReadKey(cfg.State.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return keyProblem(cfg, err)
	}
	return nil
}

func keyProblem(cfg *config.Config, err error) *config.Problem {
	at, set := cfg.Origin("log.addresses")
	if !set {
		at = config.Origin{File: cfg.Path, Line: 1}
	}
	p := &config.Problem{File: at.File, Line: max(1, at.Line), Key: "log.addresses", What: err.Error(), Remedy: "mend it"}
	var key *logging.KeyError
	if errors.As(err, &key) {
		p.What, p.Remedy = key.What, cmp.Or(key.Remedy, p.Remedy)
	}
	p.What = `log.addresses is "hashed", but ` + p.What
	return p
}
