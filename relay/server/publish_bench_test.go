package server_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// hundredTypes is a wiki that publishes and whose visitors send, among 100 declared types.
func hundredTypes(c *config.Config) {
	generous(c)
	types := []map[string]any{{"pattern": "a:Chat/*", "send": "user"}, {"pattern": "a:@changes", "read": "user"}}
	for i := range 98 {
		types = append(types, map[string]any{"pattern": fmt.Sprintf("a:Foo%d/*", i), "send": "right:edit", "read": "user"})
	}
	c.Wikis[0] = relaytest.Wiki("a:", publicOrigin, false, map[string]any{"types": types})
}

// wikiToken signs a publish token as the wiki does, spelling included.
func wikiToken(wiki string) string {
	part := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	text := part([]byte(`{"alg":"HS256","typ":"JWT","kid":"`+wiki+`"}`)) + "." +
		part(fmt.Appendf(nil, `{"iss":"%s","aud":"publish","sub":"","iat":%d,"exp":%d}`, wiki, now, now+60))
	mac := hmac.New(sha256.New, relaytest.Key(wiki))
	mac.Write([]byte(text))
	return text + "." + part(mac.Sum(nil))
}

// padded fills the "%s" of an envelope so that it has n bytes.
func padded(envelope string, n int) string {
	return fmt.Sprintf(envelope, strings.Repeat("x", n-len(envelope)+len("%s")))
}

const (
	wikiEnvelope    = `{"type":"a:@page/1234","msg":{"page":1234,"comment":"%s"},"from":"0123456789abcdef0123456789abcdef","actor":"Ann"}`
	visitorEnvelope = `{"id":1234,"op":"send","type":"a:Chat/1234","msg":{"text":"%s"},"from":"0123456789abcdef0123456789abcdef"}`
)

var envelopeSizes = []struct {
	name  string
	bytes int
}{{"128B", 128}, {"1KiB", 1024}}

// nowhere is a subscriber that writes nothing.
type nowhere struct{}

func (nowhere) Queue([]byte) bool { return true }
func (nowhere) Flush()            {}
func (nowhere) Send([]byte)       {}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkPublish is a publish of a wiki and its stages, for one subscriber whose writes are not counted: "whole" is what the relay does with a body that
// has been read, "handler" has HTTP's part in it but no socket, "http" is a request over the control socket as PHP makes it, its own side included.
func BenchmarkPublish(b *testing.B) {
	r := relaytest.Start(b, hundredTypes)
	r.Subscribe(engine.Key{Wiki: "a:", Type: "a:@page/1234"}, nowhere{})
	for _, stage := range []string{"parse", "token", "policy", "engine", "whole", "handler", "http"} {
		for _, size := range envelopeSizes {
			for _, n := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/%s/%d", stage, size.name, n), func(b *testing.B) {
					do := stagesOfPublish(b, r, strings.Repeat(","+padded(wikiEnvelope, size.bytes), n)[1:])[stage]
					before := r.Stats(b).Delivered
					b.ReportAllocs()
					for b.Loop() {
						if err := do(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
					if got := r.Stats(b).Delivered - before; strings.Contains("engine whole handler http", stage) && got < uint64(b.N*n) {
						b.Errorf("%d delivered of %d", got, b.N*n)
					}
				})
			}
		}
	}
}

func stagesOfPublish(b *testing.B, r *relaytest.Relay, envelopes string) map[string]func() error {
	body, token := []byte(`{"messages":[`+envelopes+`]}`), wikiToken("a:")
	id, refused := r.Verify(token)
	if refused != nil {
		b.Fatal(refused)
	}
	var parsed []codec.Envelope
	parse := func() error {
		parsed = parsed[:0]
		return fault(codec.ParseBatch(body, wire.DefaultLimits(), func(e codec.Envelope) *wire.Error {
			parsed = append(parsed, e)
			return nil
		}))
	}
	var messages []engine.Message
	policy := func() error {
		messages = messages[:0]
		for _, e := range parsed {
			m, err := r.Policy(&id, e)
			if messages = append(messages, m); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(parse(), policy()); err != nil {
		b.Fatal(err)
	}
	return map[string]func() error{
		"parse":   parse,
		"token":   func() error { return fault(second(r.Verify(token))) },
		"policy":  policy,
		"engine":  func() error { return r.Deliver(messages...) },
		"whole":   func() error { return fault(second(r.Take(token, body))) },
		"handler": handled(r, token, body),
		"http":    func() error { return posted(r, token, body) },
	}
}

func second[T any](_ T, err *wire.Error) *wire.Error { return err }

// fault is err as an error, which a nil pointer is not.
func fault(err *wire.Error) error {
	if err == nil {
		return nil
	}
	return err
}

func handled(r *relaytest.Relay, token string, body []byte) func() error {
	request, _ := http.NewRequest("POST", "http://relay/api/publish", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	public := r.Public()
	return func() error {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		public.ServeHTTP(discard{make(http.Header)}, request)
		return nil
	}
}

func posted(r *relaytest.Relay, token string, body []byte) error {
	c, err := net.Dial("unix", r.Control)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(relaytest.Patience))
	request := fmt.Appendf(nil, "POST /api/publish HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
	if _, err = c.Write(request); err != nil {
		return err
	}
	if answer, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("%.200s %v", answer, err)
	}
	return nil
}
