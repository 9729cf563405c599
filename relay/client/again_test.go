package client_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"mediawiki-websocket/relay/client"
	"mediawiki-websocket/relay/relaytest"
	"mediawiki-websocket/relay/wire"
)

// TestSubscriptionThatFailedIsAskedForAgain: when the wiki gives no token any more Failed is told, and the next Subscribe asks for one again, also for who has
// subscribed before.
func TestSubscriptionThatFailedIsAskedForAgain(t *testing.T) {
	r, address := relay(t)
	var allowed, again atomic.Bool
	allowed.Store(true)
	failed := make(chan *client.Error, 10)
	c := open(t, client.Options{URL: "ws://" + address + "/", Token: everything("Ann"),
		GrantFunc: func(_ context.Context, types []string) (map[string]string, error) {
			if !allowed.Load() {
				return nil, nil
			}
			claims := map[string]any{"type": types[0]}
			if again.Load() { // later than what is revoked
				claims["iat"] = time.Now().Add(4 * time.Second).Unix()
			}
			return map[string]string{types[0]: relaytest.Token("a:", "subscribe", "Ann", claims)}, nil
		},
		Failed: func(_ string, err *client.Error) { failed <- err }})
	before, after := make(chan client.Message, 1), make(chan client.Message, 1)
	unsubscribe := subscribe(t, c, "a:Token", func(m client.Message) { before <- m })
	allowed.Store(false)
	r.HTTP(t, "POST", "http://relay/api/disconnect", `{"type":"a:Token","before":`+jsonOf(time.Now().Add(2*time.Second).Unix())+`}`, "Content-Type: application/json",
		"Authorization: Bearer "+relaytest.Token("a:", "publish", "", nil))
	if err := next(t, failed); err.Code != wire.Unauthorized {
		t.Error(err)
	}
	if _, err := c.Subscribe(wide(t), "a:Token", client.Since{}, nil); err == nil {
		t.Error("there is still no token")
	}
	again.Store(true)
	allowed.Store(true)
	subscribe(t, c, "a:Token", func(m client.Message) { after <- m })
	r.Publish(t, "a:", `[{"type":"a:Token","msg":1}]`)
	next(t, before)
	next(t, after)
	unsubscribe()
	r.Publish(t, "a:", `[{"type":"a:Token","msg":2}]`)
	next(t, after)
	if len(before) > 0 || len(failed) > 0 {
		t.Errorf("%d messages, %d failures", len(before), len(failed))
	}
}
