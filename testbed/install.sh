#!/usr/bin/env bash
# install.sh [--simulate]   installs what building, testing and the demo need: Debian packages, MediaWiki's code and tests,
#   the linters.  Quick when all is there.  Needs root or sudo only when a package is missing; starts no service.
#   --simulate  only shows what apt-get would do
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages=(
	# tools
	ca-certificates curl git make gcc libc6-dev procps util-linux openssl shellcheck
	# MediaWiki 1.39 and what both versions run on
	mediawiki php-cli php-fpm php-sqlite3 php-apcu php-curl php-intl php-mbstring php-xml
	nginx apache2 libapache2-mod-php media-types
	# tests
	phpunit php-hamcrest php-codesniffer chromium fonts-dejavu-core debian-archive-keyring
	redis-server rabbitmq-server
	libanyevent-websocket-client-perl libnet-ssleay-perl python3-websockets node-ws
)
# Not everybody has these two from Debian.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

[ -f /etc/debian_version ] || die "This needs Debian 12 or its relatives. The packages it would install: ${packages[*]}"
root=()
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null; then root=(sudo); else root=(false); fi
fi
if [ "${1:-}" = --simulate ]; then exec apt-get install --simulate --no-install-recommends "${packages[@]}"; fi

# have PACKAGE   php8.2-cli is as good as php-cli, which only depends on it
have() {
	local versioned=$1
	case "$1" in php-* | *-php) versioned=${1/php/php[0-9].[0-9]} ;; esac
	{ dpkg-query -W -f '${db:Status-Status}\n' "$1" "$versioned" 2>/dev/null || true; } | grep -qx installed
}

install_packages() {
	local missing=() p
	for p in "${packages[@]}"; do have "$p" || missing+=("$p"); done
	[ ${#missing[@]} != 0 ] || return 0
	say "Installing ${missing[*]}"
	[ "${root[0]:-}" != false ] || die "Missing packages, and neither root nor sudo. Run as root:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
	# Debian starts the services of a package that it installs; the test bed needs the programs only.
	local policy=/usr/sbin/policy-rc.d ours=''
	if [ ! -e $policy ]; then
		ours=1
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
		"${root[@]}" chmod 755 $policy
	fi
	local ok=1
	"${root[@]}" apt-get update -qq || say 'apt-get update failed; trying with the package lists that are there'
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2 || ok=''
	[ -z "$ours" ] || "${root[@]}" rm -f $policy
	[ -n "$ok" ] || die "apt-get could not install: ${missing[*]}"
}

check_go() {
	local want have
	want=$(awk '$1 == "go" { print $2 }' "$project/go.mod")
	command -v go >/dev/null || die "Go $want or newer is needed, which Debian does not have: see https://go.dev/doc/install"
	have=$(cd "$project" && go env GOVERSION) || die "Go $want or newer is needed"
	[ "$(printf '%s\n' "$want" "${have#go}" | sort -V | head -n 1)" = "$want" ] || die "Go $want or newer is needed, this is ${have#go}"
}

install_linters() {
	local stamp=$project/node_modules/.package-lock.json
	if [ ! -f "$stamp" ] || [ "$project/package-lock.json" -nt "$stamp" ]; then
		(cd "$project" && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2 && touch "$stamp")
	fi
	mkdir -p "$project/.cache/bin"
	# Built once, because `go tool` would build it for the platform that is checked, not for this one.
	(cd "$project" && go build -o .cache/bin/staticcheck honnef.co/go/tools/cmd/staticcheck)
}

install_packages
check_go
cache=$(mw_cache)
for version in 1.39 1.43; do
	if [ "$version" != 1.39 ] || ! mw_is /usr/share/mediawiki 1.39; then
		"$testbed/fetch.sh" code "$version" "$cache/mw${version/./}"
	fi
	"$testbed/fetch.sh" tests "$version" "$cache/mw${version/./}-tests"
done
install_linters
