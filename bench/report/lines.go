package report

import "fmt"

// bound is what a number is wanted to be; the zero value wants nothing.
type bound struct{ least, most float64 }

func (b bound) met(x float64) bool {
	return (b.least == 0 || x >= b.least) && (b.most == 0 || x <= b.most)
}

var (
	nothing = bound{}
	flat    = bound{0.8, 1.2}
)

func atLeast(x float64) bound { return bound{least: x} }
func atMost(x float64) bound  { return bound{most: x} }

// line is one line of the table: a number of the relay's, and what it is compared with.
type line struct {
	what   string
	mine   cell
	theirs cell // no scenario: nothing
	as     func(float64) string
	want   bound   // of the ratio or, where nothing is compared, of the number
	uws    float64 // the ratio that uWebSockets has reached; 0: not measured
}

func one(what string, mine cell, as func(float64) string, want bound) line {
	return line{what: what, mine: mine, as: as, want: want}
}

func ratio(what string, mine, theirs cell, as func(float64) string, want bound) line {
	return line{what: what, mine: mine, theirs: theirs, as: as, want: want}
}

// beside compares with the naive server.
func beside(what string, mine cell, as func(float64) string, want bound) line {
	theirs := mine
	theirs.Peer = "naive"
	return ratio(what, mine, theirs, as, want)
}

func of(scenario, peer, variant, value string) cell {
	return cell{Key{Scenario: scenario, Peer: peer, Variant: variant}, value}
}

func relay(scenario, variant, value string) cell { return of(scenario, "relay", variant, value) }
func naive(scenario, variant, value string) cell { return of(scenario, "naive", variant, value) }

// section is lines under a heading.
type section struct {
	title string
	lines []line
}

func sections() []section {
	return []section{
		{"Fan-out on one core: deliveries a second of the relay, and of the C program", fanoutLines()},
		{"Latency", latencyLines()},
		{"Memory of an idle connection with one client and one subscription", memoryLines()},
		{"Connecting, with a token each, and the naive server without", connectLines()},
		{"Growth: processor time of a delivery", growthLines()},
		{"TLS, and the naive server with TLS", tlsLines()},
	}
}

// known is what uWebSockets (C++) has reached: deliveries a second, and climit's at the same time, on a virtual machine with two cores on 21 November
// 2026, by messages in flight, subscribers and bytes.
var known = map[[3]int]float64{
	{1, 1000, 128}:  794.0 / 900,
	{8, 100, 128}:   2.70 / 2.77,
	{8, 1000, 128}:  4.87 / 5.01,
	{8, 1000, 1024}: 3.94 / 3.32,
	{8, 5000, 128}:  2.83 / 2.89,
}

const knownRooms = 475.0 / 612

func fanoutLines() (lines []line) {
	ceilings := map[int]string{1: "climit", 8: "climit-batch"}
	for _, window := range []int{1, 8} {
		for _, size := range []int{128, 1024} {
			for _, n := range []int{100, 1000, 5000} {
				mine := Key{Scenario: "fanout", Peer: "relay", Variant: "payload", N: n, Size: size, Window: window}
				theirs := mine
				theirs.Peer = ceilings[window]
				what := fmt.Sprintf("%d subscribers, %d B, %d in flight", n, size, window)
				l := ratio(what, cell{mine, "rate"}, cell{theirs, "rate"}, perSecond, atLeast(0.9))
				l.uws = known[[3]int{window, n, size}]
				theirs.Variant = "frame"
				same := ratio(what+", with frames as long as the relay's", cell{mine, "rate"}, cell{theirs, "rate"}, perSecond, nothing)
				lines = append(lines, l, same)
			}
		}
	}
	climit := of("rooms", "climit", "saturated", "rate")
	rooms := ratio("rooms of 5, 128 B, 64 in flight", relay("rooms", "saturated", "rate"), climit, perSecond, atLeast(0.8))
	rooms.uws = knownRooms
	return append(lines, rooms,
		ratio("the relay on two cores, and on one", relay("cores", "0,1", "rate"), relay("cores", "0", "rate"), perSecond, atLeast(1.6)))
}

func latencyLines() []line {
	return []line{
		ratio("99th percentile at 50,000 deliveries a second to 1000 subscribers, and climit's",
			relay("latency", "", "p99_ms"), of("latency", "climit", "", "p99_ms"), ms, atMost(1.2)),
		ratio("one of 20 stops reading: 99th percentile of the others, and without it",
			relay("stuck", "stuck", "p99_ms"), relay("stuck", "quiet", "p99_ms"), ms, nothing),
		one("others that got everything, of 19", relay("stuck", "stuck", "complete"), plain, atLeast(19)),
		one("it was cut off after", relay("stuck", "stuck", "dropped_s"), seconds, bound{0.01, 10}),
		one("more memory meanwhile", relay("stuck", "stuck", "memory_MB"), megabytes, nothing),
		ratio("one publisher floods: 99th percentile of another type, and without it",
			relay("flood", "flood", "p99_ms"), relay("flood", "quiet", "p99_ms"), ms, atMost(2)),
		ratio("the same with the naive server", naive("flood", "flood", "p99_ms"), naive("flood", "quiet", "p99_ms"), ms, nothing),
	}
}

