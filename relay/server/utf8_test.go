package server_test

import (
	"maps"
	"strings"
	"testing"

	"mediawiki-websocket/relay/relaytest"
)

// validUTF8 is text that must arrive, with the borders of every length.
func validUTF8() map[string]string {
	return map[string]string{
		"two bytes":          "\u0080é\u07ff",
		"three bytes":        "\u0800κόσμε\ud7ff\ue000\uffff维基",
		"four bytes":         "\U00010000😀\U000fffff\U0010ffff",
		"last before":        "\u007f",
		"no characters":      "\ufffe\uffff\U0001fffe\U0001ffff\U0010fffe\ufdd0",
		"private use":        "\ue000\uf8ff\U000f0000",
		"replacement":        "\ufffd",
		"byte order mark":    "\ufeffx\ufeff",
		"line separators":    "\u2028\u2029",
		"combining and wide": "e\u0301\u200d👩\u200d💻",
		"all lengths":        "xéκ😀",
	}
}

// invalidUTF8 is bytes that are never part of a text, wherever they stand: the list of Markus Kuhn's decoder test, which the Autobahn suite follows.
func invalidUTF8() map[string]string {
	bad := map[string]string{
		"continuation":                           "\x80",
		"last continuation":                      "\xbf",
		"two continuations":                      "\x80\xbf",
		"continuation behind a character":        "é\x80",
		"lead of two, then a space":              "\xc3 ",
		"lead of three, then a space":            "\xe2 ",
		"lead of four, then a space":             "\xf0 ",
		"three bytes, last missing":              "\xe2\x82 ",
		"four bytes, last missing":               "\xf0\x9f\x98 ",
		"four bytes, two missing":                "\xf0\x9f ",
		"lead after lead":                        "\xe2\xe2\x82\xac",
		"FE":                                     "\xfe",
		"FF":                                     "\xff",
		"five bytes":                             "\xf8\x88\x80\x80\x80",
		"six bytes":                              "\xfc\x84\x80\x80\x80\x80",
		"overlong slash in two":                  "\xc0\xaf",
		"overlong slash in three":                "\xe0\x80\xaf",
		"overlong slash in four":                 "\xf0\x80\x80\xaf",
		"largest overlong in two":                "\xc1\xbf",
		"largest overlong in three":              "\xe0\x9f\xbf",
		"largest overlong in four":               "\xf0\x8f\xbf\xbf",
		"overlong NUL":                           "\xc0\x80",
		"first surrogate":                        "\xed\xa0\x80",
		"last high surrogate":                    "\xed\xaf\xbf",
		"first low surrogate":                    "\xed\xb0\x80",
		"last surrogate":                         "\xed\xbf\xbf",
		"pair of surrogates":                     "\xed\xa0\xbd\xed\xb8\x80",
		"U+110000":                               "\xf4\x90\x80\x80",
		"U+1FFFFF":                               "\xf7\xbf\xbf\xbf",
		"U+140000":                               "\xf5\x80\x80\x80",
		"Latin-1":                                "caf\xe9 ",
		"character, overlong, character":         "κ\xc0\x80κ",
		"surrogate that begins like a character": "κόσμε\xed\xa0\x80edited",
	}
	return bad
}

func TestTextOfEveryLengthOfCharacterArrives(t *testing.T) {
	r := relaytest.Start(t, generous)
	p := newPeer(t, r)
	for name, text := range validUTF8() {
		sent, got := message(text)
		at := strings.Index(sent, text)
		p.patience()
		p.send(mask(textFrame, sent))
		p.expectMessage(got)
		p.drip(mask(textFrame, sent))
		p.expectMessage(got)
		for cut := at; cut <= at+len(text); cut++ { // also within characters
			p.send(mask(1, sent[:cut]), mask(pingFrame, "\xff"), mask(0, ""), mask(fin, sent[cut:]))
			p.expect(pongFrame, "\xff")
			p.expectMessage(got)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestTextThatIsNotUTF8EndsTheConnection(t *testing.T) {
	r := relaytest.Start(t, generous)
	for name, bad := range invalidUTF8() {
		t.Run(name, func(t *testing.T) {
			try := func(slowly bool, frames ...[]byte) {
				t.Helper()
				p := newPeer(t, r)
				p.chop(slowly, frames...)
				p.expectClose(1007, "not UTF-8")
			}
			sent, _ := message("before " + bad + " after")
			try(false, mask(textFrame, sent))
			try(true, mask(textFrame, bad))
			for cut := range len(bad) {
				try(cut%2 == 1, mask(1, "x"+bad[:cut]), mask(pongFrame, ""), mask(fin, bad[cut:]))
			}
			for before := range 9 { // wherever it lies in the words of eight bytes
				try(false, mask(textFrame, "{"+strings.Repeat("x", before)+bad+"12345678"))
			}
		})
	}
}

func TestTextThatEndsWithinACharacter(t *testing.T) {
	r := relaytest.Start(t, generous)
	for _, bad := range []string{"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x98"} {
		for _, frames := range [][][]byte{
			{mask(textFrame, bad)}, {mask(textFrame, "12345678"+bad)},
			{mask(1, bad), mask(fin, "")}, {mask(1, ""), mask(fin, bad)}, {mask(1, bad), mask(fin, " ")},
		} {
			p := newPeer(t, r)
			p.send(frames...)
			p.expectClose(1007, "not UTF-8")
		}
	}
}

// Whoever waits for the end of a message before it looks has taken in all of it by then.
func TestTextIsRefusedBeforeItsMessageIsComplete(t *testing.T) {
	r := relaytest.Start(t, generous)
	bad := invalidUTF8()
	maps.DeleteFunc(bad, func(_, s string) bool { return strings.HasSuffix(s, " ") })
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, r)
			p.send(mask(1, "κόσμε"+text)) // and no last fragment
			p.expectClose(1007, "not UTF-8")
			p = newPeer(t, r)
			p.drip(maskAs(textFrame, text, 100, 0)) // and nothing of the rest
			p.expectClose(1007, "not UTF-8")
		})
	}
}
