# Lanthorn. `make run` starts it, `make test` checks everything. The raw commands stand in CONTRIBUTING.md.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo
NPM ?= npm
PREFIX ?= $(HOME)/.cargo

WEB_SOURCES := $(shell find web -type f \( -path 'web/src/*' -o -path 'web/public/*' -o -path 'web/scripts/*' \) 2>/dev/null) \
	$(wildcard web/*.json web/*.ts web/*.js web/*.html)
WEB_BUILT := web/dist/index.html
WEB_READY := web/node_modules/.installed
TUSPY := target/tuspy/.installed

.PHONY: help run test trials check web bench install dist system test-rust test-web test-browser fmt api

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | sort | column -t -s "$$(printf '\t')"

run: web ## build Lanthorn, start it and open the page (ARGS="--port 8080" passes flags on)
	$(CARGO) run --release -p lanthorn -- $(ARGS)

test: system check test-rust test-web test-browser ## everything: system packages, format, lints, all tests, a real browser

check: web ## format, lints, types
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cd web && $(NPM) run --silent lint && $(NPM) run --silent check

test-rust: web ## the Rust tests
	@if $(CARGO) nextest --version >/dev/null 2>&1; then $(CARGO) nextest run --workspace; else $(CARGO) test --workspace; fi

trials: web ## two hundred transfers whose ends are killed at random (ten minutes)
	LANTHORN_TRIALS=200 $(CARGO) test --workspace -- transfer::trials --nocapture

test-web: $(WEB_READY) ## the page's unit tests
	cd web && $(NPM) test

# Built as the Rust tests build it: with other features the dependencies would be compiled a second time.
test-browser: web ## the page in a real Chromium, against the real binary
	$(CARGO) build --workspace --all-targets
	cd web && $(NPM) run e2e

system: $(TUSPY) ## install what the tests need (Debian), or name it
	@scripts/system-packages

# Another program's uploader, which one test is made with. Where there is no Python or no way to get it, that test says so.
$(TUSPY):
	@mkdir -p $(@D)
	@python3 -m venv $(@D) && $(@D)/bin/pip install --quiet tuspy==1.1.0 || echo "no tuspy: its test will be skipped"
	@touch $@

web: $(WEB_BUILT) ## build the page

$(WEB_READY): web/package.json web/package-lock.json
	cd web && $(NPM) ci --no-audit --no-fund
	@touch $@

$(WEB_BUILT): $(WEB_READY) $(WEB_SOURCES)
	cd web && $(NPM) run --silent build
	@touch $@

api: ## write the API's description and the page's types again
	$(CARGO) build --workspace --all-targets
	target/debug/lanthorn openapi > docs/openapi.json
	target/debug/lanthorn openapi --markdown > docs/http-api.md
	cd web && $(NPM) run --silent api

fmt: $(WEB_READY) ## format everything
	$(CARGO) fmt --all
	cd web && $(NPM) run --silent format

bench: web ## measure against what is installed of nginx, caddy, dufs, miniserve, plocate, fd, vipsthumbnail
	$(CARGO) build --release -p lanthorn
	bench/run

install: web ## put the binary in $(PREFIX)/bin
	$(CARGO) install --path crates/lanthorn --root $(PREFIX) --locked

dist: web ## package the crate with the built page in it
	rm -rf crates/lanthorn/web-dist
	trap 'rm -rf crates/lanthorn/web-dist' EXIT; \
	cp -r web/dist crates/lanthorn/web-dist && $(CARGO) package --workspace --locked --allow-dirty
