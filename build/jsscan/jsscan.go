// Package jsscan finds number literals in JavaScript that need more than
// ES2016: BigInt literals (10n) and numeric separators (1_000). It tells them
// from the same characters in strings, templates, regular expressions and
// comments.
package jsscan

import "strings"

// A Finding is one number literal that older tools do not know.
type Finding struct {
	// Line and Column say where it begins; both count from 1, columns in bytes.
	Line, Column int
	// Kind is "BigInt literal" or "numeric separator".
	Kind string
	// Text is the literal.
	Text string
}

// Numbers returns the BigInt literals and numeric separators of a script, in
// their order. The script must be one that a parser accepts.
func Numbers(js []byte) []Finding {
	s := &scanner{src: string(js)}
	s.run()
	return s.found
}

// A scanner knows just enough grammar to say whether a slash divides or
// begins a regular expression.
type scanner struct {
	src   string
	pos   int
	found []Finding

	prev    string // the last token; "0" for any literal
	operand bool   // the last token ends an operand, so that a slash divides
	open    []bracket
}

type bracket struct {
	char byte
	// operand: what the closing one ends is an operand.
	operand bool
	// template: this is the ${ of a template.
	template bool
}

func (s *scanner) run() {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.pos++
		case s.has("//"), s.pos == 0 && s.has("#!"):
			s.skipTo("\n", 0)
		case s.has("/*"):
			s.skipTo("*/", 2)
		case c == '"' || c == '\'':
			s.str(c)
		case c == '`':
			s.pos++
			s.template()
		case isDigit(c), c == '.' && s.pos+1 < len(s.src) && isDigit(s.src[s.pos+1]):
			s.number()
		case isWord(c):
			s.word()
		case c == '/' && !s.operand && s.regexp():
		default:
			s.punctuator(c)
		}
	}
}

func (s *scanner) has(prefix string) bool { return strings.HasPrefix(s.src[s.pos:], prefix) }

// token notes what the last token was.
func (s *scanner) token(text string, operand bool) { s.prev, s.operand = text, operand }

func (s *scanner) skipTo(end string, skip int) {
	i := strings.Index(s.src[s.pos+skip:], end)
	if i < 0 {
		s.pos = len(s.src)
		return
	}
	s.pos += skip + i + len(end)
}

func (s *scanner) str(quote byte) {
	for s.pos++; s.pos < len(s.src) && s.src[s.pos] != quote; s.pos++ {
		if s.src[s.pos] == '\\' {
			s.pos++
		}
	}
	s.pos++
	s.token("0", true)
}

// template goes on in the text of a template, to its end or to a ${.
func (s *scanner) template() {
	for ; s.pos < len(s.src); s.pos++ {
		switch {
		case s.src[s.pos] == '\\':
			s.pos++
		case s.src[s.pos] == '`':
			s.pos++
			s.token("0", true)
			return
		case s.has("${"):
			s.pos += 2
			s.open = append(s.open, bracket{char: '{', template: true})
			s.token("{", false)
			return
		}
	}
}

func (s *scanner) number() {
	start := s.pos
	if s.src[s.pos] == '0' && s.pos+1 < len(s.src) && strings.IndexByte("xXoObB", s.src[s.pos+1]) >= 0 {
		s.pos += 2
		s.skip(isWord)
	} else {
		s.decimal()
	}
	text := s.src[start:s.pos]
	s.token("0", true)
	kind := ""
	switch {
	case strings.Contains(text, "_"):
		kind = "numeric separator"
	case strings.HasSuffix(text, "n"):
		kind = "BigInt literal"
	default:
		return
	}
	before := s.src[:start]
	s.found = append(s.found, Finding{
		Line: strings.Count(before, "\n") + 1, Column: start - strings.LastIndex(before, "\n"),
		Kind: kind, Text: text,
	})
}

func (s *scanner) decimal() {
	digits := func(c byte) bool { return isDigit(c) || c == '_' }
	s.skip(digits)
	if s.has(".") {
		s.pos++
		s.skip(digits)
	}
	if s.has("e") || s.has("E") {
		s.pos++
		if s.has("+") || s.has("-") {
			s.pos++
		}
		s.skip(digits)
	}
	if s.has("n") {
		s.pos++
	}
}

func (s *scanner) skip(accept func(byte) bool) {
	for s.pos < len(s.src) && accept(s.src[s.pos]) {
		s.pos++
	}
}

// operators are the words after which an operand comes.
var operators = map[string]bool{
	"await": true, "case": true, "delete": true, "do": true, "else": true, "in": true, "instanceof": true, "new": true,
	"of": true, "return": true, "throw": true, "typeof": true, "void": true, "yield": true,
}

func (s *scanner) word() {
	start := s.pos
	s.skip(isWord)
	text := s.src[start:s.pos]
	if s.prev == "." { // a property of any name
		s.token("0", true)
		return
	}
	s.token(text, !operators[text])
}

// regexp skips a regular expression; it reports false, and skips nothing, if
// there is none before the end of the line.
func (s *scanner) regexp() bool {
	class := false
	for i := s.pos + 1; i < len(s.src) && s.src[i] != '\n'; i++ {
		switch c := s.src[i]; {
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			s.pos = i + 1
			s.skip(isWord)
			s.token("0", true)
			return true
		}
	}
	return false
}

func (s *scanner) punctuator(c byte) {
	switch c {
	case '(', '[', '{':
		s.pos++
		s.open = append(s.open, bracket{char: c, operand: s.closesOperand(c)})
		s.token(string(c), false)
	case ')', ']', '}':
		s.pos++
		if len(s.open) == 0 {
			return
		}
		b := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		if b.template {
			s.template()
			return
		}
		s.token(string(c), b.operand)
	default:
		if s.has("++") || s.has("--") { // after an operand it belongs to that
			s.pos += 2
			return
		}
		for _, long := range []string{"=>", "..."} {
			if s.has(long) {
				s.pos += len(long)
				s.token(long, false)
				return
			}
		}
		s.pos++
		s.token(string(c), false)
	}
}

// closesOperand says whether what a bracket opens here is an operand when it
// closes: a parenthesis unless it holds a condition, a brace if it is an
// object and not a block.
func (s *scanner) closesOperand(c byte) bool {
	switch c {
	case '(':
		switch s.prev {
		case "if", "while", "for", "with":
			return false
		}
		return true
	case '{':
		switch s.prev {
		case "", ")", ";", "{", "}", "=>", "else", "do", "try", "finally":
			return false
		}
		// After a word comes the body of a class, a try or a label's block.
		return !s.operand
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWord accepts what names are made of; all bytes above ASCII are taken for
// letters.
func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '#' || c == '\\' || c >= 0x80
}
