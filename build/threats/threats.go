// Package threats keeps the table of threats in README.md true: whoever reads there that a test proves something must find that test.
package threats

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// most is the highest number of a threat.
const most = 25

// apart are folders without tests of the project's own.
var apart = map[string]bool{".git": true, ".cache": true, "node_modules": true, "release": true, "bin": true, "dist": true, "testdata": true}

// Check reads the chapter "Security" of the README.md in root and returns what is wrong with its table: a row without a number or with one that
// another row has, a row that names no test, and each test that is not there. A test is named in backquotes, as the function of a Go test, as
// Class::testMethod of PHPUnit, or as the path of a file of JavaScript tests.
func Check(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return err
	}
	rows, err := table(string(text))
	if err != nil {
		return fmt.Errorf("README.md, Security: %w", err)
	}
	there, err := tests(root)
	if err != nil {
		return err
	}
	var errs []error
	rowOf := make(map[int]int)
	for i, row := range rows {
		number, err := strconv.Atoi(strings.TrimPrefix(row[0], "T"))
		if err != nil || "T"+strconv.Itoa(number) != row[0] || number < 1 || number > most {
			errs = append(errs, fmt.Errorf("row %d: %q is not a number from T1 to T%d", i+1, row[0], most))
		} else if rowOf[number] != 0 {
			errs = append(errs, fmt.Errorf("row %d: %s is in row %d, too", i+1, row[0], rowOf[number]))
		}
		rowOf[number] = i + 1
		names := quoted.FindAllStringSubmatch(row[len(row)-1], -1)
		if len(names) == 0 {
			errs = append(errs, fmt.Errorf("%s: the row names no test", row[0]))
		}
		for _, name := range names {
			if !there[name[1]] {
				errs = append(errs, fmt.Errorf("%s: there is no test %s", row[0], name[1]))
			}
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("README.md, Security: %w", errors.Join(errs...))
	}
	return nil
}

var (
	quoted  = regexp.MustCompile("`([^`]*)`")
	chapter = regexp.MustCompile(`(?ms)^## Security$(.*?)(?:^## |\z)`)
	method  = regexp.MustCompile(`(?m)^\s*public function (test\w+)\s*\(`)
	jsTest  = regexp.MustCompile(`(?m)^\s*(?:test|it|describe)\(`)
)

// columns is how many cells a row of the table has.
const columns = 4

// table returns the cells of the rows below the head of the chapter's only table.
func table(text string) (rows [][]string, err error) {
	found := chapter.FindStringSubmatch(text)
	if found == nil {
		return nil, errors.New("there is no such chapter")
	}
	for line := range strings.Lines(found[1]) {
		line, isRow := strings.CutPrefix(strings.TrimSpace(line), "|")
		if !isRow {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSuffix(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if len(cells) != columns {
			return nil, fmt.Errorf("the row %.60q has %d columns, not %d", line, len(cells), columns)
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		return nil, errors.New("the table of threats is missing")
	}
	return rows[2:], nil // behind the head and the line below it
}

// tests returns the names of all tests below root.
func tests(root string) (map[string]bool, error) {
	there := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if apart[entry.Name()] {
				return fs.SkipDir
			}
			return nil
		}
		name := entry.Name()
		switch {
		case strings.HasSuffix(name, "_test.go"):
			return goTests(path, there)
		case strings.HasSuffix(name, "Test.php"):
			return matches(path, method, func(test string) { there[strings.TrimSuffix(name, ".php")+"::"+test] = true })
		case strings.HasSuffix(name, ".test.js") || strings.HasSuffix(name, ".test.mjs"):
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			return matches(path, jsTest, func(string) { there[filepath.ToSlash(relative)] = true })
		}
		return nil
	})
	return there, err
}

func goTests(path string, there map[string]bool) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil {
			continue
		}
		for _, kind := range []string{"Test", "Fuzz", "Benchmark"} {
			if strings.HasPrefix(f.Name.Name, kind) && f.Name.Name != "TestMain" {
				there[f.Name.Name] = true
			}
		}
	}
	return nil
}

// matches calls found with what the first group of pattern, or else all of it, holds in the file.
func matches(path string, pattern *regexp.Regexp, found func(string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
		found(match[len(match)-1])
	}
	return nil
}
