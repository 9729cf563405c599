package report

import (
	"fmt"
	"strings"
	"time"
)

// Table returns the ratios that the rows make up, in Markdown. A line without a measurement is left out.
func Table(rows []Row, machine string, at time.Time) string {
	var b strings.Builder
	runs, disturbed := 0, 0
	for i := range rows {
		runs = max(runs, rows[i].Run)
		if rows[i].Disturbed {
			disturbed++
		}
	}
	fmt.Fprintf(&b, "Measured on %s: %s; server on core 0, clients on core 1, loopback. Medians of up to %d runs; a ratio is of one run.\n",
		at.Format("2 January 2006"), machine, runs)
	fmt.Fprintf(&b, "%d of %d measurements were disturbed: the cores shared no cache, or other programs ran; * marks what has no other.\n",
		disturbed, len(rows))
	for _, s := range sections() {
		text := ""
		for i := range s.lines {
			text += s.lines[i].render(rows)
		}
		if text != "" {
			b.WriteString("\n| " + s.title + " | | | ratio | wanted | uWebSockets' ratio |\n|---|---|---|---|---|---|\n" + text)
		}
	}
	return b.String()
}

func (l *line) render(rows []Row) string {
	mine, theirs := l.mine.of(rows), l.theirs.of(rows)
	if !mine.known || l.theirs.Scenario != "" && !theirs.known {
		return ""
	}
	compared, other, ratio := mine, "", ""
	if l.theirs.Scenario != "" {
		compared = over(rows, &l.mine, &l.theirs)
		other, ratio = l.as(theirs.median)+star(theirs), fmt.Sprintf("%.2f", compared.median)+star(compared)
		if compared.least != compared.most {
			ratio += fmt.Sprintf(" (%.2f–%.2f)", compared.least, compared.most)
		}
	}
	uws := ""
	if l.uws > 0 {
		uws = fmt.Sprintf("%.2f", l.uws)
	}
	return "| " + strings.Join([]string{l.what, l.as(mine.median) + star(mine), other, ratio, l.wanted(compared.median), uws}, " | ") + " |\n"
}

func star(s spread) string {
	if s.disturbed {
		return "*"
	}
	return ""
}

// wanted says what was wanted, and whether x is not that.
func (l *line) wanted(x float64) string {
	as := l.as
	if l.theirs.Scenario != "" {
		as = func(x float64) string { return fmt.Sprint(x) }
	}
	var text string
	switch {
	case l.want == (bound{}):
		return ""
	case l.want.least > 0 && l.want.most > 0 && l.theirs.Scenario != "":
		text = as(l.want.least) + " to " + as(l.want.most)
	case l.want.most > 0:
		text = "≤ " + as(l.want.most)
	default:
		text = "≥ " + as(l.want.least)
	}
	if !l.want.met(x) {
		text += ": missed"
	}
	return text
}

func perSecond(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.2fM/s", x/1e6)
	case x >= 1e4:
		return fmt.Sprintf("%.0fk/s", x/1e3)
	}
	return fmt.Sprintf("%.0f/s", x)
}

func size(x float64) string {
	if x >= 1024 {
		return fmt.Sprintf("%.1f KiB", x/1024)
	}
	return fmt.Sprintf("%.0f B", x)
}

func ms(x float64) string        { return fmt.Sprintf("%.3g ms", x) }
func micros(x float64) string    { return fmt.Sprintf("%.3g µs", x) }
func seconds(x float64) string   { return fmt.Sprintf("%.2g s", x) }
func megabytes(x float64) string { return fmt.Sprintf("%.1f MB", x) }
func percent(x float64) string   { return fmt.Sprintf("%.2g %%", x) }
func plain(x float64) string     { return fmt.Sprintf("%.3g", x) }
