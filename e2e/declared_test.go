package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// strict is a wiki on which only declared types may be used.
func strict(t *testing.T, version string) *wikitest.Wiki {
	t.Helper()
	return wikitest.Start(t, wikitest.Options{Version: version, Server: "nginx", Extensions: []string{testExtension(t, "DeclaredTypes")},
		Settings: "wfLoadExtension( 'DeclaredTypes' ); $wgWebSocketOpenTypes = $wgWebSocketPageBar = false;"})
}

// somebody is connected, and knows the subscription tokens that the wiki gave.
type somebody struct {
	*wikitest.Socket
	name   string
	tokens map[string]string
}

// meet connects a session's user.
func meet(t *testing.T, w *wikitest.Wiki, name string, session *wikitest.Session, types []string) *somebody {
	t.Helper()
	s := &somebody{w.Dial(t, wikitest.Handshake{}), name, make(map[string]string)}
	if reply := s.Connect(goodToken(t, w, session), "WS"+name); !strings.HasPrefix(reply, `"ok"`) {
		t.Fatalf("%s: connect: %s", name, reply)
	}
	answer := session.API(t, wikitest.Params{"action": "websocket-subscribe", "types": strings.Join(types, "|")})["websocket-subscribe"].(map[string]any)
	for _, granted := range answer["tokens"].([]any) {
		token := granted.(map[string]any)
		s.tokens[token["type"].(string)] = token["token"].(string)
	}
	if n := len(s.tokens) + len(answer["refused"].([]any)); n != len(types) {
		t.Errorf("%s asked for %d types and got %d answers: %v", name, len(types), n, answer)
	}
	return s
}

// TestTypeUsedWithoutTheRight: who may subscribe to what and send it, for a visitor, a user and one with rights.
func TestTypeUsedWithoutTheRight(t *testing.T) {
	for _, version := range []string{"1.39", "1.43"} {
		t.Run(version, func(t *testing.T) {
			w := strict(t, version)
			w.NewUsers(t, nil, "Ann")
			w.NewUsers(t, []string{"editor"}, "Ed")
			pages := topics(t, w, "Open", "Hidden", "Main Page")
			w.StartRelay(t)
			open, hidden := "Comments/"+pages[0], "Comments/"+pages[1]
			table := []struct{ name, subscribe, send string }{
				{"News", "visitor Ann Ed", ""},
				{"Members", "Ann Ed", "Ann Ed"},
				{"Board", "visitor Ann Ed", "visitor Ann Ed"},
				{"Draft", "Ed", "Ed"},
				{open, "visitor Ann Ed", "Ann Ed"},
				{hidden, "Ed", "Ann Ed"},
				{"Comments/1", "", "Ann Ed"},
				{"Comments/12345", "", "Ann Ed"},
				{"Comments/0" + pages[0], "", "Ann Ed"},
				{"Inbox/Ann", "Ann", ""},
				{"Inbox/ann", "", ""},
				{"Club/chess", "Ed", "Ann Ed"},
				{"@page/" + pages[0], "visitor Ann Ed", ""},
				{"Undeclared", "", ""},
			}
			var types []string
			for _, row := range table {
				types = append(types, "testwiki:"+row.name)
			}
			people := []*somebody{
				meet(t, w, "visitor", w.Anonymous(), types),
				meet(t, w, "Ann", w.Login(t, "Ann", "Pass-of-Ann-1234"), types),
				meet(t, w, "Ed", w.Login(t, "Ed", "Pass-of-Ed-1234"), types),
			}
			for _, row := range table {
				typ := "testwiki:" + row.name
				for _, p := range people {
					reply := p.Subscribe(typ, p.tokens[typ])
					if got, want := strings.HasPrefix(reply, `"ok"`), strings.Contains(row.subscribe, p.name); got != want || !got && !refused(reply) {
						t.Errorf("%s subscribes to %s: %s", p.name, row.name, reply)
					}
					reply = p.Ask(fmt.Sprintf(`"op":"send","type":%q,"msg":1`, typ))
					if got, want := strings.HasPrefix(reply, `"ok"`), strings.Contains(row.send, p.name); got != want || !got && !refused(reply) {
						t.Errorf("%s sends %s: %s", p.name, row.name, reply)
					}
				}
			}
			foreignGrants(t, w, people, "testwiki:"+open, "testwiki:"+hidden)
			ann := wikitest.User{Name: "Ann", Password: "Pass-of-Ann-1234"}
			w.Block(t, ann)
			blocked := connected(t, w, ann, "WSblocked")
			if reply := blocked.Ask(`"op":"send","type":"testwiki:Board","msg":"blocked"`); !strings.Contains(reply, `"code":"forbidden"`) {
				t.Errorf("a blocked user sends: %s", reply)
			}
			if reply := blocked.Subscribe("testwiki:Board", ""); !strings.HasPrefix(reply, `"ok"`) {
				t.Errorf("a blocked user reads: %s", reply)
			}
		})
	}
}

