package jsscan_test

import (
	"fmt"
	"strings"
	"testing"

	"mediawiki-websocket/build/jsscan"
)

func TestFinds(t *testing.T) {
	for js, want := range map[string]string{
		"a=10n":                      "1:3 BigInt literal 10n",
		"a=0n;":                      "1:3 BigInt literal 0n",
		"a=0xFFn":                    "1:3 BigInt literal 0xFFn",
		"a=0b1_0":                    "1:3 numeric separator 0b1_0",
		"a=1_000":                    "1:3 numeric separator 1_000",
		"a=.1_5":                     "1:3 numeric separator .1_5",
		"a=1.5_5e1_0":                "1:3 numeric separator 1.5_5e1_0",
		"\n\n  f(2n)":                "3:5 BigInt literal 2n",
		"`x${1n}y`":                  "1:5 BigInt literal 1n",
		"`${`${{}}`+3n}`":            "1:12 BigInt literal 3n",
		"a=b/1n/c":                   "1:5 BigInt literal 1n",
		"a=f(x)/2n/g":                "1:8 BigInt literal 2n",
		"a=[1]/2n/g":                 "1:7 BigInt literal 2n",
		"a={}/2n/g":                  "1:6 BigInt literal 2n",
		"a++/2n/g":                   "1:5 BigInt literal 2n",
		"a.return/2n/g":              "1:10 BigInt literal 2n",
		"a?.in/2n/g":                 "1:7 BigInt literal 2n",
		"x='a\\'b';y=4n":             "1:12 BigInt literal 4n",
		"r=/[/\"]/g;y=5n":            "1:13 BigInt literal 5n",
		"if(a)/\"/.test(b);y=6n":     "1:20 BigInt literal 6n",
		"// it's\ny=7n":              "2:3 BigInt literal 7n",
		"/* it's */y=8n":             "1:13 BigInt literal 8n",
		"if(a){}/'/.test(b),y=9n":    "1:22 BigInt literal 9n",
		"[...typeof/'/,1n]":          "1:15 BigInt literal 1n",
		"()=>{};/'/.exec(b);y=1_1;0": "1:22 numeric separator 1_1",
	} {
		var got []string
		for _, f := range jsscan.Numbers([]byte(js)) {
			got = append(got, fmt.Sprintf("%d:%d %s %s", f.Line, f.Column, f.Kind, f.Text))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%q: %v, want %s", js, got, want)
		}
	}
}

func TestIgnores(t *testing.T) {
	for _, js := range []string{
		"a='10n';b=\"1_000\"",
		"a=`10n 1_000 ${b} 5n`",
		"a=/10n|1_000/.test(b)",
		"a=/[/]10n/.test(b)",
		"return/1n/.test(b)",
		"if(a)/1n/.test(b)",
		"if(a){}/1n/.test(b)",
		"a=b?/1n/:/2n/",
		"a=[/1n/]",
		"a=>/1n/",
		"// 10n\n/* 1_000 */",
		"a1n=_1_000;$1n=a.b1n;#a1_0",
		"a=1.5e10+0x1f+1..toString()",
		"a=BigInt(10)",
		"a=10\nn=5",
		"é1n=2",
	} {
		if got := jsscan.Numbers([]byte(js)); len(got) != 0 {
			t.Errorf("%q: found %v", js, got)
		}
	}
}

func TestSurvivesGarbage(t *testing.T) {
	for _, js := range []string{"", "'", "`", "`${", "/", "/*", "//", "}", ")]", "0", "0x", ".", "\\", "'\\"} {
		if got := jsscan.Numbers([]byte(js)); len(got) != 0 {
			t.Errorf("%q: found %v", js, got)
		}
	}
}
