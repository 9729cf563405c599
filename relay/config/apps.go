package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The relay's apps: small programs with URLs of their own.
const (
	AppNotify  = "notify"  // notifications for Tsugi
	AppChat    = "chat"    // chats
	AppLogView = "logview" // log files, as they grow
)

var appNames = []string{AppNotify, AppChat, AppLogView}

const appHelp = `Apps have URLs on the relay's ports, one or several, and need no wiki:
  --app NAME=URL[,URL…]  serve an app there; NAME is one of
                         notify   notifications for Tsugi, such as notify=/notify
                         chat     each URL a chat of its own: its page; the socket is URL/connect
                         logview  log files as they grow: a page and its socket
  --app-origin ORIGIN    as https://chat.example: pages of apps may connect under that name. Needed
                         unless it is an IP address, localhost or the host of a wiki of the relay
  --notify-secrets FILE  $CFG->websocket_secret of the Tsugi servers, one a line; those with
                         the same secret count as one server
  --log-file NAME=PATH   a file that the log view shows, under that name
  --log-refresh MS       how often it looks for more; 0: at once, by inotify (1000)
  --log-tokens FILE      who may see the files: one token a line, at least 16 characters.
                         Without, who is on this machine, if the relay listens on loopback and
                         the URL does not begin with /websocket, which web servers forward.
--app, --app-origin and --log-file can be there several times. The keys of the configuration
file are "apps": {"chat": ["/websocket/chat"]}, "appOrigins": ["https://chat.example"],
  "notifySecrets": ["…"], "logFiles": {"access": "/path"}, "logRefresh": 1000, "logTokens": ["…"]
`

// appFlags is what the flags say about apps.
type appFlags struct {
	urls, files     map[string][]string // as they stand, by name
	origins         []string
	secrets, tokens string // files
	refresh         *string
}

func (a *appFlags) define(flags *flag.FlagSet) {
	a.urls, a.files = make(map[string][]string), make(map[string][]string)
	collect := func(into map[string][]string, form string) func(string) error {
		return func(value string) error {
			name, rest, ok := strings.Cut(value, "=")
			if !ok || name == "" || rest == "" {
				return fmt.Errorf("it is not %s", form)
			}
			into[name] = append(into[name], rest)
			return nil
		}
	}
	flags.Func("app", "", collect(a.urls, "NAME=URL"))
	flags.Func("log-file", "", collect(a.files, "NAME=PATH"))
	flags.Func("app-origin", "", func(value string) error { a.origins = append(a.origins, value); return nil })
	flags.StringVar(&a.secrets, "notify-secrets", "", "")
	flags.StringVar(&a.tokens, "log-tokens", "", "")
	flags.Func("log-refresh", "", func(value string) error { a.refresh = &value; return nil })
}

// apply puts what the flags say in the place of what the file says about the same app, log, or thing.
func (a *appFlags) apply(c *Config) (err error) {
	for name, lists := range a.urls {
		c.setApp(name, strings.Split(strings.Join(lists, ","), ","))
	}
	for name, paths := range a.files {
		if len(paths) > 1 {
			return Fail(ExitUsage, "--log-file %.256q is there twice", name)
		}
		c.setLog(name, paths[0])
	}
	if a.origins != nil {
		c.AppOrigins = a.origins
	}
	if a.secrets != "" {
		if c.NotifySecrets, err = readLines("--notify-secrets", a.secrets); err != nil {
			return err
		}
	}
	if a.tokens != "" {
		if c.LogTokens, err = readLines("--log-tokens", a.tokens); err != nil {
			return err
		}
	}
	if a.refresh != nil {
		return c.setRefresh("--log-refresh", []byte(*a.refresh))
	}
	return nil
}

