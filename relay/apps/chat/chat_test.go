package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/apps/chat"
	"mediawiki-websocket/relay/relaytest/leak"
	"mediawiki-websocket/relay/sockets"
)

func TestMain(m *testing.M) { leak.Main(m) }

// start serves two chats, /one and /two.
func start(t *testing.T) *httptest.Server {
	t.Helper()
	g := sockets.New(sockets.Options{Name: "chat"})
	s := httptest.NewServer(chat.New(chat.Config{URLs: []string{"/one", "/two"}, Group: g}))
	t.Cleanup(func() {
		s.Close()
		g.Close()
	})
	return s
}

type line struct {
	N    int
	From string
	Text string
	Time int64
}

type message struct {
	Op, You, Name, Text, Joined, Left, Epoch string
	Here                                     []string
	Lines                                    []line
	Line                                     line
}

type person struct {
	*websocket.Conn
	t       *testing.T
	ctx     context.Context
	welcome message
}

func dial(t *testing.T, s *httptest.Server, url string, subprotocols ...string) *person {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*leak.Patience)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, s.URL+url+"/connect", &websocket.DialOptions{Subprotocols: subprotocols})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { c.CloseNow() })
	return &person{Conn: c, t: t, ctx: ctx}
}

// join joins a chat as a page does.
func join(t *testing.T, s *httptest.Server, url, key, name string) *person {
	t.Helper()
	p := dial(t, s, url, "chat.v1")
	p.say(fmt.Sprintf(`{"op":"join","key":%q,"name":%q}`, key, name))
	p.welcome = p.until("welcome")
	return p
}

