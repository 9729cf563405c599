#!/usr/bin/env bash
# fetch.sh code 1.39|1.43 DEST    unpacks MediaWiki's code from Debian's packages below DEST; installs nothing
# fetch.sh tests 1.39|1.43 DEST   MediaWiki's tests/ and docs/ (JSON schemas), which only Debian's source packages have
# Uses the Debian mirror that apt is configured for, with package lists of its own.  Does nothing when DEST is there.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 3 ] || usage
what=$1 version=$2 dest=$(realpath -m "$3")
case "$version" in
	1.39) suite=bookworm ;;
	1.43) suite=trixie ;;
	*) die "unknown MediaWiki version '$version': 1.39 or 1.43" ;;
esac
[ ! -d "$dest" ] || exit 0
umask 022
mkdir -p "$(dirname "$dest")"
exec 9>"$dest.lock"
flock 9
[ ! -d "$dest" ] || exit 0
tmp=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$tmp" "$dest.lock"' EXIT

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016 # apt's own placeholders
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Release: $codename" | head -n 1)
[ -n "$mirror" ] || die "apt knows no mirror for Debian '$codename'"

# apt <type of source> <arguments>
apt() {
	local type=$1
	shift
	mkdir -p "$tmp"/{parts,lists/partial,cache/archives/partial}
	printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
		"$type" "${mirror%/}" "$suite" >"$tmp/parts/debian.sources"
	local options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$tmp/parts" -o "Dir::State::lists=$tmp/lists"
		-o "Dir::Cache=$tmp/cache" -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
	apt-get "${options[@]}" update
	apt-get "${options[@]}" "$@"
}

cd "$tmp"
mkdir out
case "$what" in
	code)
		apt deb download mediawiki mediawiki-classes
		for package in ./*.deb; do dpkg-deb -x "$package" out; done ;;
	tests)
		apt deb-src source --download-only mediawiki
		tar xzf ./mediawiki_*.orig.tar.gz -C out --strip-components=1 --wildcards --no-wildcards-match-slash \
			'mediawiki-*/tests' 'mediawiki-*/docs' ;;
	*) usage ;;
esac
chmod -R a+rX out
mv out "$dest"
