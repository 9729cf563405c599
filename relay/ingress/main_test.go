package ingress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/ingress"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/relaytest/broker"
	"mediawiki-websocket/relay/relaytest/leak"
)

func TestMain(m *testing.M) {
	ingress.RetryMost(time.Second)
	leak.Main(broker.Main(m))
}

const origin = "https://a.example"

// patience is how long a queue that was killed may take to be there again, and found.
const patience = 2 * time.Minute

// registration is that of the wiki a:, whose type a:News has history.
func registration() []byte {
	return relaytest.Registration("a:", origin, false, map[string]any{
		"types": []map[string]any{{"pattern": "a:News", "send": "anyone", "history": map[string]int{"count": 10000, "seconds": 3600}}}})
}

// start starts a relay of the wikis a: and b: that takes messages from those sources.
func start(t *testing.T, change func(*config.Config), urls ...string) *relaytest.Relay {
	t.Helper()
	return relaytest.Start(t, func(c *config.Config) {
		a, err := auth.ParseWiki("a:", registration())
		if err != nil {
			t.Fatal(err)
		}
		c.Wikis = append(c.Wikis, a, relaytest.Wiki("b:", "https://b.example", false))
		if c.Ingress = sources(t, urls...); change != nil {
			change(c)
		}
	})
}

func sources(t *testing.T, urls ...string) (all []ingress.Source) {
	t.Helper()
	for _, url := range urls {
		source, err := ingress.ParseSource(url, true)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source)
	}
	return all
}

// listen subscribes to a:News, and gets all that there was already.
func listen(t *testing.T, r *relaytest.Relay) *relaytest.Client {
	t.Helper()
	code, _, text := r.HTTP(t, "GET", "http://relay/api/history?type=a:News", "", "Authorization: Bearer "+relaytest.Token("a:", "publish", "", nil))
	var at struct{ Epoch string }
	if json.Unmarshal([]byte(text), &at); code != 200 || at.Epoch == "" {
		t.Fatalf("history: %d %s", code, text)
	}
	c := r.V1(t, relaytest.Token("a:", "connect", "Ann", nil), "Listener")
	if got := c.Ask(`{"id":9,"op":"subscribe","type":"a:News","since":{"epoch":"` + at.Epoch + `","offset":0}}`); !strings.Contains(got, `"recovered":true`) {
		t.Fatal(got)
	}
	return c
}

// expect fails the test unless these messages come next, in this order.
func expect(t *testing.T, c *relaytest.Client, want ...string) {
	t.Helper()
	for i, w := range want {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, frame, err := c.Read(ctx)
		cancel()
		var m struct{ Msg json.RawMessage }
		if json.Unmarshal(frame, &m); err != nil || string(m.Msg) != w {
			t.Fatalf("message %d: %.300s %v, want %s", i, frame, err, w)
		}
	}
}

func series(from, to int) []string {
	var list []string
	for n := from; n < to; n++ {
		list = append(list, fmt.Sprint(n))
	}
	return list
}

// envelope is a message of the wiki a:.
func envelope(msg any) string { return fmt.Sprintf(`{"type":"a:News","msg":%v}`, msg) }

// ready is what readyz says.
type ready struct {
	Status  string
	Ingress []ingress.State
}

func readyz(t *testing.T, r *relaytest.Relay) (a ready) {
	t.Helper()
	code, _, text := r.HTTP(t, "GET", "http://control/readyz", "")
	if err := json.Unmarshal([]byte(text), &a); err != nil || code != 200 {
		t.Fatalf("readyz: %d %s %v", code, text, err)
	}
	return a
}

// await asks readyz until it is as wanted.
func await(t *testing.T, r *relaytest.Relay, what string, wanted func(a ready, first ingress.State) bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		a := readyz(t, r)
		if wanted(a, a.Ingress[0]) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %s: %+v; the relay says\n%s", what, a, r.Log)
		}
	}
}

func connected(t *testing.T, r *relaytest.Relay) {
	t.Helper()
	await(t, r, "connection", func(a ready, _ ingress.State) bool { return a.Status == "ready" })
}