func (p *person) say(text string) {
	p.t.Helper()
	if err := p.Write(p.ctx, websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) text(text string) {
	p.t.Helper()
	said, _ := json.Marshal(map[string]string{"op": "say", "text": text})
	p.say(string(said))
}

func (p *person) raw() string {
	p.t.Helper()
	_, data, err := p.Read(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// until returns the next message of a kind.
func (p *person) until(op string) (m message) {
	p.t.Helper()
	for m.Op != op {
		m = message{}
		if text := p.raw(); json.Unmarshal([]byte(text), &m) != nil {
			p.t.Fatalf("no JSON: %s", text)
		}
	}
	return m
}

func (p *person) closeCode() int {
	p.t.Helper()
	for {
		if _, _, err := p.Read(p.ctx); err != nil {
			var e websocket.CloseError
			if !errors.As(err, &e) {
				p.t.Fatal(err)
			}
			return int(e.Code)
		}
	}
}

func TestChat(t *testing.T) {
	s := start(t)
	ann := join(t, s, "/one", "a", "Ann")
	bob := join(t, s, "/one", "b", "  Bob   Miller ")
	if w := bob.welcome; w.You != "Bob Miller" || !slices.Equal(w.Here, []string{"Ann", "Bob Miller"}) || len(w.Lines) > 0 {
		t.Errorf("%+v", w)
	}
	if m := ann.until("here"); m.Joined != "Bob Miller" || m.Left != "" {
		t.Errorf("%+v", m)
	}
	other := join(t, s, "/two", "c", "Ann")
	bob.text(" <b>Hello</b>\r\nall \x07")
	for _, p := range []*person{ann, bob} {
		if l := p.until("line").Line; l.N != 1 || l.From != "Bob Miller" || l.Text != "<b>Hello</b>\nall" || l.Time == 0 {
			t.Errorf("%+v", l)
		}
	}
	bob.say(`{"op":"name","name":"Robert"}`)
	if m := bob.until("you"); m.Name != "Robert" {
		t.Errorf("%+v", m)
	}
	if m := ann.until("here"); m.Joined != "Robert" || m.Left != "Bob Miller" {
		t.Errorf("%+v", m)
	}
	bob.Close(websocket.StatusNormalClosure, "")
	if m := ann.until("here"); m.Joined != "" || m.Left != "Robert" {
		t.Errorf("%+v", m)
	}
	other.text("only here")
	if l := other.until("line").Line; l.N != 1 {
		t.Errorf("what was said in another chat has come: %+v", l)
	}
}

func TestLastFiftyLines(t *testing.T) {
	s := start(t)
	for i := range 51 {
		p := join(t, s, "/one", fmt.Sprint("key", i), "")
		p.text(fmt.Sprint("line ", i))
		p.until("line")
		p.Close(websocket.StatusNormalClosure, "")
	}
	w := join(t, s, "/one", "late", "").welcome
	if len(w.Lines) != 50 || w.Lines[0].Text != "line 1" || w.Lines[49].Text != "line 50" || w.Lines[49].N != 51 || w.Epoch == "" {
		t.Errorf("%d lines, from %+v", len(w.Lines), w.Lines[0])
	}
}

// TestSomebodySpeaksAsSomebodyElse: a name, or what looks like it, is its owner's while it is here and while what was said under it can be read.
func TestSomebodySpeaksAsSomebodyElse(t *testing.T) {
	s := start(t)
	ann := join(t, s, "/one", "the key of Ann", "Ann")
	for _, name := range []string{"Ann", "ann", " ANN ", "A-n.n", "Аnn", "Ann\u200b", "Ａｎｎ", ann.welcome.You} {
		mallory := dial(t, s, "/one", "chat.v1")
		mallory.say(fmt.Sprintf(`{"op":"join","key":"another","name":%q}`, name))
		if e := mallory.until("error"); e.Text == "" {
			t.Errorf("%q: %+v", name, e)
		}
		if w := mallory.until("welcome"); !strings.HasPrefix(w.You, "guest-") {
			t.Errorf("%q speaks as %q", name, w.You)
		}
		mallory.say(fmt.Sprintf(`{"op":"name","name":%q}`, name))
		mallory.until("error")
		mallory.Close(websocket.StatusNormalClosure, "")
	}
	witness := join(t, s, "/one", "the key of a witness", "Witness")
	ann.text("It is me.")
	ann.until("line")
	ann.Close(websocket.StatusNormalClosure, "")
	for witness.until("here").Left != "Ann" {
	}
	mallory := dial(t, s, "/one", "chat.v1")
	mallory.say(`{"op":"join","key":"another","name":"Ann"}`)
	mallory.until("error")
	if w := join(t, s, "/one", "the key of Ann", "Ann").welcome; w.You != "Ann" {
		t.Errorf("Ann has come back as %q", w.You)
	}
}

// TestPseudonymHidesTheAddress: it is the same for one address, numbered when several have it, and nobody can choose one.
func TestPseudonymHidesTheAddress(t *testing.T) {
	s := start(t)
	one, two := join(t, s, "/one", "a", ""), join(t, s, "/one", "b", "")
	you := one.welcome.You
	if strings.Contains(you, "127") || strings.Contains(you, "0.0.1") || two.welcome.You != you+"-2" {
		t.Errorf("%q and %q", you, two.welcome.You)
	}
	if other := join(t, start(t), "/one", "a", "").welcome.You; other == you {
		t.Errorf("two relays make %q of one address: anybody can find out which it is", you)
	}
	two.say(`{"op":"name","name":"guest-0000"}`)
	two.until("error")
}

// TestNameComesBack: who comes back with the key has the name again at once, although the relay has not noticed that the connection before is dead, which ends.
func TestNameComesBack(t *testing.T) {
	s := start(t)
	old := join(t, s, "/one", "a", "Ann")
	old.text("Hello")
	old.until("line")
	again := join(t, s, "/one", "a", "Ann")
	if w := again.welcome; w.You != "Ann" || !slices.Equal(w.Here, []string{"Ann"}) || len(w.Lines) != 1 {
		t.Errorf("%+v", w)
	}
	if code := old.closeCode(); code != 4509 {
		t.Errorf("the old connection ends with %d", code)
	}
	again.text("Here I am")
	if l := again.until("line").Line; l.From != "Ann" || l.N != 2 {
		t.Errorf("%+v", l)
	}
}

// TestChatIsFlooded: eight at once, and then a clear word; the others are not told what was too much.
func TestChatIsFlooded(t *testing.T) {
	s := start(t)
	ann, bob := join(t, s, "/one", "a", "Ann"), join(t, s, "/one", "b", "Bob")
	for i := range 40 {
		bob.text(fmt.Sprint(i))
	}
	if e := bob.until("error"); !strings.Contains(e.Text, "too fast") {
		t.Errorf("%+v", e)
	}
	bob.Close(websocket.StatusNormalClosure, "")
	n := 0
	for {
		var m message
		if err := json.Unmarshal([]byte(ann.raw()), &m); err != nil {
			t.Fatal(err)
		}
		if m.Left == "Bob" {
			break
		}
		if m.Op == "line" {
			n++
		}
	}
	if n < 8 || n > 20 {
		t.Errorf("%d lines of 40 at once", n)
	}
}

func TestLimitsOfALine(t *testing.T) {
	s := start(t)
	p := join(t, s, "/one", "a", "Ann")
	for _, text := range []string{strings.Repeat("ü", 2001), strings.Repeat("x\n", 20) + "x"} {
		p.text(text)
		if e := p.until("error"); !strings.Contains(e.Text, "2000 characters and 20 lines") {
			t.Errorf("%+v", e)
		}
	}
	p.text("  ")
	for i, text := range []string{strings.Repeat("ü", 2000), strings.Repeat("x\n", 19) + "x"} {
		p.text(text)
		if l := p.until("line").Line; l.Text != text || l.N != i+1 {
			t.Errorf("%+v", l)
		}
	}
}

func TestWhatIsNoChat(t *testing.T) {
	s := start(t)
	for _, said := range []string{`x`, `[]`, `{}`, `{"op":"say","text":"before the join"}`, `{"op":"join"}`, `{"op":"join","key":"` + strings.Repeat("k", 65) + `"}`} {
		p := dial(t, s, "/one", "chat.v1")
		p.say(said)
		if code := p.closeCode(); code != 4500 {
			t.Errorf("%s: %d", said, code)
		}
	}
	p := join(t, s, "/one", strings.Repeat("k", 64), "")
	p.say(`{"op":"join","key":"k"}`)
	if code := p.closeCode(); code != 4500 {
		t.Errorf("a second join: %d", code)
	}
}

// TestPrograms: what NaviServer's chat understood.
func TestPrograms(t *testing.T) {
	s := start(t)
	page := join(t, s, "/one", "a", "Ann")
	program := dial(t, s, "/one")
	guest := page.until("here").Joined
	program.say("from a program")
	if l := page.until("line").Line; l.From != guest || !strings.HasPrefix(guest, "guest-") || l.Text != "from a program" {
		t.Errorf("%+v, %q", l, guest)
	}
	page.text("one\ntwo")
	if got := program.raw(); got != "Ann: one\n  two" { // not its own
		t.Errorf("%q", got)
	}
	program.say(strings.Repeat("x", 2001))
	if got := program.raw(); !strings.HasPrefix(got, "! a message has at most 2000") {
		t.Errorf("%q", got)
	}
}

// TestChatIsFull: 500 people, and no more; when one goes there is room.
func TestChatIsFull(t *testing.T) {
	s := start(t)
	first := join(t, s, "/one", "first", "First")
	for range 499 {
		dial(t, s, "/one")
		first.until("here")
	}
	late := dial(t, s, "/one", "chat.v1")
	late.say(`{"op":"join","key":"late"}`)
	if code := late.closeCode(); code != 1013 {
		t.Errorf("the 501st: %d", code)
	}
	if again := join(t, s, "/one", "first", "First"); len(again.welcome.Here) != 500 { // in the place of the old connection
		t.Errorf("%d are here", len(again.welcome.Here))
	}
}

// TestChatIsFloodedWithNames: what many connections call themselves counts like what they say, since everybody is told.
func TestChatIsFloodedWithNames(t *testing.T) {
	s := start(t)
	witness := join(t, s, "/one", "witness", "Witness")
	const people, each = 20, 8 // which is what one may at once
	for i := range people {
		p := join(t, s, "/one", fmt.Sprint("key", i), "")
		for n := range each {
			p.say(fmt.Sprintf(`{"op":"name","name":"Name %d %d"}`, i, n))
		}
		if i == people-1 {
			if e := p.until("error"); !strings.Contains(e.Text, "too many names") {
				t.Errorf("%+v", e)
			}
		}
		p.Close(websocket.StatusNormalClosure, "")
	}
	renamed := 0
	for left := 0; left < people; {
		switch m := witness.until("here"); {
		case m.Joined != "" && m.Left != "":
			renamed++
		case m.Left != "":
			left++
		}
	}
	if renamed < 60 || renamed == people*each {
		t.Errorf("%d of %d names were told", renamed, people*each)
	}
}
