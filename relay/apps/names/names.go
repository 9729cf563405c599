// Package names is for names that people choose for themselves, where nobody checks who they are: names that differ look different, and for what
// they say under them.
package names

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	most  = 32       // characters
	guest = "guest-" // how pseudonyms begin, and no name that somebody chooses
)

// Err is the error of what cannot be a name.
var Err = errors.New("a name has up to 32 letters of one script, digits, spaces and -_.', and does not begin with guest")

// oneScript are scripts that are written together.
var oneScript = map[string]string{"Hiragana": "Han", "Katakana": "Han", "Hangul": "Han", "Bopomofo": "Han"}

// Clean returns a name as it is shown, with single spaces and in Unicode's normal form C, or [Err].
func Clean(s string) (string, error) {
	if len(s) > 2*utf8.UTFMax*most { // with as many spaces
		return "", Err
	}
	name := norm.NFC.String(strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " "))
	letters := ""
	for _, c := range name {
		script := scriptOf(c)
		switch {
		case c >= '0' && c <= '9' || strings.ContainsRune(" -_.'", c):
			continue
		case script == "" || letters != "" && letters != script || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, c) || !unicode.In(c, unicode.L, unicode.M):
			return "", Err
		case c >= 0xFF00 && c <= 0xFFEF || c >= 0x1D00 && c <= 0x1DBF: // letters of other widths and sizes
			return "", Err
		}
		letters = script
	}
	if letters == "" || utf8.RuneCountInString(name) > most || strings.HasPrefix(Fold(name), "guest") {
		return "", Err
	}
	return name, nil
}

// scriptOf returns the script of a letter or mark, "" for what many scripts share, such as accents that stand alone.
func scriptOf(c rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, c) {
			if together := oneScript[name]; together != "" {
				return together
			}
			return name
		}
	}
	return ""
}

// alikeCapitals are capital letters that look like others though their small ones do not, as small ones of what they look like.
var alikeCapitals = strings.NewReplacer("Β", "b", "Ζ", "z", "Η", "h", "Μ", "m", "Ν", "n", "Υ", "y", "Ε", "e", "Τ", "t", "Н", "h", "І", "l")

// alike are letters that look like others, in small letters.
var alike = strings.NewReplacer("а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "l", "ј", "j", "ѕ", "s", "ԁ", "d", "һ", "h", "к", "k",
	"м", "m", "т", "t", "в", "b", "н", "h", "α", "a", "ο", "o", "ι", "l", "ν", "v", "ρ", "p", "κ", "k", "τ", "t", "υ", "u", "χ", "x", "ɑ", "a", "ɡ", "g", "ı", "l",
	"i", "l", "1", "l", "0", "o", " ", "", "-", "", "_", "", ".", "", "'", "")

// Fold returns what names that look the same, or nearly so, have in common.
func Fold(name string) string { return alike.Replace(strings.ToLower(alikeCapitals.Replace(name))) }

// Pseudonym returns the name of somebody who has chosen none: in one room the same for the same address. Without the key it says nothing about the address.
func Pseudonym(key []byte, room, address string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(room + "\x00" + address))
	return guest + hex.EncodeToString(mac.Sum(nil)[:2])
}

// Text returns a text without what no text needs: control characters, and blanks at its ends.
func Text(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return -1
		}
		return c
	}, text)
	return strings.TrimSpace(text)
}
