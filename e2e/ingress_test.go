package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
)

// fed starts a relay of testwiki: that takes its changes from a feed, and returns it with settings by which a wiki sends that feed. With a prefix, as that of a
// shared machine has.
func fed(t *testing.T) (r *relaytest.Relay, settings string) {
	t.Helper()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.LocalAddr().String()
	free.Close()
	source, err := ingress.ParseSource("udp://"+address+"?wiki=testwiki:&prefix=sesame", true)
	if err != nil {
		t.Fatal(err)
	}
	r = relaytest.Start(t, func(c *config.Config) {
		c.Wikis = append(c.Wikis, relaytest.Wiki("testwiki:", "https://wiki.example", false))
		c.Ingress = append(c.Ingress, source)
	})
	return r, fmt.Sprintf("$wgRCFeeds['relay'] = [ 'uri' => 'udp://%s/sesame', 'formatter' => 'JSONRCFeedFormatter', 'add_interwiki_prefix' => false,\n"+
		"	'omit_bots' => false ];\n", address)
}

// follow subscribes to the changes of testwiki:.
func follow(t *testing.T, r *relaytest.Relay) *relaytest.Client {
	t.Helper()
	c := r.V1(t, relaytest.Token("testwiki:", "connect", "Ann", nil), "Reader")
	c.Subscribe("testwiki:@changes")
	return c
}

// msgOf returns what a frame carries.
func msgOf(t *testing.T, frame string) json.RawMessage {
	t.Helper()
	var f struct{ Msg json.RawMessage }
	if err := json.Unmarshal([]byte(frame), &f); err != nil || f.Msg == nil {
		t.Fatalf("%s %v", frame, err)
	}
	return f.Msg
}

// TestFeedOfAWikiWithoutTheExtension: a wiki that does not load the extension is live by its own feed.
func TestFeedOfAWikiWithoutTheExtension(t *testing.T) {
	r, settings := fed(t)
	w := wikitest.Start(t, wikitest.Options{Load: "none", Settings: settings})
	c := follow(t, r)
	rev := w.Edit(t, "Ä page", "Text.")
	msg := string(msgOf(t, c.Next()))
	for _, part := range []string{`"type":"new"`, `"title":"Ä_page"`, `"user":"Admin"`, fmt.Sprintf(`"rev":%d`, rev)} {
		if !strings.Contains(msg, part) {
			t.Errorf("%s, want %s", msg, part)
		}
	}
}

// TestFeedSaysWhatTheExtensionSays: what the relay makes of the feed is what the extension publishes of the same changes, member for member and to the byte, but
// for what the feed does not have: the page's id, and the revisions of what is no edit.
func TestFeedSaysWhatTheExtensionSays(t *testing.T) {
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			r, settings := fed(t)
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Workers: 1, Settings: settings + "$wgUseRCPatrol = true;"})
			w.StartRelay(t)
			feed := follow(t, r)
			own := w.Dial(t, wikitest.Handshake{})
			own.Connect("")
			own.Subscribe("testwiki:@changes", "")

			const page = `Talk:A/b & "c"`
			w.Edit(t, page, "One\u2028two.")
			w.API(t, wikitest.Params{"action": "edit", "title": page, "text": "Three. [[Category:New]]", "minor": "1", "bot": "1",
				"summary": "ü \u2028 </script> \\ /* s */ \U0001F600"})
			w.API(t, wikitest.Params{"action": "protect", "title": page, "protections": "edit=sysop", "reason": "why"})
			w.API(t, wikitest.Params{"action": "move", "from": page, "to": "Elsewhere", "reason": ""})
			w.API(t, wikitest.Params{"action": "delete", "title": "Elsewhere"})
			w.Edit(t, "Last", "Text.")

			changes := 0
			for last := false; !last; {
				got := msgOf(t, feed.Next())
				var change struct {
					ID    int
					Title string
				}
				if err := json.Unmarshal(got, &change); err != nil {
					t.Fatal(err)
				}
				frame := own.Wait(fmt.Sprintf("change %d from the extension", change.ID), func(frame string) bool {
					return strings.Contains(frame, fmt.Sprintf(`"id":%d,"title"`, change.ID))
				})
				want := less(t, msgOf(t, frame))
				if !bytes.Equal(got, want) {
					t.Errorf("from the feed      %s\nfrom the extension %s", got, want)
				}
				changes++
				last = change.Title == "Last"
			}
			if changes < 6 {
				t.Errorf("only %d changes", changes)
			}
		})
	}
}

// less returns a change of the extension without what the feed does not have.
func less(t *testing.T, change json.RawMessage) []byte {
	t.Helper()
	var kind struct{ Type string }
	if err := json.Unmarshal(change, &kind); err != nil {
		t.Fatal(err)
	}
	left := []string{"page"}
	if kind.Type != "edit" && kind.Type != "new" {
		left = append(left, "rev", "parent", "oldLength", "newLength")
	}
	for _, name := range left {
		change = without(change, name)
	}
	return change
}

// without takes a member, whose value is a number, out of an object.
func without(object []byte, name string) []byte {
	start := bytes.Index(object, []byte(`,"`+name+`":`))
	if start < 0 {
		return object
	}
	end := start + 1
	for object[end] != ',' && object[end] != '}' {
		end++
	}
	return append(append([]byte{}, object[:start]...), object[end:]...)
}
