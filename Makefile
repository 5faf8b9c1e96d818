# make test    everything CI checks: build, vet, lint, race, benchmarks once, and the module in internal/bench
# make lint    golangci-lint as .golangci.yml has it, and nothing left for go fix
# make bench   what Seawall costs, in ratios
# make fuzz    every fuzz target for FUZZTIME
#
# PKG narrows race, once and fuzz to some packages: make race PKG=./retry/...

PKG ?= ./...
FUZZTIME ?= 10s

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := test
.NOTPARALLEL:
.PHONY: test build vet lint race once nested bench fuzz package fuzztime

test: build vet lint race once nested

build:
	go build -o /dev/null ./...

vet:
	go vet ./...

# Pinned, since a new version finds new things. It is no tool of go.mod: there it would bring 900 lines of go.sum.
golangci := .cache/bin/golangci-lint-v2.15.0

lint: $(golangci)
	GOLANGCI_LINT_CACHE="$(CURDIR)/.cache/golangci-lint" $(golangci) run ./...
	go fix -diff ./...

$(golangci):
	GOBIN="$(CURDIR)/.cache/bin" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(subst .cache/bin/golangci-lint-,,$@)
	mv .cache/bin/golangci-lint $@

# Stores are tested against real servers, which this installs and starts: Redis, DynamoDB and S3.
with_servers := go run ./internal/servers

race: package
	$(with_servers) go test -race $(PKG)

# Benchmarks run once, so that they cannot rot.
once: package
	$(with_servers) go test -run '^$$' -bench . -benchtime 1x $(PKG)

# What only comparisons need is a module of its own. It counts allocations, and the race detector makes some.
nested:
	cd internal/bench && go build -o /dev/null ./...
	cd internal/bench && go vet ./...
	cd internal/bench && go test -bench . -benchtime 1x ./...

bench:
	cd internal/bench && go run .

fuzz: package fuzztime
	@for pkg in $$(go list $(PKG)); do \
		listed=$$(go test -list '^Fuzz' $$pkg); \
		for target in $$(grep '^Fuzz' <<< "$$listed" || true); do \
			echo "fuzz $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

package:
	@[[ -n $$(go list $(PKG) 2>/dev/null) ]] || { echo "make: PKG is '$(PKG)': want packages, such as ./... or ./retry" >&2; exit 2; }

fuzztime:
	@[[ '$(FUZZTIME)' =~ ^[1-9][0-9]*(ms|s|m|h|x)$$ ]] || { echo "make: FUZZTIME is '$(FUZZTIME)': want a time such as 10s or 5m, or a number of runs such as 1000x" >&2; exit 2; }
