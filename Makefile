# Every target works in a fresh clone; `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help install build demo test lint unit race php e2e bench bench-fanout chaos screenshot fuzz package clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## install what everything else needs (Debian packages, MediaWiki, linters)
	@testbed/install.sh

build: ## build the browser client, the page's scripts and the relay
	go run ./build all

demo: install build ## put up a MediaWiki with the extension, until Ctrl-C
	@testbed/demo.sh $(PORT) $(RELAYPORT)

test: ## everything: install, build, lint, unit, race, fuzz, php, e2e
	@testbed/test.sh install build lint unit race fuzz php e2e

lint: build ## check formatting, style, types, messages and sizes
	@testbed/lint.sh

unit: ## the Go and JavaScript tests that need no wiki
	@testbed/unit.sh

race: ## Go tests under the race detector
	@testbed/unit.sh --race

php: build ## PHPUnit on MediaWiki 1.39 and 1.43
	@testbed/php.sh

e2e: build ## real wikis, web servers and browsers
	CI=true go test -count=1 -timeout 15m ./e2e/...

bench: build ## benchmarks of the relay, the client, PHP and the browser
	@testbed/bench.sh

chaos: build ## looks for messages that get lost while links are cut and the relay is killed; FLAGS="-length 5m" and others, see go run ./bench/chaos -h
	@go run ./bench/chaos -relay bin/websocket-relay $(FLAGS)

bench-fanout: ## the relay under load beside what the kernel allows; FLAGS="--quick" and others, see testbed/bench.sh fanout --help
	@testbed/bench.sh fanout $(FLAGS)

screenshot: build ## make the pictures in the README anew
	go test -count=1 -run '^(TestBar|TestChatBetweenTwoBrowsers|TestLogViewFollowsFiles)$$' ./e2e
	cp e2e/screenshots/{page-changed,chat,log-view}.png docs/

# Bash counts the seconds of its own life in SECONDS: only what stands on make's command line is meant.
fuzz: ## Go fuzz tests, SECONDS (30) each
	@testbed/fuzz.sh $(if $(filter command,$(origin SECONDS)),$(SECONDS))

package: ## the release archive, release/WebSocket-VERSION.tar.gz
	go run ./build package

clean: ## remove what was built, not what was downloaded
	rm -rf bin release resources/dist
