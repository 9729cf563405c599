package wire_test

import (
	"strings"
	"testing"

	"mediawiki-websocket/relay/wire"
)

func TestNames(t *testing.T) {
	for typ, want := range map[string][2]any{
		"mydb:12:UpdateComments": {"mydb:", false}, "mydb:@page/12": {"mydb:", true}, "FooDataChanged": {"", false},
		"@page": {"", false}, ":": {":", false}, ":@x": {":", true}, "a:b:@c": {"a:", false}, "a:@": {"a:", true}, "": {"", false},
	} {
		if prefix, system := wire.WikiPrefix(typ), wire.IsSystem(typ); prefix != want[0] || system != want[1] {
			t.Errorf("%q: wiki %q, system %t, want %v", typ, prefix, system, want)
		}
	}
	for id, ok := range map[string]bool{
		"mydb:": true, "pre_db-1:": true, "a:": true, "é:": true, strings.Repeat("x", 127) + ":": true,
		"": false, ":": false, "mydb": false, "a:b:": false, "a:b": false, "a\n:": false, "\xff:": false, strings.Repeat("x", 128) + ":": false,
	} {
		if err := wire.CheckWikiID(id); (err == nil) != ok {
			t.Errorf("wiki id %q: %v", id, err)
		}
	}
	for id, ok := range map[string]bool{"WS0": true, "a-b_c.d:e": true, "1": true, "": false, "a b": false, "é": false, "a\x00": false, "a/b": false} {
		if err := wire.CheckClient(id, 64); (err == nil) != ok {
			t.Errorf("client id %q: %v", id, err)
		}
	}
}

func TestKeys(t *testing.T) {
	longest := strings.Repeat("k", wire.KeyBytes)
	for key, ok := range map[string]bool{"a": true, "0-9_.:Z": true, longest: true, longest + "k": false, "": false, "a b": false, "é": false, "a\x00": false} {
		if err := wire.CheckKey(key); (err == nil) != ok {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestCloseCodesSayWhetherToComeBack(t *testing.T) {
	for _, c := range []wire.Close{wire.CloseGoingAway, wire.CloseSlow, wire.CloseNoConnect, wire.ClosePingTimeout, wire.CloseRateLimited, wire.CloseUnauthorized, wire.CloseStale} {
		if !wire.MayReconnect(c.Code) {
			t.Errorf("%v: no reconnecting", c)
		}
	}
	for _, c := range []wire.Close{wire.CloseBadProtocol, wire.CloseOrigin, wire.CloseUnknownWiki} {
		if wire.MayReconnect(c.Code) {
			t.Errorf("%v: reconnecting", c)
		}
	}
	for _, c := range []wire.Close{wire.CloseGoingAway, wire.CloseTooLarge, wire.CloseNotUTF8, wire.CloseInternal, wire.CloseSlow, wire.CloseUnauthorized, wire.CloseBadProtocol} {
		if len(c.Reason) > 123 {
			t.Errorf("%v: the reason does not fit into a frame", c)
		}
	}
}