// refused reports whether a reply is a refusal that says why.
func refused(reply string) bool {
	denied := strings.Contains(reply, `"code":"forbidden"`) || strings.Contains(reply, `"code":"unauthorized"`)
	return denied && !strings.Contains(reply, `"message":""`)
}

// foreignGrants: a subscription token opens one type to one user, and is no token to connect with.
func foreignGrants(t *testing.T, w *wikitest.Wiki, people []*somebody, open, hidden string) {
	t.Helper()
	visitor, ann, ed := people[0], people[1], people[2]
	for name, reply := range map[string]string{
		"without a token":                  ann.Subscribe(hidden, ""),
		"with the token of somebody else":  ann.Subscribe(hidden, ed.tokens[hidden]),
		"as a visitor, with a user's":      visitor.Subscribe(hidden, ed.tokens[hidden]),
		"with the token of another type":   ann.Subscribe(hidden, ann.tokens[open]),
		"with half of a token":             ann.Subscribe(hidden, ed.tokens[hidden][:40]),
		"to connect":                       w.Dial(t, wikitest.Handshake{}).Connect(ed.tokens[hidden]),
		"to connect, with one of an inbox": w.Dial(t, wikitest.Handshake{}).Connect(ann.tokens["testwiki:Inbox/Ann"]),
	} {
		if !refused(reply) {
			t.Errorf("%s: %s", name, reply)
		}
	}
	status, body := w.Get(t, "/rest.php/websocket/v0/subscribe?types="+hidden+"%7C"+open)
	if status != 200 || strings.Count(body, `"token":`) != 1 || !strings.Contains(body, `"code":"forbidden"`) {
		t.Errorf("the REST route: %d %s", status, body)
	}
}

// topics makes pages and returns their ids.
func topics(t *testing.T, w *wikitest.Wiki, titles ...string) []string {
	t.Helper()
	out := w.PHP(t, fmt.Sprintf(`$services = \MediaWiki\MediaWikiServices::getInstance();
foreach ( explode( '|', %q ) as $name ) {
	$title = $services->getTitleFactory()->newFromText( $name );
	$page = $services->getWikiPageFactory()->newFromTitle( $title );
	$content = new WikitextContent( "About $name." );
	$page->doUserEditContent( $content, $services->getUserFactory()->newFromName( 'Admin' ), 'made' );
	echo "id ", $page->getId(), "\n";
}
`, strings.Join(titles, "|")))
	var ids []string
	for line := range strings.Lines(out) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "id "); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) != len(titles) {
		t.Fatalf("%d of %d pages made: %s", len(ids), len(titles), out)
	}
	return ids
}

