package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mediawiki-websocket/e2e/wikitest"
)

// knocking is a script that tries to open sockets and resolves to what came of each, "classic open, v1 closed".
const knocking = `
const knock = ( url, protocol ) => new Promise( ( resolve ) => {
	const socket = protocol ? new WebSocket( url, protocol ) : new WebSocket( url );
	socket.onopen = () => resolve( 'open' );
	socket.onclose = () => resolve( 'closed' );
} );
const answer = ( port, question ) => new Promise( ( resolve ) => {
	port.onmessage = ( e ) => resolve( e.data );
	port.postMessage( question );
} );
const knockAll = async ( url ) => 'classic ' + await knock( url ) + ', v1 ' + await knock( url, 'mediawiki.websocket.v1' );
`

// foreignSite is a web server with pages of an origin of its own: / is an empty page, /worker.js and /shared.js answer the address of a relay with
// what came of knocking there.
func foreignSite(t *testing.T) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/worker.js":
			rw.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(rw, knocking, `onmessage = async ( e ) => postMessage( await knockAll( e.data ) );`)
		case "/shared.js":
			rw.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(rw, knocking, `onconnect = ( c ) => { c.ports[ 0 ].onmessage = async ( e ) => c.ports[ 0 ].postMessage( await knockAll( e.data ) ); };`)
		default:
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, `<!DOCTYPE html><title>Foreign</title>`)
		}
	}))
	t.Cleanup(site.Close)
	return site
}

// TestForeignPageOpensSocket: a page of another site, which the wiki's user visits while logged in, reaches the relay in no way that a browser
// offers; one of a site that the wiki's administrator has named does.
func TestForeignPageOpensSocket(t *testing.T) {
	t.Parallel()
	foreign, friend := foreignSite(t), foreignSite(t)
	w := wikitest.Start(t, wikitest.Options{Server: "nginx", Settings: fmt.Sprintf(`$wgWebSocketOrigins = [ '%s' ];`, friend.URL)})
	u := w.NewUser(t, "Traveller")
	tab := browser(t).Tab(t)
	tab.SignIn(w, u, "Main_Page") // cookies know no ports, so the foreign page's requests carry the session's
	waitConnected(tab)
	for name, c := range map[string]struct{ site, want string }{
		"foreign": {foreign.URL, "classic closed, v1 closed"},
		"friend":  {friend.URL, "classic open, v1 open"},
		// The same machine by another name, which is another origin.
		"other name": {strings.Replace(friend.URL, "127.0.0.1", "localhost", 1), "classic closed, v1 closed"},
	} {
		tab.Open(c.site)
		for how, js := range map[string]string{
			"page":         `knockAll( %q )`,
			"worker":       `answer( new Worker( '/worker.js' ), %q )`,
			"SharedWorker": `answer( new SharedWorker( '/shared.js' ).port, %q )`,
		} {
			tab.Run(strings.ReplaceAll(knocking, "const ", "var "))
			if got := wikitest.Eval[string](tab, fmt.Sprintf(js, w.RelayURL())); got != c.want {
				t.Errorf("%s, %s: %s, want %s", name, how, got, c.want)
			}
		}
		// Without an origin of its own: "Origin: null".
		boxed := wikitest.Eval[string](tab, fmt.Sprintf(`new Promise( ( resolve ) => {
			const frame = document.createElement( 'iframe' );
			frame.sandbox = 'allow-scripts';
			frame.srcdoc = '<script>' + %q + 'knockAll( %q ).then( ( got ) => parent.postMessage( got, "*" ) )<\/script>';
			addEventListener( 'message', ( e ) => resolve( e.data ), { once: true } );
			document.body.append( frame );
		} )`, strings.ReplaceAll(knocking, "\n", " "), w.RelayURL()))
		if boxed != "classic closed, v1 closed" {
			t.Errorf("%s, sandboxed frame: %s", name, boxed)
		}
	}
	if log := w.RelayLog(); !strings.Contains(log, "forbidden origin") || !strings.Contains(log, foreign.URL) {
		t.Errorf("the relay's log does not name the foreign origin: %s", log)
	}
}
