package wiring

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/directory/callahead"
	"mailprofiled/internal/directory/ldap"
	"mailprofiled/internal/directory/socketmap"
	"mailprofiled/internal/directory/sql"
)

// A waited kind of source is asked over a network, or of another process: it stands
// behind a Guard. make connects nothing yet, since the other side may be down at the
// start; its error is a mistake in the configuration, best a *keyError. id tells one
// source from another, and may hold secrets: it is shown to nobody.
type waited struct {
	id   func(cfg *config.Config, s *config.DirectorySource) string
	make func(cfg *config.Config, s *config.DirectorySource) (src directory.Source, warnings []config.Problem, err error)
}

// waitedSources are those kinds, by the word of directory.source.
var waitedSources = map[string]waited{
	config.SourceSQL:       made(sqlOptions, sqlSource),
	config.SourceLDAP:      made(ldapOptions, ldapSource),
	config.SourceSocketmap: made(socketmapOptions, socketmapSource),
	config.SourceCallahead: made(callaheadOptions, callaheadSource),
}

// made is the kind whose sources are made of options: who has the same ones is the
// same source.
func made[O any](options func(*config.Config, *config.DirectorySource) O, source func(O) (directory.Source, error)) waited {
	return waited{
		id: func(cfg *config.Config, s *config.DirectorySource) string { return fmt.Sprintf("%+v", options(cfg, s)) },
		make: func(cfg *config.Config, s *config.DirectorySource) (directory.Source, []config.Problem, error) {
			src, err := source(options(cfg, s))
			if err != nil {
				return nil, nil, err
			}
			var warnings []config.Problem
			if l, ok := src.(*ldap.Source); ok && l.InClear() {
				p := backendProblem(cfg, s, &keyError{"ldap", errors.New(
					"the password of bind_dn and what is asked go over the network in clear text; write ldaps:// in it, or set starttls = true")})
				p.Warning = true
				warnings = append(warnings, p)
			}
			return src, warnings, nil
		},
	}
}

// A keyError is a mistake in a key of a source, "what; remedy".
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.err.Error() }

// backendProblem words a mistake in a source as one of its key.
func backendProblem(cfg *config.Config, s *config.DirectorySource, err error) config.Problem {
	wrong := &keyError{"source", err}
	errors.As(err, &wrong)
	name, at := cfg.SourceKey(s, wrong.key)
	what, remedy, _ := strings.Cut(err.Error(), "; ")
	return config.Problem{File: at.File, Line: max(1, at.Line), Key: name, What: name + ": " + what, Remedy: cmp.Or(remedy, "correct it")}
}

func sqlOptions(_ *config.Config, s *config.DirectorySource) sql.Options {
	b := &s.Backend
	return sql.Options{URL: b.SQL.Reveal(), Query: b.Query, Password: b.Password.Reveal(), CA: b.CA, Connections: b.Connections}
}

func sqlSource(o sql.Options) (directory.Source, error) {
	src, err := sql.New(o)
	switch {
	case errors.Is(err, sql.ErrQuery):
		return nil, &keyError{"query", err}
	case err != nil:
		return nil, &keyError{"sql", err}
	}
	return src, nil
}

func ldapOptions(_ *config.Config, s *config.DirectorySource) ldap.Options {
	b := &s.Backend
	return ldap.Options{
		URL: b.LDAP.Reveal(), Filter: b.Filter, StartTLS: b.StartTLS, CA: b.CA, BindDN: b.BindDN, Password: b.Password.Reveal(),
		Created: b.Created, Plan: b.Plan, Attributes: b.Attributes, Connections: b.Connections,
	}
}

// ldapKeys are the keys of options.
var ldapKeys = map[string]string{"URL": "ldap", "Filter": "filter", "StartTLS": "starttls", "BindDN": "bind_dn", "Password": "password", "CA": "ca"}

func ldapSource(o ldap.Options) (directory.Source, error) {
	src, err := ldap.New(o)
	var wrong *ldap.OptionError
	switch {
	case errors.As(err, &wrong):
		return nil, &keyError{ldapKeys[wrong.Option], err}
	case err != nil:
		return nil, &keyError{"ldap", err}
	}
	return src, nil
}

func socketmapOptions(_ *config.Config, s *config.DirectorySource) socketmap.Options {
	return socketmap.Options{Map: s.Backend.Socketmap, Connections: s.Backend.Connections}
}

func socketmapSource(o socketmap.Options) (directory.Source, error) {
	src, err := socketmap.New(o)
	if err != nil {
		return nil, &keyError{"socketmap", err}
	}
	return src, nil
}

// callaheadOptions has us greet as the first of our names.
func callaheadOptions(cfg *config.Config, s *config.DirectorySource) callahead.Options {
	o := callahead.Options{NextHop: s.Backend.Callahead, Connections: s.Backend.Connections}
	if len(cfg.Us.Names) > 0 {
		o.Hello = cfg.Us.Names[0]
	}
	return o
}

func callaheadSource(o callahead.Options) (directory.Source, error) {
	src, err := callahead.New(o)
	if err != nil {
		return nil, &keyError{"callahead", err}
	}
	return src, nil
}
