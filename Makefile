# `make` lists what there is. Everything that CI runs is `make check`.
# Works with GNU make 3.81 (macOS) and later.

GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# Pinned, so that a new linter never breaks an old commit.
GOLANGCI_VERSION := v2.12.2
GOLANGCI         := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
# (Its cache is kept beside it: a shared one reports the paths of another clone,
# which the exclusions by path then miss.)

# Each fuzz target runs this long under `make fuzz`.
FUZZTIME ?= 20s
# The scenario that `make profile` looks at.
RUN      ?= h1
# Packages to test, fuzz and cover: make test PKG=./proxy/...
PKG      ?= ./...

GOFILES = $(shell git ls-files -co --exclude-standard '*.go')

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: build ## a whole audit on this machine: no network, no phone
	@$(BIN)/telltale demo || [ $$? -eq 1 ] # 1 says that the violation was found

# A network of its own, in which this machine has the addresses that pictures show.
HOME_NETWORK := unshare -rn sh -ec 'ip link set lo up; for a in 20 31; do ip address add 192.168.1.$$a/24 dev lo; done; exec "$$@"' sh

.PHONY: picture
picture: build ## draw the terminal pictures of the documents anew (Linux, tmux)
	@$(GO) build -o $(BIN)/ ./docs/picture ./docs/screens
	@mkdir -p $(BIN)/demo
	@(cd $(BIN)/demo && CLICOLOR_FORCE=1 $(abspath $(BIN)/telltale) demo 2>&1) | $(BIN)/picture -title 'make demo' > docs/demo.svg
	@$(HOME_NETWORK) $(BIN)/screens -telltale $(BIN)/telltale -listen 192.168.1.20:8080 -device 192.168.1.31 -o $(BIN)/shots
	@for shot in $(BIN)/shots/*.ansi; do \
	  $(BIN)/picture -title 'telltale watch' < "$$shot" > "docs/screens/$$(basename "$$shot" .ansi).svg" || exit 1; \
	done

.PHONY: build
build: ## build bin/telltale, static and reproducible
	$(GO) build -trimpath -ldflags '-s -w -X telltale/cmd.Version=$(VERSION)' -o $(BIN)/telltale ./cmd/telltale

.PHONY: install
install: ## install telltale into GOBIN
	$(GO) install -trimpath -ldflags '-s -w -X telltale/cmd.Version=$(VERSION)' ./cmd/telltale

# What has no cgo is built without it, once for the program, its tests and linters.
export CGO_ENABLED := 0

.PHONY: check
check: format vet cross lint race full scripts ## everything that CI runs

.PHONY: format
format: ## fail on files that gofmt would change
	@unformatted="$$(gofmt -l $(GOFILES))"; \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet: ## go vet, for this system
	$(GO) vet ./...

.PHONY: cross
cross: ## build and vet for the other systems
	GOOS=windows GOARCH=amd64 $(GO) build -o $(BIN)/cross/windows/ ./cmd/...
	GOOS=darwin GOARCH=arm64 $(GO) build -o $(BIN)/cross/darwin/ ./cmd/...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...

.PHONY: guard
guard: ## the rules of the tree: imports, lengths, comments, documents
	$(GO) test ./guard

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint at the pinned version
	GOLANGCI_LINT_CACHE=$(CURDIR)/$(BIN)/lint-cache $(GOLANGCI) run ./...

.PHONY: tools
tools: $(GOLANGCI) ## install the pinned tools into bin/

$(GOLANGCI):
	GOBIN=$(CURDIR)/$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

.PHONY: test
test: ## all tests in full, without the race detector
	$(GO) test -timeout 15m $(PKG)

# SQLite, which was translated from C and has locks of its own, and the arithmetic of
# Go's cryptography are not watched: they would take most of the time. What calls
# them is, and so are the locks within. Names are looked up as in the program, which is
# built without cgo. What vet finds, its own target does.
UNWATCHED := modernc.org/libc modernc.org/sqlite/lib crypto/internal/fips140/...

.PHONY: race
race: ## all tests under the race detector, some do less there (needs a C compiler)
	CGO_ENABLED=1 GODEBUG=netdns=go $(GO) test -race -vet=off -timeout 15m $(UNWATCHED:%=-gcflags=%=-race=false) $(PKG)

.PHONY: full
full: ## in full, without the race detector: the tests that do less under it
	@files="$$(git grep --untracked -lE '^[[:space:]]"telltale/guard/raced"' -- '*_test.go')" && \
	tests="$$(awk '/^func / { name = $$2; sub(/\(.*/, "", name) } /raced\.[A-Z]/ { print name }' $$files | sort -u | paste -s -d '|' -)" && \
	$(GO) test -vet=off -timeout 15m -run "^($$tests)\$$" $$(dirname $$files | sort -u | sed 's|^|./|')

.PHONY: scripts
scripts: build ## shell scripts parse, and the built program runs
	@for script in .ci/run $$(git ls-files '*.sh'); do bash -n "$$script" || exit 1; done
	$(BIN)/telltale version

.PHONY: bench
bench: build ## measure the proxy beside a tunnel and the smallest interceptor
	$(GO) test -run '^$$' -bench . -benchtime 200ms $(PKG)
	$(GO) run ./bench -telltale $(BIN)/telltale $(BENCHFLAGS)

.PHONY: profile
profile: ## where telltale spends its CPU under one load: make profile RUN=h1
	$(GO) build -o $(BIN)/profiled ./bench/profiled
	TELLTALE_PROFILES=$(BIN) $(GO) run ./bench -telltale $(BIN)/profiled -run '^$(RUN)$$'
	$(GO) tool pprof -top -cum -nodecount 60 $(BIN)/record.pprof

.PHONY: validate
validate: ## read the goldens with parsers and schemas of others (Node.js, xmllint)
	VALIDATE_DIR=$(CURDIR)/$(BIN)/validate reports/validate/run.sh $(REPORTS)

.PHONY: artefacts
artefacts: ## apps and bundles from the npm registry, for the tests of locate (Node.js)
	locate/artefacts/make.sh

.PHONY: golden
golden: ## write the golden files anew; read the difference before you commit
	$(GO) test $$(git grep -lE 'flag\.Bool\("update"' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|') -update

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (20s)
	@for package in $$($(GO) list $(PKG)); do \
	  for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	  done; \
	done

.PHONY: cover
cover: ## coverage per package, and bin/coverage.html
	@mkdir -p $(BIN)
	$(GO) test -coverprofile $(BIN)/coverage.out $(PKG)
	$(GO) tool cover -html $(BIN)/coverage.out -o $(BIN)/coverage.html
	@$(GO) tool cover -func $(BIN)/coverage.out | tail -1

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
