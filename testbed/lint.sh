#!/usr/bin/env bash
# lint.sh   everything that can be checked without running the project.  Runs all checks, then fails if one did.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$project"
names=() running=()
# check NAME COMMAND...   begins a check as soon as fewer than two run
check() {
	while (($(jobs -rp | wc -l) >= 2)); do sleep 0.1; done
	set -m # in a process group of its own, which stop can end
	one "$@" &
	set +m
	names+=("$1") running+=($!)
}
stop() {
	local pid
	for pid in $(jobs -p); do kill -- "-$pid" 2>/dev/null || true; done
}
trap stop EXIT
# one NAME COMMAND...   does a check, and shows what it said when it has ended
one() {
	local name=$1 start=$SECONDS out verdict=FAIL
	shift
	if out=$("$@" 2>&1); then verdict='ok  '; fi
	say "${out:+$out$'\n'}$verdict  $name ($((SECONDS - start)) s)"
	[ "$verdict" != FAIL ]
}
# files SUFFIX   the project's own files of that kind, also those that git does not know yet
files() {
	find . \( -name .git -o -name .cache -o -name node_modules -o -name release -o -path ./resources/dist \) -prune -o -type f -name "*$1" -print | sort
}
wasm() { GOOS=js GOARCH=wasm "$@"; }

check_gofmt() {
	local bad
	bad=$(files .go | xargs -r gofmt -l)
	[ -z "$bad" ] || { say "not formatted: $bad"; return 1; }
}
check_php_syntax() {
	local f ok=1
	while read -r f; do php -l "$f" >/dev/null || ok=''; done < <(files .php)
	[ -n "$ok" ]
}
check_phpcs() { files .php | xargs -r phpcs -q -s --standard=.phpcs.xml; }
check_extension() {
	local v
	for v in 1.39 1.43; do
		php testbed/validate-extension.php "$(mw_src $v)" "$(mw_cache)/mw${v/./}-tests/docs/extension.schema.v2.json" extension.json || return 1
	done
}
check_modules() { go mod verify >/dev/null; }
check_sinks() {
	local said
	said=$(node --test testbed/sinks.test.mjs 2>&1) || { say "$said"; return 1; }
}
check_scripts() { { files .sh; echo .ci/run; } | xargs shellcheck; }

staticcheck=$project/.cache/bin/staticcheck
if [ ! -x "$staticcheck" ] || [ ! -d node_modules ]; then die 'The linters are not there: run make install'; fi
wasm_packages=(./relay/wire/... ./wasmclient/...)
check 'gofmt' check_gofmt
check 'go vet' go vet ./...
check 'go vet for js/wasm' wasm go vet "${wasm_packages[@]}"
check 'staticcheck' "$staticcheck" ./...
check 'staticcheck for js/wasm' wasm "$staticcheck" "${wasm_packages[@]}"
check 'go mod verify' check_modules
check 'PHP syntax' check_php_syntax
check 'PHP style' check_phpcs
check 'JavaScript' npx --no-install eslint --max-warnings 0 .
check 'JavaScript: what may not be done with messages' check_sinks
check 'shell scripts' check_scripts
check 'extension.json' check_extension
check 'messages, imports, sizes' go run ./build check
failed=()
for i in "${!names[@]}"; do wait "${running[i]}" || failed+=("${names[i]}"); done
[ ${#failed[@]} = 0 ] || die "lint: ${#failed[@]} failed: ${failed[*]}"