// readLines returns the lines of a file that are not empty, without the blanks around them. It shows none of them.
func readLines(of, file string) (lines []string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, Fail(ExitUsage, "%s: %v", of, err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if lines == nil {
		return nil, Fail(ExitUsage, "%s %s: the file is empty; it has one a line", of, file)
	}
	return lines, nil
}

// setApps sets a key of the configuration file that is about apps, and reports whether it is one.
func (c *Config) setApps(file, name string, raw json.RawMessage) (known bool, err error) {
	switch name {
	case "apps":
		var apps map[string][]string
		if json.Unmarshal(raw, &apps) != nil {
			return true, Fail(ExitUsage, `%s: "apps" is not an object of lists of URLs by the apps' names`, file)
		}
		for app, urls := range apps {
			c.setApp(app, urls)
		}
	case "logFiles":
		var files map[string]string
		if json.Unmarshal(raw, &files) != nil {
			return true, Fail(ExitUsage, `%s: "logFiles" is not an object of paths by names`, file)
		}
		for log, path := range files {
			c.setLog(log, path)
		}
	case "notifySecrets", "logTokens", "appOrigins":
		field := map[string]*[]string{"notifySecrets": &c.NotifySecrets, "logTokens": &c.LogTokens, "appOrigins": &c.AppOrigins}[name]
		if json.Unmarshal(raw, field) != nil || len(*field) == 0 || slices.Contains(*field, "") {
			return true, Fail(ExitUsage, "%s: %q is not a list of strings that are not empty", file, name)
		}
	case "logRefresh":
		return true, c.setRefresh(file+`: "logRefresh"`, raw)
	default:
		return false, nil
	}
	return true, nil
}

func (c *Config) setApp(name string, urls []string) {
	if c.Apps == nil {
		c.Apps = make(map[string][]string)
	}
	c.Apps[name] = urls
}

func (c *Config) setLog(name, path string) {
	if c.LogFiles == nil {
		c.LogFiles = make(map[string]string)
	}
	c.LogFiles[name] = path
}

func (c *Config) setRefresh(what string, text []byte) error {
	const most = 24 * 60 * 60 * 1000
	ms, err := strconv.Atoi(string(text))
	if err != nil || ms < 0 || ms > most {
		return Fail(ExitUsage, "%s is not a whole number of milliseconds from 0 to %d", what, most)
	}
	c.LogRefresh = time.Duration(ms) * time.Millisecond
	return nil
}

// completeApps makes the paths absolute and checks what can be checked before the apps are there.
func (c *Config) completeApps() error {
	for name, file := range c.LogFiles {
		absolute, err := filepath.Abs(file)
		if err != nil {
			return Fail(ExitUsage, "%s: %v", file, err)
		}
		c.LogFiles[name] = absolute
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) { // so that of two faults always the same is named
		if !slices.Contains(appNames, name) {
			return Fail(ExitUsage, "%.256q is no app; there are %s", name, strings.Join(appNames, ", "))
		}
		for _, url := range c.Apps[name] {
			if err := checkAppURL(name, url, all); err != nil {
				return err
			}
			all = append(all, url)
		}
	}
	return c.checkApps()
}

func (c *Config) checkApps() error {
	has := func(name string) bool { return len(c.Apps[name]) > 0 }
	switch {
	case has(AppNotify) && len(c.NotifySecrets) == 0:
		return Fail(ExitUsage, "the app notify needs --notify-secrets FILE, with $CFG->websocket_secret of the Tsugi servers in it, one a line")
	case !has(AppNotify) && len(c.NotifySecrets) > 0:
		return Fail(ExitUsage, "there are secrets of Tsugi servers, but no app that they are for: add --app notify=/notify")
	case !has(AppLogView) && (len(c.LogFiles) > 0 || len(c.LogTokens) > 0):
		return Fail(ExitUsage, "there are log files or tokens for them, but no app that they are for: add --app logview=/admin/log-view")
	}
	for _, origin := range c.AppOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != strings.ToLower(u.Scheme+"://"+u.Host) {
			return Fail(ExitUsage, "--app-origin %.256q is no origin like https://chat.example, in small letters and without a slash at its end", origin)
		}
	}
	if len(c.LogTokens) == 0 {
		for _, at := range c.Apps[AppLogView] {
			if strings.HasPrefix(at, "/websocket") {
				return Fail(ExitUsage, "the app logview: a web server that forwards for a wiki forwards %s, too, and everybody could see the logs: "+
					"say with --log-tokens FILE who may, or take a URL that does not begin with /websocket", at)
			}
		}
	}
	for i, secret := range c.NotifySecrets {
		if slices.Contains(c.NotifySecrets[:i], secret) {
			return Fail(ExitUsage, "the secrets of Tsugi servers: the one in place %d is there twice", i+1)
		}
	}
	return nil
}

var (
	appURL   = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	relayURL = regexp.MustCompile(`^/(websocket|api(/.*)?|healthz|readyz|metrics|debug(/.*)?)$`)
)

// checkAppURL checks one URL; others are those of before.
func checkAppURL(app, url string, others []string) error {
	switch {
	case len(url) > 256 || !appURL.MatchString(url) || path.Clean(url) != url:
		return Fail(ExitUsage, "the app %s: %.256q is no path like /websocket/%s: letters, digits and ._~- between slashes, and no slash at the end", app, url, app)
	case relayURL.MatchString(url):
		return Fail(ExitUsage, "the app %s: %s is the relay's own", app, url)
	}
	for _, other := range others {
		switch {
		case other == url:
			return Fail(ExitUsage, "the app %s: %s is taken already", app, url)
		case strings.HasPrefix(url, other+"/"), strings.HasPrefix(other, url+"/"):
			return Fail(ExitUsage, "the app %s: of %s and %s one is below the other", app, other, url)
		}
	}
	return nil
}