// TestUnreadablePageKeepsItsStream: a page object gets the tokens for many types with one request, needs none again when the relay has been
// restarted, and loses the type of a page that its user may not read any more.
func TestUnreadablePageKeepsItsStream(t *testing.T) {
	w := strict(t, "1.43")
	ann := w.NewUser(t, "Ann")
	w.NewUser(t, "Ed", "editor")
	var titles []string
	for i := range 20 {
		titles = append(titles, fmt.Sprintf("Topic %d", i))
	}
	ids := topics(t, w, titles...)
	tab := browser(t).Tab(t)
	tab.AllowErrors("WebSocket: subscribe testwiki:")
	tab.SignIn(w, ann, "Topic_0")
	tab.Run(`window.got = []; window.problems = [];
		mw.hook( 'webSocket.error' ).add( ( e ) => problems.push( e.about + ' ' + e.type + ' ' + e.code ) )`)
	tab.Run(fmt.Sprintf(`[ %s ].forEach( ( id ) =>
		webSocket.subscribe( 'testwiki:Comments/' + id, ( data ) => got.push( id + ' ' + data.msg ) ) )`, strings.Join(ids, ",")))
	settle(t, w, len(ids))
	ed := &talk{t: t, w: w, tab: tab}
	ed.arrives(ids[0], "first")
	ed.arrives(ids[19], "first")
	if n := subscribeRequests(tab); n != 1 {
		t.Errorf("%d requests for the tokens of %d types, want 1", n, len(ids))
	}

	w.KillRelay(t, syscall.SIGKILL)
	w.StartRelay(t)
	tab.WaitFor(`webSocket.connected()`)
	ed.sender = nil
	ed.arrives(ids[0], "again")
	ed.arrives(ids[19], "again")
	if n := subscribeRequests(tab); n != 1 {
		t.Errorf("%d requests for tokens after the relay was restarted, want none", n-1)
	}

	for i, act := range map[int]wikitest.Params{
		3: {"action": "protect", "title": titles[3], "protections": "edit=sysop"},
		4: {"action": "move", "from": titles[4], "to": "Hidden 4"},
		5: {"action": "delete", "title": titles[5]},
	} {
		w.API(t, act)
		wikitest.Within(t, revocationTime, act["action"]+": the page is told", func() bool {
			return wikitest.Eval[bool](tab, fmt.Sprintf(`problems.includes( 'subscribe testwiki:Comments/%s forbidden' )`, ids[i]))
		})
		ed.comment(ids[i], "secret")
	}
	tab.Run(`webSocket.subscribe( 'testwiki:Undeclared', () => {} )`)
	tab.WaitFor(`problems.includes( 'subscribe testwiki:Undeclared forbidden' )`)
	ed.arrives(ids[6], "last")
	if got := wikitest.Eval[string](tab, `got.join()`); strings.Contains(got, "secret") {
		t.Errorf("of a page that is hidden now came %s", got)
	}
}

// talk is what Ed, who may read every page, says about pages that a tab listens to.
type talk struct {
	t      *testing.T
	w      *wikitest.Wiki
	tab    *wikitest.Tab
	sender *wikitest.Socket // nil: Ed has to connect
}

func (k *talk) comment(page, text string) {
	k.t.Helper()
	if k.sender == nil {
		k.sender = connected(k.t, k.w, wikitest.User{Name: "Ed", Password: "Pass-of-Ed-1234"}, "WSEd")
	}
	if reply := k.sender.Ask(fmt.Sprintf(`"op":"send","type":"testwiki:Comments/%s","msg":%q`, page, text)); !strings.HasPrefix(reply, `"ok"`) {
		k.t.Fatalf("send: %s", reply)
	}
}

func (k *talk) arrives(page, text string) {
	k.t.Helper()
	k.comment(page, text)
	k.tab.WaitFor(fmt.Sprintf(`got.includes( '%s %s' )`, page, text))
}

func subscribeRequests(tab *wikitest.Tab) (n int) {
	for _, url := range tab.Requests() {
		if strings.Contains(url, "action=websocket-subscribe") {
			n++
		}
	}
	return n
}
