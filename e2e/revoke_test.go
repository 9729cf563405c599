package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"mediawiki-websocket/e2e/wikitest"
)

// revocationTime is within what a reader who has lost the right loses the stream.
const revocationTime = 5 * time.Second

// A loss is a way to lose the right to read. session is one of the user.
type loss struct {
	name string
	act  func(t *testing.T, w *wikitest.Wiki, u wikitest.User, session *wikitest.Session)
}

var losses = []loss{
	{"group taken away", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		w.RemoveGroup(t, u, "reader")
	}},
	{"group taken away by a script", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		w.PHP(t, fmt.Sprintf(`$services = \MediaWiki\MediaWikiServices::getInstance();
			$services->getUserGroupManager()->removeUserFromGroup( $services->getUserIdentityLookup()->getUserIdentityByName( %q ), 'reader' );`, u.Name))
	}},
	{"block", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) { w.Block(t, u) }},
	{"logout", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, session *wikitest.Session) {
		session.Write(t, wikitest.Params{"action": "logout"})
	}},
	{"password reset by a script", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		w.Maintenance(t, "", "changePassword", "--user", u.Name, "--password", "Another-pass-1234")
	}},
	{"password changed elsewhere", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		elsewhere := w.Login(t, u.Name, u.Password)
		elsewhere.API(t, wikitest.Params{"action": "changeauthenticationdata", "changeauthtoken": elsewhere.CSRFToken(t),
			"changeauthrequest": `MediaWiki\Auth\PasswordAuthenticationRequest`, "password": "Another-pass-1234", "retype": "Another-pass-1234"})
	}},
	{"sessions ended by a script", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		w.Maintenance(t, "", "invalidateUserSessions", "--user", u.Name)
	}},
	{"revoked by the administrator", func(t *testing.T, w *wikitest.Wiki, u wikitest.User, _ *wikitest.Session) {
		w.OwnMaintenance(t, "WebSocketRelay", "--revoke", u.Name)
	}},
}

// TestLostRightKeepsTheStream: whoever loses the right to read, in whatever way, is cut off, and the token opens nothing any more, neither to
// the relay that was told nor to the one that was started after it.
func TestLostRightKeepsTheStream(t *testing.T) {
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Settings: members})
			w.Edit(t, "Main Page", "Hello.")
			w.StartRelay(t)
			var names []string
			for i := range losses {
				names = append(names, fmt.Sprintf("Reader %c", 'A'+i))
			}
			users := w.NewUsers(t, []string{"reader"}, names...)
			stolen := make(map[string]string)
			for i, l := range losses {
				stolen[l.name] = losing(t, w, l, users[i])
			}
			w.KillRelay(t, syscall.SIGKILL)
			w.StartRelay(t)
			for name, token := range stolen {
				opensNothing(t, w, name+", after a restart", token)
			}
		})
	}
}

// losing connects a user, takes the right away, and returns the user's token of before.
func losing(t *testing.T, w *wikitest.Wiki, l loss, u wikitest.User) string {
	t.Helper()
	session := w.Login(t, u.Name, u.Password)
	token := goodToken(t, w, session)
	v1, classic := w.Dial(t, wikitest.Handshake{}), w.Dial(t, wikitest.Handshake{Classic: true, Bearer: token})
	id := strings.ReplaceAll(u.Name, " ", "")
	if reply := v1.Connect(token, "WS"+id); !strings.Contains(reply, u.Name) {
		t.Fatalf("%s: connect: %s", l.name, reply)
	}
	if reply := v1.Subscribe("testwiki:@changes", ""); !strings.HasPrefix(reply, `"ok"`) {
		t.Fatalf("%s: subscribe: %s", l.name, reply)
	}
	classic.Send(`{"type":"Register","from":"Classic` + id + `"}`)
	title := "Before " + u.Name
	w.Edit(t, title, "Text.")
	for _, s := range []*wikitest.Socket{v1, classic} {
		s.Wait(l.name+": news before", func(frame string) bool { return strings.Contains(frame, strings.ReplaceAll(title, " ", "_")) })
	}
	l.act(t, w, u, session)
	wikitest.Within(t, revocationTime, l.name+": the connections end", func() bool { return v1.Ended() && classic.Ended() })
	if v1.CloseCode() != 4401 || classic.CloseCode() != 4401 {
		t.Errorf("%s: closed with %d and %d, want 4401", l.name, v1.CloseCode(), classic.CloseCode())
	}
	opensNothing(t, w, l.name, token)
	return token
}

