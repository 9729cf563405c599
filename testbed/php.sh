#!/usr/bin/env bash
# php.sh [1.39|1.43]...   PHPUnit: the extension's tests and MediaWiki's own tests of what an extension registers
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -gt 0 ] || set -- 1.39 1.43
base=$(mktemp -d)
chmod 755 "$base"
trap 'for d in "$base"/*/; do "$testbed/wiki-down.sh" "$d" --rm; done; rm -rf "$base"' EXIT
echo "<?php wfLoadExtension( 'WebSocket' );" >"$base/load.php"

# MediaWiki 1.39 and 1.43 fail this test themselves, so only what it says about the extension counts.
check_resources() {
	local out=$1/resources.out
	"$testbed/wiki-phpunit.sh" "$1" integration tests/phpunit/structure/ResourcesTest.php >"$out" 2>&1 || true
	grep -qE '^(OK|Tests:)' "$out" || { cat "$out"; die 'ResourcesTest did not run'; }
	if grep -qE 'ext\.websocket|extensions/WebSocket' "$out"; then
		cat "$out"
		die "MediaWiki's ResourcesTest finds fault with the extension's modules"
	fi
	say 'ResourcesTest: OK for the extension'
}

for version; do
	say "--- PHPUnit on MediaWiki $version"
	d=$base/$version
	"$testbed/wiki-up.sh" "$version" none 0 "$d" --ext "$project" --settings "$base/load.php" >/dev/null
	"$testbed/wiki-phpunit.sh" "$d" unit extensions/WebSocket/tests/phpunit/unit
	"$testbed/wiki-phpunit.sh" "$d" integration extensions/WebSocket/tests/phpunit/integration
	for t in ApiStructureTest ApiPrefixUniquenessTest AvailableRightsTest SpecialPageFatalTest RestStructureTest; do
		"$testbed/wiki-phpunit.sh" "$d" integration "tests/phpunit/structure/$t.php" >"$d/structure.out" 2>&1 ||
			{ cat "$d/structure.out"; die "MediaWiki's $t fails with the extension"; }
		say "$t: OK"
	done
	check_resources "$d"
done