// showsNo fails the test when a secret is to be seen anywhere.
func showsNo(t *testing.T, r *relaytest.Relay, secret string) {
	t.Helper()
	_, _, metrics := r.HTTP(t, "GET", "http://control/metrics", "")
	_, _, stats := r.HTTP(t, "GET", "http://control/api/stats", "")
	state, _ := json.Marshal(readyz(t, r))
	for name, text := range map[string]string{"log": r.Log.String(), "metrics": metrics, "stats": stats, "readyz": string(state)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the password: %s", name, text)
		}
	}
}

// metric returns the value of a line of /metrics.
func metric(t *testing.T, r *relaytest.Relay, labels string) string {
	t.Helper()
	_, _, text := r.HTTP(t, "GET", "http://control/metrics", "")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "websocket_relay_ingress_") && strings.Contains(line, labels) {
			return strings.TrimSpace(line[strings.LastIndexByte(line, ' '):])
		}
	}
	t.Fatalf("no metric with %s in\n%s", labels, text)
	return ""
}

// poison is what no relay takes, and words of the reason.
var poison = []struct{ payload, reason string }{
	{"garbage", "JSON"},
	{"\xff\xfe\x00", "UTF-8"},
	{`O:8:"stdClass":1:{s:4:"type";s:6:"a:News";}`, "JSON"},
	{`{"type":"a:News","msg":1} trailing`, "JSON"},
	{`{"type":"a:News","msg":1},{"type":"a:News","msg":2}`, "JSON"},
	{`{"messages":[{"type":"a:News","msg":1}]}`, "type"},
	{`{"type":"b:News","msg":1}`, "another wiki"},
	{`{"type":"a:News","msg":1,"type":"a:Other"}`, "twice"},
	{`{"type":"a:News","msg":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, "deep"},
	{`{"type":"a:News","msg":1,"key":"no spaces"}`, "key"},
	{`{"type":"a:News","msg":"` + strings.Repeat("x", 2<<20) + `"}`, "publishBytes"},
}

// retries is how many attempts are waited for where waiting times grow, and retriesTake what four of those waits take at least.
const (
	retries     = 5
	retriesTake = (50 + 100 + 200 + 400) * time.Millisecond
)

// hurry lets queues that hang be noticed soon, in this test.
func hurry(t *testing.T) {
	beat, poll, answer := ingress.Timeouts(time.Second, 500*time.Millisecond, time.Second)
	t.Cleanup(func() { ingress.Timeouts(beat, poll, answer) })
}

// publisher says the same of all messages; nil: nothing is to come.
type publisher func([]ingress.Message) ingress.Result

func (p publisher) Publish(_ string, messages []ingress.Message) []ingress.Verdict {
	result := p(messages)
	verdicts := make([]ingress.Verdict, len(messages))
	for i := range verdicts {
		verdicts[i].Result = result
	}
	return verdicts
}

// open starts sources without a relay.
func open(t *testing.T, p publisher, urls ...string) *ingress.Set {
	t.Helper()
	set, err := ingress.Open(sources(t, urls...), ingress.Options{Publisher: p, Consumer: "relay@test", Log: slog.New(slog.DiscardHandler),
		Warn: func(string, string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// closeSoon closes it within the time that a relay has which takes another's place.
func closeSoon(t *testing.T, what interface{ Close() }) {
	t.Helper()
	ended := make(chan struct{})
	go func() { what.Close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(9 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestCloseWaitsForNoSourceForEver: whatever a source does.
func TestCloseWaitsForNoSourceForEver(t *testing.T) {
	ingress.CloseMost(time.Millisecond)
	t.Cleanup(func() { ingress.CloseMost(5 * time.Second) })
	published, release := make(chan struct{}), make(chan struct{})
	address := fmt.Sprint("127.0.0.1:", broker.FreePort("udp"))
	set := open(t, publisher(func([]ingress.Message) ingress.Result {
		close(published)
		<-release
		return ingress.Done
	}), "udp://"+address+"?wiki=mydb:")
	out, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.Write([]byte(editLine)); err != nil {
		t.Fatal(err)
	}
	<-published
	closeSoon(t, set)
	close(release)
}
