#!/bin/sh
# foo.sh URL WIKI KEYFILE JSON   tells every page, as the wiki itself, that Foo's data has changed.
# WIKI is the wiki's id, KEYFILE holds $wgWebSocketKey. Neither key nor token is in a command line, which others may read.
set -eu
token=$(websocket-relay token --wiki "$2" --for publish --key-file "$3")
printf 'Authorization: Bearer %s\n' "$token" |
	curl --silent --show-error --fail-with-body --header @- --json "{\"messages\":[{\"type\":\"FooDataChanged\",\"msg\":$4}]}" "$1/api/publish"