func memoryLines() []line {
	full := relay("memory", "", "idle_percent")
	full.N = 10000
	return []line{
		one("the relay, after a collection", relay("memory", "", "collected_bytes"), size, atMost(4096)),
		one("on its heap", relay("memory", "", "collected_heap_bytes"), size, nothing),
		beside("and the naive server", relay("memory", "", "collected_bytes"), size, nothing),
		beside("the relay as it stands after idling, and the naive server", relay("memory", "", "later_bytes"), size, nothing),
		beside("the kernel's objects, both ends", relay("memory", "", "later_slab_bytes"), size, nothing),
		one("each further subscription to a type that others have", relay("memory", "", "shared_subscription_bytes"), size, atMost(308)),
		one("on the heap", relay("memory", "", "shared_subscription_heap_bytes"), size, atMost(308)),
		one("each further subscription to a type of its own", relay("memory", "", "own_subscription_bytes"), size, nothing),
		one("on the heap, with its type", relay("memory", "", "own_subscription_heap_bytes"), size, nothing),
		one("processor time of 10,000, pings each 25 s", full, percent, atMost(1)),
		beside("and of as many on the naive server", relay("memory", "", "idle_percent"), percent, nothing),
	}
}

func connectLines() []line {
	return []line{
		beside("clients a second that connect and subscribe", relay("connect", "", "connects"), perSecond, atLeast(0.8)),
		beside("the server is killed: time until all are back", relay("storm", "", "all_s"), seconds, atMost(1.2)),
		ratio("the others come back: 99th percentile of 200 that stay, and in quiet",
			relay("comings", "storm", "p99_ms"), relay("comings", "quiet", "p99_ms"), ms, atMost(5)),
		ratio("the same with the naive server", naive("comings", "storm", "p99_ms"), naive("comings", "quiet", "p99_ms"), ms, nothing),
		one("the others close at once: longest stall of 200 that stay", relay("comings", "closing", "max_ms"), ms, atMost(20)),
		beside("and with the naive server", relay("comings", "closing", "max_ms"), ms, nothing),
		beside("publishers of one message each, HTTP", relay("ingress", "http", "publishes"), perSecond, nothing),
		beside("publishers of one message each, WebSocket", relay("ingress", "ws", "publishes"), perSecond, nothing),
	}
}

func growthLines() (lines []line) {
	cost := func(peer, variant string, n int) cell {
		return cell{Key{Scenario: "growth", Peer: peer, Variant: variant, N: n}, "cpu_us"}
	}
	for _, n := range []int{1000, 5000, 10000} {
		mine, theirs := cost("relay", "subscribers", n), cost("climit", "subscribers", n)
		lines = append(lines,
			ratio(fmt.Sprintf("%d subscribers, and 100", n), mine, cost("relay", "subscribers", 100), micros, flat),
			ratio(fmt.Sprintf("climit: %d subscribers, and 100", n), theirs, cost("climit", "subscribers", 100), micros, nothing),
			ratio(fmt.Sprintf("%d subscribers: relay, and climit", n), mine, theirs, micros, flat))
	}
	return append(lines,
		ratio("1000 other types, and 1", cost("relay", "types 1000", 0), cost("relay", "types 1", 0), micros, flat),
		ratio("100,000 other types, and 1", cost("relay", "types 100000", 0), cost("relay", "types 1", 0), micros, flat),
		ratio("50 wikis, and 1", cost("relay", "wikis 50", 0), cost("relay", "wikis 1", 0), micros, flat))
}

func tlsLines() []line {
	cost := func(peer string, window int) cell {
		return cell{Key{Scenario: "tls", Peer: peer, Variant: "fanout", Window: window}, "cpu_us"}
	}
	idle := func(peer, value string) cell { return of("tls", peer, "memory", value) }
	return []line{
		ratio("processor time of a delivery, 1000 subscribers, 1 in flight", cost("relay-tls", 1), cost("naive-tls", 1), micros, nothing),
		ratio("the same, 8 in flight", cost("relay-tls", 8), cost("naive-tls", 8), micros, nothing),
		ratio("processor time of connecting", idle("relay-tls", "connect_us"), idle("naive-tls", "connect_us"), micros, nothing),
		ratio("memory of an idle connection, after a collection",
			idle("relay-tls", "collected_bytes"), idle("naive-tls", "collected_bytes"), size, nothing),
	}
}
