package wikitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Maintenance runs a maintenance script of the wiki as the wiki's user, gives
// it stdin and returns what it printed. A script that fails fails the test.
func (w *Wiki) Maintenance(t testing.TB, stdin, script string, args ...string) string {
	t.Helper()
	root, err := ProjectRoot()
	if err != nil {
		t.Fatal(err)
	}
	wiki := w.Dir
	if w.added {
		wiki += ":" + w.Options.ScriptPath
	}
	cmd := exec.Command(filepath.Join(root, "testbed/wiki-maint.sh"), append([]string{wiki, script}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("maintenance script %s: %v\n%s", script, err, &out)
	}
	w.answered(leaksIn("what "+script+" printed", out.Bytes(), noTokens)...)
	return out.String()
}

// OwnMaintenance runs a script of the extension, such as "WebSocketRelay".
func (w *Wiki) OwnMaintenance(t testing.TB, script string, args ...string) string {
	t.Helper()
	return w.Maintenance(t, "", filepath.Join(w.Root(), "extensions/WebSocket/maintenance", script+".php"), args...)
}

// PHP runs code inside of the wiki, in a process of its own, as maintenance
// scripts do, and returns what it printed.
func (w *Wiki) PHP(t testing.TB, code string) string {
	t.Helper()
	file, err := os.CreateTemp(filepath.Join(w.Dir, "tmp"), "script-*.php")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	if err := file.Chmod(0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("<?php\n" + code); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Maintenance(t, fmt.Sprintf("require %q;\n", file.Name()), "eval")
}

// A User is an account with which a test logs in.
type User struct{ Name, Password string }

// CreateUser creates a user in the given groups.
func (w *Wiki) CreateUser(t testing.TB, name, password string, groups ...string) {
	t.Helper()
	w.create(t, groups, User{name, password})
}

// NewUser creates a user with a password of its own.
func (w *Wiki) NewUser(t testing.TB, name string, groups ...string) User {
	t.Helper()
	return w.NewUsers(t, groups, name)[0]
}

// NewUsers creates users in the same groups.
func (w *Wiki) NewUsers(t testing.TB, groups []string, names ...string) []User {
	t.Helper()
	var users []User
	for _, name := range names {
		users = append(users, User{name, "Pass-of-" + name + "-1234"})
	}
	w.create(t, groups, users...)
	return users
}

func (w *Wiki) create(t testing.TB, groups []string, users ...User) {
	t.Helper()
	list, err := json.Marshal([]any{groups, users})
	if err != nil {
		t.Fatal(err)
	}
	out := w.PHP(t, fmt.Sprintf(`$services = \MediaWiki\MediaWikiServices::getInstance();
[ $groups, $accounts ] = json_decode( <<<'JSON'
%s
JSON, true );
foreach ( $accounts as $account ) {
	$user = $services->getUserFactory()->newFromName( $account['Name'] );
	$status = $user->addToDatabase();
	if ( $status->isGood() ) {
		$status = $user->changeAuthenticationData( [ 'password' => $account['Password'], 'retype' => $account['Password'] ] );
	}
	echo $status->isGood() ? "created\n" : $status;
	foreach ( $groups ?? [] as $group ) {
		$services->getUserGroupManager()->addUserToGroup( $user, $group );
	}
}
`, list))
	if n := strings.Count(out, "created\n"); n != len(users) {
		t.Fatalf("%d of %d users created: %s", n, len(users), out)
	}
}

// Block blocks a user, who may go on editing the own talk page.
func (w *Wiki) Block(t testing.TB, u User) {
	t.Helper()
	w.API(t, Params{"action": "block", "user": u.Name, "expiry": "infinite", "allowusertalk": "1"})
}

// Unblock ends a block.
func (w *Wiki) Unblock(t testing.TB, u User) {
	t.Helper()
	w.API(t, Params{"action": "unblock", "user": u.Name})
}

// RemoveGroup takes a user out of a group.
func (w *Wiki) RemoveGroup(t testing.TB, u User, group string) {
	t.Helper()
	w.userRights(t, Params{"user": u.Name, "remove": group})
}

// AddGroup puts a user into a group.
func (w *Wiki) AddGroup(t testing.TB, u User, group string) {
	t.Helper()
	w.userRights(t, Params{"user": u.Name, "add": group})
}

// userRights needs another token than the rest of the API.
func (w *Wiki) userRights(t testing.TB, params Params) {
	t.Helper()
	admin := w.adminSession(t)
	answer := admin.API(t, Params{"action": "query", "meta": "tokens", "type": "userrights"})
	params["action"] = "userrights"
	params["token"] = answer["query"].(map[string]any)["tokens"].(map[string]any)["userrightstoken"].(string)
	admin.API(t, params)
}

// SignIn logs a user in through Special:UserLogin, for this tab and the
// others of its context, and opens a page. No script runs meanwhile: what one
// asks for as nobody, and is answered late, takes the new session's cookie away.
func (tab *Tab) SignIn(w *Wiki, u User, title string) {
	tab.t.Helper()
	tab.scripts(false)
	tab.Open(w.URL + "/index.php?title=Special:UserLogin&returnto=" + title)
	tab.WaitFor(`document.forms.userlogin`)
	tab.Run(fmt.Sprintf(`{
		const form = document.forms.userlogin;
		form.wpName.value = %q;
		form.wpPassword.value = %q;
		form.querySelector( '#wpLoginAttempt' ).click();
	}`, u.Name, u.Password))
	tab.WaitFor(`document.querySelector( '#pt-logout' ) && document.readyState === 'complete'`)
	tab.scripts(true)
	tab.OpenPage(w, title)
	if name := Eval[*string](tab, `mw.config.get( 'wgUserName' )`); name == nil || *name != u.Name {
		tab.t.Fatalf("%s is not logged in", u.Name)
	}
}

// scripts lets the pages that this tab opens from now on run theirs, or not.
func (tab *Tab) scripts(run bool) {
	tab.t.Helper()
	p := emulation.SetScriptExecutionDisabledParams{Value: !run}
	if _, err := chromedp.Call(tab.Ctx, emulation.SetScriptExecutionDisabled, p); err != nil {
		tab.t.Fatalf("turn scripts on or off: %v", err)
	}
}

// SignOut logs the tab's user out, by the link that every page has.
func (tab *Tab) SignOut() {
	tab.t.Helper()
	// Without the script behind it the link leads to a page that asks.
	tab.WaitFor(`mw.loader.getState( 'mediawiki.page.ready' ) === 'ready'`)
	tab.Run(`document.querySelector( '#pt-logout a' ).click()`)
	tab.WaitFor(`window.mw && mw.config && mw.config.get( 'wgUserName' ) === null`)
}

// ChangePassword changes the password of the tab's user, who has just logged
// in, through Special:ChangeCredentials.
func (tab *Tab) ChangePassword(w *Wiki, password string) {
	tab.t.Helper()
	tab.Open(w.URL + `/index.php?title=Special:ChangeCredentials/MediaWiki%5CAuth%5CPasswordAuthenticationRequest`)
	tab.WaitFor(`document.querySelector( '[name="password"]' )`)
	tab.Run(fmt.Sprintf(`{
		const form = document.querySelector( '[name="password"]' ).form;
		form.password.value = form.retype.value = %q;
		form.querySelector( '[type="submit"]' ).click();
	}`, password))
	tab.WaitFor(`document.querySelector( '.mw-message-box-success, .cdx-message--success, .oo-ui-flaggedElement-success' )`)
}
