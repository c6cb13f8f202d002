# demo, test, check, bench, build, install; see README.md.
PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# Named at build time for a release; else the source's own, and the commit from git.
VERSION ?=
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS  = -s -w $(if $(VERSION),-X main.version=$(VERSION)) $(if $(COMMIT),-X main.commit=$(COMMIT))

.PHONY: all build install demo test check bench clean

all: build

# One static binary, the same bytes from any folder.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(strip $(LDFLAGS))' -o build/mailprofiled ./cmd/mailprofiled

install: build
	install -D -m 0755 build/mailprofiled '$(DESTDIR)$(PREFIX)/sbin/mailprofiled'

# Simulated servers deliver through a private Postfix; KEEP=1 stays for the reader.
demo:
	.ci/deps demo
	$(GO) run ./internal/demo

# Everything, as root on Debian; a suite that did not run fails it.
test:
	.ci/suites deps check unit e2e demo

# What to run before each commit: no root, no mail server.
check:
	.ci/suites check unit

# Beside an empty filter on plain go-milter.
bench:
	$(GO) run ./internal/bench

clean:
	rm -rf build
