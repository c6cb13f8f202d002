# "make help" lists what can be made.
PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# Named at build time for a release; else the source's own, and the commit from git.
VERSION ?=
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS  = -s -w $(if $(VERSION),-X main.version=$(VERSION)) $(if $(COMMIT),-X main.commit=$(COMMIT))

.PHONY: all build install demo test check bench judgement tune packages clean help

all: build

# One static binary, the same bytes from any folder.
build: ## one static binary, build/mailprofiled
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(strip $(LDFLAGS))' -o build/mailprofiled ./cmd/mailprofiled

install: build ## it and its unit file below PREFIX=/usr/local; DESTDIR= for packagers
	install -D -m 0755 build/mailprofiled '$(DESTDIR)$(PREFIX)/sbin/mailprofiled'
	sed 's|=/usr/sbin/|=$(PREFIX)/sbin/|' packaging/mailprofiled.service >build/mailprofiled.service
	install -D -m 0644 build/mailprofiled.service '$(DESTDIR)$(PREFIX)/lib/systemd/system/mailprofiled.service'

# Simulated servers deliver through a private Postfix; KEEP=1 stays for the reader.
demo: ## a private Postfix, servers that come to deliver; KEEP=1 stays up (root, Debian)
	.ci/deps demo
	$(GO) build -buildvcs=false -o build/demo ./internal/demo
	exec build/demo

# Everything, as root on Debian; a suite that did not run fails it.
test: ## everything, against real mail servers too (root, Debian)
	.ci/suites deps check unit e2e packages demo

# What to run before each commit: no root, no mail server.
check: ## what to run before a commit: no root, no mail server
	.ci/suites check unit

# Beside an empty filter on plain go-milter.
bench: ## beside an empty filter on plain go-milter
	$(GO) run ./internal/bench

# The same bytes from the same commit on any machine.
packages: ## .deb and .rpm for amd64 and arm64, in build/packages
	packaging/build

# On labelled visits: how well the baselines judge, and what each finding is worth.
judgement: build ## FILE=visits.csv: how well the baselines judge labelled visits
	$(GO) run ./internal/judgement tables $(FILE)

tune: build ## FILE=visits.csv: the evidence for each finding, and points
	$(GO) run ./internal/judgement tune $(FILE)

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16
