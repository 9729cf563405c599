#!/usr/bin/env bash
# wiki-down.sh DIR [--rm]   stops what wiki-up.sh started in DIR and the relay that its wikis started; --rm removes DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -d "${1:-}" ] || usage
dir=$(cd "$1" && pwd)

running() { pgrep -g "$1" -r D,I,R,S,T >/dev/null; } # kill -0 would count zombies
# A relay belongs to this wiki if its command line names a file below DIR.
relays() {
	local pid
	for pid in $(pgrep -f "$dir/" || true); do
		case "$(readlink "/proc/$pid/exe" 2>/dev/null)" in */websocket-relay*) echo "$pid" ;; esac
	done
}
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# The servers first, or a page view may start the relay again.
if [ -f "$dir/pids" ]; then
	mapfile -t groups < <(awk '{ print $1 }' "$dir/pids")
	for g in "${groups[@]}"; do kill -TERM -- "-$g" 2>/dev/null || true; done
	for _ in $(seq 60); do
		left=
		for g in "${groups[@]}"; do if running "$g"; then left=1; fi; done
		[ -n "$left" ] || break
		sleep 0.05
	done
	for g in "${groups[@]}"; do kill -KILL -- "-$g" 2>/dev/null || true; done
	rm -f "$dir/pids"
fi
mapfile -t pids < <(relays)
for p in "${pids[@]}"; do kill -CONT "$p" 2>/dev/null || true; kill -TERM "$p" 2>/dev/null || true; done
for _ in $(seq 100); do
	left=
	for p in "${pids[@]}"; do if alive "$p"; then left=1; fi; done
	[ -n "$left" ] || break
	sleep 0.1
done
for p in "${pids[@]}"; do kill -KILL "$p" 2>/dev/null || true; done
if [ "${2:-}" = --rm ]; then rm -rf -- "$dir"; fi