// goodToken returns a token that the relay takes. One from the second in which something was revoked, such as the user's creation with a password,
// does not count.
func goodToken(t *testing.T, w *wikitest.Wiki, session *wikitest.Session) (token string) {
	t.Helper()
	wikitest.Eventually(t, "a token that counts", func() bool {
		token = session.Token(t)
		return strings.HasPrefix(w.Dial(t, wikitest.Handshake{}).Connect(token), `"ok"`)
	})
	return token
}

// opensNothing fails the test when a token that was revoked still does something.
func opensNothing(t *testing.T, w *wikitest.Wiki, what, token string) {
	t.Helper()
	s := w.Dial(t, wikitest.Handshake{Origin: w.URL})
	if reply := s.Connect(token); !strings.Contains(reply, `"code":"unauthorized"`) {
		t.Errorf("%s: the old token was answered with %s", what, reply)
	}
	wikitest.Eventually(t, what+": the connection ends", s.Ended)
	if _, answer, err := w.TryDial(t, wikitest.Handshake{Classic: true, Bearer: token}); err == nil || answer == nil || answer.StatusCode != 401 {
		t.Errorf("%s: the old token was answered with %v %v in a classic handshake", what, err, answer)
	}
}

// TestLostRightKeepsTheTab: the same in browsers, with what users do themselves. The tab that is left is told, asks once more, and is quiet.
func TestLostRightKeepsTheTab(t *testing.T) {
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: members})
	w.Edit(t, "Main Page", "Hello.")
	watcher := browser(t).Tab(t)
	watcher.SignIn(w, wikitest.User{Name: wikitest.Admin, Password: wikitest.AdminPassword}, "Main_Page")
	waitConnected(watcher)
	collect(watcher, "changes", `'testwiki:@changes'`)
	users := w.NewUsers(t, []string{"reader"}, "Reader 0", "Reader 1", "Reader 2")
	for i, l := range []struct {
		name string
		act  func(c *wikitest.Context, u wikitest.User)
	}{
		{"group taken away", func(_ *wikitest.Context, u wikitest.User) { w.RemoveGroup(t, u, "reader") }},
		{"logout in another tab", func(c *wikitest.Context, u wikitest.User) {
			other := c.Tab(t)
			other.OpenPage(w, "Main_Page")
			other.SignOut()
		}},
		{"password changed in another browser", func(_ *wikitest.Context, u wikitest.User) {
			other := browser(t).Tab(t)
			other.SignIn(w, u, "Main_Page")
			other.ChangePassword(w, "Another-pass-1234")
		}},
	} {
		t.Run(l.name, func(t *testing.T) {
			u, c := users[i], browser(t)
			tab := c.Tab(t)
			tab.SignIn(w, u, "Main_Page")
			waitConnected(tab)
			collect(tab, "changes", `'testwiki:@changes'`)
			wikitest.Eventually(t, "the tab gets news", func() bool {
				w.Edit(t, "News", time.Now().String())
				return wikitest.Eval[bool](tab, `changes.length > 0`)
			})
			stolen := tab.Token()
			tab.Run(`window.ends = 0; webSocket.disconnected( () => ends++ )`)
			l.act(c, u)
			wikitest.Within(t, revocationTime, "the tab is cut off", func() bool { return wikitest.Eval[bool](tab, `ends > 0 && !webSocket.connected()`) })
			title := fmt.Sprintf("After_%d", i)
			w.Edit(t, title, "Text.")
			watcher.WaitFor(fmt.Sprintf(`changes.some( ( d ) => d.msg.title === %q )`, title))
			if got := wikitest.Eval[string](tab, `JSON.stringify( changes )`) + c.FromSockets(); strings.Contains(got, title) {
				t.Errorf("the tab got %s", got)
			}
			opensNothing(t, w, "the tab's token", stolen)
		})
	}
}
