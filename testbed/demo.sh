#!/usr/bin/env bash
# demo.sh [PORT [RELAYPORT]]   a MediaWiki 1.43 with the extension, until Ctrl-C.  Takes the next free ports
#   if these (default 8080 and 1729) are taken.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# free_ports FIRST COUNT   the first of COUNT free ports in a row, from FIRST on
free_ports() {
	local p=$1 i
	while :; do
		for ((i = 0; i < $2; i++)); do taken $((p + i)) && break; done
		[ "$i" -lt "$2" ] || break
		p=$((p + i + 1))
	done
	echo "$p"
}

port=$(free_ports "${1:-8080}" 1)
relay_port=$(free_ports "${2:-1729}" 2) # the one after it is for TLS
server=nginx
if ! command -v nginx >/dev/null && [ ! -x /usr/sbin/nginx ]; then
	server=php
	say "nginx is not installed: using PHP's own server"
fi
dir=$(mktemp -d)
chmod 755 "$dir"
# shellcheck disable=SC2329 # called by the trap
down() {
	trap '' INT TERM HUP
	say 'Taking everything down'
	"$testbed/wiki-down.sh" "$dir" --rm
}
trap down EXIT
trap 'exit 0' INT TERM HUP

echo "<?php wfLoadExtension( 'WebSocket' );" >"$dir/load.php"
"$testbed/wiki-up.sh" 1.43 "$server" "$port" "$dir" --ext "$project" --settings "$dir/load.php" --relay-port "$relay_port" >/dev/null
url=http://127.0.0.1:$port
curl -fsS -o /dev/null "$url/index.php/Main_Page" # the first page view starts the relay
for _ in $(seq 100); do
	if taken "$relay_port"; then break; fi
	sleep 0.1
done
if taken "$relay_port"; then relay="runs on port $relay_port"; else relay="did not start; see $dir/log"; fi

cat <<TEXT

  Wiki      $url/index.php/Main_Page
  Login     Admin / $admin_password
  Relay     $relay
  Try it    open the page, then run this and watch the bar at the top of the page:

            testbed/wiki-edit.sh $dir Main_Page

  Ctrl-C takes everything down.

TEXT
# In the background, because bash runs a trap only when the foreground command has ended.
sleep infinity &
wait $!
