#!/usr/bin/env bash
# wiki-phpunit.sh DIR unit|integration PATH... [PHPUnit options]   runs tests inside the wiki in DIR
#   PATH  a test or a folder of tests, relative to the wiki's root (extensions/WebSocket/tests/phpunit/unit)
# Integration tests clone the wiki's tables inside its database, so it should be a wiki of its own; it need not be served.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -ge 3 ] || usage
mw_wiki "$1"
kind=$2
shift 2
case "$src" in
	/usr/share/mediawiki | */mw139/*) tests=$(mw_cache)/mw139-tests ;;
	*) tests=$(mw_cache)/mw143-tests ;;
esac
[ -d "$tests" ] || die "MediaWiki's tests are not in $tests: run testbed/install.sh"
# A copy, because its files look for MediaWiki two folders up, and symlinks do not lead there.
[ -d "$w/tests" ] || cp -r "$tests/tests" "$w/tests"
[ -e "$w/docs" ] || ln -s "$tests/docs" "$w/docs"

setup=$dir/phpunit
mkdir -p "$setup"/ini
cp "$testbed"/phpunit/* "$setup"
chmod -R a+rX "$setup"
# Without the collector of cycles: a forgotten session saves itself when it is collected, which MediaWiki does not bear while it makes a service.
printf 'auto_prepend_file=%s\nmemory_limit=-1\nzend.enable_gc=0\ninclude_path=.:/usr/share/php\n' "$setup/prepend.php" >"$setup/ini/zz-phpunit.ini"
# By environment, because MediaWiki starts further PHP processes; the colon keeps the system's own files.
env=(env PHP_INI_SCAN_DIR=":$setup/ini" MW_INSTALL_PATH="$w" MW_CONFIG_FILE="$w/LocalSettings.php" HOME="$dir/tmp")
options=(--configuration "$setup/phpunit.xml" --do-not-cache-result)
cd "$w"
if [ "$kind" = integration ] && grep -q MW_PHPUNIT_UNIT tests/phpunit/bootstrap.php; then
	# 1.39's bootstrap.php does not read LocalSettings.php.
	as_user "$user" "${env[@]}" php "$setup/run.php" "${options[@]}" "$@"
else
	as_user "$user" "${env[@]}" php /usr/bin/phpunit "${options[@]}" --bootstrap "$w/tests/phpunit/bootstrap.php" "$@"
fi
