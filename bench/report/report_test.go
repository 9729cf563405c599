package report

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func row(scenario, peer string, run int, disturbed bool, values map[string]float64) Row {
	return Row{Scenario: scenario, Peer: peer, Variant: "payload", N: 1000, Size: 128, Window: 1, Run: run, Disturbed: disturbed, Values: values}
}

func rate(peer string, run int, disturbed bool, x float64) Row {
	return row("fanout", peer, run, disturbed, map[string]float64{"rate": x})
}

func TestRatioIsOfTheSameRun(t *testing.T) {
	rows := []Row{rate("relay", 1, false, 90), rate("climit", 1, false, 100), rate("relay", 2, false, 40), rate("climit", 2, false, 50),
		rate("relay", 3, false, 10), rate("climit", 3, true, 1000), rate("relay", 4, false, 7)}
	mine, theirs := of("fanout", "relay", "", "rate"), of("fanout", "climit", "", "rate")
	if got := over(rows, &mine, &theirs); got.disturbed || !got.known || got.least != 0.8 || got.most != 0.9 {
		t.Errorf("%+v, want 0.8 to 0.9", got)
	}
	if got := mine.of(rows); got.median != 25 || got.least != 7 || got.most != 90 {
		t.Errorf("%+v", got)
	}
	if got := theirs.of(rows[5:]); got.median != 1000 || !got.disturbed {
		t.Errorf("%+v, want the disturbed one, as there is no other", got)
	}
	theirs.Peer = "nobody"
	if got := theirs.of(rows); got.known {
		t.Errorf("%+v", got)
	}
}

func TestTableSaysWhatWasMissed(t *testing.T) {
	rows := []Row{rate("relay", 1, false, 900e3), rate("climit", 1, false, 1e6), rate("relay", 2, false, 880e3), rate("climit", 2, false, 1e6)}
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	got := Table(rows, "2 cores", at)
	for _, want := range []string{
		"Measured on 21 November 2026: 2 cores;",
		"0 of 4 measurements were disturbed",
		"\n| 1000 subscribers, 128 B, 1 in flight | 890k/s | 1.00M/s | 0.89 (0.88–0.90) | ≥ 0.9: missed | 0.88 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "rooms") || strings.Contains(got, "TLS") {
		t.Errorf("lines that nobody has measured:\n%s", got)
	}
	rows = []Row{row("memory", "relay", 1, false, map[string]float64{"collected_bytes": 4096}),
		row("memory", "naive", 1, false, map[string]float64{"collected_bytes": 8192})}
	got = Table(rows, "", at)
	if !strings.Contains(got, "| 4.0 KiB |  |  | ≤ 4.0 KiB |") || !strings.Contains(got, "| 4.0 KiB | 8.0 KiB | 0.50 |") {
		t.Error(got)
	}
}

func TestBoundsAtTheLastAndOnePast(t *testing.T) {
	for x, want := range map[float64]bool{0.79: false, 0.8: true, 1.2: true, 1.21: false} {
		if flat.met(x) != want {
			t.Errorf("%v: %v", x, !want)
		}
	}
}

func TestEveryLineIsOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range sections() {
		for _, l := range s.lines {
			if name := s.title + l.what; seen[name] || l.mine.value == "" || l.as == nil {
				t.Errorf("%s: %s: twice, or not complete", s.title, l.what)
			} else {
				seen[name] = true
			}
		}
	}
}

func TestRowsAreReadAsTheyAreWritten(t *testing.T) {
	rows := []Row{rate("relay", 1, true, 2), {Scenario: "memory", Peer: "naive", Variant: "v", Values: map[string]float64{"x": 1.5}}}
	var b bytes.Buffer
	for i := range rows {
		if err := rows[i].Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(&b)
	if err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := Read(strings.NewReader("{}\n{")); err == nil {
		t.Error("half a row was read")
	}
}
