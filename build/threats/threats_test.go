package threats_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mediawiki-websocket/build/threats"
)

// A reader who looks for the proof of a threat must find it.
func TestReadmeNamesATestThatIsNotThere(t *testing.T) {
	if err := threats.Check(filepath.Join("..", "..")); err != nil {
		t.Error(err)
	}
}

const head = "# X\n\n| a | b |\n|---|---|\n\n## Security\n\n### Table\n\n| | Threat | Met by | Tests |\n|---|---|---|---|\n"

var files = map[string]string{
	"relay/x_test.go": "package x\n\nimport \"testing\"\n\nfunc TestMain(m *testing.M) {}\n\nfunc TestA(t *testing.T) {}\n\n" +
		"func FuzzB(f *testing.F) {}\n\n// func TestComment\n",
	"e2e/y_test.go": "//go:build never\n\npackage e2e\n\nimport \"testing\"\n\nfunc BenchmarkC(b *testing.B) {}\n\nfunc (x T) TestMethod() {}\n\n" +
		"var s = `\nfunc TestText(t *testing.T) {}\n`\n",
	"tests/phpunit/u/DTest.php":  "<?php\nclass DTest {\n\tpublic function testE(): void {\n\t}\n\tprivate function testPrivate() {\n\t}\n}\n",
	"resources/f.test.js":        "import test from 'node:test';\ntest( 'x', () => {} );\n",
	"resources/empty.test.js":    "// test( 'x' )\n",
	"node_modules/g/g.test.js":   "test( 'x' );\n",
	"relay/testdata/z_test.go":   "package z\n\nfunc TestData() {}\n",
	"resources/dist/h.test.js":   "test( 'x' );\n",
	"tests/phpunit/u/Helper.php": "<?php\nclass Helper {\n\tpublic function testF(): void {\n\t}\n}\n",
}

func project(t *testing.T, readme string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(root, name), text)
	}
	write(t, filepath.Join(root, "README.md"), readme)
	return root
}

func write(t *testing.T, name, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTableThatIsTrue(t *testing.T) {
	rows := "| T1 | x | y | `TestA`, `FuzzB` |\n| T25 | x | y `no test` | `BenchmarkC`, `DTest::testE`, `resources/f.test.js` |\n"
	if err := threats.Check(project(t, head+rows+"\n## Next\n\n| T1 | x |\n")); err != nil {
		t.Error(err)
	}
	if err := threats.Check(project(t, head+rows)); err != nil {
		t.Error(err)
	}
}

func TestTableThatIsStale(t *testing.T) {
	for name, row := range map[string]struct {
		rows string
		says []string
	}{
		"no test":         {"| T1 | x | `TestA` | TestA |", []string{"T1: the row names no test"}},
		"gone":            {"| T1 | x | y | `TestA`, `TestGone`, `FuzzGone` |", []string{"T1: there is no test TestGone", "T1: there is no test FuzzGone"}},
		"in a comment":    {"| T1 | x | y | `TestComment` |", []string{"TestComment"}},
		"in a text":       {"| T1 | x | y | `TestText` |", []string{"TestText"}},
		"not a function":  {"| T1 | x | y | `TestMethod` |", []string{"TestMethod"}},
		"test data":       {"| T1 | x | y | `TestData` |", []string{"TestData"}},
		"no test at all":  {"| T1 | x | y | `TestMain` |", []string{"TestMain"}},
		"private":         {"| T1 | x | y | `DTest::testPrivate` |", []string{"DTest::testPrivate"}},
		"another class":   {"| T1 | x | y | `Helper::testF` |", []string{"Helper::testF"}},
		"method alone":    {"| T1 | x | y | `testE` |", []string{"testE"}},
		"file":            {"| T1 | x | y | `resources/gone.test.js` |", []string{"resources/gone.test.js"}},
		"empty file":      {"| T1 | x | y | `resources/empty.test.js` |", []string{"resources/empty.test.js"}},
		"another's file":  {"| T1 | x | y | `node_modules/g/g.test.js` |\n| T2 | x | y | `resources/dist/h.test.js` |", []string{"node_modules", "dist"}},
		"twice":           {"| T1 | x | y | `TestA` |\n| T2 | x | y | `TestA` |\n| T1 | x | y | `TestA` |", []string{"row 3: T1 is in row 1, too"}},
		"no number":       {"| | x | y | `TestA` |\n| T01 | x | y | `TestA` |\n| T26 | x | y | `TestA` |", []string{`row 1: ""`, `row 2: "T01"`, `row 3: "T26"`}},
		"another table":   {"| T1 | x | `TestA` |", []string{"3 columns, not 4"}},
		"empty table":     {"", []string{"the table of threats is missing"}},
		"several at once": {"| T1 | x | y | z |\n| T2 | x | y | `TestGone` |", []string{"T1: the row names no test", "T2: there is no test TestGone"}},
	} {
		err := threats.Check(project(t, head+row.rows+"\n"))
		if err == nil {
			t.Errorf("%s: nothing is wrong", name)
			continue
		}
		for _, says := range row.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q does not say %q", name, err, says)
			}
		}
	}
	if err := threats.Check(project(t, "# X\n\n### Security\n")); err == nil || !strings.Contains(err.Error(), "no such chapter") {
		t.Errorf("no chapter: %v", err)
	}
}
