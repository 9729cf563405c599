#!/usr/bin/env bash
# php.sh [1.39|1.43]...   PHPUnit: the extension's tests and MediaWiki's own tests of what an extension registers
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -gt 0 ] || set -- 1.39 1.43
base=$(mktemp -d)
chmod 755 "$base"
running=() # versions by pid
# show PID   shows what the tests have said that run as that
show() {
	say "--- PHPUnit on MediaWiki ${running[$1]}"
	cat "$base/${running[$1]}.out" >&2
	unset "running[$1]"
}
# stop   ends what still runs when this script has to end, and shows how far it has come
stop() {
	for pid in "${!running[@]}"; do
		kill -- "-$pid" 2>/dev/null || true
		wait "$pid" || true
		show "$pid"
	done
	down_all "$base"
}
trap stop EXIT
echo "<?php wfLoadExtension( 'WebSocket' ); \$wgDefaultSkin = 'monobook';" >"$base/load.php"

# tests VERSION   all tests on that MediaWiki
tests() {
	local d=$base/$1
	"$testbed/wiki-up.sh" "$1" none 0 "$d" --ext "$project" --settings "$base/load.php" >/dev/null
	# The other skins that come with MediaWiki fail its own ResourcesTest.
	sed -i '/^wfLoadSkin/ { /MonoBook/! d }' "$d/w/LocalSettings.php"
	"$testbed/wiki-phpunit.sh" "$d" unit extensions/WebSocket/tests/phpunit/unit
	"$testbed/wiki-phpunit.sh" "$d" integration extensions/WebSocket/tests/phpunit/integration
	for t in ApiStructureTest ApiPrefixUniquenessTest AvailableRightsTest ResourcesTest RestStructureTest SpecialPageFatalTest; do
		"$testbed/wiki-phpunit.sh" "$d" integration "tests/phpunit/structure/$t.php" >"$d/structure.out" 2>&1 ||
			{ cat "$d/structure.out"; die "MediaWiki's $t fails with the extension"; }
		say "$t: OK"
	done
}

# PHP keeps one core busy: the versions are tested side by side, and what they say is shown one after the other.
failed=()
set -m # each in a process group of its own, which stop can end
for version; do
	tests "$version" >"$base/$version.out" 2>&1 &
	running[$!]=$version
done
set +m
for pid in "${!running[@]}"; do
	wait "$pid" || failed+=("${running[pid]}")
	show "$pid"
done
[ ${#failed[@]} = 0 ] || die "PHPUnit failed on MediaWiki ${failed[*]}"
