#!/usr/bin/env bash
# php.sh [1.39|1.43]...   PHPUnit: the extension's tests and MediaWiki's own tests of what an extension registers
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -gt 0 ] || set -- 1.39 1.43
base=$(mktemp -d)
chmod 755 "$base"
trap 'down_all "$base"' EXIT
echo "<?php wfLoadExtension( 'WebSocket' ); \$wgDefaultSkin = 'monobook';" >"$base/load.php"

for version; do
	say "--- PHPUnit on MediaWiki $version"
	d=$base/$version
	"$testbed/wiki-up.sh" "$version" none 0 "$d" --ext "$project" --settings "$base/load.php" >/dev/null
	# The other skins that come with MediaWiki fail its own ResourcesTest.
	sed -i '/^wfLoadSkin/ { /MonoBook/! d }' "$d/w/LocalSettings.php"
	"$testbed/wiki-phpunit.sh" "$d" unit extensions/WebSocket/tests/phpunit/unit
	"$testbed/wiki-phpunit.sh" "$d" integration extensions/WebSocket/tests/phpunit/integration
	for t in ApiStructureTest ApiPrefixUniquenessTest AvailableRightsTest ResourcesTest RestStructureTest SpecialPageFatalTest; do
		"$testbed/wiki-phpunit.sh" "$d" integration "tests/phpunit/structure/$t.php" >"$d/structure.out" 2>&1 ||
			{ cat "$d/structure.out"; die "MediaWiki's $t fails with the extension"; }
		say "$t: OK"
	done
done
